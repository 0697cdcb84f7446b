/* tests/sim/packet-api/exchange.c -- one request: collected, given to the core, held back, answered.
 * Owns the records of connections and exchanges; the answer's transport is in respond.c. Called by
 * libmicrohttpd from inside the loop of server.c. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/sim/packet-api/server.h"

#define OWNER(timer_pointer, type, member) ((type *)(void *)((char *)(timer_pointer)-offsetof(type, member)))

void exchange_suspend(struct exchange *exchange)
{
    exchange->suspended = true;
    exchange->connection->held = exchange;
    MHD_suspend_connection(exchange->mhd);
}

void exchange_resume(struct exchange *exchange)
{
    if (!exchange->suspended)
        return;
    exchange->suspended = false;
    exchange->connection->held = NULL;
    MHD_resume_connection(exchange->mhd);
}

static void time_is_up(struct timer *timer)
{
    struct exchange *exchange = OWNER(timer, struct exchange, timer);
    if (exchange->stage == STAGE_WAIT)
        exchange->stage = STAGE_ANSWER;
    exchange_resume(exchange);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL || (exchange->uri = strdup(uri)) == NULL)
        abort();
    char *mark = strchr(exchange->uri, '?');
    exchange->query = "";
    if (mark != NULL) {
        *mark = '\0';
        exchange->query = mark + 1;
    }
    exchange->server = cls;
    exchange->mhd = mhd;
    exchange->connection = connection_of(mhd);
    exchange->close_after_ms = -1;
    exchange->timer.fire = time_is_up;
    return exchange;
}

/* Keeps one byte more than the core allows, which is how the core sees that there was too much. */
static enum MHD_Result collect(struct exchange *exchange, const char *upload, size_t *size)
{
    size_t room = PACKET_SIM_BODY_MAX + 1 - exchange->body_len, n = *size < room ? *size : room;
    char *body = realloc(exchange->body, exchange->body_len + n + 1);
    if (body == NULL)
        abort();
    memcpy(body + exchange->body_len, upload, n);
    exchange->body = body;
    exchange->body_len += n;
    *size = 0;
    return MHD_YES;
}

static const char *header(struct MHD_Connection *mhd, const char *name)
{
    const char *value = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
    return value != NULL ? value : "";
}

struct headers {
    struct packet_sim_header *items;
    size_t count, room;
};

static enum MHD_Result keep_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct headers *headers = cls;
    (void)kind;
    if (headers->count == headers->room)
        return MHD_NO;
    headers->items[headers->count++] = (struct packet_sim_header){name, value != NULL ? value : ""};
    return MHD_YES;
}

static struct headers all_headers(struct MHD_Connection *mhd)
{
    int room = MHD_get_connection_values(mhd, MHD_HEADER_KIND, NULL, NULL);
    struct headers headers = {calloc((size_t)room + 1, sizeof *headers.items), 0, (size_t)room};
    if (headers.items == NULL)
        abort();
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, keep_header, &headers);
    return headers;
}

static void execute(struct exchange *exchange, const char *method)
{
    struct server *server = exchange->server;
    struct connection *connection = exchange->connection;
    struct MHD_Connection *mhd = exchange->mhd;
    struct sim_request request = {.method = method,
                                  .path = exchange->uri,
                                  .query = exchange->query,
                                  .token = header(mhd, "X-Auth-Token"),
                                  .content_type = header(mhd, "Content-Type"),
                                  .accept = header(mhd, "Accept"),
                                  .user_agent = header(mhd, "User-Agent"),
                                  .body = exchange->body != NULL ? exchange->body : "",
                                  .body_len = exchange->body_len};
    if (connection->admin_port && !packet_sim_is_admin_path(exchange->uri)) {
        exchange->answer.status = 404; /* the API has a port of its own */
        return;
    }
    struct headers headers = all_headers(mhd);
    struct packet_sim_peer peer = {connection->number, connection->served, headers.items, headers.count};
    exchange->close_after_ms =
        packet_sim_handle_from(server->sim, &peer, &request, server_now_ms(server), &exchange->answer);
    free(headers.items);
    connection->served++;
    if (packet_sim_is_admin_path(exchange->uri))
        server_follow_sunset(server);
}

/* Called by libmicrohttpd with the headers, then for every part of the body, then at its end, and again
 * whenever a suspended exchange is resumed. */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct exchange *exchange = *state;
    (void)cls, (void)url, (void)version, (void)mhd;
    if (exchange->server->stopping)
        return MHD_NO;
    if (exchange->stage == STAGE_BODY && !exchange->headers_seen) {
        exchange->headers_seen = true;
        timer_clear(&exchange->server->timers, &exchange->connection->closing);
        return MHD_YES;
    }
    if (*upload_size > 0)
        return collect(exchange, upload, upload_size);
    if (exchange->stage == STAGE_BODY) {
        execute(exchange, method);
        exchange->stage = exchange->answer.delay_ms > 0 ? STAGE_WAIT : STAGE_ANSWER;
    }
    if (exchange->stage == STAGE_WAIT) {
        timer_set(&exchange->server->timers, &exchange->timer, exchange->answer.delay_ms);
        exchange_suspend(exchange);
        return MHD_YES;
    }
    exchange->stage = STAGE_SENT;
    return respond(exchange);
}

static void close_idle(struct timer *timer)
{
    struct connection *connection = OWNER(timer, struct connection, closing);
    shutdown(connection->fd, SHUT_RDWR);
}

void exchange_end(void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;
    struct server *server = cls;
    (void)mhd, (void)code;
    if (exchange == NULL)
        return;
    timer_clear(&server->timers, &exchange->timer);
    if (exchange->connection->held == exchange)
        exchange->connection->held = NULL;
    if (exchange->close_after_ms == 0)
        close_idle(&exchange->connection->closing);
    else if (exchange->close_after_ms > 0)
        timer_set(&server->timers, &exchange->connection->closing, exchange->close_after_ms);
    sim_answer_clear(&exchange->answer);
    free(exchange->body);
    free(exchange->uri);
    free(exchange);
    *state = NULL;
}

void exchange_connection(void *cls, struct MHD_Connection *mhd, void **state,
                         enum MHD_ConnectionNotificationCode code)
{
    struct server *server = cls;
    struct connection *connection = *state;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            abort();
        connection->server = server;
        connection->number = ++server->next_connection;
        connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        connection->admin_port =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_DAEMON)->daemon == server->daemons[0];
        connection->closing.fire = close_idle;
        connection->next = server->connections;
        connection->back = &server->connections;
        if (connection->next != NULL)
            connection->next->back = &connection->next;
        server->connections = connection;
        *state = connection;
    } else if (connection != NULL) {
        timer_clear(&server->timers, &connection->closing);
        *connection->back = connection->next;
        if (connection->next != NULL)
            connection->next->back = connection->back;
        free(connection);
        *state = NULL;
    }
}

static bool gone(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
    return poll(&poll_fd, 1, 0) > 0;
}

/* libmicrohttpd does not look at a suspended connection, so a client that left would stay for ever. */
void exchange_release(struct server *server, bool all)
{
    for (struct connection *connection = server->connections; connection != NULL;
         connection = connection->next) {
        struct exchange *exchange = connection->held;
        if (exchange == NULL || !(all || gone(connection->fd)))
            continue;
        timer_clear(&server->timers, &exchange->timer);
        exchange->stage = STAGE_SENT;
        exchange->answer.fate = SIM_RESET;
        exchange_resume(exchange);
    }
}
