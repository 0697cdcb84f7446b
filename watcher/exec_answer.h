/* watcher/exec_answer.h -- what an exec plugin printed, taken apart: an ExecCredential (kubernetes 1.6).
 * Reads no clock, runs nothing. Called by exec_plugin.c. */
#ifndef WATCHER_EXEC_ANSWER_H
#define WATCHER_EXEC_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#define EXEC_ERROR_MAX 640 /* a sentence, with room for the installHint */

struct exec_credential {
    char *token;           /* or NULL */
    char *cert, *key;      /* PEM, both or neither */
    int64_t good_until_ms; /* wall clock; INT64_MAX: for the life of the process */
};

/* Returns 0; or -1 with a sentence in error that holds nothing secret, and *out empty. */
int exec_answer_read(const char *text, size_t len, const char *api_version, struct exec_credential *out,
                     char *error);
void exec_credential_wipe(struct exec_credential *credential);

#endif
