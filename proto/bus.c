/* proto/bus.c -- our ZeroMQ sockets: opened bounded, read and written without waiting, every frame checked
 * for who sent it and for whom. Interprets no message. Called by each shell for each of its sockets. */
#include "proto/bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/endpoint.h"
#include "proto/peers.h"

/* A connection is for one listener's life (design 12.3), and who is confined may not make another. */
#define NO_RECONNECT (-1)
#define DECIMAL_MAX  24u

static void *raw(const struct bus *bus)
{
    return zsock_resolve(bus->sock);
}

/* ---- opening */

static int set_number(const struct bus *bus, int option, int value)
{
    return zmq_setsockopt(raw(bus), option, &value, sizeof(value));
}

static int set_bounds(const struct bus *bus)
{
    int64_t frame_max = PROTO_FRAME_MAX;

    if (set_number(bus, ZMQ_LINGER, 0) || set_number(bus, ZMQ_IMMEDIATE, 1) ||
        set_number(bus, ZMQ_SNDHWM, BUS_QUEUE_MAX) || set_number(bus, ZMQ_RCVHWM, BUS_QUEUE_MAX) ||
        set_number(bus, ZMQ_RECONNECT_IVL, NO_RECONNECT))
        return -1;
    if (bus->listens && set_number(bus, ZMQ_ROUTER_MANDATORY, 1))
        return -1;
    return zmq_setsockopt(raw(bus), ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max));
}

/* The routing id is what a ROUTER calls its peer. packetctl has no incarnation and gets a made-up one. */
static int set_routing_id(const struct bus *bus)
{
    char id[DECIMAL_MAX];

    if (bus->listens || bus->my_incarnation == 0)
        return 0;
    int n = snprintf(id, sizeof(id), "%llu", (unsigned long long)bus->my_incarnation);
    return zmq_setsockopt(raw(bus), ZMQ_ROUTING_ID, id, (size_t)n);
}

/* "ipc://" and the path; the path alone starts after it. */
#define SCHEME "ipc://"
struct address {
    char text[sizeof(SCHEME) + sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static const char *path_of(const struct address *address)
{
    return address->text + strlen(SCHEME);
}

/* libzmq would cut a path that is too long for a socket's address. */
static int name_endpoint(const char *dir, const char *endpoint, struct address *address)
{
    int n = snprintf(address->text, sizeof(address->text), SCHEME "%s/%s", dir, endpoint);

    if (n >= 0 && (size_t)n < sizeof(address->text) - 1)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int open_socket(struct bus *bus, int type)
{
    bus->listens = type == ZMQ_ROUTER;
    bus->sock = zsock_new(type);
    if (!bus->sock) {
        errno = errno ? errno : EMFILE;
        return -1;
    }
    return set_bounds(bus) || set_routing_id(bus) ? -1 : 0;
}

static int close_failed(struct bus *bus)
{
    int saved = errno;

    bus_close(bus);
    errno = saved;
    return -1;
}

int bus_listen(struct bus *bus, const char *dir, const char *endpoint, unsigned my_role,
               uint64_t my_incarnation, unsigned peer_roles)
{
    struct address address;

    *bus = (struct bus){.my_role = my_role, .my_incarnation = my_incarnation, .peer_roles = peer_roles};
    if (name_endpoint(dir, endpoint, &address) || endpoint_clear(path_of(&address)))
        return -1;
    if (open_socket(bus, ZMQ_ROUTER) || zmq_bind(raw(bus), address.text) ||
        chmod(path_of(&address), ENDPOINT_MODE))
        return close_failed(bus);
    return 0;
}

int bus_connect(struct bus *bus, const char *dir, const char *endpoint, unsigned my_role,
                uint64_t my_incarnation, unsigned peer_roles)
{
    struct address address;

    *bus = (struct bus){.my_role = my_role, .my_incarnation = my_incarnation, .peer_roles = peer_roles};
    if (name_endpoint(dir, endpoint, &address))
        return -1;
    if (open_socket(bus, ZMQ_DEALER) || zmq_connect(raw(bus), address.text))
        return close_failed(bus);
    return 0;
}

void bus_close(struct bus *bus)
{
    zsock_destroy(&bus->sock);
}

int bus_wait(struct bus *bus, int timeout_ms)
{
    zmq_pollitem_t item = {.socket = raw(bus), .events = ZMQ_POLLOUT};
    int n = zmq_poll(&item, 1, timeout_ms);

    if (n == 0)
        errno = ETIMEDOUT;
    return n == 1 ? 0 : -1;
}

/* ---- the one place that sees every message */

static void note(const struct bus *bus, const char *way, const struct msg_spec *spec, const char *verdict,
                 size_t bytes, const struct bus_peer *peer)
{
    if (log_get_level() > LEVEL_DEBUG)
        return;
    log_debug("message", F_STR("way", way), F_STR("name", spec ? spec->name : "?"), F_STR("verdict", verdict),
              F_INT("bytes", bytes), F_STR("peer", role_name(peer->role)),
              F_INT("incarnation", peer->incarnation), F_INT("pid", peer->pid),
              F_STR("me", role_name(bus->my_role)));
}

static void count_received(struct bus *bus, const struct inbound *in, enum verdict verdict)
{
    switch (verdict) {
    case FRAME_OK: bus->received++; break;
    case FRAME_OLD_INCARNATION: bus->stale++; break;
    case FRAME_STRANGER: bus->strangers++; break;
    default: bus->refused++; break;
    }
    note(bus, "in", in->message.spec, verdict_name(verdict), zmq_msg_size((zmq_msg_t *)&in->frame),
         &in->from);
}

static int count_sent(struct bus *bus, enum msg_id id, size_t bytes, const struct bus_peer *peer, int rc)
{
    int saved = errno;

    if (rc == 0)
        bus->sent++;
    else
        bus->undelivered++;
    note(bus, "out", msg_find(id), rc == 0 ? "sent" : strerror(saved), bytes, peer);
    errno = saved;
    return rc;
}

/* ---- receiving */

/* Throws the rest of a message of too many parts away, so that the next one starts at its first part. */
static void drain_parts(const struct bus *bus)
{
    zmq_msg_t part;
    int more = 1;

    zmq_msg_init(&part);
    while (more && zmq_msg_recv(&part, raw(bus), ZMQ_DONTWAIT) >= 0)
        more = zmq_msg_more(&part);
    zmq_msg_close(&part);
}

/* Takes [routing id][frame] from a ROUTER, [frame] from a DEALER. Returns 1, 0 when there is nothing, -1 when
 * the parts are too few or too many. */
static int take_parts(const struct bus *bus, struct inbound *in)
{
    if (bus->listens) {
        if (zmq_msg_recv(&in->routing_id, raw(bus), ZMQ_DONTWAIT) < 0)
            return 0;
        in->has_routing_id = true;
        if (!zmq_msg_more(&in->routing_id))
            return -1;
    }
    if (zmq_msg_recv(&in->frame, raw(bus), ZMQ_DONTWAIT) < 0)
        return in->has_routing_id ? -1 : 0;
    if (!zmq_msg_more(&in->frame))
        return 1;
    drain_parts(bus);
    return -1;
}

/* Who sent it, as far as the kernel and the routing id tell. */
static enum verdict identify(struct bus *bus, struct inbound *in)
{
    uint64_t pid = peers_pid(zmq_msg_gets(&in->frame, "Peer-Address"));
    uint64_t routing_id = 0;
    const struct bus_peer *gone;

    in->from = (struct bus_peer){.pid = pid};
    if (bus->listens)
        routing_id = peers_number(zmq_msg_data(&in->routing_id), zmq_msg_size(&in->routing_id));
    struct bus_peer *known = peers_by_pid(bus->peers, bus->n_peers, bus->peer_roles, pid, routing_id);
    if (known && (known->incarnation == routing_id || !bus->listens)) {
        known->heard = true;
        in->from = *known;
        return FRAME_OK;
    }
    gone = peers_by_pid(bus->gone, BUS_GONE_MAX, bus->peer_roles, pid, routing_id);
    return gone && (gone->incarnation == routing_id || !bus->listens) ? FRAME_OLD_INCARNATION
                                                                      : FRAME_STRANGER;
}

/* A frame is of and for the living: both incarnations in it must be today's (design 12.3). */
static enum verdict check_incarnations(const struct bus *bus, const struct inbound *in)
{
    const struct envelope *e = &in->message.envelope;

    if (e->to != bus->my_incarnation)
        return FRAME_OLD_INCARNATION;
    if (e->from != in->from.incarnation) /* where it listens, the routing id had said so */
        return bus->listens ? FRAME_BAD_ENVELOPE : FRAME_OLD_INCARNATION;
    return FRAME_OK;
}

/* Whoever is known to have sent it answers for it. */
static void count_bad(struct bus *bus, struct inbound *in, enum verdict verdict)
{
    struct bus_peer *sender = peers_by_incarnation(bus->peers, bus->n_peers, in->from.incarnation);

    if (verdict == FRAME_OK || verdict == FRAME_OLD_INCARNATION || verdict == FRAME_STRANGER || !sender)
        return;
    in->from.bad = ++sender->bad;
}

bool bus_receive(struct bus *bus, struct inbound *in, enum verdict *verdict)
{
    memset(in, 0, sizeof(*in));
    zmq_msg_init(&in->frame);
    zmq_msg_init(&in->routing_id);
    int parts = take_parts(bus, in);
    if (parts == 0) {
        inbound_close(in);
        return false;
    }
    *verdict = parts < 0 ? FRAME_BAD_ENVELOPE : identify(bus, in);
    if (*verdict == FRAME_OK)
        *verdict = msg_decode(zmq_msg_data(&in->frame), zmq_msg_size(&in->frame), in->from.role, bus->my_role,
                              &in->message);
    if (*verdict == FRAME_OK)
        *verdict = check_incarnations(bus, in);
    if (*verdict != FRAME_OK) {
        const struct msg_spec *spec = in->message.spec;
        memset(&in->message, 0, sizeof(in->message));
        in->message.spec = spec;
    }
    count_bad(bus, in, *verdict);
    count_received(bus, in, *verdict);
    return true;
}

void inbound_close(struct inbound *in)
{
    zmq_msg_close(&in->frame);
    zmq_msg_close(&in->routing_id);
    in->has_routing_id = false;
}

/* ---- sending */

/* hint: how much of it is to be wiped. */
static void free_frame(void *data, void *hint)
{
    explicit_bzero(data, (size_t)(uintptr_t)hint);
    free(data);
}

/* Encodes with our incarnation, into a message that owns its bytes. */
static int make_frame(struct bus *bus, uint64_t to, enum msg_id id, const void *body,
                      const struct envelope *given, zmq_msg_t *frame)
{
    struct envelope e = given ? *given : (struct envelope){0};
    msgpack_sbuffer out;

    e.from = bus->my_incarnation;
    e.to = to;
    if (e.correlation == 0)
        e.correlation = bus->my_incarnation << 32 | (++bus->next_correlation & UINT32_MAX);
    msgpack_sbuffer_init(&out);
    if (msg_encode(&e, id, body, &out) != 0) {
        const struct msg_spec *spec = msg_find(id);
        log_error("a message breaks its own limits", F_STR("name", spec ? spec->name : "?"));
        errno = EINVAL;
        return -1;
    }
    size_t secret = id == MSG_GRANT ? out.size : 0;

    if (zmq_msg_init_data(frame, out.data, out.size, free_frame, (void *)(uintptr_t)secret) != 0) {
        explicit_bzero(out.data, secret);
        msgpack_sbuffer_destroy(&out);
        return -1;
    }
    return 0;
}

/* Sends [routing id][frame], or [frame] when there is no routing id. Mandatory: the first part fails when the
 * peer is not there or its queue is full, and then nothing has been sent. */
static int send_parts(const struct bus *bus, const void *routing_id, size_t len, zmq_msg_t *frame)
{
    if (routing_id && zmq_send(raw(bus), routing_id, len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return -1;
    return zmq_msg_send(frame, raw(bus), ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

static int send_frame(struct bus *bus, const struct bus_peer *peer, enum msg_id id, const void *routing_id,
                      size_t len, zmq_msg_t *frame)
{
    size_t bytes = zmq_msg_size(frame);
    int rc = send_parts(bus, routing_id, len, frame);
    int saved = errno;

    if (rc != 0)
        zmq_msg_close(frame);
    errno = saved;
    return count_sent(bus, id, bytes, peer, rc);
}

int bus_send(struct bus *bus, uint64_t to, enum msg_id id, const void *body, const struct envelope *envelope)
{
    struct bus_peer peer = {.role = bus->peer_roles, .incarnation = to};
    char routing_id[DECIMAL_MAX];
    zmq_msg_t frame;

    const struct bus_peer *known = peers_by_incarnation(bus->peers, bus->n_peers, to);
    if (!known || (bus->listens && !known->heard)) {
        errno = EHOSTUNREACH;
        return count_sent(bus, id, 0, &peer, -1);
    }
    peer = *known;
    if (make_frame(bus, to, id, body, envelope, &frame) != 0)
        return count_sent(bus, id, 0, &peer, -1);
    int n = snprintf(routing_id, sizeof(routing_id), "%llu", (unsigned long long)to);
    return send_frame(bus, &peer, id, bus->listens ? routing_id : NULL, (size_t)n, &frame);
}
