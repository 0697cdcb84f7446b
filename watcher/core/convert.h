/* watcher/core/convert.h -- between the API server's JSON and our msgpack (design 3: only the watcher does
 * this). Integers stay integers of 64 bits (kubernetes 65), managedFields are left out (kubernetes 4.8). Owns
 * nothing. Called by events.c, jobs.c, writes.c. */
#ifndef WATCHER_CORE_CONVERT_H
#define WATCHER_CORE_CONVERT_H

#include <jansson.h>

#include "proto/pack.h"
#include "watcher/core/scan.h"

/* A JSON value that is nested at most VALUE_DEPTH_MAX deep, or NULL. Caller releases it with json_decref().
 */
json_t *convert_parse(struct text json);

/* Appends the Kubernetes object in `json`, without metadata.managedFields, to *out. Returns 0; or -1 when it
 * is no object, is nested too deep, holds what jansson refuses (a NUL in a name, a number beyond its type) or
 * does not fit LIMIT_OBJECT; *out is then empty. */
int convert_object(struct text json, struct pack *out);

/* JSON text of a msgpack value, with `resource_version` put into its "metadata". Caller frees. NULL when the
 * value holds what JSON cannot say (bytes, text that is not UTF-8, a NaN). */
char *convert_patch(struct value body, struct span resource_version);

#endif
