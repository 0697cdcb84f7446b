/* packet-gateway/core/gateway.c -- takes every event of the gateway, hands it to the file that decides, and
 * then lets everything move that can. Owns the order, no rule. Driven by packet-gateway/main.c and
 * tests/world. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

#define PARALLEL_DEFAULT 32

struct gateway_core *gateway_core_new(const struct gateway_config *config, const struct gateway_ops *ops,
                                      struct instant now)
{
    struct gateway_core *core = x_calloc(1, sizeof *core);

    core->config = *config;
    core->api = provider_or_packet(config->provider);
    core->base_path = x_strdup(config->base_path ? config->base_path : "");
    core->config.base_path = core->base_path;
    if (!core->config.parallel)
        core->config.parallel = PARALLEL_DEFAULT;
    core->ops = *ops;
    core->now = now;
    core->started_steady_ms = now.steady_ms;
    core->epoch_ms = now.boot_ms;
    core->random = config->seed;
    core->next_call = 1;
    TAILQ_INIT(&core->credentials);
    TAILQ_INIT(&core->places);
    TAILQ_INIT(&core->grants);
    TAILQ_INIT(&core->calls);
    TAILQ_INIT(&core->tasks);
    tickets_open(&core->admission);
    return core;
}

void gateway_core_free(struct gateway_core *core)
{
    if (!core)
        return;
    tasks_free(core);
    calls_free(core);
    grants_free(core);
    admission_free(core);
    locks_free(core);
    budget_free(core);
    free(core->base_path);
    free(core);
}

/* Locks first: a task that gets one may have a call to start. */
static void move_on(struct gateway_core *core)
{
    while (locks_hand_out(core) || calls_start(core))
        continue;
    tasks_sweep(core);
    admission_move(core);
    if (core->now.boot_ms - core->swept_ms >= SWEEP_EVERY_MS) {
        core->swept_ms = core->now.boot_ms;
        locks_sweep(core);
        budget_sweep(core);
    }
}

/* Nothing of the epoch can start any more once its grants are gone and its unsent calls with them; what curl
 * holds and has not begun is stopped by the shell, which fences before it passes this message on. */
static void epoch_over(struct gateway_core *core, uint64_t from, const struct message *message)
{
    struct msg_epoch_closed body = {.epoch = message->body.epoch_over.epoch};
    struct envelope envelope = {.correlation = message->envelope.correlation};

    grants_epoch_over(core, body.epoch);
    admission_epoch_over(core, body.epoch);
    budget_empty(core);
    core->ops.send(core->ops.ctx, from, MSG_EPOCH_CLOSED, &body, &envelope);
}

static void drain(struct gateway_core *core, const struct message *message)
{
    core->draining = true;
    core->drain_until_ms = core->now.boot_ms + (int64_t)message->body.drain.within_ms;
    tasks_drain(core);
}

void gateway_core_message(struct gateway_core *core, unsigned from_role, uint64_t from,
                          const struct message *message, struct instant now)
{
    core->now = now;
    if (!(message->spec->from & from_role))
        return;
    switch (message->spec->id) {
    case MSG_PEER_GONE: grants_worker_gone(core, message->body.peer_gone.incarnation); break;
    case MSG_EPOCH_OVER: epoch_over(core, from, message); break;
    case MSG_DRAIN: drain(core, message); break;
    case MSG_GRANT: grants_answer_grant(core, from, message); break;
    case MSG_EXTEND: grants_move_end(core, from, &message->body.extend); break;
    case MSG_REVOKE: grants_answer_revoke(core, from, message); break;
    case MSG_SEARCH:
    case MSG_CREATE:
    case MSG_UPDATE:
    case MSG_REMOVE: tasks_answer_ask(core, from, message); break;
    default: break; /* PEER is the shell's */
    }
    move_on(core);
}

void gateway_core_result(struct gateway_core *core, const struct gateway_result *result, struct instant now)
{
    core->now = now;
    call_answer(core, result);
    move_on(core);
}

void gateway_core_tick(struct gateway_core *core, struct instant now)
{
    core->now = now;
    move_on(core);
}

int64_t gateway_core_next_ms(const struct gateway_core *core)
{
    int64_t next = calls_next_ms(core), other = locks_next_ms(core), waiting = admission_next_ms(core);

    if (waiting < next)
        next = waiting;
    if (core->draining && core->drain_until_ms < next)
        next = core->drain_until_ms;
    return other < next ? other : next;
}

bool gateway_core_finished(const struct gateway_core *core)
{
    return core->draining && (!calls_mutation_under_way(core) || core->now.boot_ms >= core->drain_until_ms);
}

static void count_calls(const struct gateway_core *core, struct gateway_gauges *gauges)
{
    const struct call *call;

    EACH(call, &core->calls)
    {
        gauges->waiting_in[call->lane] += call->state == CALL_WAITING;
    }
    for (unsigned lane = 0; lane < LANES; lane++)
        gauges->waiting += gauges->waiting_in[lane];
}

void gateway_core_gauges(const struct gateway_core *core, struct gateway_gauges *gauges)
{
    const struct credential *c;
    const struct grant *g;
    bool first = true;

    memset(gauges, 0, sizeof *gauges);
    gauges->under_way = core->under_way;
    count_calls(core, gauges);
    memcpy(gauges->tickets, core->admission.waiting, sizeof gauges->tickets);
    gauges->limited = core->limited;
    gauges->probes = core->probes;
    gauges->breaker_open = breaker_is_open(core);
    gauges->breaker_ms = gauges->breaker_open ? core->now.boot_ms - core->breaker.since_ms : 0;
    EACH(g, &core->grants)
    {
        gauges->grants++;
    }
    EACH(c, &core->credentials)
    {
        double left = budget_left(core, c), rate = learn_rate(c);
        int64_t pause = budget_pause_ms(core, c);

        gauges->credentials++;
        gauges->paused += pause > 0;
        if (pause > gauges->pause_ms)
            gauges->pause_ms = pause;
        if (rate > 0 && (gauges->rate <= 0 || rate < gauges->rate))
            gauges->rate = rate;
        if (first || left < gauges->budget)
            gauges->budget = left;
        first = false;
    }
}

const char *gateway_core_doing(struct gateway_core *core)
{
    struct gateway_gauges g;

    gateway_core_gauges(core, &g);
    if (g.breaker_open) {
        snprintf(core->doing, sizeof core->doing, "the Packet API has not answered for %ld s, %u waiting",
                 (long)(g.breaker_ms / 1000), g.waiting);
        return core->doing;
    }
    if (!g.under_way && !g.waiting)
        return "idle";
    int n = snprintf(core->doing, sizeof core->doing, "%u calls under way, %u waiting, budget %.1f",
                     g.under_way, g.waiting, g.budget);

    if (g.pause_ms > 0)
        snprintf(core->doing + n, sizeof core->doing - (size_t)n, ", told to pause for %.1f s",
                 (double)g.pause_ms / 1000);
    return core->doing;
}
