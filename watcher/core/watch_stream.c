/* watcher/core/watch_stream.c -- frames JSON objects by braces, quotes and escapes, never by newlines. Does
 * not check what is between them. Called by http.c. */
#include "watcher/core/watch_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ROOM_KEPT (256u * 1024u) /* a buffer that one large event made larger is given back */

void watch_stream_clear(struct watch_stream *stream)
{
    free(stream->data);
    free(stream->rest);
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

/* One byte of what has a depth. Returns whether it closed a brace or a bracket. */
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
    else if ((c == '}' || c == ']') && stream->depth) {
        stream->depth--;
        return true;
    }
    return false;
}

/* Does what is kept of the list so far end with the name of the items? */
static bool items_follow(const struct watch_stream *stream)
{
    static const char name[] = "\"items\"";
    const size_t name_len = sizeof name - 1;
    size_t n = stream->rest_len;

    while (n && is_space(stream->rest[n - 1]))
        n--;
    if (!n || stream->rest[--n] != ':')
        return false;
    while (n && is_space(stream->rest[n - 1]))
        n--;
    return n > name_len && !memcmp(stream->rest + n - name_len, name, name_len) &&
           stream->rest[n - name_len - 1] != '\\';
}

static void keep(struct watch_stream *stream, char c)
{
    if (!stream->rest)
        stream->rest = x_calloc(1, LIST_REST_MAX + 1);
    if (stream->rest_len == LIST_REST_MAX)
        stream->broken = true;
    else
        stream->rest[stream->rest_len++] = c;
}

/* A byte of the list that is in none of its items. */
static void around_items(struct watch_stream *stream, char c)
{
    bool open = !stream->in_string && stream->depth == 1 && c == '[' && items_follow(stream);

    step(stream, c);
    if (stream->in_items && stream->depth == 1)
        stream->in_items = false;
    if (!stream->in_items)
        keep(stream, c);
    stream->in_items |= open;
}

static bool begins_here(const struct watch_stream *stream, char c)
{
    if (c != '{' || stream->in_string)
        return false;
    return stream->list ? stream->in_items && stream->depth == 2 : !stream->depth;
}

/* Everything was taken: the next feed begins in front, and a large buffer is given back. */
static void rewind_empty(struct watch_stream *stream)
{
    if (stream->from < stream->len)
        return;
    stream->from = stream->at = stream->len = 0;
    if (stream->room <= ROOM_KEPT)
        return;
    free(stream->data);
    stream->data = NULL;
    stream->room = 0;
}

bool watch_stream_next(struct watch_stream *stream, const char **json, size_t *len)
{
    const unsigned outside = stream->list ? 2 : 0;

    while (!stream->broken && stream->at < stream->len) {
        char c = stream->data[stream->at];

        if (!stream->inside && !begins_here(stream, c)) {
            if (stream->list)
                around_items(stream, c);
            else
                stream->broken = !is_space(c);
            stream->from = ++stream->at;
            continue;
        }
        stream->inside = true;
        stream->at++;
        if (stream->at - stream->from > WATCH_EVENT_MAX) {
            stream->broken = true;
        } else if (step(stream, c) && stream->depth == outside) {
            *json = stream->data + stream->from;
            *len = stream->at - stream->from;
            stream->from = stream->at;
            stream->inside = false;
            return true;
        }
    }
    rewind_empty(stream);
    return false;
}
