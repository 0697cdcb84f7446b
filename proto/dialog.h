/* proto/dialog.h -- the control socket, as both of its ends use it: one packet is one frame
 * (unix(7), SOCK_SEQPACKET), so there is no half frame and nothing to be put together, and the kernel says
 * who is at the other end. The frames are those of codec.h. Called by supervisor/clients.c and
 * packetctl/ask.c. No state. */
#ifndef PROTO_DIALOG_H
#define PROTO_DIALOG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/codec.h"

#define DIALOG_FRAME_MAX (2 * LIMIT_LIST + 4096u) /* STATUS, the largest */

/* Listens at <dir>/control.sock, mode 0600; an old socket there is removed first, anything else is an error.
 * Returns a non-blocking descriptor, or -1 with errno. */
int dialog_listen(const char *dir, int backlog);
/* Connects, waiting at most within_ms for a place in the queue. Sending and receiving wait no longer, either.
 * Returns a descriptor, or -1 with errno. */
int dialog_connect(const char *dir, int within_ms);
/* The next who has connected, non-blocking, and whom the kernel knows him as. Returns a descriptor, or -1
 * with errno (EAGAIN: nobody). */
int dialog_accept(int listener, pid_t *pid, uid_t *uid);

/* from, to: incarnations; 0 is packetctl's. Never raises SIGPIPE. Returns 0; or -1 with errno: EAGAIN when
 * the other end does not read, EINVAL when the message breaks its own limits. */
int dialog_send(int fd, uint64_t from, uint64_t to, enum msg_id id, const void *body, uint64_t correlation);
/* Takes one packet into buffer, which message then borrows from. role: the sender's, me: ours. Returns 1 with
 * *verdict (a packet over size is FRAME_TOO_BIG), 0 when there is none, -1 when the other end is gone. */
int dialog_receive(int fd, unsigned role, unsigned me, void *buffer, size_t size, struct message *message,
                   enum verdict *verdict);

#endif
