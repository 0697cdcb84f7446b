/* watcher/core/status.h -- what an answer of the API server that is no success says (kubernetes 5.1, 48).
 * Owns nothing. Called by reflector.c, jobs.c, writes.c. */
#ifndef WATCHER_CORE_STATUS_H
#define WATCHER_CORE_STATUS_H

#include "watcher/core/scan.h"

struct kube_status {
    int code;
    char reason[64];        /* "Conflict", "Expired"; made up from the code when the body is no Status */
    char message[512];      /* for people; control characters replaced */
    bool too_large;         /* cause ResourceVersionTooLarge, or the old servers' text (kubernetes 2.5) */
    int64_t retry_after_ms; /* details.retryAfterSeconds, else -1 */
};

/* code: of the HTTP answer, or 0 when the body alone says it (an ERROR event). body may be JSON, text or
 * HTML. */
void status_read(int code, struct text body, struct kube_status *out);
/* Is the version, or the continue token, too old (410 in any of its forms)? */
bool status_expired(const struct kube_status *status);

#endif
