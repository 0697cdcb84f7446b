/* proto/bus.h -- one ZeroMQ socket of ours: listening (ROUTER) or connected (DEALER), bounded, never
 * blocking. Knows who may be at the other end by pid, as the kernel tells it (libzmq's Peer-Address), never
 * by what a frame says (design 12.5), and drops what was meant for or comes from another incarnation
 * (design 12.3). One function sees every message in each direction: it counts and, at debug level, traces. */
#ifndef PROTO_BUS_H
#define PROTO_BUS_H

#include <czmq.h>

#include "proto/codec.h"

#define BUS_PEERS_MAX 80u /* 64 workers and the others */
#define BUS_QUEUE_MAX 64  /* high-water mark for each peer, messages */
#define BUS_GONE_MAX  32u /* the latest dead peers: their late frames are old, not a stranger's */

struct bus_peer {
    unsigned role;
    uint64_t slot;
    uint64_t incarnation; /* also its ZeroMQ routing id, in decimal */
    uint64_t pid;
    unsigned bad; /* kept here: frames of it that no process of this version sends */
    bool heard;   /* kept here: a frame of it has come, so the kernel has proven whose routing id this is */
};

struct bus {
    zsock_t *sock;
    unsigned my_role;
    uint64_t my_incarnation;
    unsigned peer_roles; /* roles that may be at the other end */
    struct bus_peer peers[BUS_PEERS_MAX];
    unsigned n_peers;
    struct bus_peer gone[BUS_GONE_MAX]; /* ring */
    unsigned n_gone;
    bool listens;
    uint64_t next_correlation;
    uint64_t received, sent, refused, stale, strangers, undelivered;
};

/* One received frame. Borrowing ends with inbound_close(). Never copy or move it: libzmq keeps short frames
 * inside zmq_msg_t, so message may point into this very struct. */
struct inbound {
    zmq_msg_t frame;
    struct message message;
    struct bus_peer from;
    zmq_msg_t routing_id; /* of a ROUTER's peer */
    bool has_routing_id;
};

/* Binds ipc://<dir>/<endpoint> (an old socket file is removed first) with MANDATORY, IMMEDIATE, linger 0 and
 * PROTO_FRAME_MAX. Returns 0, or -1 with errno; *bus is then unusable. */
int bus_listen(struct bus *bus, const char *dir, const char *endpoint, unsigned my_role,
               uint64_t my_incarnation, unsigned peer_roles);
/* Connects to ipc://<dir>/<endpoint>; the routing id is my_incarnation in decimal. Returns 0, or -1 with
 * errno. */
int bus_connect(struct bus *bus, const char *dir, const char *endpoint, unsigned my_role,
                uint64_t my_incarnation, unsigned peer_roles);
void bus_close(struct bus *bus);
/* Waits until a connecting socket has its connection, at most timeout_ms. Returns 0, or -1 with errno. */
int bus_wait(struct bus *bus, int timeout_ms);

/* Frames are taken from this peer from now on. A peer with the same incarnation is replaced. Returns 0, -1
 * when full. */
int bus_peer_add(struct bus *bus, const struct bus_peer *peer);
void bus_peer_remove(struct bus *bus, uint64_t incarnation);

/* Takes one frame without waiting. Returns false when there is none. Otherwise *verdict says what it is; only
 * with FRAME_OK is in->message filled. Call inbound_close() in every case where true was returned. */
bool bus_receive(struct bus *bus, struct inbound *in, enum verdict *verdict);
void inbound_close(struct inbound *in);

/* Sends without waiting. envelope may be NULL, or hold correlation (0: a fresh one), epoch and deadline; from
 * and to are filled in here. to: the peer's incarnation. Returns 0; or -1 with errno EAGAIN (its queue is
 * full; on a connecting socket also: no connection at the moment), EHOSTUNREACH (not connected, not a peer,
 * or, on a listening socket, a peer that has not sent its first frame), EINVAL (the message breaks its own
 * limits: our error). Never drops silently (design 12.17). */
int bus_send(struct bus *bus, uint64_t to, enum msg_id id, const void *body, const struct envelope *envelope);

#endif
