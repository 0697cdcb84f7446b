/* tests/world/coverage.h -- which faults have met which states of a job, over all worlds of one run. */
#ifndef TESTS_WORLD_COVERAGE_H
#define TESTS_WORLD_COVERAGE_H

#include "tests/world/world.h"

#define WORLD_FAULTS(X)                                                                                      \
    X(KILL_WORKER, "its worker is killed")                                                                   \
    X(KILL_WATCHER, "the watcher is killed")                                                                 \
    X(KILL_GATEWAY, "the gateway is killed")                                                                 \
    X(KILL_POD, "the supervisor is killed")                                                                  \
    X(STOP_WORKER, "its worker is stopped")                                                                  \
    X(STOP_WATCHER, "the watcher is stopped")                                                                \
    X(STOP_GATEWAY, "the gateway is stopped")                                                                \
    X(FREEZE, "the whole tree is stopped")                                                                   \
    X(LEASE_LOST, "leadership is lost")                                                                      \
    X(CLOCK, "the clock is set")                                                                             \
    X(FRAME_SLOW, "a frame is slow")                                                                         \
    X(FRAME_STALE, "a frame reaches a successor")                                                            \
    X(WATCH_BREAK, "the watch breaks off")                                                                   \
    X(WATCH_EXPIRED, "and the past is compacted")                                                            \
    X(KUBE_NOT_SENT, "Kubernetes: not sent")                                                                 \
    X(KUBE_LOST_REQUEST, "Kubernetes: request lost")                                                         \
    X(KUBE_LOST_ANSWER, "Kubernetes: answer lost")                                                           \
    X(KUBE_TWICE, "Kubernetes: runs twice")                                                                  \
    X(KUBE_500, "Kubernetes: 500")                                                                           \
    X(KUBE_429, "Kubernetes: 429")                                                                           \
    X(KUBE_GONE, "Kubernetes answers nobody")                                                                \
    X(KUBE_LATE, "Kubernetes: a dead sender's request runs")                                                 \
    X(PACKET_NOT_SENT, "Packet: not sent")                                                                   \
    X(PACKET_LOST_REQUEST, "Packet: request lost")                                                           \
    X(PACKET_LOST_ANSWER, "Packet: answer lost")                                                             \
    X(PACKET_TWICE, "Packet: runs twice")                                                                    \
    X(PACKET_404_AFTER, "Packet: done, but 404")                                                             \
    X(PACKET_500_BEFORE, "Packet: 500, not done")                                                            \
    X(PACKET_500_AFTER, "Packet: 500, but done")                                                             \
    X(PACKET_TRUNCATED, "Packet: half an answer")                                                            \
    X(PACKET_HTML, "Packet: a balancer's page")                                                              \
    X(PACKET_429, "Packet: 429")                                                                             \
    X(PACKET_SLOW, "Packet: slow")                                                                           \
    X(PACKET_LATE, "Packet: a dead sender's request runs")                                                   \
    X(VANDAL, "somebody changes keys at Packet")                                                             \
    X(OTHER_PROJECT, "the Secret names another project")                                                     \
    X(ROGUE, "a worker misbehaves")                                                                          \
    X(USER, "the user changes an object")

enum world_fault {
#define AS_ENUM(name, text) FAULT_##name,
    WORLD_FAULTS(AS_ENUM)
#undef AS_ENUM
        FAULTS
};

/* The fault meets each job that runs now, or that of one worker only. */
void cover(struct world *world, enum world_fault fault);
void cover_worker(struct world *world, const struct proc *worker, enum world_fault fault);
/* The fault is one call's: it is noted when only one job runs, whose it is then. */
void cover_call(struct world *world, enum world_fault fault);
/* Before the first world, and before any fork. */
void cover_open(void);
/* Prints which pairs cannot be and why, and which were not reached. Returns how many these are. */
unsigned cover_print(void);

#endif
