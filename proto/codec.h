/* proto/codec.h -- between bytes and messages. The only place where a frame is read or written.
 * A frame is [version, id, from, to, correlation, epoch, deadline, {tag: value, ...}] in msgpack. */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include <msgpack.h>

#include "proto/messages.h"

/*   VERDICT, why a frame is refused (or not): counted and logged by name */
#define PROTO_VERDICTS(V)                                                                                    \
    V(FRAME_OK)                                                                                              \
    V(FRAME_TOO_BIG)                                                                                         \
    V(FRAME_BAD_ENVELOPE)                                                                                    \
    V(FRAME_BAD_VERSION)                                                                                     \
    V(FRAME_UNKNOWN_ID)                                                                                      \
    V(FRAME_WRONG_SENDER)                                                                                    \
    V(FRAME_WRONG_RECEIVER)                                                                                  \
    V(FRAME_UNKNOWN_FIELD)                                                                                   \
    V(FRAME_REPEATED_FIELD)                                                                                  \
    V(FRAME_BAD_TYPE)                                                                                        \
    V(FRAME_OVER_LIMIT)                                                                                      \
    V(FRAME_MISSING_FIELD)                                                                                   \
    V(FRAME_TRAILING)                                                                                        \
    V(FRAME_OLD_INCARNATION) /* by proto/bus.c: from or for somebody who is dead (design 12.3) */            \
    V(FRAME_STRANGER)        /* by proto/bus.c: the kernel says that another process sent it (design 12.5) */

enum verdict {
#define AS_VERDICT(name) name,
    PROTO_VERDICTS(AS_VERDICT)
#undef AS_VERDICT
};

const char *verdict_name(enum verdict verdict);

/* Reads one frame that a process of role `from` sent to one of role `me`. On FRAME_OK *out borrows from
 * frame; on anything else *out is all zero but possibly for spec. Allocates nothing. */
enum verdict msg_decode(const void *frame, size_t len, unsigned from, unsigned me, struct message *out);

/* Appends the frame of message `id` to *frame. body points to its struct msg_*; members that `may` be absent
 * are left out when zero or without a span. Returns 0, or -1 when a value is over its limit or one that must
 * be there is missing (nothing is appended then): the caller's own error. */
int msg_encode(const struct envelope *envelope, enum msg_id id, const void *body, msgpack_sbuffer *frame);

#endif
