/* watcher/core/watch_stream.h -- cuts the body of a watch into its JSON objects, and that of a list into its
 * items, however it was cut into chunks on the way (kubernetes 2.4, 17, 68). Owns one buffer, in which no
 * more than what came at once and one unfinished object lie. Looks at each byte once. Called by http.c. */
#ifndef WATCHER_CORE_WATCH_STREAM_H
#define WATCHER_CORE_WATCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#define WATCH_EVENT_MAX (16u * 1024u * 1024u) /* as client-go refuses it; of an event, or of an item */
#define LIST_REST_MAX   (64u * 1024u)         /* kind, versions, continue token */

struct watch_stream {
    bool list; /* set before the first byte: the objects are those in the member "items" */
    char *data;
    size_t len, room;
    size_t from, at; /* the object under way begins here; scanned up to here */
    unsigned depth;
    bool inside, in_items, in_string, escaped;
    bool broken; /* bytes that are no JSON object, or more than a limit; nothing comes after it */
    char *rest;  /* a list without its items: "items":[]; NUL-terminated, NULL before the first byte */
    size_t rest_len;
};

/* All zero is an empty stream of a watch. */
void watch_stream_clear(struct watch_stream *stream);
void watch_stream_feed(struct watch_stream *stream, const char *data, size_t len);
/* The next whole object, valid until the next call; false when there is none yet or the stream is broken. */
bool watch_stream_next(struct watch_stream *stream, const char **json, size_t *len);

#endif
