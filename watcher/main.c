/* watcher/main.c -- the watcher, from birth to exit: joins the core that decides with the sockets that do.
 * The only process that speaks to Kubernetes; hands Packet's credentials on to the gateway and keeps none.
 * Started by the supervisor. */
#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "proto/pack.h"
#include "proto/proc.h"
#include "watcher/beat.h"
#include "watcher/core/watcher.h"
#include "watcher/exec_plugin.h"
#include "watcher/http.h"
#include "watcher/settings.h"

#define BATCH           32   /* frames of one socket before the others have their turn */
#define GATEWAY_WAIT_MS 1000 /* it is READY and listens: the connection stands at once */

struct watcher {
    struct proc proc;
    struct bus jobs;        /* workers */
    struct bus credentials; /* to the gateway; sock NULL while there is none */
    struct settings settings;
    zloop_t *loop;
    struct http *http;       /* everything but */
    struct http *single;     /* Secrets, lists and the watch, */
    struct http *lease_http; /* and the leader Lease, which waits behind nothing; NULL without an election */
    struct watcher_core *core;
    int timer;        /* zloop's id of the core's next tick, -1: none */
    int64_t timer_ms; /* when it fires, CLOCK_BOOTTIME */
    uint64_t lists;   /* that were complete when memory was last given back */
    int exit_code;
    const char *reason; /* of leaving */
};

static int on_core_timer(zloop_t *loop, int timer, void *arg);

/* After every event: arms the core's timer anew when its time has changed, and leaves when the core is
 * through. */
static int settle(struct watcher *w)
{
    int64_t next = watcher_core_next_ms(w->core);
    bool lost = watcher_core_lost(w->core);

    if ((lost || watcher_core_overdue(w->core)) && !w->exit_code) {
        w->exit_code = lost ? EXIT_LEASE_LOST : EXIT_UNSYNCED;
        w->reason = exit_sentence(w->exit_code);
    }
    if (w->exit_code || watcher_core_finished(w->core))
        return -1;
    if (w->timer != -1 && w->timer_ms == next)
        return 0;
    if (w->timer != -1)
        zloop_timer_end(w->loop, w->timer);
    w->timer = -1;
    w->timer_ms = next;
    if (next == INT64_MAX)
        return 0;
    int64_t wait = next - clock_now().boot_ms;

    w->timer = zloop_timer(w->loop, wait > 0 ? (size_t)wait : 0, 1, on_core_timer, w);
    return 0;
}

static int on_core_timer(zloop_t *loop, int timer, void *arg)
{
    struct watcher *w = arg;

    (void)loop;
    if (timer == w->timer)
        w->timer = -1;
    watcher_core_tick(w->core, clock_now());
    return settle(w);
}

/* ---- what the core wants done ---- */

static void send_message(void *ctx, unsigned role, uint64_t to, enum msg_id id, const void *body,
                         const struct envelope *envelope)
{
    struct watcher *w = ctx;
    struct bus *bus = role == SUPERVISOR ? &w->proc.bus : role == GATEWAY ? &w->credentials : &w->jobs;

    errno = ENOTCONN;
    if (!bus->sock || bus_send(bus, to, id, body, envelope) != 0)
        log_warn("a message could not be delivered", F_STR("name", msg_find(id)->name), F_INT("to", to),
                 F_STR("error", strerror(errno)));
}

static void start_request(void *ctx, const struct watcher_request *request)
{
    struct watcher *w = ctx;

    http_start(request->election                  ? w->lease_http
               : request->secret || request->list ? w->single
                                                  : w->http,
               request);
}

static struct http *http_of(void *ctx, enum watcher_stream stream)
{
    struct watcher *w = ctx;

    return stream == STREAM_LEASE ? w->lease_http : w->single;
}

static void start_watch(void *ctx, enum watcher_stream stream, const char *path)
{
    http_watch(http_of(ctx, stream), path);
}

static void stop_watch(void *ctx, enum watcher_stream stream)
{
    http_unwatch(http_of(ctx, stream));
}

/* ---- what the API server says ---- */

static void on_result(void *ctx, const struct watcher_result *result)
{
    watcher_core_result(((struct watcher *)ctx)->core, result, clock_now());
}

static void on_item(void *ctx, uint64_t id, const char *json, size_t len)
{
    watcher_core_item(((struct watcher *)ctx)->core, id, json, len, clock_now());
}

static void on_event(void *ctx, const char *json, size_t len)
{
    watcher_core_event(((struct watcher *)ctx)->core, STREAM_OBJECTS, json, len, clock_now());
}

static void on_watch_ended(void *ctx, int status, const char *body, size_t len, int64_t retry_after_ms)
{
    watcher_core_watch_ended(((struct watcher *)ctx)->core, STREAM_OBJECTS, status, body, len, retry_after_ms,
                             clock_now());
}

static void on_lease_event(void *ctx, const char *json, size_t len)
{
    watcher_core_event(((struct watcher *)ctx)->core, STREAM_LEASE, json, len, clock_now());
}

static void on_lease_watch_ended(void *ctx, int status, const char *body, size_t len, int64_t retry_after_ms)
{
    watcher_core_watch_ended(((struct watcher *)ctx)->core, STREAM_LEASE, status, body, len, retry_after_ms,
                             clock_now());
}

static void on_settled(void *ctx)
{
    struct watcher *w = ctx;

    if (settle(w) != 0)
        zloop_timer(w->loop, 0, 1, on_core_timer, w); /* whose handler ends the loop */
}

/* ---- what siblings say ---- */

static int on_bus(zloop_t *loop, zsock_t *sock, void *arg);

static void drop_gateway(struct watcher *w)
{
    if (w->credentials.sock)
        zloop_reader_end(w->loop, w->credentials.sock);
    bus_close(&w->credentials);
}

/* Each gateway gets a connection of its own: nothing meant for its predecessor can reach it (design 12.3). */
static int reach_gateway(struct watcher *w, const struct bus_peer *peer)
{
    drop_gateway(w);
    if (bus_connect(&w->credentials, w->proc.runtime_dir, ENDPOINT_CREDENTIALS, WATCHER, w->proc.incarnation,
                    GATEWAY) ||
        bus_wait(&w->credentials, GATEWAY_WAIT_MS))
        return -1;
    zloop_reader(w->loop, w->credentials.sock, on_bus, w);
    return bus_peer_add(&w->credentials, peer);
}

static void know_peer(struct watcher *w, const struct message *message)
{
    const struct msg_peer *m = &message->body.peer;
    struct bus_peer peer = {
        .role = (unsigned)m->role, .slot = m->slot, .incarnation = m->incarnation, .pid = m->pid};
    struct msg_peer_ok ok = {.incarnation = m->incarnation};
    struct envelope envelope = {.correlation = message->envelope.correlation};

    if (m->role != GATEWAY && m->role != WORKER)
        return;
    if (m->role == GATEWAY ? reach_gateway(w, &peer) : bus_peer_add(&w->jobs, &peer)) {
        log_error("cannot reach a sibling", F_STR("role", role_name((unsigned)m->role)),
                  F_INT("incarnation", m->incarnation), F_STR("error", strerror(errno)));
        w->exit_code = EXIT_SOCKET;
        w->reason = exit_sentence(EXIT_SOCKET);
        return;
    }
    bus_send(&w->proc.bus, message->envelope.from, MSG_PEER_OK, &ok, &envelope);
}

static void forget_peer(struct watcher *w, uint64_t incarnation)
{
    bus_peer_remove(&w->jobs, incarnation);
    if (w->credentials.sock && w->credentials.n_peers && w->credentials.peers[0].incarnation == incarnation)
        drop_gateway(w);
}

static void from_supervisor(struct watcher *w, const struct message *message)
{
    if (proc_takes(message))
        return;
    if (message->spec->id == MSG_PEER)
        know_peer(w, message);
    else if (message->spec->id == MSG_PEER_GONE)
        forget_peer(w, message->body.peer_gone.incarnation);
    watcher_core_message(w->core, SUPERVISOR, message->envelope.from, message, clock_now());
}

static void bad_frame(struct watcher *w, const struct bus *bus, const struct inbound *in,
                      enum verdict verdict)
{
    if (!proc_bad_frame(&w->proc, bus, in, verdict))
        return;
    w->exit_code = EXIT_PROTOCOL;
    w->reason = exit_sentence(EXIT_PROTOCOL);
}

static int on_bus(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct watcher *w = arg;
    struct bus *bus = sock == w->jobs.sock          ? &w->jobs
                      : sock == w->credentials.sock ? &w->credentials
                                                    : &w->proc.bus;
    struct inbound in;
    enum verdict verdict;

    (void)loop;
    for (int i = 0; i < BATCH && bus->sock && bus_receive(bus, &in, &verdict); i++) {
        if (verdict != FRAME_OK)
            bad_frame(w, bus, &in, verdict);
        else if (bus == &w->proc.bus)
            from_supervisor(w, &in.message);
        else
            watcher_core_message(w->core, in.from.role, in.from.incarnation, &in.message, clock_now());
        inbound_close(&in);
    }
    return settle(w);
}

/* SIGTERM by hand is the same as the supervisor's DRAIN. */
static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct watcher *w = arg;
    struct message drain = {.spec = msg_find(MSG_DRAIN), .body.drain.within_ms = STOP_REST_MS};

    (void)loop;
    (void)item;
    while (proc_next_signal(&w->proc))
        watcher_core_message(w->core, SUPERVISOR, 0, &drain, clock_now());
    return settle(w);
}

/* A list leaves holes where its objects were read; the pages in them go back to the kernel (kubernetes 68).
 */
static void give_back(struct watcher *w)
{
    if (w->lists == watcher_core_lists(w->core))
        return;
    w->lists = watcher_core_lists(w->core);
    malloc_trim(0);
}

static int on_beat(zloop_t *loop, int timer, void *arg)
{
    struct watcher *w = arg;
    struct pack p;

    (void)loop;
    (void)timer;
    give_back(w);
    pack_open(&p);
    beat_pack(&p, w->core, http_started(w->http) + http_started(w->single),
              http_failed(w->http) + http_failed(w->single), &w->settings.access);
    proc_beat(&w->proc, watcher_core_doing(w->core), NULL, 0, pack_result(&p));
    pack_close(&p);
    return settle(w);
}

/* ---- birth and death ---- */

static void watcher_begin(struct watcher *w)
{
    struct watcher_ops ops = {.ctx = w,
                              .send = send_message,
                              .request = start_request,
                              .watch = start_watch,
                              .unwatch = stop_watch};
    struct http_events events = {.ctx = w,
                                 .result = on_result,
                                 .item = on_item,
                                 .event = on_event,
                                 .watch_ended = on_watch_ended,
                                 .settled = on_settled};
    struct http_events lease_events = events;
    struct watcher_config config = w->settings.config;

    lease_events.event = on_lease_event;
    lease_events.watch_ended = on_lease_watch_ended;
    config.incarnation = w->proc.incarnation;
    if (getrandom(&config.seed, sizeof config.seed, 0) != (ssize_t)sizeof config.seed)
        settings_fail(EXIT_BUG, "the kernel gives no random number", strerror(errno));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        settings_fail(EXIT_MEMORY, "libcurl cannot start", "curl_global_init");
    w->loop = zloop_new();
    w->settings.access.plugin = exec_plugin_new(w->loop, &w->settings.access, &w->settings.helper);
    w->http = w->loop ? http_new(w->loop, &w->settings.access, &events, true) : NULL;
    w->single = w->loop ? http_new(w->loop, &w->settings.access, &events, false) : NULL;
    w->lease_http =
        w->loop && config.election.name ? http_new(w->loop, &w->settings.access, &lease_events, false) : NULL;
    if (!w->http || !w->single || (config.election.name && !w->lease_http))
        settings_fail(EXIT_MEMORY, "libcurl cannot start", "curl_multi_init");
    w->core = watcher_core_new(&config, &ops, clock_now());
}

static void watcher_listen(struct watcher *w)
{
    if (bus_listen(&w->jobs, w->proc.runtime_dir, ENDPOINT_JOBS, WATCHER, w->proc.incarnation, WORKER) != 0)
        settings_fail(EXIT_SOCKET, "cannot listen on " ENDPOINT_JOBS, strerror(errno));
}

static void watcher_register(struct watcher *w)
{
    zmq_pollitem_t signals = {.fd = w->proc.signals, .events = ZMQ_POLLIN};

    zloop_set_nonstop(w->loop, true);
    zloop_reader(w->loop, w->proc.bus.sock, on_bus, w);
    zloop_reader(w->loop, w->jobs.sock, on_bus, w);
    zloop_poller(w->loop, &signals, on_signal, w);
    zloop_timer(w->loop, BEAT_EVERY_MS, 0, on_beat, w);
}

static void watcher_end(struct watcher *w)
{
    http_free(w->http);
    http_free(w->single);
    http_free(w->lease_http);
    watcher_core_free(w->core);
    exec_plugin_free(w->settings.access.plugin);
    zloop_destroy(&w->loop);
    bus_close(&w->jobs);
    bus_close(&w->credentials);
    settings_clear(&w->settings);
    curl_global_cleanup();
}

int main(int argc, char **argv)
{
    struct watcher w = {.timer = -1, .reason = exit_sentence(EXIT_OK)};

    proc_version(argc, argv, WATCHER);
    proc_enter(&w.proc, WATCHER);
    settings_read(&w.settings);
    settings_keep(&w.settings, &w.proc.keep);
    proc_shut_files(&w.proc);
    proc_connect(&w.proc);
    watcher_listen(&w);
    watcher_begin(&w);
    watcher_register(&w);
    proc_confine(&w.proc);

    proc_say_ready(&w.proc);
    zloop_start(w.loop);

    watcher_end(&w);
    return proc_leave(&w.proc, w.exit_code, w.reason);
}
