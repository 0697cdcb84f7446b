/* proto/peers.h -- the table of who may be at the other end of a socket, for proto/bus.c alone. Pure: no
 * sockets, no clock. Peers are known by pid and incarnation. */
#ifndef PROTO_PEERS_H
#define PROTO_PEERS_H

#include "proto/bus.h"

/* The pid in libzmq's Peer-Address "localhost:<uid>:<gid>:<pid>" (libzmq 4.3.4, ipc), or 0 for any other
 * text: no process has pid 0, and one of another pid namespace shows as 0. */
uint64_t peers_pid(const char *peer_address);
/* A routing id of decimal digits, without leading zeros, or 0. */
uint64_t peers_number(const void *text, size_t len);
/* The peer of one of these roles with this pid; of several (a pid is used again before the dead one is
 * removed) the one with this incarnation, else the last. NULL when there is none. */
struct bus_peer *peers_by_pid(struct bus_peer *peers, unsigned count, unsigned roles, uint64_t pid,
                              uint64_t incarnation);
struct bus_peer *peers_by_incarnation(struct bus_peer *peers, unsigned count, uint64_t incarnation);

#endif
