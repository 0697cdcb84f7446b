/* packet-gateway/core/tasks.c -- a worker's question from arrival to answer: checked against its grant,
 * queued for its lock, carried out by search.c, create.c or change.c, answered once. A dead asker ends what
 * was not sent and nothing else (design 12.4). Called by gateway.c, locks.c and calls.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

static const struct {
    void (*begin)(struct gateway_core *core, struct task *task);
    void (*acted)(struct gateway_core *core, struct task *task, const struct answer *answer);
    void (*listed)(struct gateway_core *core, struct task *task, const struct answer *answer);
} kinds[] = {
    [TASK_SEARCH] = {search_begin, NULL, search_listed},
    [TASK_CREATE] = {create_begin, create_acted, create_listed},
    [TASK_UPDATE] = {change_begin, change_acted, change_listed},
    [TASK_REMOVE] = {change_begin, change_acted, change_listed},
};

void task_begin(struct gateway_core *core, struct task *task)
{
    kinds[task->kind].begin(core, task);
}

void task_acted(struct gateway_core *core, struct task *task, const struct answer *answer)
{
    kinds[task->kind].acted(core, task, answer);
}

void task_listed(struct gateway_core *core, struct task *task, const struct answer *answer)
{
    kinds[task->kind].listed(core, task, answer);
}

void task_note(struct task *task, const struct answer *answer)
{
    const char *token = secret_text(task->grant->credential->token);
    const char *request_id = answer->result->request_id;

    if (task->maybe)
        return;
    /* A request id is the peer's word: it may hold anything, our token included. */
    if (!request_id || strstr(request_id, token))
        request_id = "";
    task->http = answer->status;
    snprintf(task->request_id, sizeof task->request_id, "%s", request_id);
    task->detail[0] = '\0';
    if (answer->class != CLASS_OK)
        answer_sentence(answer, token, task->detail);
}

static void finish(struct gateway_core *core, struct task *task, enum outcome outcome, int64_t wait_ms,
                   const char *id, bool adopted)
{
    if (!task->orphan && task->kind == TASK_SEARCH)
        reply_found(core, task, outcome, wait_ms);
    else if (!task->orphan)
        reply_outcome(core, task, outcome, wait_ms, id, adopted);
    task->done = true;
    lock_release(task);
    call_abandon(core, task);
}

void task_finish(struct gateway_core *core, struct task *task, enum outcome outcome)
{
    finish(core, task, outcome, 0, NULL, false);
}

void task_finish_id(struct gateway_core *core, struct task *task, const char *id, bool adopted)
{
    task->detail[0] = '\0'; /* a trouble on the way that is over */
    finish(core, task, OUTCOME_OK, 0, id, adopted);
}

void task_refuse(struct gateway_core *core, struct task *task, enum outcome outcome, int64_t wait_ms)
{
    finish(core, task, task->maybe ? OUTCOME_UNKNOWN : outcome, wait_ms, NULL, false);
}

void task_fail(struct gateway_core *core, struct task *task, enum answer_class class)
{
    int64_t wait = 0;

    if (class == CLASS_LIMITED)
        wait = budget_wait_ms(core, task->grant->credential, LANE_READ);
    task_refuse(core, task, class_row(class)->outcome, wait);
}

bool task_sent_mutation(const struct task *task)
{
    return task->call && task->call->state == CALL_SENT && task->call->mutation;
}

void task_orphan(struct gateway_core *core, struct task *task)
{
    task->orphan = true;
    if (!task_sent_mutation(task))
        task_finish(core, task, OUTCOME_FENCED);
}

/* ---- arrival ---- */

/* The question's own part of the task. */
static void read_question(struct task *task, const struct message *message)
{
    const union msg_body *b = &message->body;
    struct span key = {0}, id = {0}, shoot_uid = {0};

    switch (message->spec->id) {
    case MSG_SEARCH:
        task->kind = TASK_SEARCH;
        task->seq = b->search.seq;
        key = b->search.key;
        break;
    case MSG_CREATE:
        task->kind = TASK_CREATE;
        task->seq = b->create.seq;
        key = b->create.key;
        shoot_uid = b->create.shoot_uid;
        break;
    case MSG_UPDATE:
        task->kind = TASK_UPDATE;
        task->seq = b->update.seq;
        key = b->update.key;
        id = b->update.id;
        shoot_uid = b->update.shoot_uid;
        task->relabel = b->update.relabel;
        task->retag = b->update.retag;
        break;
    default:
        task->kind = TASK_REMOVE;
        task->seq = b->remove.seq;
        id = b->remove.id;
        break;
    }
    if (key.p && key.len) {
        task->key = x_strndup(key.p, key.len);
        task->has_want = strlen(task->key) == key.len && material_read(key.p, key.len, &task->want);
    }
    if (shoot_uid.p && shoot_uid.len)
        task->shoot_uid = x_strndup(shoot_uid.p, shoot_uid.len);
    uuid_copy(id.p, id.len, task->id);
}

static uint64_t handle_of(const struct message *message)
{
    switch (message->spec->id) {
    case MSG_SEARCH: return message->body.search.handle;
    case MSG_CREATE: return message->body.create.handle;
    case MSG_UPDATE: return message->body.update.handle;
    default: return message->body.remove.handle;
    }
}

/* The last moment a mutation may start: the sender's deadline, and never later than an intent lives
 * (design 12.2). The leadership is the grant's, and moves (design 12.15). */
static int64_t start_before(const struct gateway_core *core, const struct envelope *envelope)
{
    int64_t limit = core->now.boot_ms + ATTEMPT_SEND_S * 1000;

    if (envelope->deadline_ms && (int64_t)envelope->deadline_ms < limit)
        limit = (int64_t)envelope->deadline_ms;
    return limit;
}

/* OUTCOME_OK when the question may be carried out. */
static enum outcome check(struct gateway_core *core, struct task *task, const struct message *message)
{
    const struct grant *g = task->grant;
    bool mutation = task->kind != TASK_SEARCH;
    bool has_id = task->kind == TASK_UPDATE || task->kind == TASK_REMOVE;

    if (!g || g->epoch <= core->closed_epoch)
        return OUTCOME_FENCED;
    if (g->worker != task->asker)
        return OUTCOME_NOT_GRANTED;
    if (mutation && message->envelope.epoch != g->epoch)
        return OUTCOME_FENCED;
    if (mutation && (task->start_before <= core->now.boot_ms || g->write_until_ms <= core->now.boot_ms))
        return OUTCOME_FENCED;
    if (has_id && (!task->id[0] || !grant_has_id(g, task->id, true)))
        return OUTCOME_NOT_GRANTED;
    if (task->kind == TASK_UPDATE && !task->key && !task->relabel && !task->retag)
        return OUTCOME_BUG;
    if ((task->kind == TASK_CREATE || (task->kind == TASK_UPDATE && task->key)) && !task->has_want) {
        snprintf(task->detail, sizeof task->detail, "the public key has no type and no base64 part");
        return OUTCOME_REFUSED;
    }
    return core->draining ? OUTCOME_LATER : OUTCOME_OK;
}

static void task_free(struct task *task)
{
    list_clear(&task->list);
    free(task->key);
    free(task->shoot_uid);
    free(task);
}

void tasks_answer_ask(struct gateway_core *core, uint64_t from, const struct message *message)
{
    struct task *task = x_calloc(1, sizeof *task);

    read_question(task, message);
    task->asker = from;
    task->correlation = message->envelope.correlation;
    task->asked_ms = core->now.boot_ms;
    task->grant = grant_find(core, handle_of(message));
    task->start_before = start_before(core, &message->envelope);
    enum outcome outcome = check(core, task, message);

    if (outcome != OUTCOME_OK) {
        finish(core, task, outcome, outcome == OUTCOME_LATER ? PAUSE_FIRST_MS : 0, NULL, false);
        task_free(task);
        return;
    }
    task->grant->tasks++;
    task->place = place_get(core, task->grant->project, task->grant->label);
    task->place->tasks++;
    TAILQ_INSERT_TAIL(&core->tasks, task, link);
}

/* ---- end ---- */

/* What has sent nothing is sent back to the queue; what has waits for its answer. */
void tasks_drain(struct gateway_core *core)
{
    struct task *t;

    EACH(t, &core->tasks)
    {
        if (!t->done && !task_sent_mutation(t))
            task_refuse(core, t, OUTCOME_LATER, PAUSE_FIRST_MS);
    }
}

void tasks_sweep(struct gateway_core *core)
{
    struct task *next;

    for (struct task *t = TAILQ_FIRST(&core->tasks); t; t = next) {
        next = TAILQ_NEXT(t, link);
        if (!t->done)
            continue;
        TAILQ_REMOVE(&core->tasks, t, link);
        t->place->tasks--;
        grant_unref(core, t->grant);
        task_free(t);
    }
}

void tasks_free(struct gateway_core *core)
{
    struct task *t;

    while ((t = TAILQ_FIRST(&core->tasks))) {
        t->done = true;
        t->grant->revoked = false;
        call_abandon(core, t);
        tasks_sweep(core);
    }
}
