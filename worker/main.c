/* worker/main.c -- one worker, from birth to exit: its three sockets, timers and signals around the core.
 * Decides nothing about jobs, reads no file after READY, talks to nobody but its siblings. Started by the
 * supervisor. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/blackbox.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/proc.h"
#include "worker/record.h"

#define FRAMES_PER_TURN 16 /* then back to the poll, so that a beat is never late */

struct worker {
    struct proc proc;
    struct bus jobs;  /* to the watcher */
    struct bus calls; /* to the packet-gateway */
    zloop_t *loop;
    struct worker_core *core;
    uint64_t watcher, gateway; /* incarnations, 0 = not introduced yet */
    int wake_timer;            /* -1 = none */
    int64_t wake_ms;           /* CLOCK_BOOTTIME it is set for */
    int64_t job_began_ms;
    struct instant now; /* of the event that the core has */
    struct record record;
    int exit_code;
    const char *reason; /* of leaving, NULL = goes on */
};

static void leave(struct worker *w, int code, const char *reason)
{
    if (w->reason != NULL)
        return;
    w->exit_code = code;
    w->reason = reason;
}

static void log_job_end(const struct worker *w, const struct msg_done *done)
{
    const char *key = worker_core_key(w->core) ? worker_core_key(w->core) : "/", *name = strchr(key, '/');
    char summary[LIMIT_TEXT + 1] = "", ns[LIMIT_NAME + 1], id[48];

    span_copy(done->summary, summary, sizeof summary);
    snprintf(ns, sizeof ns, "%.*s", (int)(name - key), key);
    snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, w->proc.incarnation, done->job);
    const struct log_field fields[] = {F_STR("controller", "infrastructure"),
                                       F_STR("namespace", ns),
                                       F_STR("name", name + 1),
                                       F_STR("reconcileID", id),
                                       F_STR("operation", worker_core_operation(w->core)),
                                       F_INT("job", done->job),
                                       F_STR("result", job_result_name(done->result)),
                                       F_INT("afterMs", done->after_ms),
                                       F_STR("summary", summary),
                                       F_INT("tookMs", clock_now().boot_ms - w->job_began_ms)};
    log_write(done->check == CHECK_SAME ? LEVEL_DEBUG : LEVEL_INFO, "job ended", fields,
              sizeof fields / sizeof fields[0]);
}

/* The frame as bus_send() will make it. */
static void record_out(struct worker *w, unsigned to, enum msg_id id, const void *body,
                       const struct envelope *envelope)
{
    struct envelope full = *envelope;
    msgpack_sbuffer frame;

    if (w->record.fd < 0)
        return;
    full.from = w->proc.incarnation;
    full.to = to == WATCHER ? w->watcher : w->gateway;
    msgpack_sbuffer_init(&frame);
    if (msg_encode(&full, id, body, &frame) == 0)
        record_add(&w->record, RECORD_OUT, to, (struct span){.p = frame.data, .len = (uint32_t)frame.size},
                   w->now);
    msgpack_sbuffer_destroy(&frame);
}

/* What the core says. A frame that cannot be handed over is never dropped in silence: without its watcher or
 * gateway a worker has no reason to live (design 12.3, 12.17). */
static void on_core_says(void *ctx, unsigned to, enum msg_id id, const void *body,
                         const struct envelope *envelope)
{
    struct worker *w = ctx;
    struct bus *bus = to == WATCHER ? &w->jobs : &w->calls;

    if (id == MSG_STARTED)
        w->job_began_ms = clock_now().boot_ms;
    if (id == MSG_DONE)
        log_job_end(w, body);
    record_out(w, to, id, body, envelope);
    if (bus_send(bus, to == WATCHER ? w->watcher : w->gateway, id, body, envelope) == 0)
        return;
    log_error("a message could not be sent", F_STR("to", role_name(to)), F_STR("name", msg_find(id)->name),
              F_STR("error", strerror(errno)));
    leave(w, errno == EINVAL ? EXIT_BUG : EXIT_SOCKET, "a message could not be sent");
}

static int on_wake(zloop_t *loop, int timer_id, void *arg);

/* Ends every turn: sets the one timer that the core needs next, and ends the loop when it is over. */
static int end_turn(struct worker *w)
{
    int64_t next_ms = worker_core_next_ms(w->core);

    if (worker_core_finished(w->core))
        leave(w, EXIT_OK, "drained");
    if (!worker_core_busy(w->core))
        record_end(&w->record);
    if (w->reason != NULL)
        return -1;
    if (next_ms == w->wake_ms)
        return 0;
    if (w->wake_timer >= 0)
        zloop_timer_end(w->loop, w->wake_timer);
    w->wake_timer = -1;
    w->wake_ms = next_ms;
    if (next_ms == INT64_MAX)
        return 0;
    int64_t in_ms = next_ms - clock_now().boot_ms;
    w->wake_timer = zloop_timer(w->loop, in_ms > 1 ? (size_t)in_ms : 1, 1, on_wake, w);
    return 0;
}

static int on_wake(zloop_t *loop, int timer_id, void *arg)
{
    struct worker *w = arg;

    (void)loop;
    (void)timer_id;
    w->wake_timer = -1;
    w->wake_ms = INT64_MIN; /* whatever the core needs next is set anew */
    w->now = clock_now();
    record_add(&w->record, RECORD_TICK, SUPERVISOR, (struct span){0}, w->now);
    worker_core_tick(w->core, w->now);
    return end_turn(w);
}

static void on_peer(struct worker *w, const struct msg_peer *peer)
{
    struct bus_peer sibling = {
        .role = (unsigned)peer->role, .slot = peer->slot, .incarnation = peer->incarnation, .pid = peer->pid};
    struct msg_peer_ok ok = {.incarnation = peer->incarnation};

    if (peer->role == WATCHER) {
        bus_peer_add(&w->jobs, &sibling);
        w->watcher = peer->incarnation;
    } else if (peer->role == GATEWAY) {
        bus_peer_add(&w->calls, &sibling);
        w->gateway = peer->incarnation;
    } else {
        return;
    }
    bus_send(&w->proc.bus, SUPERVISOR_INCARNATION, MSG_PEER_OK, &ok, NULL);
}

/* Before anybody reads the object. */
static void box_job(const struct msg_job *job)
{
    char key[2 * LIMIT_NAME + 2];

    snprintf(key, sizeof key, "%.*s/%.*s", (int)job->ns.len, job->ns.p, (int)job->name.len, job->name.p);
    blackbox_about(key, "taking the job");
}

static void give_to_core(struct worker *w, const struct inbound *in)
{
    zmq_msg_t *frame = (zmq_msg_t *)&in->frame; /* libzmq's readers take no const */
    struct worker_counters counters = worker_core_counters(w->core);

    w->now = clock_now();
    if (in->message.spec->id == MSG_JOB && !worker_core_busy(w->core)) {
        record_job(&w->record, &counters);
        box_job(&in->message.body.job);
    }
    record_add(&w->record, RECORD_IN, in->from.role,
               (struct span){.p = zmq_msg_data(frame), .len = (uint32_t)zmq_msg_size(frame)}, w->now);
    worker_core_message(w->core, in->from.role, &in->message, w->now);
    blackbox_about(worker_core_busy(w->core) ? NULL : "", worker_core_doing(w->core));
}

static void on_message(struct worker *w, const struct inbound *in, enum verdict verdict)
{
    if (verdict == FRAME_OLD_INCARNATION || verdict == FRAME_STRANGER)
        return; /* counted by the bus; not its fault who is still talking */
    if (verdict != FRAME_OK) {
        log_warn("refused a frame", F_STR("verdict", verdict_name(verdict)),
                 F_STR("from", role_name(in->from.role)));
        if (in->from.bad >= BAD_FRAMES_MAX)
            leave(w, EXIT_PROTOCOL, "too many frames that no sibling sends");
    } else if (proc_takes(&in->message)) {
        return;
    } else if (in->message.spec->id == MSG_PEER) {
        on_peer(w, &in->message.body.peer);
    } else {
        give_to_core(w, in);
    }
}

static int read_bus(struct worker *w, struct bus *bus)
{
    struct inbound in;
    enum verdict verdict;

    for (int i = 0; i < FRAMES_PER_TURN && w->reason == NULL && bus_receive(bus, &in, &verdict); i++) {
        on_message(w, &in, verdict);
        inbound_close(&in);
    }
    return end_turn(w);
}

static int on_supervisor(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct worker *w = arg;

    (void)loop;
    (void)sock;
    return read_bus(w, &w->proc.bus);
}

static int on_watcher(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct worker *w = arg;

    (void)loop;
    (void)sock;
    return read_bus(w, &w->jobs);
}

static int on_gateway(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct worker *w = arg;

    (void)loop;
    (void)sock;
    return read_bus(w, &w->calls);
}

/* SIGTERM is DRAIN said by a signal: the job in hand is finished first. */
static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct worker *w = arg;
    struct message drain = {.spec = msg_find(MSG_DRAIN)};

    (void)loop;
    (void)item;
    if (proc_next_signal(&w->proc) != 0) {
        w->now = clock_now();
        record_add(&w->record, RECORD_DRAIN, SUPERVISOR, (struct span){0}, w->now);
        worker_core_message(w->core, SUPERVISOR, &drain, w->now);
    }
    return end_turn(w);
}

static int on_beat(zloop_t *loop, int timer_id, void *arg)
{
    struct worker *w = arg;
    int64_t busy_ms = worker_core_busy(w->core) ? clock_now().boot_ms - w->job_began_ms : 0;

    (void)loop;
    (void)timer_id;
    proc_beat(&w->proc, worker_core_doing(w->core), worker_core_key(w->core), (uint64_t)busy_ms,
              (struct value){0});
    return end_turn(w);
}

static bool connect_siblings(struct worker *w)
{
    const struct proc *proc = &w->proc;

    if (bus_connect(&w->jobs, proc->runtime_dir, ENDPOINT_JOBS, WORKER, proc->incarnation, WATCHER) == 0 &&
        bus_connect(&w->calls, proc->runtime_dir, ENDPOINT_CALLS, WORKER, proc->incarnation, GATEWAY) == 0 &&
        bus_wait(&w->jobs, START_DEADLINE_MS / 2) == 0 && bus_wait(&w->calls, START_DEADLINE_MS / 2) == 0)
        return true;
    log_error("cannot reach watcher and gateway", F_STR("error", strerror(errno)));
    leave(w, EXIT_SOCKET, "cannot reach watcher and gateway");
    return false;
}

static void make_loop(struct worker *w)
{
    zmq_pollitem_t signals = {.fd = w->proc.signals, .events = ZMQ_POLLIN};

    w->loop = zloop_new();
    zloop_reader(w->loop, w->proc.bus.sock, on_supervisor, w);
    zloop_reader(w->loop, w->jobs.sock, on_watcher, w);
    zloop_reader(w->loop, w->calls.sock, on_gateway, w);
    zloop_poller(w->loop, &signals, on_signal, w);
    zloop_timer(w->loop, BEAT_EVERY_MS, 0, on_beat, w);
    zloop_set_nonstop(w->loop, true); /* only our own handlers end the loop */
}

static int close_all(struct worker *w)
{
    zloop_destroy(&w->loop);
    worker_core_free(w->core);
    record_close(&w->record);
    bus_close(&w->jobs);
    bus_close(&w->calls);
    return proc_leave(&w->proc, w->exit_code, w->reason);
}

int main(int argc, char **argv)
{
    static struct worker w = {.wake_timer = -1, .wake_ms = INT64_MAX};
    struct worker_ops ops = {.ctx = &w, .send = on_core_says};

    if (argc > 1 && strcmp(argv[1], "--replay") == 0)
        return replay_files(argc - 2, argv + 2);
    proc_version(argc, argv, WORKER);
    proc_enter(&w.proc, WORKER);
    record_open(&w.record, proc_option("record"), w.proc.slot, w.proc.incarnation);
    w.core = worker_core_new(&ops, w.proc.incarnation);
    confine_write(&w.proc.keep, w.record.dir_fd);
    proc_shut_files(&w.proc);
    proc_connect(&w.proc);
    if (connect_siblings(&w)) {
        make_loop(&w);
        proc_confine(&w.proc);
        proc_say_ready(&w.proc);
        zloop_start(w.loop);
    }
    return close_all(&w);
}
