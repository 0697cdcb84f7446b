/* tests/sim/kube-apiserver/stream.c -- sends a watch: lines as they come, split and packed as told.
 * Owns the bytes on their way. Never decides which event comes; called by microhttpd's reader callback. */
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/exchange.h"

#define STREAM_BLOCK (32u * 1024u)

char *gzip_member(const char *data, size_t data_len, size_t *len)
{
    z_stream z = {0};
    size_t room = data_len + data_len / 100 + 64;
    char *out = x_malloc(room);

    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(out);
        return NULL;
    }
    z.next_in = (Bytef *)(uintptr_t)data; /* zlib only reads it */
    z.avail_in = (uInt)data_len;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    (void)deflate(&z, Z_FINISH);
    *len = z.total_out;
    (void)deflateEnd(&z);
    return out;
}

static const struct kube_sim_switches *switches(const struct exchange *exchange)
{
    return kube_sim_switches(exchange->server->sim);
}

/* Gets the next line, or a bookmark when one is due. false: nothing to send now. */
static bool next_line(struct exchange *exchange, int64_t now_ms)
{
    exchange->line_at = 0;
    exchange->line = kube_watch_next(exchange->watch, &exchange->line_len);
    if (exchange->line == NULL && now_ms >= exchange->bookmark_ms) {
        exchange->line = kube_watch_bookmark(exchange->watch, &exchange->line_len);
        exchange->bookmark_ms = now_ms + switches(exchange)->bookmark_ms;
    }
    if (exchange->line == NULL)
        return false;
    free(exchange->packed);
    exchange->packed = NULL;
    if (exchange->gzip_watch) {
        exchange->packed = gzip_member(exchange->line, exchange->line_len, &exchange->line_len);
        exchange->line = exchange->packed;
    }
    return exchange->line != NULL;
}

/* With --watch-split-bytes N a chunk has 1 to N bytes. */
static size_t piece(struct server *server, size_t most)
{
    size_t split = kube_sim_switches(server->sim)->split_bytes;
    uint64_t x = server->split_state;
    size_t len;

    if (split == 0)
        return most;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    server->split_state = x;
    len = 1 + (size_t)(x % split);
    return len < most ? len : most;
}

static ssize_t nothing_now(struct exchange *exchange, int64_t now_ms)
{
    int64_t due = kube_watch_deadline_ms(exchange->watch);

    if (exchange->dead)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (kube_watch_ended(exchange->watch, now_ms))
        return kube_watch_fate(exchange->watch) == SIM_ANSWER ? MHD_CONTENT_READER_END_OF_STREAM
                                                              : MHD_CONTENT_READER_END_WITH_ERROR;
    if (due <= now_ms)
        due = now_ms + 60000;
    exchange_sleep(exchange, due < exchange->bookmark_ms ? due : exchange->bookmark_ms);
    return 0;
}

static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct exchange *exchange = cls;
    int64_t now_ms = exchange_now_ms();
    size_t used = 0;

    (void)pos;
    while (used < max && !exchange->dead) {
        size_t len;

        if (exchange->line_at == exchange->line_len && !next_line(exchange, now_ms)) {
            exchange->line_at = exchange->line_len = 0;
            break;
        }
        len = exchange->line_len - exchange->line_at;
        len = piece(exchange->server, len < max - used ? len : max - used);
        memcpy(buf + used, exchange->line + exchange->line_at, len);
        exchange->line_at += len;
        used += len;
        if (switches(exchange)->split_bytes > 0)
            break;
    }
    return used > 0 ? (ssize_t)used : nothing_now(exchange, now_ms);
}

struct MHD_Response *stream_response(struct exchange *exchange)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, exchange, NULL);

    exchange->bookmark_ms = exchange_now_ms() + switches(exchange)->bookmark_ms;
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    (void)MHD_add_response_header(response, "Cache-Control", "no-cache, private");
    exchange->gzip_watch = exchange->gzip && switches(exchange)->gzip_watch;
    if (exchange->gzip_watch)
        (void)MHD_add_response_header(response, "Content-Encoding", "gzip");
    return response;
}
