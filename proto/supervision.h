/* proto/supervision.h -- the fields of what the supervisor says and hears: its children and its control
 * socket. Part of the one list in messages.h, which explains the columns; included there only. */
#ifndef PROTO_SUPERVISION_H
#define PROTO_SUPERVISION_H

/* supervisor and its children */
#define READY_FIELDS(F, S)                                                                                   \
    F(S, 1, str, version, 64, must)                                                                          \
    F(S, 2, str, degraded, LIMIT_TEXT, may)
#define BEAT_FIELDS(F, S)                                                                                    \
    F(S, 1, str, doing, LIMIT_TEXT, must)                                                                    \
    F(S, 2, u64, busy_ms, LIMIT_MS, may)                                                                     \
    F(S, 3, str, key, 2 * LIMIT_NAME + 1, may)                                                               \
    F(S, 4, val, gauges, LIMIT_LIST, may)
#define PEER_FIELDS(F, S)                                                                                    \
    F(S, 1, u64, role, LIMIT_ENUM, must)                                                                     \
    F(S, 2, u64, slot, LIMIT_ID, may)                                                                        \
    F(S, 3, u64, incarnation, LIMIT_ID, must)                                                                \
    F(S, 4, u64, pid, LIMIT_ID, must)
#define PEER_OK_FIELDS(F, S) F(S, 1, u64, incarnation, LIMIT_ID, must)
#define PEER_GONE_FIELDS(F, S)                                                                               \
    F(S, 1, u64, incarnation, LIMIT_ID, must)                                                                \
    F(S, 2, u64, blameless, 1, may)                                                                          \
    F(S, 3, str, cause, LIMIT_TEXT, may)
#define GO_FIELDS(F, S)           F(S, 1, u64, epoch, LIMIT_ID, must)
#define EPOCH_OVER_FIELDS(F, S)   F(S, 1, u64, epoch, LIMIT_ID, must)
#define EPOCH_CLOSED_FIELDS(F, S) F(S, 1, u64, epoch, LIMIT_ID, must)
#define DRAIN_FIELDS(F, S)        F(S, 1, u64, within_ms, LIMIT_MS, must)
#define LEAVING_FIELDS(F, S)                                                                                 \
    F(S, 1, u64, code, LIMIT_ENUM, may)                                                                      \
    F(S, 2, str, reason, LIMIT_TEXT, may)
#define END_WORKER_FIELDS(F, S)                                                                              \
    F(S, 1, u64, incarnation, LIMIT_ID, must)                                                                \
    F(S, 2, str, reason, LIMIT_TEXT, must)
#define LEADERSHIP_FIELDS(F, S)                                                                              \
    F(S, 1, str, lease, 2 * LIMIT_NAME + 1, must)                                                            \
    F(S, 2, u64, leading, 1, may)                                                                            \
    F(S, 3, str, holder, LIMIT_HOLDER, may)                                                                  \
    F(S, 4, u64, write_until, LIMIT_MS * 100, may)                                                           \
    F(S, 5, u64, transitions, LIMIT_ID, may)
#define ASK_HEALTH_FIELDS(F, S) F(S, 1, u64, seq, LIMIT_ID, must)
#define HEALTH_FIELDS(F, S)                                                                                  \
    F(S, 1, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, gateway, 1, may)                                                                            \
    F(S, 3, u64, workers, LIMIT_ENUM, may)

#define SUSPECT_FIELDS(F, S)                                                                                 \
    F(S, 1, str, key, 2 * LIMIT_NAME + 1, must)                                                              \
    F(S, 2, str, version, LIMIT_VERSION, may)                                                                \
    F(S, 3, u64, strikes, LIMIT_ID, may)                                                                     \
    F(S, 4, u64, terms, LIMIT_ID, may)                                                                       \
    F(S, 5, u64, until, LIMIT_MS * 100, may)                                                                 \
    F(S, 6, u64, told, 1, may)                                                                               \
    F(S, 7, str, cause, LIMIT_TEXT, may)                                                                     \
    F(S, 8, u64, struck, LIMIT_TIME, may)                                                                    \
    F(S, 9, u64, unread, 1, may)
#define SUSPECTED_FIELDS(F, S) SUSPECT_FIELDS(F, S)
#define RELEASE_FIELDS(F, S)   F(S, 1, str, key, 2 * LIMIT_NAME + 1, must)
#define HOLD_FIELDS(F, S)      F(S, 1, u64, on, 1, may)
#define LOGLEVEL_FIELDS(F, S)  F(S, 1, u64, level, 3, may)
#define RETRY_FIELDS(F, S)     F(S, 1, str, key, 2 * LIMIT_NAME + 1, must)

/* packetctl and the exporter ask the supervisor */
#define ASK_STATUS_FIELDS(F, S) F(S, 1, u64, verbose, 1, may)
#define STATUS_FIELDS(F, S)                                                                                  \
    F(S, 1, str, version, 64, must)                                                                          \
    F(S, 2, u64, pid, LIMIT_ID, must)                                                                        \
    F(S, 3, u64, uptime_ms, LIMIT_MS, may)                                                                   \
    F(S, 4, u64, ready, 1, may)                                                                              \
    F(S, 5, val, processes, LIMIT_LIST, must)                                                                \
    F(S, 6, val, leadership, LIMIT_LIST, may)                                                                \
    F(S, 7, u64, held, 1, may)                                                                               \
    F(S, 8, u64, quarantined, LIMIT_ID, may)
#define ASK_STOP_FIELDS(F, S) F(S, 1, str, reason, LIMIT_TEXT, may)
#define STOPPING_FIELDS(F, S) F(S, 1, u64, within_ms, LIMIT_MS, must)
#define ASK_RESTART_FIELDS(F, S)                                                                             \
    F(S, 1, u64, role, LIMIT_ENUM, must)                                                                     \
    F(S, 2, u64, rolling, 1, may)
#define RESTARTING_FIELDS(F, S)     F(S, 1, u64, processes, LIMIT_ENUM, may)
#define ASK_QUARANTINE_FIELDS(F, S) F(S, 1, u64, verbose, 1, may)
#define QUARANTINE_FIELDS(F, S)     F(S, 1, val, objects, LIMIT_LIST, must)
#define ASK_RELEASE_FIELDS(F, S)    F(S, 1, str, key, 2 * LIMIT_NAME + 1, may)
#define RELEASED_FIELDS(F, S)       F(S, 1, u64, objects, LIMIT_ID, may)
#define ASK_SCALE_FIELDS(F, S)      F(S, 1, u64, workers, LIMIT_ENUM, must)
#define ASK_HOLD_FIELDS(F, S)       F(S, 1, u64, on, 1, may)
#define ASK_LOGLEVEL_FIELDS(F, S)   F(S, 1, u64, level, 3, may)
#define ASK_RETRY_FIELDS(F, S)      F(S, 1, str, key, 2 * LIMIT_NAME + 1, must)
#define EXPLAIN_FIELDS(F, S)                                                                                 \
    F(S, 1, u64, question, LIMIT_ID, must)                                                                   \
    F(S, 2, str, key, 2 * LIMIT_NAME + 1, may)
#define EXPLAINED_FIELDS(F, S)                                                                               \
    F(S, 1, u64, question, LIMIT_ID, must)                                                                   \
    F(S, 2, val, answer, LIMIT_LIST, must)
#define ASK_EXPLAIN_FIELDS(F, S) F(S, 1, str, key, 2 * LIMIT_NAME + 1, may)
#define EXPLANATION_FIELDS(F, S)                                                                             \
    F(S, 1, val, answer, LIMIT_LIST, may)                                                                    \
    F(S, 2, str, refused, LIMIT_TEXT, may)
#define AGREED_FIELDS(F, S)                                                                                  \
    F(S, 1, u64, number, LIMIT_ID, may)                                                                      \
    F(S, 2, str, refused, LIMIT_TEXT, may)

#endif
