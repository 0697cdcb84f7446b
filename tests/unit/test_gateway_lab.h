/* tests/unit/test_gateway_lab.h -- the gateway's core against the simulator's own bucket, or a server that
 * counts in fixed windows, with latency, on a virtual clock: many objects that are created at once, each two
 * calls (list, POST). Counts what was allowed, used and refused. Included by the test_gateway_rate_*.c
 * programs. */
#ifndef TESTS_UNIT_TEST_GATEWAY_LAB_H
#define TESTS_UNIT_TEST_GATEWAY_LAB_H

#include "tests/unit/test_gateway_lab_server.h"

/* ---- the objects */

static inline void lab_finished(struct lab *lab, struct lab_object *o, unsigned i, unsigned outcome,
                                uint64_t wait_ms)
{
    struct message m = {.spec = msg_find(MSG_REVOKE), .body.revoke.handle = i + 1};

    o->state = outcome == OUTCOME_OK ? LAB_DONE : LAB_WAITS;
    o->done_ms = lab->now.boot_ms;
    o->wake_ms = lab->now.boot_ms + (wait_ms ? (int64_t)wait_ms : 1);
    lab->done += outcome == OUTCOME_OK;
    lab->errors += outcome != OUTCOME_OK && outcome != OUTCOME_LATER;
    lab->running--;
    m.envelope.correlation = 1;
    gateway_core_message(lab->core, WATCHER, RIG_WATCHER, &m, lab->now);
}

static inline void lab_ask(struct lab *lab, unsigned i)
{
    struct lab_object *o = &lab->objects[i];
    struct message m = {.envelope = {.epoch = RIG_WATCHER, .correlation = 100 + i}};

    if (o->removes)
        m.body.remove = (struct msg_remove){.handle = i + 1, .seq = i + 1, .id = span_of(RIG_ID)};
    else
        m.body.create = (struct msg_create){.handle = i + 1, .seq = i + 1, .key = span_of(RIG_KEY)};
    m.spec = msg_find(o->removes ? MSG_REMOVE : MSG_CREATE);
    gateway_core_message(lab->core, WORKER, RIG_WORKER, &m, lab->now);
}

static inline void lab_start(struct lab *lab, unsigned i)
{
    struct lab_object *o = &lab->objects[i];
    struct message m = {.spec = msg_find(MSG_GRANT), .envelope = {.epoch = RIG_WATCHER, .correlation = 7}};
    char project[40], label[24], owner[24];
    struct pack ids;

    lab_project(i, project);
    snprintf(label, sizeof label, "o%u", i);
    snprintf(owner, sizeof owner, "lab/%u", i);
    pack_open(&ids);
    pack_array(&ids, o->removes);
    if (o->removes)
        pack_text(&ids, RIG_ID);
    m.body.grant = (struct msg_grant){.handle = i + 1,
                                      .worker = RIG_WORKER,
                                      .token = span_of(lab_token(lab, i)),
                                      .project = span_of(project),
                                      .label = span_of(label),
                                      .owner = span_of(owner),
                                      .lane = o->removes ? LANE_DELETE : LANE_CREATE,
                                      .calls = o->removes ? 1 : 2,
                                      .ids = pack_result(&ids)};
    gateway_core_message(lab->core, WATCHER, RIG_WATCHER, &m, lab->now);
    pack_close(&ids);
    if (o->seq != OUTCOME_OK)
        return;
    o->state = LAB_RUNS;
    o->done_ms = 0;
    lab->running++;
    lab_ask(lab, i);
}

/* What can happen without time: answers to objects, objects that start. */
static inline void lab_settle(struct lab *lab)
{
    for (unsigned i = 0; i < lab->setup.objects; i++)
        if (lab->objects[i].state == LAB_RUNS && lab->objects[i].done_ms == -1)
            lab_finished(lab, &lab->objects[i], i, (unsigned)lab->objects[i].seq,
                         (uint64_t)lab->objects[i].wake_ms);
    for (unsigned i = 0; i < lab->setup.objects && lab->running < lab->setup.workers; i++)
        if (lab->objects[i].state == LAB_WAITS && lab->objects[i].wake_ms <= lab->now.boot_ms)
            lab_start(lab, i);
}

static inline int64_t lab_next_ms(const struct lab *lab)
{
    int64_t next = gateway_core_next_ms(lab->core);

    if (lab->setup.other_ms && lab->other_at_ms < next)
        next = lab->other_at_ms;
    for (unsigned i = 0; i < lab->n_flights; i++)
        next = lab->flights[i].at_ms < next ? lab->flights[i].at_ms : next;
    for (unsigned i = 0; i < lab->setup.objects && lab->running < lab->setup.workers; i++)
        if (lab->objects[i].state == LAB_WAITS && lab->objects[i].wake_ms < next)
            next = lab->objects[i].wake_ms;
    return next;
}

static inline void lab_flights(struct lab *lab)
{
    for (unsigned i = 0; i < lab->n_flights;) {
        struct flight *f = &lab->flights[i];

        if (f->at_ms > lab->now.boot_ms) {
            i++;
        } else if (!f->served) {
            if (lab->setup.window)
                lab_serve_window(lab, f);
            else
                lab_serve_bucket(lab, f);
            f->served = true;
            f->date_s = lab_server_ms(lab) / 1000;
            f->at_ms += lab->setup.latency_ms - lab->setup.latency_ms / 2;
            if (lab->setup.slow && ++lab->served % lab->setup.slow == 0)
                f->at_ms += LAB_SLOW_MS;
        } else {
            lab_arrive(lab, i);
            i = 0;
        }
    }
}

/* Runs until all objects are done or so much time has passed. */
static inline void lab_run(struct lab *lab, int64_t ms)
{
    int64_t end = lab->now.boot_ms + ms;

    lab_settle(lab);
    while (lab->done < lab->setup.objects && lab->now.boot_ms < end) {
        int64_t next = lab_next_ms(lab);

        next = next > end ? end : next <= lab->now.boot_ms ? lab->now.boot_ms : next;
        lab->now.wall_ms += next - lab->now.boot_ms;
        lab->now.boot_ms = next;
        lab_second_client(lab);
        lab_flights(lab);
        gateway_core_tick(lab->core, lab->now);
        lab_settle(lab);
        if (lab_next_ms(lab) <= lab->now.boot_ms && !lab->n_flights && lab->done < lab->setup.objects) {
            lab->now.boot_ms++; /* a core that wakes up for nothing loses this time */
            lab->now.wall_ms++;
        }
    }
}

/* ---- birth and death */

static inline struct lab *lab_new(const struct lab_setup *setup)
{
    struct lab *lab = x_calloc(1, sizeof *lab);
    struct gateway_ops ops = {.ctx = lab, .send = lab_on_send, .request = lab_on_request};

    lab->setup = *setup;
    if (!lab->setup.objects)
        lab->setup.objects = 200;
    if (!lab->setup.workers)
        lab->setup.workers = 20;
    lab->now = setup->begin ? *setup->begin : (struct instant){.boot_ms = 1000000, .wall_ms = 1700000000400};
    lab->begin_ms = lab->other_at_ms = lab->now.boot_ms;
    lab_make_sim(lab);
    struct gateway_config config = {.seed = 7,
                                    .incarnation = 3,
                                    .base_path = "/metal/v1",
                                    .rate = setup->own_rate ? *setup->own_rate : 200,
                                    .burst = 40,
                                    .parallel = setup->parallel ? setup->parallel : 32};
    lab->core = gateway_core_new(&config, &ops, lab->now);
    return lab;
}

static inline void lab_free(struct lab *lab)
{
    gateway_core_free(lab->core);
    for (unsigned i = 0; i < lab->n_flights; i++) {
        sim_answer_clear(&lab->flights[i].answer);
        free(lab->flights[i].method);
        free(lab->flights[i].path);
        free(lab->flights[i].token);
        free(lab->flights[i].body);
    }
    packet_sim_free(lab->sim);
    free(lab);
}

/* Of what the server allowed between the first and the last call, how much was used. */
static inline double lab_share(const struct lab *lab)
{
    double seconds = (double)(lab->last_ms - lab->first_ms) / 1000;
    double rate = lab->setup.window ? lab->setup.window * 1000.0 / LAB_WINDOW_MS : lab->setup.rate;

    return lab->good / (seconds * rate);
}

static inline uint64_t lab_probes(const struct lab *lab)
{
    struct gateway_gauges gauges;

    gateway_core_gauges(lab->core, &gauges);
    return gauges.probes;
}

static inline void lab_print(const struct lab *lab, const char *what)
{
    print_message(
        "%-28s %4ld ms: %u calls, %u refused, %lu probes, %.1f s, %.3f of the rate, %.2f a object\n", what,
        (long)lab->setup.latency_ms, lab->calls, lab->refused, (unsigned long)lab_probes(lab),
        (double)(lab->last_ms - lab->first_ms) / 1000, lab_share(lab),
        (double)lab->calls / lab->setup.objects);
}

#endif
