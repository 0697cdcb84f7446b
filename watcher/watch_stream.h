/* watcher/watch_stream.h -- cuts the body of a watch into its JSON objects, however it was cut into chunks on
 * the way (kubernetes 2.4, 17). Owns one buffer. Looks at each byte once. Called by http.c. */
#ifndef WATCHER_WATCH_STREAM_H
#define WATCHER_WATCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#define WATCH_EVENT_MAX (16u * 1024u * 1024u) /* as client-go refuses it */

struct watch_stream {
    char *data;
    size_t len, room;
    size_t from, at; /* the object under way begins here; scanned up to here */
    unsigned depth;
    bool in_string, escaped;
    bool broken; /* bytes that are no JSON object, or an event over the limit; nothing comes after it */
};

/* All zero is an empty stream. */
void watch_stream_clear(struct watch_stream *stream);
void watch_stream_feed(struct watch_stream *stream, const char *data, size_t len);
/* The next whole object, valid until the next feed; false when there is none yet or the stream is broken. */
bool watch_stream_next(struct watch_stream *stream, const char **json, size_t *len);

#endif
