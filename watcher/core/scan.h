/* watcher/core/scan.h -- finds parts of a JSON text without reading it into memory: a member of an object,
 * the items of an array. So one page of a list, or a whole Cluster, costs no more than the small parts that
 * are then parsed. Not a validator: what it returns is handed to jansson. Owns nothing, allocates nothing. */
#ifndef WATCHER_CORE_SCAN_H
#define WATCHER_CORE_SCAN_H

#include "proto/value.h"

/* A piece of JSON text; p is NULL when absent. Lists are larger than a span may be long. */
struct text {
    const char *p;
    size_t len;
};

/* The value of a member of the object in `object`, the last of that name (kubernetes 9.5); absent when there
 * is none, or when the text is no object or is cut off. Names written with escapes are not found: no API
 * server escapes letters. */
struct text scan_member(struct text object, const char *name);
/* scan_member along a NULL-terminated path. */
struct text scan_path(struct text object, ...) __attribute__((sentinel));
/* Walks an array: *at starts as 0. Returns false after the last item, or at text that is no array. */
bool scan_item(struct text array, size_t *at, struct text *item);
/* The content of a string without escapes and control characters, or absent for anything else. */
struct span scan_string(struct text value);
/* Are braces and brackets outside strings nested at most `most` deep? */
bool scan_shallow(struct text value, unsigned most);

#endif
