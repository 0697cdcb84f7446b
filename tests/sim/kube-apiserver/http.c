/* tests/sim/kube-apiserver/http.c -- between microhttpd and the core: collects a request, sends its answer.
 * Owns the list of open exchanges and carries out fates. Never decides an answer. Called by microhttpd and by
 * main.c's loop. */
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/exchange.h"

#define BODY_MAX     (4u * 1024u * 1024u)
#define TICK_MAX_MS  250 /* how late a closed connection of a watch may be noticed */
#define DRIP_STEP_MS 1000

int64_t exchange_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void exchange_sleep(struct exchange *exchange, int64_t due_ms)
{
    exchange->due_ms = due_ms;
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
}

static void wake(struct exchange *exchange)
{
    if (!exchange->suspended)
        return;
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
}

/* microhttpd shows the request line here before it decodes anything. */
void *http_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct server *server = cls;
    struct exchange *exchange = x_calloc(1, sizeof *exchange);
    size_t path_len = strcspn(uri, "?");

    exchange->server = server;
    exchange->connection = connection;
    exchange->path = x_strndup(uri, path_len);
    exchange->query = x_strdup(uri[path_len] ? uri + path_len + 1 : "");
    exchange->next = server->exchanges;
    if (server->exchanges)
        server->exchanges->prev = exchange;
    server->exchanges = exchange;
    return exchange;
}

void http_end(void *cls, struct MHD_Connection *connection, void **ctx, enum MHD_RequestTerminationCode code)
{
    struct server *server = cls;
    struct exchange *exchange = *ctx;

    (void)connection;
    (void)code;
    if (exchange == NULL)
        return;
    if (exchange->prev)
        exchange->prev->next = exchange->next;
    else
        server->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->prev = exchange->prev;
    if (exchange->watch)
        kube_watch_close(exchange->watch, exchange_now_ms());
    sim_answer_clear(&exchange->answer);
    free(exchange->path);
    free(exchange->query);
    free(exchange->body);
    free(exchange->packed);
    free(exchange);
    *ctx = NULL;
}

/* ---- asking the core ---- */

static const char *header(struct exchange *exchange, const char *name)
{
    const char *value = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);

    return value ? value : "";
}

static void decide(struct exchange *exchange, const char *method)
{
    const char *token = header(exchange, "Authorization");
    int64_t now_ms = exchange_now_ms();
    unsigned delay;
    struct sim_request request = {
        .method = method,
        .path = exchange->path,
        .query = exchange->query,
        .token = strncasecmp(token, "Bearer ", 7) == 0 ? token + 7 : "",
        .content_type = header(exchange, "Content-Type"),
        .accept = header(exchange, "Accept"),
        .user_agent = header(exchange, "User-Agent"),
        .body = exchange->body ? exchange->body : "",
        .body_len = exchange->body_len,
    };

    exchange->decided = true;
    exchange->gzip = strstr(header(exchange, "Accept-Encoding"), "gzip") != NULL;
    if (kube_sim_is_watch(&request))
        exchange->watch = kube_sim_watch(exchange->server->sim, &request, now_ms, &exchange->answer);
    else
        kube_sim_handle(exchange->server->sim, &request, now_ms, &exchange->answer);
    delay = exchange->watch ? kube_watch_delay_ms(exchange->watch) : exchange->answer.delay_ms;
    delay += kube_sim_switches(exchange->server->sim)->latency_ms;
    if (strncmp(exchange->path, "/_sim/", 6) == 0)
        delay = 0;
    exchange->due_ms = now_ms + delay;
}

/* ---- sending the answer ---- */

/* The body of an answer that a fault breaks. */
static ssize_t read_broken(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct exchange *exchange = cls;
    const struct sim_answer *answer = &exchange->answer;
    size_t end = answer->fate == SIM_TRUNCATE ? answer->body_len / 2 : answer->body_len;
    size_t len;

    (void)pos;
    if (exchange->dead)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (answer->fate == SIM_STALL) {
        exchange_sleep(exchange, INT64_MAX);
        return 0;
    }
    if (answer->fate == SIM_DRIP && exchange_now_ms() < exchange->due_ms) {
        exchange_sleep(exchange, exchange->due_ms);
        return 0;
    }
    if (exchange->sent >= end)
        return answer->fate == SIM_DRIP ? MHD_CONTENT_READER_END_OF_STREAM
                                        : MHD_CONTENT_READER_END_WITH_ERROR;
    len = answer->fate == SIM_DRIP ? 1 : end - exchange->sent;
    len = len < max ? len : max;
    memcpy(buf, answer->body + exchange->sent, len);
    exchange->sent += len;
    exchange->due_ms = exchange_now_ms() + DRIP_STEP_MS;
    return (ssize_t)len;
}

static struct MHD_Response *plain_response(struct exchange *exchange)
{
    struct sim_answer *answer = &exchange->answer;
    size_t gzip_min = kube_sim_switches(exchange->server->sim)->gzip_min;
    struct MHD_Response *response;
    char *packed = NULL;
    size_t packed_len = 0;

    if (answer->fate != SIM_ANSWER)
        return MHD_create_response_from_callback(answer->body_len +
                                                     (answer->fate == SIM_BAD_LENGTH ? 100u : 0u),
                                                 4096, read_broken, exchange, NULL);
    if (exchange->gzip && answer->body_len >= gzip_min && answer->status == 200)
        packed = gzip_member(answer->body, answer->body_len, &packed_len);
    if (packed) {
        response = MHD_create_response_from_buffer(packed_len, packed, MHD_RESPMEM_MUST_FREE);
        (void)MHD_add_response_header(response, "Content-Encoding", "gzip");
        return response;
    }
    response = MHD_create_response_from_buffer(answer->body_len, answer->body, MHD_RESPMEM_MUST_FREE);
    answer->body = NULL;
    return response;
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct sim_answer *answer = &exchange->answer;
    struct MHD_Response *response;
    enum MHD_Result result;
    unsigned status = 200;

    if (exchange->watch != NULL) {
        response = stream_response(exchange);
    } else {
        status = (unsigned)answer->status;
        response = plain_response(exchange);
        if (answer->content_type)
            (void)MHD_add_response_header(response, "Content-Type", answer->content_type);
    }
    for (unsigned i = 0; i < answer->n_headers; i++)
        (void)MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    result = MHD_queue_response(exchange->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* What is above BODY_MAX is thrown away: the core refuses such a body by its length. */
static void take_upload(struct exchange *exchange, const char *data, size_t len)
{
    if (exchange->body_len + len > BODY_MAX)
        return;
    exchange->body = x_realloc(exchange->body, exchange->body_len + len);
    memcpy(exchange->body + exchange->body_len, data, len);
    exchange->body_len += len;
}

enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                            const char *version, const char *upload_data, size_t *upload_size, void **ctx)
{
    struct exchange *exchange = *ctx;

    (void)cls;
    (void)url;
    (void)version;
    exchange->connection = connection;
    if (!exchange->begun) {
        exchange->begun = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        take_upload(exchange, upload_data, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (!exchange->decided)
        decide(exchange, method);
    if (exchange->dead || (exchange->watch == NULL && exchange->answer.fate == SIM_RESET))
        return MHD_NO;
    if (exchange->watch == NULL && exchange->answer.fate == SIM_HANG) {
        exchange_sleep(exchange, INT64_MAX);
        return MHD_YES;
    }
    if (exchange->due_ms > exchange_now_ms()) {
        exchange_sleep(exchange, exchange->due_ms);
        return MHD_YES;
    }
    return send_answer(exchange);
}

/* ---- time ---- */

/* microhttpd does not look at a suspended connection, so the end of its client is looked for here. */
static bool client_gone(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd one = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};

    return poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLERR | POLLHUP)) != 0;
}

int http_tick(struct server *server, int64_t now_ms)
{
    bool news = kube_sim_news(server->sim) != server->woken;
    int64_t soonest = now_ms + TICK_MAX_MS;

    server->woken = kube_sim_news(server->sim);
    for (struct exchange *one = server->exchanges; one != NULL; one = one->next) {
        if (!one->suspended)
            continue;
        if (client_gone(one))
            one->dead = true;
        if (one->dead || one->due_ms <= now_ms || (news && one->watch))
            wake(one);
        else if (one->due_ms < soonest)
            soonest = one->due_ms;
    }
    return soonest > now_ms ? (int)(soonest - now_ms) : 0;
}

void http_stop(struct server *server)
{
    for (struct exchange *one = server->exchanges; one != NULL; one = one->next) {
        one->dead = true;
        wake(one);
    }
}
