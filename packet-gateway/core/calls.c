/* packet-gateway/core/calls.c -- the life of one HTTP request: waits for its time, budget and a free place
 * among those under way; starts; is answered, to every task that waits for it. Knows nothing of what the
 * request is for. Called by the tasks and by gateway.c. */
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
    struct task *t;

    while ((t = TAILQ_FIRST(&call->tasks))) {
        TAILQ_REMOVE(&call->tasks, t, beside);
        t->call = NULL;
    }
    TAILQ_REMOVE(&core->calls, call, link);
    credential_unref(core, call->credential);
    free(call->path);
    free(call->body);
    free(call);
}

static void set_lane(struct call *call)
{
    const struct task *t;

    call->lane = LANE_DRIFT;
    EACH_WAITER(t, call)
    {
        enum lane lane = t->behind && lanes[t->kind] == LANE_DELETE ? LANE_CREATE : lanes[t->kind];

        if (lane < call->lane)
            call->lane = lane;
    }
}

/* An answered call is freed by call_answer(), which is still at it. */
void call_abandon(struct gateway_core *core, struct task *task)
{
    struct call *call = task->call;

    if (!call)
        return;
    task->call = NULL;
    TAILQ_REMOVE(&call->tasks, task, beside);
    if (!TAILQ_EMPTY(&call->tasks))
        set_lane(call);
    else if (call->state == CALL_WAITING)
        call_free(core, call);
}

static void queue(struct gateway_core *core, struct call *call)
{
    struct call *before;

    EACH(before, &core->calls)
    {
        if (before->turn_ms > call->turn_ms)
            break;
    }
    if (before)
        TAILQ_INSERT_BEFORE(before, call, link);
    else
        TAILQ_INSERT_TAIL(&core->calls, call, link);
}

static void join(struct gateway_core *core, struct call *call, struct task *task)
{
    task->call = call;
    task->called_ms = core->now.boot_ms;
    int64_t behind = place_behind_ms(core, task->place);

    task->behind = behind > 0;
    TAILQ_INSERT_TAIL(&call->tasks, task, beside);
    set_lane(call);
    if (core->now.boot_ms + behind < call->turn_ms) {
        TAILQ_REMOVE(&core->calls, call, link);
        call->turn_ms = core->now.boot_ms + behind;
        queue(core, call);
    }
}

/* Nothing new is begun for this task: then it has ended. */
static bool turned_away(struct gateway_core *core, struct task *task)
{
    call_abandon(core, task);
    if (!task->orphan && !core->draining)
        return false;
    task_refuse(core, task, OUTCOME_LATER, PAUSE_FIRST_MS);
    return true;
}

void call_ask(struct gateway_core *core, struct task *task, const char *method, char *path, char *body)
{
    if (turned_away(core, task)) {
        free(path);
        free(body);
        return;
    }
    struct call *call = x_calloc(1, sizeof *call);

    call->id = core->next_call++;
    TAILQ_INIT(&call->tasks);
    call->credential = task->grant->credential;
    credential_ref(call->credential);
    call->method = method;
    call->path = path;
    call->body = body;
    call->mutation = strcmp(method, "GET") != 0;
    call->ready_ms = core->now.boot_ms;
    call->start_before = call->mutation ? task->start_before : INT64_MAX;
    call->page = 1;
    call->turn_ms = core->now.boot_ms + place_behind_ms(core, task->place);
    queue(core, call);
    join(core, call, task);
}

/* One that has been sent shows a time before the question, and one that is to be sent again has few tries
 * left: neither is joined. */
static struct call *list_not_sent(struct gateway_core *core, const struct credential *credential,
                                  const char *path)
{
    struct call *call;

    EACH(call, &core->calls)
    {
        if (call->state == CALL_WAITING && !call->mutation && !call->pages && !call->tries &&
            call->credential == credential && strcmp(call->path, path) == 0)
            break;
    }
    return call;
}

void call_ask_list(struct gateway_core *core, struct task *task, char *path)
{
    struct call *call = list_not_sent(core, task->grant->credential, path);

    if (!call) {
        call_ask(core, task, "GET", path, NULL);
        return;
    }
    free(path);
    if (!turned_away(core, task))
        join(core, call, task);
}

void call_repeat(struct gateway_core *core, struct call *call, int64_t delay_ms)
{
    call->id = core->next_call++;
    call->state = CALL_WAITING;
    call->ready_ms = core->now.boot_ms + delay_ms;
    TAILQ_REMOVE(&core->calls, call, link);
    queue(core, call);
}

void call_turn(struct gateway_core *core, struct call *call, char *path)
{
    free(call->path);
    call->path = path;
    call->tries = 0;
    call_repeat(core, call, 0);
}

static void promise_kept(struct grant *grant)
{
    if (grant->reserve >= 1) {
        grant->reserve -= 1;
        grant->credential->reserved -= 1;
    } else {
        grant->beyond++;
    }
}

/* It was promised to each of its tasks, and is charged once. A list tells each of them of this moment. */
static void tell_sent(struct gateway_core *core, const struct call *call)
{
    struct task *t;

    EACH_WAITER(t, call)
    {
        promise_kept(t->grant);
        if (call->mutation) {
            t->place->mutations++;
        } else if (call->pages == 0) {
            t->list.sent_ms = core->now.boot_ms;
            t->list.seen = t->place->mutations;
        }
    }
}

/* Asked anew each time: the end of the leadership moves with every renewal. A mutation has one task. */
static int64_t start_before(const struct call *call)
{
    int64_t leads = call->mutation ? TAILQ_FIRST(&call->tasks)->grant->write_until_ms : INT64_MAX;

    return call->start_before < leads ? call->start_before : leads;
}

static void call_send(struct gateway_core *core, struct call *call)
{
    struct gateway_request request = {
        .id = call->id,
        .api = core->api,
        .method = call->method,
        .path = call->path,
        .token = secret_text(call->credential->token),
        .body = call->body,
        /* A PUT too: a copy of it that is carried out late would bring older material back. */
        .once = call->body != NULL,
        .start_before = start_before(call),
        .end_before = call->mutation ? TAILQ_FIRST(&call->tasks)->grant->end_until_ms : INT64_MAX,
    };

    call->state = CALL_SENT;
    call->tries++;
    core->under_way++;
    call->start = budget_take(core, call->credential);
    breaker_sent(core, call);
    place_called(core, TAILQ_FIRST(&call->tasks)->place);
    tell_sent(core, call);
    core->ops.request(core->ops.ctx, &request);
}

/* The last refusal frees the call. */
static void refuse_all(struct gateway_core *core, struct call *call, enum outcome outcome, int64_t wait_ms)
{
    struct task *next;

    for (struct task *t = TAILQ_FIRST(&call->tasks); t; t = next) {
        next = TAILQ_NEXT(t, beside);
        task_refuse(core, t, outcome, wait_ms);
    }
}

/* Since when the task that has waited longest waits for nothing but budget and place. */
static int64_t waits_since(const struct call *call)
{
    const struct task *first = TAILQ_FIRST(&call->tasks);

    return first->called_ms > call->ready_ms ? first->called_ms : call->ready_ms;
}

/* Nothing is sent to an API that does not answer: waited for in the queue, and an error when it lasts. */
static void outage(struct gateway_core *core, struct call *call)
{
    int64_t wait = breaker_wait_ms(core);
    struct task *next;

    for (struct task *t = TAILQ_FIRST(&call->tasks); t; t = next) {
        next = TAILQ_NEXT(t, beside);
        if (!t->maybe && breaker_tells(core, t->detail))
            task_refuse(core, t, OUTCOME_TRANSIENT, 0);
        else
            task_refuse(core, t, OUTCOME_LATER, wait > 0 ? wait : BREAKER_FIRST_MS);
    }
}

/* Starts it, lets it wait, or gives it up. Says whether anything but waiting happened. */
static bool call_try(struct gateway_core *core, struct call *call)
{
    int64_t now = core->now.boot_ms;

    if (start_before(call) <= now) {
        refuse_all(core, call, OUTCOME_FENCED, 0);
        return true;
    }
    if (call->ready_ms > now)
        return false;
    if (!breaker_lets(core, call)) {
        outage(core, call);
        return true;
    }
    int64_t wait = budget_wait_ms(core, call->credential, call->lane);

    if (wait == 0 && core->under_way < core->config.parallel && budget_has_room(core, call->credential)) {
        call_send(core, call);
        return true;
    }
    int64_t later = wait > PAUSE_FIRST_MS ? wait : PAUSE_FIRST_MS;

    if (wait > BUDGET_WAIT_MS) {
        refuse_all(core, call, OUTCOME_LATER, later);
        return true;
    }
    if (now - waits_since(call) >= BUDGET_WAIT_MS) {
        task_refuse(core, TAILQ_FIRST(&call->tasks), OUTCOME_LATER, later);
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

            at = waits_since(call) + BUDGET_WAIT_MS;
            if (wait && now + wait < at)
                at = now + wait;
        }
        if (start_before(call) < at)
            at = start_before(call);
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
    answer_read(&answer, core->api, call->method, result);
    budget_learn(core, call->credential, &call->start, &answer);
    breaker_learn(core, call->id, &answer);
    struct task *task = TAILQ_FIRST(&call->tasks);

    call->state = CALL_ANSWERED;
    if (task && !call->mutation) {
        list_answer(core, call, &answer);
    } else if (task) {
        task->place->mutations++;
        task_acted(core, task, &answer);
    }
    if (call->state == CALL_ANSWERED) /* else it waits to be sent again */
        call_free(core, call);
    answer_free(&answer);
}

bool calls_mutation_under_way(const struct gateway_core *core)
{
    const struct call *call;

    EACH(call, &core->calls)
    {
        if (call->state == CALL_SENT && call->mutation)
            break;
    }
    return call;
}

void calls_free(struct gateway_core *core)
{
    while (!TAILQ_EMPTY(&core->calls))
        call_free(core, TAILQ_FIRST(&core->calls));
}
