/* watcher/impersonate.h -- `as` and its company in a kubeconfig's user: whom the API server shall take us for
 * (kubernetes 1.3, 1.11). Called by kubeconfig.c and transfer.c. */
#ifndef WATCHER_IMPERSONATE_H
#define WATCHER_IMPERSONATE_H

#include "watcher/yaml.h"

#define IMPERSONATE_MAX 64 /* header lines */

struct impersonate {
    char *lines[IMPERSONATE_MAX]; /* "Impersonate-User: jane" */
    size_t count;
};

/* Returns 0, or -1 with a sentence in error. Free it in both cases. */
int impersonate_read(struct impersonate *out, struct yaml_file *yaml, const yaml_node_t *user, char *error,
                     size_t error_size);
void impersonate_free(struct impersonate *impersonate);

#endif
