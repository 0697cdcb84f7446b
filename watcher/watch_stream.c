/* watcher/watch_stream.c -- frames concatenated JSON by braces, quotes and escapes, never by newlines. Does
 * not check what is between them. Called by http.c. */
#include "watcher/watch_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ROOM_KEPT (256u * 1024u) /* a buffer that one large event made larger is given back */

void watch_stream_clear(struct watch_stream *stream)
{
    free(stream->data);
    *stream = (struct watch_stream){0};
}

/* Moves the unfinished rest to the front: at most once for each time the buffer has filled up. */
static void make_room(struct watch_stream *stream, size_t len)
{
    size_t rest = stream->len - stream->from;

    if (stream->len + len <= stream->room)
        return;
    if (stream->from) {
        memmove(stream->data, stream->data + stream->from, rest);
        stream->at -= stream->from;
        stream->from = 0;
        stream->len = rest;
    }
    if (rest + len > stream->room || (stream->room > ROOM_KEPT && (rest + len) * 4 < ROOM_KEPT)) {
        stream->room = 2 * (rest + len);
        stream->data = x_realloc(stream->data, stream->room);
    }
}

void watch_stream_feed(struct watch_stream *stream, const char *data, size_t len)
{
    if (stream->broken || !len)
        return;
    make_room(stream, len);
    memcpy(stream->data + stream->len, data, len);
    stream->len += len;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte inside an object. Returns whether it was the object's last. */
static bool step(struct watch_stream *stream, char c)
{
    if (stream->in_string) {
        if (stream->escaped)
            stream->escaped = false;
        else if (c == '\\')
            stream->escaped = true;
        else if (c == '"')
            stream->in_string = false;
        return false;
    }
    if (c == '"')
        stream->in_string = true;
    else if (c == '{' || c == '[')
        stream->depth++;
    else if (c == '}' || c == ']')
        return --stream->depth == 0;
    return false;
}

bool watch_stream_next(struct watch_stream *stream, const char **json, size_t *len)
{
    while (!stream->broken && stream->at < stream->len) {
        char c = stream->data[stream->at];

        if (!stream->depth && c != '{') {
            stream->broken = !is_space(c);
            stream->from = ++stream->at;
            continue;
        }
        stream->at++;
        if (stream->at - stream->from > WATCH_EVENT_MAX) {
            stream->broken = true;
        } else if (step(stream, c)) {
            *json = stream->data + stream->from;
            *len = stream->at - stream->from;
            stream->from = stream->at;
            return true;
        }
    }
    return false;
}
