/* packet-gateway/transfer.c -- turns a request into libcurl options and libcurl's end into a fate. The token
 * goes into one header, is wiped after, and is never logged (packet C-7); no redirect, no cookie, no old TLS.
 * libcurl's own copies are freed with the transfer, and glibc overwrites them then (docs/architecture.md).
 *
 * HTTP/1.1 only, although the API spoke HTTP/2 at times. On one shared connection a call that times out ends
 * its stream and leaves the connection in use (libcurl 7.88, multi_done: "premature && !multiplex"), so a
 * peer that has stopped answering would take the next calls, too; here it loses that connection (packet C-9).
 * And the header table of HTTP/2 would keep the token as long as the connection lives.
 *
 * libcurl sends a request again by itself when a connection that was used before dies without a byte of
 * answer, up to five times, each time on whatever connection is idle; over HTTP/2 also after REFUSED_STREAM,
 * GOAWAY or HTTP_1_1_REQUIRED. All of these pass on_about_to_send() again, and there it is said what may
 * leave a second time: a GET or DELETE, once, on a fresh connection (packet C-10). Called by http.c. */
#include "packet-gateway/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

#ifndef PROVIDER_PACKET_VERSION
#define PROVIDER_PACKET_VERSION "unknown"
#endif

#define SLOW_BYTES  1L                         /* fewer a second than this, for so long: ended */
#define ANSWER_MAX  ((long)GATEWAY_ANSWER_MAX) /* packet C-11 */
#define ANSWER_TEXT "8 MiB, or its header than 128 KiB"
#define HEADERS_MAX (128u * 1024) /* of one answer, interim answers included */
_Static_assert(ANSWER_MAX == 8L * 1024 * 1024, "ANSWER_TEXT says so");
#define USER_AGENT     "gardener-extension-provider-packet/" PROVIDER_PACKET_VERSION " libcurl/"
#define USER_AGENT_MAX 128

/* The last moment to say no: the connection stands, nothing of this request has left (design 12.15). libcurl
 * comes here again whenever it wants to send the request again. */
static int on_about_to_send(void *arg, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct transfer *t = arg;
    long connects = 0;

    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    if (t->stopped || clock_now().boot_ms >= t->start_before) {
        t->fenced = true;
        return CURL_PREREQFUNC_ABORT;
    }
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (t->sent && connects > 0 && !t->once && !t->again) {
        t->again = true; /* libcurl has made the fresh connection by itself */
        t->may_send++;
    }
    if (t->sent >= t->may_send || (connects == 0 && sockets_unfit(t->sockets, t->easy, from_port))) {
        t->dead = true;
        return CURL_PREREQFUNC_ABORT;
    }
    t->sent++;
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    t->headers_len += size * n;
    if (t->headers_len > HEADERS_MAX) {
        t->too_big = true;
        return 0;
    }
    headers_read(&t->headers, line, size * n, clock_now().wall_ms);
    return size * n;
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;

    if (len > (size_t)ANSWER_MAX - t->answer_len) {
        t->too_big = true;
        return 0;
    }
    if (t->answer_len + len + 1 > t->answer_room) {
        t->answer_room = 2 * (t->answer_len + len) + 1;
        t->answer = x_realloc(t->answer, t->answer_room);
    }
    memcpy(t->answer + t->answer_len, data, len);
    t->answer_len += len;
    t->answer[t->answer_len] = '\0';
    return len;
}

/* A body that can be read only once, as there is no seek function: libcurl then cannot repeat a POST silently
 * on another connection (kubernetes 5.6, packet C-10, C-20). */
static size_t on_body(char *to, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t left = strlen(t->body) - t->body_sent;
    size_t len = size * n < left ? size * n : left;

    memcpy(to, t->body + t->body_sent, len);
    t->body_sent += len;
    return len;
}

/* field: all of the line before the value. */
static void add_field(struct transfer *t, const char *field, const char *value)
{
    char *line = x_asprintf("%s%s", field, value);
    struct curl_slist *longer = curl_slist_append(t->fields, line);

    explicit_bzero(line, strlen(line));
    free(line);
    if (longer)
        t->fields = longer;
}

static void set_fields(struct transfer *t, const struct gateway_options *options, const char *token)
{
    add_field(t, t->api->token_field, token); /* always the first: drop_echo() */
    if (options->consumer[0] && t->api->consumer_field)
        add_field(t, t->api->consumer_field, options->consumer);
    add_field(t, "Accept: ", "application/json");
    if (t->body) {
        add_field(t, "Content-Type: ", "application/json");
        t->fields = curl_slist_append(t->fields, "Expect:");
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->fields);
}

static void set_method(struct transfer *t)
{
    if (!t->body) {
        if (strcmp(t->method, "GET") != 0)
            curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
        return;
    }
    curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(t->body));
    if (t->once) {
        curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_body);
        curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    } else {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body);
    }
}

static void set_peer(CURL *easy, const struct gateway_options *options)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, options->tls ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (options->ca_file[0]) {
        /* The system's folder would be trusted besides the file if it stayed. */
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (options->loopback)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

/* The total is http.c's own timer. */
static void set_limits(CURL *easy, const struct gateway_limits *limits)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, limits->connect_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, limits->slow_seconds);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)ANSWER_MAX);
    /* Else a name server that does not answer would hold up the whole process when its call times out:
     * libcurl would wait for the thread that resolves. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void set_callbacks(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_about_to_send);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    sockets_attach(t->sockets, t->easy);
}

struct transfer *transfer_new(CURL *easy, const struct gateway_options *options, struct sockets *sockets,
                              const struct gateway_request *request)
{
    struct transfer *t = x_calloc(1, sizeof *t);
    char agent[USER_AGENT_MAX];

    t->easy = easy;
    t->timer = -1;
    t->sockets = sockets;
    t->id = request->id;
    t->api = provider_or_packet(request->api);
    t->method = x_strdup(request->method);
    t->path = x_strdup(request->path);
    t->body = request->body ? x_strdup(request->body) : NULL;
    t->mutation = strcmp(request->method, "GET") != 0;
    t->may_send = 1;
    t->once = request->once;
    t->start_before = request->start_before;
    t->started_ms = clock_now().boot_ms;
    t->within_ms = options->limits.total_ms;
    if (request->end_before &&
        request->end_before - t->started_ms < t->within_ms) /* when another may lead (design 12.15) */
        t->within_ms = request->end_before > t->started_ms ? (long)(request->end_before - t->started_ms) : 1;
    t->url = x_asprintf("%s%s%s", options->origin, options->base_path, request->path);
    headers_clear(&t->headers, t->api);
    snprintf(agent, sizeof agent, USER_AGENT "%s", curl_version_info(CURLVERSION_NOW)->version);
    curl_easy_setopt(easy, CURLOPT_URL, t->url);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
    set_peer(easy, options);
    set_limits(easy, &options->limits);
    set_callbacks(t);
    set_method(t);
    set_fields(t, options, request->token);
    return t;
}

bool transfer_again(struct transfer *t)
{
    if (!t->dead || t->again || t->stopped || (t->sent && t->once))
        return false;
    t->dead = false;
    t->again = true;
    t->may_send = t->sent + 1;
    t->body_sent = 0;
    t->error[0] = '\0';
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
    return true;
}

CURL *transfer_free(struct transfer *t)
{
    CURL *easy = t->easy;

    curl_easy_reset(easy);
    for (struct curl_slist *f = t->fields; f; f = f->next)
        explicit_bzero(f->data, strlen(f->data));
    curl_slist_free_all(t->fields);
    free(t->method);
    free(t->path);
    free(t->url);
    free(t->body);
    free(t->answer);
    free(t);
    return easy;
}

/* NOT_SENT only when it is certain: the request never reached the point where its bytes leave. */
static enum gateway_fate fate_of(const struct transfer *t, CURLcode code)
{
    switch (code) {
    case CURLE_OK: return FATE_ANSWERED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return t->sent ? FATE_LOST : FATE_TLS;
    default: break;
    }
    if (t->sent)
        return FATE_LOST;
    return t->fenced ? FATE_FENCED : FATE_NOT_SENT;
}

static const char *detail_of(const struct transfer *t, CURLcode code)
{
    if (code == CURLE_OK)
        return "";
    if (t->too_big || code == CURLE_FILESIZE_EXCEEDED)
        return "the answer is longer than " ANSWER_TEXT;
    if (t->fenced)
        return "too late to be sent";
    if (t->dead)
        return "the connection was closed without an answer";
    return t->error[0] ? t->error : curl_easy_strerror(code);
}

/* A peer that sends the token back must not bring it into a log (packet C-7). */
static void drop_echo(struct transfer *t)
{
    const char *token = t->fields ? t->fields->data + strlen(t->api->token_field) : "";

    if (*token && strstr(t->headers.request_id, token))
        t->headers.request_id[0] = '\0';
    if (*token && strstr(t->error, token))
        t->error[0] = '\0';
}

struct gateway_result transfer_result(struct transfer *t, CURLcode code)
{
    long status = 0;

    drop_echo(t);

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (struct gateway_result){
        .id = t->id,
        .fate = fate_of(t, code),
        .status = (int)status,
        .json = t->headers.json,
        .request_id = t->headers.request_id,
        .body = t->answer ? t->answer : "",
        .body_len = t->answer_len,
        .retry_after_ms = t->headers.retry_after_ms,
        .limit_remaining = t->headers.limit_remaining,
        .limit_reset_s = t->headers.limit_reset_s,
        .limit = t->headers.limit,
        .date_s = t->headers.date_s,
        .detail = detail_of(t, code),
    };
}
