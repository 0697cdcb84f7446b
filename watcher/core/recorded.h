/* watcher/core/recorded.h -- the Packet ids that an Infrastructure's status knows: ours and those that the Go
 * extension's Terraform left behind (gardener 7.3). They are what the gateway may touch (design 12.5). Owns
 * nothing. Called by jobs.c. */
#ifndef WATCHER_CORE_RECORDED_H
#define WATCHER_CORE_RECORDED_H

#include "proto/messages.h"
#include "proto/pack.h"

#define RECORDED_MAX 64u

/* The key's id in status.state's Terraform form {data, encoding}, "" when there is none. id holds LIMIT_UUID
 * + 1. */
void recorded_terraform(struct value status, char *id);
/* Appends one array: state.id, state.obsolete[], providerStatus.sshKeyID, terraform; UUIDs only, each once,
 * at most RECORDED_MAX. */
void recorded_ids(struct value status, const char *terraform, struct pack *out);

#endif
