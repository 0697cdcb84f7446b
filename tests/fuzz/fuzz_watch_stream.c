/* tests/fuzz/fuzz_watch_stream.c -- a watch's bytes, cut as the input says, through the splitter into the
 * core: no crash, the same events whatever the cuts, and whatever the core asks for fits its messages. The
 * first byte chooses the mode and the cuts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "proto/codec.h"
#include "watcher/core/watch_stream.h"
#include "watcher/core/watcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *ctx, unsigned role, uint64_t to, enum msg_id id, const void *body,
                    const struct envelope *envelope)
{
    msgpack_sbuffer frame;
    struct message message;

    (void)ctx;
    (void)to;
    msgpack_sbuffer_init(&frame);
    if (msg_encode(envelope, id, body, &frame) || msg_decode(frame.data, frame.size, WATCHER, role, &message))
        abort();
    msgpack_sbuffer_destroy(&frame);
}

/* The latest request of each kind, answered by the input's rest in other modes. */
struct asked {
    uint64_t list, other;
};

static void on_request(void *ctx, const struct watcher_request *request)
{
    struct asked *asked = ctx;

    *(strstr(request->path, "?limit=") ? &asked->list : &asked->other) = request->id;
}

static void on_watch(void *ctx, enum watcher_stream stream, const char *path)
{
    (void)ctx;
    (void)stream;
    (void)path;
}

static void on_unwatch(void *ctx, enum watcher_stream stream)
{
    (void)ctx;
    (void)stream;
}

static void say(struct watcher_core *core, unsigned role, uint64_t from, enum msg_id id, const void *body,
                struct instant now)
{
    struct message message = {.spec = msg_find(id), .envelope = {.from = from}};

    memcpy(&message.body, body, id == MSG_PEER ? sizeof(struct msg_peer) : sizeof(struct msg_go));
    watcher_core_message(core, role, from, &message, now);
}

static void answer(struct watcher_core *core, uint64_t id, const char *body, size_t len, struct instant now)
{
    struct watcher_result result = {
        .id = id, .status = 200, .body = body, .body_len = len, .retry_after_ms = -1, .detail = ""};

    watcher_core_result(core, &result, now);
}

/* The items, then the rest. */
static void answer_list(struct watcher_core *core, uint64_t id, const char *body, size_t len, size_t piece,
                        struct instant now)
{
    struct watch_stream stream = {.list = true};
    const char *item;
    size_t item_len;

    for (size_t at = 0; at < len; at += piece) {
        watch_stream_feed(&stream, body + at, piece < len - at ? piece : len - at);
        while (watch_stream_next(&stream, &item, &item_len))
            watcher_core_item(core, id, item, item_len, now);
    }
    answer(core, id, stream.rest ? stream.rest : "", stream.rest_len, now);
    watch_stream_clear(&stream);
}

/* Counts the events of the stream when it comes in pieces of `piece` bytes. */
static unsigned split(struct watcher_core *core, const char *text, size_t len, size_t piece,
                      struct instant now)
{
    struct watch_stream stream = {0};
    unsigned n = 0;

    for (size_t at = 0; at < len; at += piece) {
        const char *json;
        size_t event_len;

        watch_stream_feed(&stream, text + at, piece < len - at ? piece : len - at);
        while (watch_stream_next(&stream, &json, &event_len)) {
            n++;
            if (core)
                watcher_core_event(core, STREAM_OBJECTS, json, event_len, now);
        }
    }
    watch_stream_clear(&stream);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char empty[] = "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}";
    struct asked asked = {0};
    struct watcher_ops ops = {&asked, on_send, on_request, on_watch, on_unwatch};
    struct watcher_config config = {.seed = 1, .incarnation = 7, .classes = "", .field_manager = "f"};
    struct instant now = {.boot_ms = 1000, .wall_ms = 1000};

    if (!size)
        return 0;
    log_set_level(LEVEL_ERROR + 1);
    config.ignore_operation = data[0] & 1;
    size_t piece = 1 + (data[0] >> 2 & 15), len = size - 1;
    char *text = x_strndup((const char *)data + 1, len);
    struct watcher_core *core = watcher_core_new(&config, &ops, now);

    len = strlen(text);
    say(core, SUPERVISOR, 0, MSG_PEER, &(struct msg_peer){.role = GATEWAY, .incarnation = 9, .pid = 1}, now);
    say(core, SUPERVISOR, 0, MSG_PEER, &(struct msg_peer){.role = WORKER, .incarnation = 11, .pid = 2}, now);
    say(core, SUPERVISOR, 0, MSG_GO, &(struct msg_go){.epoch = 7}, now);
    say(core, WORKER, 11, MSG_IDLE, &(struct msg_go){.epoch = 0}, now);
    if (data[0] & 2) { /* a list, then whatever it made the core ask for */
        watcher_core_watch_ended(core, STREAM_OBJECTS, 422, "", 0, -1, now);
        answer_list(core, asked.list, text, len, piece, now);
        for (uint64_t last = 0; asked.other != last;) {
            last = asked.other;
            answer(core, last, text, len, now);
        }
    } else {
        if (data[0] & 64) { /* else the stream is the list as well */
            watcher_core_watch_ended(core, STREAM_OBJECTS, 422, "", 0, -1, now);
            answer_list(core, asked.list, empty, sizeof empty - 1, 7, now);
        }
        if (split(core, text, len, piece, now) != split(NULL, text, len, len ? len : 1, now))
            abort();
    }
    now.boot_ms += 100000;
    watcher_core_tick(core, now);
    watcher_core_free(core);
    free(text);
    return 0;
}
