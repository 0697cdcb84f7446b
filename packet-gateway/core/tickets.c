/* packet-gateway/core/tickets.c -- the objects that wait for budget: found by owner, in one lane of their
 * credential's line, first come first served. Knows no budget and calls nobody. Called by admission.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

#define CHAINS_LEAST 64u

void tickets_open(struct admission *admission)
{
    TAILQ_INIT(&admission->lines);
    TAILQ_INIT(&admission->called);
    TAILQ_INIT(&admission->kept);
    admission->patience_ms = INT64_MAX;
    admission->n_chains = CHAINS_LEAST;
    admission->chains = x_calloc(admission->n_chains, sizeof *admission->chains);
}

/* FNV-1a. Names come from a cluster whose users we serve; a slow chain harms only them. */
static size_t chain_of(const struct admission *admission, struct span owner)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (uint32_t i = 0; i < owner.len; i++)
        h = (h ^ (unsigned char)owner.p[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32) & (admission->n_chains - 1);
}

struct ticket *ticket_find(const struct admission *admission, struct span owner)
{
    struct ticket *t = admission->chains[chain_of(admission, owner)];

    while (t && !span_is(owner, t->owner))
        t = t->next;
    return t;
}

static void grow(struct admission *a)
{
    struct ticket **old = a->chains;
    size_t n_old = a->n_chains;

    a->n_chains *= 2;
    a->chains = x_calloc(a->n_chains, sizeof *a->chains);
    for (size_t i = 0; i < n_old; i++)
        while (old[i]) {
            struct ticket *t = old[i];
            size_t at = chain_of(a, span_of(t->owner));

            old[i] = t->next;
            t->next = a->chains[at];
            a->chains[at] = t;
        }
    free(old);
}

/* ---- lines ---- */

struct line *line_of(const struct admission *admission, const struct credential *credential)
{
    struct line *line;

    EACH(line, &admission->lines)
    {
        if (line->credential == credential)
            break;
    }
    return line;
}

static struct line *line_new(struct admission *admission, struct credential *credential)
{
    struct line *line = x_calloc(1, sizeof *line);

    line->credential = credential;
    for (unsigned lane = 0; lane < LANES; lane++)
        TAILQ_INIT(&line->lanes[lane]);
    TAILQ_INSERT_TAIL(&admission->lines, line, link);
    return line;
}

struct ticket *line_first(const struct line *line, enum lane lowest)
{
    for (unsigned lane = 0; lane <= lowest; lane++)
        if (!TAILQ_EMPTY(&line->lanes[lane]))
            return TAILQ_FIRST(&line->lanes[lane]);
    return NULL;
}

/* ---- tickets ---- */

struct ticket *ticket_new(struct gateway_core *core, struct credential *credential, struct span owner)
{
    struct admission *a = &core->admission;

    if (a->tickets >= TICKETS_MAX)
        return NULL;
    if (a->tickets >= a->n_chains)
        grow(a);
    struct ticket *t = x_calloc(1, sizeof *t + owner.len + 1);
    size_t at = chain_of(a, owner);

    memcpy(t->owner, owner.p, owner.len);
    t->next = a->chains[at];
    a->chains[at] = t;
    a->tickets++;
    t->line = line_of(a, credential);
    if (!t->line)
        t->line = line_new(a, credential);
    t->line->tickets++;
    credential->tickets++;
    t->order = ++a->next_order;
    t->state = TICKET_KEPT;
    t->until_ms = core->now.boot_ms + TICKET_KEPT_MS;
    TAILQ_INSERT_TAIL(&a->kept, t, link);
    return t;
}

/* Out of the list it is in. */
static void take_out(struct admission *a, struct ticket *t)
{
    struct credential *c = t->line->credential;

    switch ((enum ticket_state)t->state) {
    case TICKET_WAITING:
        TAILQ_REMOVE(&t->line->lanes[t->lane], t, link);
        a->waiting[t->lane]--;
        break;
    case TICKET_CALLED:
        TAILQ_REMOVE(&a->called, t, link);
        a->n_called--;
        c->reserved -= t->calls;
        break;
    case TICKET_KEPT: TAILQ_REMOVE(&a->kept, t, link); break;
    }
}

void ticket_free(struct gateway_core *core, struct ticket *ticket)
{
    struct admission *a = &core->admission;
    struct line *line = ticket->line;
    struct ticket **link = &a->chains[chain_of(a, span_of(ticket->owner))];

    take_out(a, ticket);
    while (*link != ticket)
        link = &(*link)->next;
    *link = ticket->next;
    a->tickets--;
    line->credential->tickets--;
    if (--line->tickets == 0) {
        TAILQ_REMOVE(&a->lines, line, link);
        free(line);
    }
    free(ticket);
}

/* From the end: nearly always that is where it belongs. */
static void queue(struct tickets *lane, struct ticket *t)
{
    struct ticket *before = TAILQ_LAST(lane, tickets);

    while (before && before->order >= t->order)
        before = TAILQ_PREV(before, tickets, link);
    if (before)
        TAILQ_INSERT_AFTER(lane, before, t, link);
    else
        TAILQ_INSERT_HEAD(lane, t, link);
}

void ticket_wait(struct gateway_core *core, struct ticket *ticket, enum lane lane)
{
    struct admission *a = &core->admission;

    if (ticket->state == TICKET_WAITING && ticket->lane == lane)
        return;
    take_out(a, ticket);
    if (ticket->state != TICKET_WAITING)
        ticket->until_ms = INT64_MAX;
    ticket->state = TICKET_WAITING;
    ticket->lane = (uint8_t)lane;
    a->waiting[lane]++;
    queue(&ticket->line->lanes[lane], ticket);
}

void ticket_call(struct gateway_core *core, struct ticket *ticket)
{
    struct admission *a = &core->admission;

    take_out(a, ticket);
    ticket->state = TICKET_CALLED;
    ticket->until_ms = core->now.boot_ms + COMING_MS;
    ticket->line->credential->reserved += ticket->calls;
    a->n_called++;
    TAILQ_INSERT_TAIL(&a->called, ticket, link);
}

void ticket_keep(struct gateway_core *core, struct ticket *ticket)
{
    struct admission *a = &core->admission;

    take_out(a, ticket);
    ticket->state = TICKET_KEPT;
    ticket->until_ms = core->now.boot_ms + TICKET_KEPT_MS;
    TAILQ_INSERT_TAIL(&a->kept, ticket, link);
}
