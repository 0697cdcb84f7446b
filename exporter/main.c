/* exporter/main.c -- the exporter, from birth to exit: HTTP for metrics and probes, told by the supervisor.
 * Holds no credential and knows nothing that the supervisor did not say. Started by the supervisor. */
#include "base/log.h"
#include "exporter/exporter.h"

static void leave(struct exporter *e, int code, const char *reason)
{
    if (e->reason)
        return;
    e->exit_code = code;
    e->reason = reason;
}

static void on_message(struct exporter *e, const struct message *message)
{
    if (proc_takes(message))
        return;
    if (message->spec->id == MSG_STATUS) {
        state_take(e, &message->body.status);
        http_resume(e);
        http_run(e);
    } else if (message->spec->id == MSG_DRAIN) {
        leave(e, EXIT_OK, "drained");
    }
}

static int on_supervisor(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct exporter *e = arg;
    struct inbound in;
    enum verdict verdict;

    (void)loop;
    (void)sock;
    while (e->reason == NULL && bus_receive(&e->proc.bus, &in, &verdict)) {
        if (verdict == FRAME_OK)
            on_message(e, &in.message);
        else if (in.from.bad >= BAD_FRAMES_MAX)
            leave(e, EXIT_PROTOCOL, "too many frames that no sibling sends");
        inbound_close(&in);
    }
    return e->reason ? -1 : 0;
}

static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct exporter *e = arg;

    (void)loop;
    (void)item;
    if (proc_next_signal(&e->proc) != 0)
        leave(e, EXIT_OK, "asked by a signal");
    return e->reason ? -1 : 0;
}

static int on_beat(zloop_t *loop, int timer_id, void *arg)
{
    struct exporter *e = arg;

    (void)loop;
    (void)timer_id;
    proc_beat(&e->proc, e->waiters ? "answering a request" : "idle", NULL, 0, (struct value){0});
    return 0;
}

static void make_loop(struct exporter *e)
{
    zmq_pollitem_t signals = {.fd = e->proc.signals, .events = ZMQ_POLLIN};

    e->loop = zloop_new();
    zloop_reader(e->loop, e->proc.bus.sock, on_supervisor, e);
    zloop_poller(e->loop, &signals, on_signal, e);
    zloop_timer(e->loop, BEAT_EVERY_MS, 0, on_beat, e);
    zloop_set_nonstop(e->loop, true); /* only our own handlers end the loop */
    http_watch(e);
}

static int close_all(struct exporter *e)
{
    http_stop(e);
    zloop_destroy(&e->loop);
    state_free(e);
    return proc_leave(&e->proc, e->exit_code, e->reason);
}

int main(int argc, char **argv)
{
    static struct exporter e = {.timer = -1};

    proc_version(argc, argv, EXPORTER);
    proc_enter(&e.proc, EXPORTER);
    proc_shut_files(&e.proc);
    proc_connect(&e.proc);
    int code = http_start(&e);
    if (code == 0) {
        make_loop(&e);
        proc_confine(&e.proc);
        proc_say_ready(&e.proc);
        http_run(&e);
        zloop_start(e.loop);
    } else {
        leave(&e, code, "cannot listen");
    }
    return close_all(&e);
}
