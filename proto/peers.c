/* proto/peers.c -- looks peers up by what the kernel says, keeps the list of the living and of the latest
 * dead. Never trusts a frame. Called by proto/bus.c and, through bus_peer_*, by the shells. */
#include "proto/peers.h"

#include <string.h>

#define NUMBER_DIGITS_MAX 19u

uint64_t peers_number(const void *text, size_t len)
{
    const char *p = text;
    uint64_t n = 0;

    if (len == 0 || len > NUMBER_DIGITS_MAX || p[0] == '0')
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(p[i] - '0');
    }
    return n;
}

uint64_t peers_pid(const char *peer_address)
{
    unsigned colons = 0;

    if (!peer_address)
        return 0;
    for (const char *p = peer_address; *p; p++)
        colons += *p == ':';
    if (colons != 3)
        return 0;
    const char *pid = strrchr(peer_address, ':') + 1;
    return peers_number(pid, strlen(pid));
}

struct bus_peer *peers_by_pid(struct bus_peer *peers, unsigned count, unsigned roles, uint64_t pid,
                              uint64_t incarnation)
{
    struct bus_peer *found = NULL;

    for (unsigned i = 0; i < count && pid != 0; i++) {
        if (peers[i].pid != pid || !(peers[i].role & roles))
            continue;
        found = &peers[i];
        if (found->incarnation == incarnation)
            break;
    }
    return found;
}

struct bus_peer *peers_by_incarnation(struct bus_peer *peers, unsigned count, uint64_t incarnation)
{
    for (unsigned i = 0; i < count; i++)
        if (peers[i].incarnation == incarnation)
            return &peers[i];
    return NULL;
}

int bus_peer_add(struct bus *bus, const struct bus_peer *peer)
{
    struct bus_peer *place = peers_by_incarnation(bus->peers, bus->n_peers, peer->incarnation);
    bool same = place && place->pid == peer->pid, heard = same && place->heard;
    unsigned bad = same ? place->bad : 0;

    if (!place && bus->n_peers == BUS_PEERS_MAX)
        return -1;
    if (!place)
        place = &bus->peers[bus->n_peers++];
    *place = *peer;
    place->heard = heard;
    place->bad = bad;
    return 0;
}

void bus_peer_remove(struct bus *bus, uint64_t incarnation)
{
    struct bus_peer *place = peers_by_incarnation(bus->peers, bus->n_peers, incarnation);

    if (!place)
        return;
    bus->gone[bus->n_gone++ % BUS_GONE_MAX] = *place;
    *place = bus->peers[--bus->n_peers];
}
