/* supervisor/children.c -- the bus to the children: frames in, checked by proto/bus.c for who sent them,
 * handed to the tree; messages and signals out. A frame that no child of this version sends costs its sender,
 * nobody else. Called by the loop and by the tree's ops. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

#define FRAMES_PER_TURN 64 /* then back to the poll */
#define EVERY_CHILD     (WATCHER | WORKER | GATEWAY | EXPORTER)

int children_listen(struct supervisor *s)
{
    if (bus_listen(&s->bus, s->dir.path, ENDPOINT_BUS, SUPERVISOR, SUPERVISOR_INCARNATION, EVERY_CHILD) == 0)
        return 0;
    log_error("cannot open the bus", F_STR("dir", s->dir.path), F_STR("error", strerror(errno)),
              F_STR("advice", exit_sentence(EXIT_SOCKET)));
    return EXIT_SOCKET;
}

void children_expect(struct supervisor *s, unsigned role, uint64_t slot, uint64_t incarnation, int64_t pid)
{
    struct bus_peer peer = {.role = role, .slot = slot, .incarnation = incarnation, .pid = (uint64_t)pid};

    if (bus_peer_add(&s->bus, &peer) != 0)
        log_error("the table of peers is full", F_INT("incarnation", incarnation));
}

void children_forget(struct supervisor *s, uint64_t incarnation)
{
    bus_peer_remove(&s->bus, incarnation);
}

void children_send(void *ctx, uint64_t to, enum msg_id id, const void *body)
{
    struct supervisor *s = ctx;

    if (bus_send(&s->bus, to, id, body, NULL) == 0)
        return;
    if (errno == EHOSTUNREACH) /* it is gone, and its death is on its way to us */
        log_debug("a process is not there any more", F_STR("message", msg_find(id)->name),
                  F_INT("incarnation", to));
    else
        log_warn("could not reach a process", F_STR("message", msg_find(id)->name), F_INT("incarnation", to),
                 F_STR("error", strerror(errno)));
}

void children_kill(void *ctx, int64_t pid, int signo)
{
    struct supervisor *s = ctx;
    struct tree_row row;
    const char *name = sigabbrev_np(signo);

    if (reap_row_of_pid(s, pid, &row))
        log_info("signalling a process", F_STR("role", role_name(row.role)), F_INT("slot", row.slot),
                 F_INT("pid", pid), F_STR("signal", name ? name : "?"), F_STR("why", row.why),
                 F_INT("beatAgeMs", row.beat_age_ms), F_STR("doing", row.doing), F_STR("object", row.key));
    if (kill((pid_t)pid, signo) != 0)
        log_warn("could not signal a process", F_INT("pid", pid), F_STR("error", strerror(errno)));
    if (signo ==
        SIGABRT) /* one that is stopped would not take it; continued, it is the first thing it does */
        kill((pid_t)pid, SIGCONT);
}

/* One line at the first, the end at the last. */
static void on_bad_frame(struct supervisor *s, const struct inbound *in, enum verdict verdict)
{
    if (in->from.bad == 1)
        log_warn("refused a frame", F_STR("role", role_name(in->from.role)),
                 F_INT("incarnation", in->from.incarnation), F_STR("verdict", verdict_name(verdict)));
    if (in->from.bad == BAD_FRAMES_MAX)
        tree_end(s->tree, in->from.incarnation, "sent frames that no process of this version sends",
                 clock_now());
}

static void on_ready(struct supervisor *s, const struct inbound *in)
{
    char version[65] = "", degraded[LIMIT_TEXT + 1] = "";
    struct tree_row row;

    if (!reap_row_of_pid(s, (int64_t)in->from.pid, &row))
        return;
    span_copy(in->message.body.ready.version, version, sizeof version);
    span_copy(in->message.body.ready.degraded, degraded, sizeof degraded);
    if (strcmp(version, PROVIDER_PACKET_VERSION) != 0)
        log_warn("a process is of another build", F_STR("role", role_name(row.role)),
                 F_STR("version", version));
    log_info("a process is ready", F_STR("role", role_name(row.role)), F_INT("slot", row.slot),
             F_INT("pid", row.pid), F_INT("incarnation", row.incarnation), F_INT("afterMs", row.uptime_ms),
             F_STR("degraded", degraded));
}

static void on_end_worker(const struct inbound *in)
{
    char reason[LIMIT_TEXT + 1] = "";

    span_copy(in->message.body.end_worker.reason, reason, sizeof reason);
    log_warn("a worker's end is asked for", F_STR("by", role_name(in->from.role)),
             F_INT("incarnation", in->message.body.end_worker.incarnation), F_STR("reason", reason));
}

/* Whose numbers become too many to be kept is named once. */
static void on_beat(struct supervisor *s, const struct inbound *in)
{
    struct tree_row row;

    if (in->message.body.beat.gauges.len <= TREE_GAUGES_MAX ||
        !reap_row_of_pid(s, (int64_t)in->from.pid, &row) || row.gauges_lost)
        return;
    log_warn("a process' numbers are too many to be kept: /metrics goes without them",
             F_STR("role", role_name(row.role)), F_INT("slot", row.slot), F_INT("pid", row.pid),
             F_INT("bytes", in->message.body.beat.gauges.len));
}

static void on_ask_status(struct supervisor *s, const struct inbound *in)
{
    const struct envelope envelope = {.correlation = in->message.envelope.correlation};
    struct status_answer answer;

    status_make(s, &answer);
    if (bus_send(&s->bus, in->from.incarnation, MSG_STATUS, &answer.body, &envelope) != 0)
        log_debug("the exporter did not take its answer", F_STR("error", strerror(errno)));
    status_free(&answer);
}

static void on_message(struct supervisor *s, struct inbound *in)
{
    switch (in->message.spec->id) {
    case MSG_ASK_STATUS: on_ask_status(s, in); return;
    case MSG_BEAT: on_beat(s, in); break;
    case MSG_READY: on_ready(s, in); break;
    case MSG_END_WORKER: on_end_worker(in); break;
    case MSG_EXPLAINED: control_explained(s, &in->message.body.explained); return;
    default: break;
    }
    tree_message(s->tree, in->from.role, in->from.incarnation, &in->message, clock_now());
}

int children_on_frame(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct supervisor *s = arg;
    struct inbound in;
    enum verdict verdict;

    (void)loop;
    (void)sock;
    for (int i = 0; i < FRAMES_PER_TURN && bus_receive(&s->bus, &in, &verdict); i++) {
        if (verdict == FRAME_OK)
            on_message(s, &in);
        else if (verdict != FRAME_OLD_INCARNATION && verdict != FRAME_STRANGER)
            on_bad_frame(s, &in, verdict);
        inbound_close(&in);
    }
    return loop_end_turn(s);
}
