/* worker/core/errors.h -- every cause a run can fail for, and what each means to the outside. */
#ifndef WORKER_CORE_ERRORS_H
#define WORKER_CORE_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/messages.h"

#define FAILURE_TEXT_MAX 900u /* a description with the phrase before it stays below LIMIT_TEXT */

enum cause {
    CAUSE_NONE,
    /* providerConfig */
    CAUSE_CONFIG_SHAPE,
    CAUSE_CONFIG_KIND,
    CAUSE_CONFIG_KEY,
    /* spec.sshPublicKey */
    CAUSE_KEY_BASE64,
    CAUSE_KEY_FORMAT,
    CAUSE_KEY_PRIVATE,
    CAUSE_KEY_CERTIFICATE,
    CAUSE_KEY_SEVERAL,
    CAUSE_KEY_LONG,
    /* the Secret */
    CAUSE_SECRET_MISSING,
    CAUSE_SECRET_EMPTY,
    CAUSE_SECRET_NO_TOKEN,
    CAUSE_SECRET_NO_PROJECT,
    CAUSE_SECRET_BAD_TOKEN,
    CAUSE_SECRET_BAD_PROJECT,
    CAUSE_SECRET_WORKLOAD,
    CAUSE_NO_GRANT,
    /* status.state */
    CAUSE_PROJECT_CHANGED,
    CAUSE_STATE_BROKEN,
    /* Packet */
    CAUSE_KEY_FOREIGN,
    CAUSE_REFUSED,
    CAUSE_UNAUTHENTICATED,
    CAUSE_UNAUTHORIZED,
    CAUSE_NO_PROJECT,
    CAUSE_TRANSIENT,
    CAUSE_UNKNOWN,
    CAUSE_MISCONFIGURED,
    CAUSE_BUG,
    CAUSE_COUNT
};

/* What the sentences name. */
struct failure {
    enum cause cause;
    unsigned http;           /* status of the answer, 0 when there was none */
    char request_id[129];    /* Packet's X-Request-Id, "" when unknown */
    char id[LIMIT_UUID + 1]; /* the key it is about, "" when none */
    char detail[257];        /* the gateway's own words, shown and never read */
};

struct failure_words {
    const char *secret;   /* namespace/name */
    const char *project;  /* of the Secret */
    const char *recorded; /* project in status.state */
    bool deleting;        /* the finalizer stays: say the way out (gardener 74) */
    bool checking;        /* nobody asked: the next check comes by itself (design 12.12) */
};

/* The Gardener code, or NULL: none (gardener 5.4, 15). */
const char *cause_code(enum cause cause);
/* Is it reported with the phrase of the configuration check (gardener 2.10)? */
bool cause_is_config(enum cause cause);
/* Is it in the object alone, so that only a change of it can help (kubernetes 35)? */
bool cause_is_held(enum cause cause);
/* The row of a cause, for docs/errors.md: {names} in it stand for what failure_text() puts there. NULL for
 * CAUSE_NONE. */
const char *cause_what(enum cause cause);
const char *cause_who(enum cause cause);
/* When it is tried again: a cause in the object alone, and a check that nobody asked for. */
const char *failure_when(bool held, bool checking);
/* What is said besides while an object is deleted. */
const char *failure_way_out(void);
enum cause cause_of_secret(unsigned secret_state);
enum cause cause_of_outcome(unsigned outcome);
/* Writes what happened, who must act and when it is tried again into buf (NUL-terminated, cut at size). */
void failure_text(const struct failure *failure, const struct failure_words *words, char *buf, size_t size);

#endif
