/* packet-gateway/core/admission.c -- waiting for budget (design 12.6): a job begins when all the calls it is
 * expected to need are reserved. Until then its object has a ticket, and is called in with COME when its turn
 * has come: lanes first, inside a lane first come first served, round robin over the credentials. Never
 * sends anything to Packet, and keeps no token for a ticket. Called by grants.c and gateway.c. */
#include <stdlib.h>
#include <string.h>

#include "packet-gateway/core/internal.h"

/* The API has not answered for so long that it must be told (breaker.c answers the calls with a sentence). */
static bool outage(const struct gateway_core *core)
{
    return breaker_is_open(core) && core->now.boot_ms - core->breaker.since_ms >= BREAKER_TELL_MS;
}

/* Until a job with so many calls of this lane may begin. A token that comes while the job is on its way is as
 * good as one that is there, and else the bucket would be full, and lose some, whenever a job takes its time.
 * When nothing is promised to anybody a job may begin with its first call: a bucket smaller than a job's
 * calls never holds them all, and some limits are known only from an answer. */
static int64_t wait_of(const struct gateway_core *core, const struct credential *c, enum lane lane,
                       double calls)
{
    int64_t wait = budget_admission_ms(core, c, lane, c->reserved < 1 ? 1 : calls);
    int64_t probe = breaker_wait_ms(core), next = core->admission.probe_ms - core->now.boot_ms;

    if (wait <= AHEAD_MS)
        wait = 0;
    if (!breaker_is_open(core))
        return wait;
    probe = next > probe ? next : probe;
    return probe > wait ? probe : wait;
}

/* To an API that does not answer one job goes at a time, and finds out whether it does again. */
static void goes_ahead(struct gateway_core *core)
{
    if (breaker_is_open(core))
        core->admission.probe_ms = core->now.boot_ms + BREAKER_FIRST_MS;
}

/* ---- asking ---- */

/* It begins. That it was told of an outage is remembered: once a minute is enough. */
static void begins(struct gateway_core *core, struct ticket *t)
{
    if (t->told_ms && core->now.boot_ms - t->told_ms < TICKET_KEPT_MS)
        ticket_keep(core, t);
    else
        ticket_free(core, t);
}

static struct ticket *take_ticket(struct gateway_core *core, const struct grant *grant,
                                  const struct msg_grant *m, struct ticket *t)
{
    struct admission *a = &core->admission;

    if (!t)
        t = ticket_new(core, grant->credential, m->owner);
    if (!t)
        return NULL;
    if (t->owes || (t->told_ms && t->state != TICKET_WAITING))
        t->order = ++a->next_order + t->owes;
    t->owes = 0;
    t->calls = (uint16_t)m->calls;
    t->watcher = (uint32_t)grant->watcher;
    t->epoch = (uint32_t)grant->epoch;
    ticket_wait(core, t, (enum lane)m->lane);
    if (m->patience_ms && t->until_ms == INT64_MAX)
        t->until_ms = core->now.boot_ms + (int64_t)m->patience_ms;
    if (t->until_ms < a->patience_ms)
        a->patience_ms = t->until_ms;
    return t;
}

bool admission_ask(struct gateway_core *core, const struct grant *grant, const struct msg_grant *m,
                   int64_t *wait_ms)
{
    struct credential *c = grant->credential;
    enum lane lane = (enum lane)m->lane;
    struct ticket *t = ticket_find(&core->admission, m->owner);

    *wait_ms = 0;
    if (t && t->line->credential != c) { /* another token is in the Secret */
        ticket_free(core, t);
        t = NULL;
    }
    if (m->calls == 0 || (t && t->state == TICKET_CALLED)) {
        if (t)
            begins(core, t);
        return true;
    }
    struct line *line = line_of(&core->admission, c);
    int64_t wait = wait_of(core, c, lane, (double)m->calls);

    if (wait == 0 && !t && (!line || !line_first(line, lane))) {
        goes_ahead(core);
        return true;
    }
    t = take_ticket(core, grant, m, t);
    if (wait == 0 && t && line_first(t->line, lane) == t) {
        goes_ahead(core);
        begins(core, t);
        return true;
    }
    *wait_ms = wait > 0 ? wait : 1;
    return false;
}

void admission_charge(struct gateway_core *core, const struct grant *grant)
{
    struct span owner = span_of(grant->owner);
    struct ticket *t = ticket_find(&core->admission, owner);

    if (!t)
        t = ticket_new(core, grant->credential, owner);
    if (t && t->owes + grant->beyond <= UINT16_MAX)
        t->owes = (uint16_t)(t->owes + grant->beyond);
}

/* ---- calling in ---- */

static void call_in(struct gateway_core *core, struct ticket *t)
{
    struct msg_come body = {.owner = span_of(t->owner)};
    struct envelope envelope = {0};

    ticket_call(core, t);
    core->ops.send(core->ops.ctx, t->watcher, MSG_COME, &body, &envelope);
}

/* Who has budget, and the credential whose turn it is: they share the places for calls. */
static bool call_next(struct gateway_core *core)
{
    struct admission *a = &core->admission;
    struct line *line;

    EACH(line, &a->lines)
    {
        struct ticket *t = line_first(line, LANES - 1);

        if (!t || wait_of(core, line->credential, (enum lane)t->lane, t->calls) > 0)
            continue;
        TAILQ_REMOVE(&a->lines, line, link);
        TAILQ_INSERT_TAIL(&a->lines, line, link);
        goes_ahead(core);
        call_in(core, t);
        return true;
    }
    return false;
}

/* Force delete waits ten seconds at most, whatever the budget says (design 12.6). That is the admission: a
 * call of it still waits for the end of a server's pause, and a job that is forced ends without it. */
static void call_impatient(struct gateway_core *core)
{
    struct admission *a = &core->admission;
    struct ticket *t, *next;
    struct line *line;

    if (core->now.boot_ms < a->patience_ms)
        return;
    a->patience_ms = INT64_MAX;
    EACH(line, &a->lines)
    {
        for (t = TAILQ_FIRST(&line->lanes[LANE_DELETE]); t; t = next) {
            next = TAILQ_NEXT(t, link);
            if (t->until_ms <= core->now.boot_ms)
                call_in(core, t);
            else if (t->until_ms < a->patience_ms)
                a->patience_ms = t->until_ms;
        }
    }
}

static unsigned waiting(const struct gateway_core *core)
{
    unsigned n = 0;

    for (unsigned lane = 0; lane < LANES; lane++)
        n += core->admission.waiting[lane];
    return n;
}

static void tell_line(struct gateway_core *core, struct line *line)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        struct ticket *t = TAILQ_FIRST(&line->lanes[lane]);

        if (!t || (t->told_ms && core->now.boot_ms - t->told_ms < TICKET_KEPT_MS))
            continue;
        t->told_ms = core->now.boot_ms;
        call_in(core, t);
        return;
    }
}

/* A silent outage would be hidden for ever: in each minute each object has a run that ends with an error. */
static void tell_outage(struct gateway_core *core)
{
    struct admission *a = &core->admission;
    struct line *line, *last = TAILQ_LAST(&a->lines, lines), *next;
    unsigned n = waiting(core);

    if (!n || !outage(core) || core->now.boot_ms < a->outage_ms)
        return;
    for (line = TAILQ_FIRST(&a->lines); line; line = line == last ? NULL : next) {
        next = TAILQ_NEXT(line, link);
        tell_line(core, line);
    }
    a->outage_ms =
        core->now.boot_ms + (TICKET_KEPT_MS / n > OUTAGE_LEAST_MS ? TICKET_KEPT_MS / n : OUTAGE_LEAST_MS);
}

void admission_move(struct gateway_core *core)
{
    struct admission *a = &core->admission;
    struct ticket *t;

    if (!a->tickets)
        return;
    while ((t = TAILQ_FIRST(&a->called)) && t->until_ms <= core->now.boot_ms)
        ticket_keep(core, t);
    while ((t = TAILQ_FIRST(&a->kept)) && t->until_ms <= core->now.boot_ms)
        ticket_free(core, t);
    if (core->draining)
        return;
    call_impatient(core);
    tell_outage(core);
    while (a->n_called < core->config.parallel && call_next(core))
        continue;
}

int64_t admission_next_ms(const struct gateway_core *core)
{
    const struct admission *a = &core->admission;
    const struct ticket *called = TAILQ_FIRST(&a->called);
    int64_t next = a->patience_ms, now = core->now.boot_ms;
    const struct line *line;

    if (called && called->until_ms < next)
        next = called->until_ms;
    if (outage(core) && waiting(core) && a->outage_ms < next)
        next = a->outage_ms > now ? a->outage_ms : now + AGAIN_LEAST_MS;
    if (a->n_called >= core->config.parallel || core->draining)
        return next;
    EACH(line, &a->lines)
    {
        const struct ticket *t = line_first(line, LANES - 1);
        int64_t wait = t ? wait_of(core, line->credential, (enum lane)t->lane, t->calls) : 0;

        /* A budget that others hold comes back with their end, which is an event. */
        wait = wait - AHEAD_MS > AGAIN_LEAST_MS ? wait - AHEAD_MS : AGAIN_LEAST_MS;
        if (t && now + wait < next)
            next = now + wait;
    }
    return next;
}

/* ---- the end ---- */

static void forget(struct gateway_core *core, uint64_t epoch)
{
    struct admission *a = &core->admission;

    for (size_t i = 0; i < a->n_chains; i++)
        for (struct ticket *t = a->chains[i], *next; t; t = next) {
            next = t->next;
            if (t->epoch <= epoch)
                ticket_free(core, t);
        }
}

void admission_epoch_over(struct gateway_core *core, uint64_t epoch)
{
    forget(core, epoch);
    core->admission.patience_ms = INT64_MAX; /* a successor's tickets come with their own */
}

void admission_free(struct gateway_core *core)
{
    forget(core, UINT64_MAX);
    free(core->admission.chains);
}
