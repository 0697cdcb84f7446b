/* packet-gateway/main.c -- the packet-gateway, from birth to exit: joins the core that decides with the
 * sockets that do. The only process that speaks to Packet and holds API tokens; never reads a file for them,
 * never talks to Kubernetes. Started by the supervisor. */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/log.h"
#include "packet-gateway/core/gateway.h"
#include "packet-gateway/http.h"
#include "packet-gateway/options.h"
#include "proto/pack.h"
#include "proto/proc.h"

#define BATCH            32 /* frames of one socket before the others have their turn */
#define OPTION_ERROR_MAX 256

struct gateway {
    struct proc proc;
    struct bus calls;       /* workers */
    struct bus credentials; /* the watcher alone (design 12.5) */
    struct gateway_options options;
    zloop_t *loop;
    struct http *http;
    struct gateway_core *core;
    int timer;        /* zloop's id of the core's next tick, -1: none */
    int64_t timer_ms; /* when it fires, CLOCK_BOOTTIME */
    int exit_code;
    const char *reason; /* of leaving */
};

static int on_core_timer(zloop_t *loop, int timer, void *arg);

/* After every event: arms the core's timer anew when its time has changed, and leaves when the core is
 * through. */
static int settle(struct gateway *g)
{
    int64_t next = gateway_core_next_ms(g->core);

    if (g->exit_code || gateway_core_finished(g->core))
        return -1;
    if (g->timer != -1 && g->timer_ms == next)
        return 0;
    if (g->timer != -1)
        zloop_timer_end(g->loop, g->timer);
    g->timer = -1;
    g->timer_ms = next;
    if (next == INT64_MAX)
        return 0;
    int64_t wait = next - clock_now().boot_ms;

    g->timer = zloop_timer(g->loop, wait > 0 ? (size_t)wait : 0, 1, on_core_timer, g);
    return 0;
}

static int on_core_timer(zloop_t *loop, int timer, void *arg)
{
    struct gateway *g = arg;

    (void)loop;
    if (timer == g->timer)
        g->timer = -1;
    gateway_core_tick(g->core, clock_now());
    return settle(g);
}

/* ---- what the core wants done */

static void send_message(void *ctx, uint64_t to, enum msg_id id, const void *body,
                         const struct envelope *envelope)
{
    struct gateway *g = ctx;
    bool credential = id == MSG_GRANTED || id == MSG_REVOKED || id == MSG_COME;
    struct bus *bus = id == MSG_EPOCH_CLOSED ? &g->proc.bus : credential ? &g->credentials : &g->calls;

    if (bus_send(bus, to, id, body, envelope) != 0)
        log_warn("a message could not be delivered", F_STR("name", msg_find(id)->name), F_INT("to", to),
                 F_STR("error", strerror(errno)));
}

static void start_request(void *ctx, const struct gateway_request *request)
{
    http_start(((struct gateway *)ctx)->http, request);
}

static void on_http_done(void *ctx, const struct gateway_result *result)
{
    struct gateway *g = ctx;

    gateway_core_result(g->core, result, clock_now());
    if (settle(g) != 0)
        zloop_timer(g->loop, 0, 1, on_core_timer, g); /* whose handler ends the loop */
}

/* ---- what arrives */

static void know_peer(struct gateway *g, const struct message *message)
{
    const struct msg_peer *m = &message->body.peer;
    struct bus_peer peer = {
        .role = (unsigned)m->role, .slot = m->slot, .incarnation = m->incarnation, .pid = m->pid};
    struct msg_peer_ok ok = {.incarnation = m->incarnation};
    struct envelope envelope = {.correlation = message->envelope.correlation};

    if (m->role != WATCHER && m->role != WORKER)
        return;
    if (bus_peer_add(m->role == WATCHER ? &g->credentials : &g->calls, &peer) != 0) {
        log_error("no room for another sibling", F_INT("incarnation", m->incarnation));
        return;
    }
    bus_send(&g->proc.bus, message->envelope.from, MSG_PEER_OK, &ok, &envelope);
}

static void from_supervisor(struct gateway *g, const struct message *message)
{
    if (proc_takes(message))
        return;
    switch (message->spec->id) {
    case MSG_PEER: know_peer(g, message); break;
    case MSG_PEER_GONE:
        bus_peer_remove(&g->calls, message->body.peer_gone.incarnation);
        bus_peer_remove(&g->credentials, message->body.peer_gone.incarnation);
        break;
    case MSG_EPOCH_OVER:
        /* What libcurl holds and has not begun must not begin after EPOCH_CLOSED. */
        http_fence_mutations(g->http);
        break;
    default: break;
    }
    gateway_core_message(g->core, SUPERVISOR, message->envelope.from, message, clock_now());
}

static void bad_frame(struct gateway *g, const struct bus *bus, const struct inbound *in,
                      enum verdict verdict)
{
    if (!proc_bad_frame(&g->proc, bus, in, verdict))
        return;
    g->exit_code = EXIT_PROTOCOL;
    g->reason = exit_sentence(EXIT_PROTOCOL);
}

static int read_bus(struct gateway *g, struct bus *bus)
{
    struct inbound in;
    enum verdict verdict;

    for (int i = 0; i < BATCH && bus_receive(bus, &in, &verdict); i++) {
        if (verdict != FRAME_OK)
            bad_frame(g, bus, &in, verdict);
        else if (bus == &g->proc.bus)
            from_supervisor(g, &in.message);
        else
            gateway_core_message(g->core, in.from.role, in.from.incarnation, &in.message, clock_now());
        if (bus == &g->credentials) /* a GRANT holds a token */
            explicit_bzero(zmq_msg_data(&in.frame), zmq_msg_size(&in.frame));
        inbound_close(&in);
    }
    return settle(g);
}

static int on_bus(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct gateway *g = arg;

    (void)loop;
    return read_bus(g, sock == g->calls.sock         ? &g->calls
                       : sock == g->credentials.sock ? &g->credentials
                                                     : &g->proc.bus);
}

/* SIGTERM by hand is the same as the supervisor's DRAIN. */
static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct gateway *g = arg;
    struct message drain = {.spec = msg_find(MSG_DRAIN), .body.drain.within_ms = STOP_REST_MS};

    (void)loop;
    (void)item;
    while (proc_next_signal(&g->proc))
        gateway_core_message(g->core, SUPERVISOR, SUPERVISOR_INCARNATION, &drain, clock_now());
    return settle(g);
}

static int on_beat(zloop_t *loop, int timer, void *arg)
{
    struct gateway *g = arg;
    struct gateway_gauges now;
    struct pack p;

    (void)loop;
    (void)timer;
    gateway_core_tick(g->core, clock_now());
    gateway_core_gauges(g->core, &now);
    const struct {
        const char *name;
        uint64_t n;
    } gauges[] = {
        {"calls_under_way", now.under_way},
        {"calls_waiting", now.waiting},
        {"deletes_waiting", now.waiting_in[0]},
        {"creates_waiting", now.waiting_in[1]},
        {"reads_waiting", now.waiting_in[2]},
        {"drift_waiting", now.waiting_in[3]},
        {"tickets_delete", now.tickets[LANE_DELETE]},
        {"tickets_create", now.tickets[LANE_CREATE]},
        {"tickets_read", now.tickets[LANE_READ]},
        {"tickets_drift", now.tickets[LANE_DRIFT]},
        {"calls_started", http_started(g->http)},
        {"calls_failed", http_failed(g->http)},
        {"grants", now.grants},
        {"credentials", now.credentials},
        {"credentials_paused", now.paused},
        {"budget", now.budget > 0 ? (uint64_t)now.budget : 0},
        {"pause_ms", (uint64_t)now.pause_ms},
        {"rate_milli", (uint64_t)(now.rate * 1000)}, /* calls in 1000 s, so that slow limits show */
        {"refused", now.limited},
        {"probes", now.probes},
        {"api_silent_ms", (uint64_t)now.breaker_ms}, /* 0: it answers */
    };
    const size_t n = sizeof gauges / sizeof gauges[0];

    pack_open(&p);
    pack_map(&p, (uint32_t)n + 1);
    for (size_t i = 0; i < n; i++) {
        pack_text(&p, gauges[i].name);
        pack_uint(&p, gauges[i].n);
    }
    pack_text(&p, "calls");
    tally_pack(http_tally(g->http), &p);
    proc_beat(&g->proc, gateway_core_doing(g->core), NULL, 0, pack_result(&p));
    pack_close(&p);
    return settle(g);
}

/* ---- birth and death */

static _Noreturn void fail(int code, const char *msg, const char *detail)
{
    log_error(msg, F_STR("error", detail), F_STR("advice", exit_sentence(code)));
    exit(code);
}

static void gateway_open(struct gateway *g)
{
    char error[OPTION_ERROR_MAX] = "";

    g->timer = -1;
    g->reason = exit_sentence(EXIT_OK);
    if (options_read(&g->options, error, sizeof error) != 0)
        fail(EXIT_CONFIG, "the gateway's options are wrong", error);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        fail(EXIT_MEMORY, "libcurl cannot start", "curl_global_init");
    g->loop = zloop_new();
    g->http = g->loop ? http_new(g->loop, &g->options, on_http_done, g) : NULL;
    if (!g->http)
        fail(EXIT_MEMORY, "libcurl cannot start", "curl_multi_init");
}

static void gateway_begin(struct gateway *g)
{
    struct gateway_ops ops = {.ctx = g, .send = send_message, .request = start_request};
    struct gateway_config config = {
        .incarnation = g->proc.incarnation,
        .base_path = g->options.base_path,
        .rate = g->options.rate,
        .burst = g->options.burst,
        .parallel = g->options.parallel,
    };

    if (getrandom(&config.seed, sizeof config.seed, 0) != (ssize_t)sizeof config.seed)
        config.seed = (uint64_t)clock_now().wall_ms; /* of jitter only */
    g->core = gateway_core_new(&config, &ops, clock_now());
}

static void gateway_listen(struct gateway *g)
{
    const struct proc *p = &g->proc;

    if (bus_listen(&g->calls, p->runtime_dir, ENDPOINT_CALLS, GATEWAY, p->incarnation, WORKER) != 0)
        fail(EXIT_SOCKET, "cannot listen on " ENDPOINT_CALLS, strerror(errno));
    if (bus_listen(&g->credentials, p->runtime_dir, ENDPOINT_CREDENTIALS, GATEWAY, p->incarnation, WATCHER) !=
        0)
        fail(EXIT_SOCKET, "cannot listen on " ENDPOINT_CREDENTIALS, strerror(errno));
}

static void gateway_register(struct gateway *g)
{
    zmq_pollitem_t signals = {.fd = g->proc.signals, .events = ZMQ_POLLIN};

    zloop_set_nonstop(g->loop, true);
    zloop_reader(g->loop, g->proc.bus.sock, on_bus, g);
    zloop_reader(g->loop, g->calls.sock, on_bus, g);
    zloop_reader(g->loop, g->credentials.sock, on_bus, g);
    zloop_poller(g->loop, &signals, on_signal, g);
    zloop_timer(g->loop, BEAT_EVERY_MS, 0, on_beat, g);
}

static void gateway_end(struct gateway *g)
{
    http_free(g->http);
    gateway_core_free(g->core);
    zloop_destroy(&g->loop);
    bus_close(&g->calls);
    bus_close(&g->credentials);
    options_free(&g->options);
    curl_global_cleanup();
}

int main(int argc, char **argv)
{
    struct gateway g = {0};

    proc_version(argc, argv, GATEWAY);
    proc_enter(&g.proc, GATEWAY);
    gateway_open(&g);
    confine_read_beside(&g.proc.keep, g.options.ca_file);
    proc_shut_files(&g.proc);
    proc_connect(&g.proc);
    gateway_listen(&g);
    proc_confine(&g.proc);
    gateway_begin(&g);
    gateway_register(&g);

    proc_say_ready(&g.proc);
    zloop_start(g.loop);

    gateway_end(&g);
    return proc_leave(&g.proc, g.exit_code, g.reason);
}
