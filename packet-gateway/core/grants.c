/* packet-gateway/core/grants.c -- authority per job: which worker may act with which credential on which
 * label and ids (design 12.5). Refuses by default; forgets with REVOKE, with the epoch, never with a call
 * under way. Called by gateway.c and by the tasks. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

struct grant *grant_find(struct gateway_core *core, uint64_t handle)
{
    struct grant *g;

    EACH(g, &core->grants)
    {
        if (g->handle == handle)
            return g;
    }
    return NULL;
}

bool grant_has_id(const struct grant *grant, const char *id, bool found_too)
{
    unsigned n = found_too ? grant->n_ids : grant->n_recorded;

    for (unsigned i = 0; i < n; i++) {
        if (strcmp(grant->ids[i], id) == 0)
            return true;
    }
    return false;
}

void grant_learn_id(struct grant *grant, const char *id)
{
    if (grant->n_ids >= GRANT_IDS_MAX || grant_has_id(grant, id, true))
        return;
    if (grant->n_ids == grant->room_ids) {
        grant->room_ids = grant->room_ids ? 2 * grant->room_ids : 4;
        grant->ids = x_realloc(grant->ids, grant->room_ids * sizeof *grant->ids);
    }
    memcpy(grant->ids[grant->n_ids++], id, UUID_TEXT);
}

/* packet C-5: trimmed, then without control characters; the watcher has looked too. */
static struct span token_trim(struct span token)
{
    while (token.len && strchr(" \t\r\n", token.p[0])) {
        token.p++;
        token.len--;
    }
    while (token.len && strchr(" \t\r\n", token.p[token.len - 1]))
        token.len--;
    for (uint32_t i = 0; i < token.len; i++) {
        if ((unsigned char)token.p[i] <= 0x20 || (unsigned char)token.p[i] >= 0x7f)
            return (struct span){0};
    }
    return token;
}

static void read_ids(struct grant *g, struct value ids)
{
    for (struct value_iter it = value_each(ids); value_next(&it);) {
        struct span text = value_text(it.item);
        char id[UUID_TEXT];

        if (uuid_copy(text.p, text.len, id))
            grant_learn_id(g, id);
    }
    g->n_recorded = g->n_ids;
}

static char *text_of(struct span s)
{
    return s.p ? x_strndup(s.p, s.len) : NULL;
}

static struct grant *grant_new(struct gateway_core *core, uint64_t from, const struct message *message)
{
    const struct msg_grant *m = &message->body.grant;
    struct span token = token_trim(m->token);
    char project[UUID_TEXT];

    if (!token.len || token.len > LIMIT_TOKEN || !uuid_copy(m->project.p, m->project.len, project))
        return NULL;
    struct credential *credential = credential_get(core, token.p, token.len);

    if (!credential)
        return NULL;
    struct grant *g = x_calloc(1, sizeof *g);

    g->handle = m->handle;
    g->worker = m->worker;
    g->watcher = from;
    g->epoch = message->envelope.epoch ? message->envelope.epoch : from;
    g->write_until_ms = m->write_until ? (int64_t)m->write_until : INT64_MAX;
    g->end_until_ms = m->end_until ? (int64_t)m->end_until : INT64_MAX;
    g->credential = credential;
    memcpy(g->project, project, sizeof g->project);
    g->label = text_of(m->label);
    g->owner = text_of(m->owner);
    read_ids(g, m->ids);
    g->reserve = (double)m->calls;
    g->listed = true;
    TAILQ_INSERT_TAIL(&core->grants, g, link);
    return g;
}

static void grant_free(struct gateway_core *core, struct grant *g)
{
    credential_unref(core, g->credential);
    free(g->label);
    free(g->owner);
    free(g->ids);
    free(g);
}

/* Out of the table: no new question finds it. It lives on while a task refers to it. */
static void grant_forget(struct gateway_core *core, struct grant *g)
{
    if (!g->listed)
        return;
    TAILQ_REMOVE(&core->grants, g, link);
    g->listed = false;
    g->credential->reserved -= g->reserve;
    g->reserve = 0;
    if (!g->tasks)
        grant_free(core, g);
}

static void say_revoked(struct gateway_core *core, uint64_t watcher, uint64_t handle, uint64_t correlation)
{
    struct msg_revoked body = {.handle = handle};
    struct envelope envelope = {.correlation = correlation};

    core->ops.send(core->ops.ctx, watcher, MSG_REVOKED, &body, &envelope);
}

void grant_unref(struct gateway_core *core, struct grant *grant)
{
    if (--grant->tasks || grant->listed)
        return;
    if (grant->revoked)
        say_revoked(core, grant->watcher, grant->handle, grant->correlation);
    grant_free(core, grant);
}

static void say_granted(struct gateway_core *core, uint64_t to, const struct message *question,
                        enum outcome outcome, int64_t wait_ms)
{
    struct msg_granted body = {
        .handle = question->body.grant.handle, .outcome = outcome, .wait_ms = (uint64_t)wait_ms};
    struct envelope envelope = {.correlation = question->envelope.correlation};

    core->ops.send(core->ops.ctx, to, MSG_GRANTED, &body, &envelope);
}

/* A GRANT for a handle that stands, from the same watcher for the same worker, moves the end of the
 * leadership (design 12.15); any other use of a taken handle is refused. */
void grants_answer_grant(struct gateway_core *core, uint64_t from, const struct message *message)
{
    const struct msg_grant *m = &message->body.grant;
    struct grant *g = grant_find(core, m->handle);
    uint64_t epoch = message->envelope.epoch ? message->envelope.epoch : from;

    if (epoch <= core->closed_epoch) {
        say_granted(core, from, message, OUTCOME_FENCED, 0);
        return;
    }
    if (g) {
        bool same = g->watcher == from && g->worker == m->worker && g->epoch == epoch;

        if (same) {
            g->write_until_ms = m->write_until ? (int64_t)m->write_until : INT64_MAX;
            g->end_until_ms = m->end_until ? (int64_t)m->end_until : INT64_MAX;
        }
        say_granted(core, from, message, same ? OUTCOME_OK : OUTCOME_NOT_GRANTED, 0);
        return;
    }
    if (core->draining) {
        say_granted(core, from, message, OUTCOME_LATER, PAUSE_FIRST_MS);
        return;
    }
    g = grant_new(core, from, message);
    if (!g) {
        say_granted(core, from, message, OUTCOME_NOT_GRANTED, 0);
        return;
    }
    int64_t wait;
    bool admitted = admission_ask(core, g, m, &wait);

    g->credential->reserved += g->reserve;
    if (!admitted) {
        grant_forget(core, g);
        say_granted(core, from, message, OUTCOME_LATER, wait);
        return;
    }
    say_granted(core, from, message, OUTCOME_OK, 0);
}

/* Also for questions that wait: a call asks its grant when it starts. */
void grants_move_end(struct gateway_core *core, uint64_t from, const struct msg_extend *extend)
{
    struct grant *g;

    EACH(g, &core->grants)
    {
        if (g->watcher != from)
            continue;
        g->write_until_ms = (int64_t)extend->write_until;
        g->end_until_ms = (int64_t)extend->end_until;
    }
}

/* Ends what this grant has not sent; what it has sent keeps it alive until its answer. */
static void grant_end(struct gateway_core *core, struct grant *g)
{
    struct task *t;

    g->tasks++; /* so that it stays while its tasks go */
    if (g->beyond && g->listed)
        admission_charge(core, g);
    EACH(t, &core->tasks)
    {
        if (t->grant == g && !t->done)
            task_orphan(core, t);
    }
    grant_forget(core, g);
    grant_unref(core, g);
}

/* A grant that is out of the table but has something under way. */
static struct grant *grant_lingering(const struct gateway_core *core, uint64_t handle, uint64_t watcher)
{
    const struct task *t;

    EACH(t, &core->tasks)
    {
        if (t->grant->handle == handle && t->grant->watcher == watcher)
            return t->grant;
    }
    return NULL;
}

void grants_answer_revoke(struct gateway_core *core, uint64_t from, const struct message *message)
{
    uint64_t handle = message->body.revoke.handle;
    struct grant *g = grant_find(core, handle);

    if (!g || g->watcher != from)
        g = grant_lingering(core, handle, from);
    if (!g) {
        say_revoked(core, from, handle, message->envelope.correlation);
        return;
    }
    g->revoked = true;
    g->correlation = message->envelope.correlation;
    grant_end(core, g);
}

void grants_worker_gone(struct gateway_core *core, uint64_t worker)
{
    struct task *t;

    EACH(t, &core->tasks)
    {
        if (t->asker == worker && !t->done)
            task_orphan(core, t);
    }
}

void grants_epoch_over(struct gateway_core *core, uint64_t epoch)
{
    struct grant *next;

    if (epoch > core->closed_epoch)
        core->closed_epoch = epoch;
    for (struct grant *g = TAILQ_FIRST(&core->grants); g; g = next) {
        next = TAILQ_NEXT(g, link);
        if (g->epoch <= epoch)
            grant_end(core, g);
    }
}

void grants_free(struct gateway_core *core)
{
    struct grant *g;

    while ((g = TAILQ_FIRST(&core->grants))) {
        g->tasks = 0;
        grant_forget(core, g);
    }
}
