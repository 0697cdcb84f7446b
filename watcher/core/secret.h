/* watcher/core/secret.h -- reads the credentials out of a Secret and takes care that nothing of them stays
 * behind. Owns nothing; the caller wipes what it gets. Called by jobs.c. */
#ifndef WATCHER_CORE_SECRET_H
#define WATCHER_CORE_SECRET_H

#include "proto/messages.h"
#include "watcher/core/scan.h"

struct credentials {
    char token[LIMIT_TOKEN + 1];
    char project[LIMIT_UUID + 1];
};

/* Decodes and trims apiToken and projectID (gardener 35, 13; packet C-5). On SECRET_USABLE both are filled,
 * else *out is all zero. Returns an enum secret_state; or -1 when the body is no Secret at all. */
int secret_read(struct text body, struct credentials *out);
void secret_wipe(struct credentials *credentials);

/* Standard base64 with padding; CR and LF are skipped (kubernetes 9.3). Returns the length, or -1 when
 * malformed or longer than size. */
long secret_base64(const char *text, size_t len, unsigned char *out, size_t size);
/* Is it a UUID's text? */
bool secret_uuid_ok(struct span text);

#endif
