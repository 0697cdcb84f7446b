/* packet-gateway/core/calls.c -- the life of one HTTP request: waits for its time, budget and a free place
 * among those under way; starts; is answered. Knows nothing of what the request is for. Called by the tasks
 * and by gateway.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

static const enum lane lanes[] = {
    [TASK_SEARCH] = LANE_READ,
    [TASK_CREATE] = LANE_CREATE,
    [TASK_UPDATE] = LANE_CREATE,
    [TASK_REMOVE] = LANE_DELETE,
};

static void call_free(struct gateway_core *core, struct call *call)
{
    TAILQ_REMOVE(&core->calls, call, link);
    credential_unref(core, call->credential);
    free(call->path);
    free(call->body);
    free(call);
}

/* Takes the call off its task. One that is under way stays in the table for its answer. */
void call_abandon(struct gateway_core *core, struct task *task)
{
    struct call *call = task->call;

    task->call = NULL;
    if (!call)
        return;
    call->task = NULL;
    if (call->state != CALL_SENT)
        call_free(core, call);
}

void call_ask(struct gateway_core *core, struct task *task, const char *method, char *path, char *body)
{
    call_abandon(core, task);
    if (task->orphan || core->draining) {
        free(path);
        free(body);
        task_refuse(core, task, OUTCOME_LATER, PAUSE_FIRST_MS);
        return;
    }
    struct call *call = x_calloc(1, sizeof *call);

    call->id = core->next_call++;
    call->task = task;
    call->credential = task->grant->credential;
    credential_ref(call->credential);
    call->lane = lanes[task->kind];
    call->method = method;
    call->path = path;
    call->body = body;
    call->mutation = strcmp(method, "GET") != 0;
    call->ready_ms = core->now.boot_ms;
    call->start_before = call->mutation ? task->start_before : INT64_MAX;
    task->call = call;
    TAILQ_INSERT_TAIL(&core->calls, call, link);
}

void call_repeat(struct gateway_core *core, struct task *task, int64_t delay_ms)
{
    struct call *call = task->call;

    call->id = core->next_call++;
    call->state = CALL_WAITING;
    call->ready_ms = core->now.boot_ms + delay_ms;
    TAILQ_REMOVE(&core->calls, call, link);
    TAILQ_INSERT_TAIL(&core->calls, call, link);
}

static void promise_kept(struct grant *grant)
{
    if (grant->reserve >= 1) {
        grant->reserve -= 1;
        grant->credential->reserved -= 1;
    }
}

static void call_send(struct gateway_core *core, struct call *call)
{
    struct task *task = call->task;
    struct gateway_request request = {
        .id = call->id,
        .method = call->method,
        .path = call->path,
        .token = secret_text(call->credential->token),
        .body = call->body,
        /* A PUT too: a copy of it that is carried out late would bring older material back. */
        .once = call->body != NULL,
        .start_before = call->start_before,
    };

    call->state = CALL_SENT;
    call->tries++;
    core->under_way++;
    budget_take(core, call->credential);
    promise_kept(task->grant);
    if (call->mutation) {
        task->place->mutations++;
    } else if (task->list.pages == 0) {
        task->list.sent_ms = core->now.boot_ms;
        task->list.seen = task->place->mutations;
    }
    core->ops.request(core->ops.ctx, &request);
}

/* Starts it, lets it wait, or gives it up. Says whether anything but waiting happened. */
static bool call_try(struct gateway_core *core, struct call *call)
{
    int64_t now = core->now.boot_ms;

    if (call->start_before <= now) {
        task_refuse(core, call->task, OUTCOME_FENCED, 0);
        return true;
    }
    if (call->ready_ms > now)
        return false;
    int64_t wait = budget_wait_ms(core, call->credential, call->lane);

    if (wait == 0 && core->under_way < core->config.parallel) {
        call_send(core, call);
        return true;
    }
    if (wait > BUDGET_WAIT_MS || now - call->ready_ms >= BUDGET_WAIT_MS) {
        task_refuse(core, call->task, OUTCOME_LATER, wait > PAUSE_FIRST_MS ? wait : PAUSE_FIRST_MS);
        return true;
    }
    return false;
}

/* Lane by lane, in each the longest waiting first. Says whether any call moved. */
bool calls_start(struct gateway_core *core)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        struct call *call;

        EACH(call, &core->calls)
        {
            if (call->state == CALL_WAITING && call->lane == lane && call_try(core, call))
                return true; /* the table may have changed: start over */
        }
    }
    return false;
}

int64_t calls_next_ms(const struct gateway_core *core)
{
    int64_t next = INT64_MAX, now = core->now.boot_ms;
    const struct call *call;

    EACH(call, &core->calls)
    {
        if (call->state != CALL_WAITING)
            continue;
        int64_t at = call->ready_ms;

        if (at <= now) {
            int64_t wait = budget_wait_ms(core, call->credential, call->lane);

            at = call->ready_ms + BUDGET_WAIT_MS;
            if (wait && now + wait < at)
                at = now + wait;
        }
        if (call->start_before < at)
            at = call->start_before;
        if (at < next)
            next = at;
    }
    return next;
}

void call_answer(struct gateway_core *core, const struct gateway_result *result)
{
    struct answer answer;
    struct call *call;

    EACH(call, &core->calls)
    {
        if (call->state == CALL_SENT && call->id == result->id)
            break;
    }
    if (!call)
        return;
    core->under_way--;
    answer_read(&answer, call->method, result);
    budget_learn(core, call->credential, &answer);
    struct task *task = call->task;

    if (!task) {
        call_free(core, call);
    } else {
        call->state = CALL_ANSWERED;
        if (call->mutation)
            task->place->mutations++;
        task_answer(core, task, &answer);
        if (task->call && task->call->state == CALL_ANSWERED)
            call_abandon(core, task);
    }
    answer_free(&answer);
}

unsigned calls_waiting(const struct gateway_core *core)
{
    unsigned n = 0;
    const struct call *call;

    EACH(call, &core->calls)
    {
        n += call->state == CALL_WAITING;
    }
    return n;
}

bool calls_mutation_under_way(const struct gateway_core *core)
{
    const struct call *call;

    EACH(call, &core->calls)
    {
        if (call->state == CALL_SENT && call->mutation)
            return true;
    }
    return false;
}

void calls_free(struct gateway_core *core)
{
    while (!TAILQ_EMPTY(&core->calls))
        call_free(core, TAILQ_FIRST(&core->calls));
}
