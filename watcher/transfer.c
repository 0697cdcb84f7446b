/* watcher/transfer.c -- turns a request into libcurl options and libcurl's end into a fate. Trusts the
 * configured CA only, follows no redirect, sends no token in the clear, logs none. Called by http.c. */
#include "watcher/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/exec_plugin.h"

#ifndef PROVIDER_PACKET_VERSION
#define PROVIDER_PACKET_VERSION "unknown"
#endif

#define CONNECT_MS      10000
#define KEEPALIVE_S     30L /* kubernetes 1.9, 23 */
#define KEEPALIVE_GAP_S 15L
#define USER_TIMEOUT_MS 45000u
#define IDLE_S          80L /* the server closes idle connections after 90 s */
#define ANSWER_MAX      (16u * 1024u * 1024u)
#define REFUSAL_MAX     (64u * 1024u) /* a watch that became no stream */
#define USER_AGENT      "gardener-extension-provider-packet/" PROVIDER_PACKET_VERSION " (linux/" ARCH ") libcurl"
#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#else
#define ARCH "unknown"
#endif

/* The last moment to say no: nothing of this request has left yet (design 12.15). */
static int on_about_to_send(void *arg, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct transfer *t = arg;

    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    (void)from_port;
    if (clock_now().boot_ms >= t->start_before) {
        t->fenced = true;
        return CURL_PREREQFUNC_ABORT;
    }
    t->begun = true;
    return CURL_PREREQFUNC_OK;
}

/* A killed process must not leave half a buffer for the kernel to deliver (design 12.1); a silent peer is
 * noticed within a minute (kubernetes 2.8). */
static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    unsigned timeout_ms = USER_TIMEOUT_MS;

    (void)arg;
    (void)purpose;
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms))
        return CURL_SOCKOPT_ERROR;
    return CURL_SOCKOPT_OK;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;

    if (headers_is(line, len, "Retry-After"))
        t->retry_after_ms = headers_retry_after(line + 12, len - 12);
    else if (headers_is(line, len, "Warning"))
        headers_warning(t->warnings, line + 8, len - 8);
    return len;
}

static bool keep_answer(struct transfer *t, const char *data, size_t len)
{
    if (len > t->answer_max - t->answer_len) {
        t->too_big = true;
        return false;
    }
    if (t->answer_len + len + 1 > t->answer_room) {
        size_t room = 2 * (t->answer_len + len) + 1;
        char *larger = x_malloc(room);

        /* not realloc: the old place would keep what may be a secret */
        if (t->answer_len)
            memcpy(larger, t->answer, t->answer_len);
        if (t->secret && t->answer)
            explicit_bzero(t->answer, t->answer_len);
        free(t->answer);
        t->answer = larger;
        t->answer_room = room;
    }
    memcpy(t->answer + t->answer_len, data, len);
    t->answer_len += len;
    t->answer[t->answer_len] = '\0';
    return true;
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;
    long status = 0;

    if ((t->watch || t->list) && !curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) &&
        status == 200) {
        watch_stream_feed(&t->stream, data, len);
        return len;
    }
    return keep_answer(t, data, len) ? len : 0;
}

/* A body that can be read only once, as there is no seek function: libcurl then cannot repeat it silently on
 * another connection (kubernetes 5.6, 42). */
static size_t on_body(char *to, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t left = strlen(t->body) - t->body_sent;
    size_t len = size * n < left ? size * n : left;

    memcpy(to, t->body + t->body_sent, len);
    t->body_sent += len;
    return len;
}

/* ---- options ---- */

static void add_field(struct transfer *t, const char *name, const char *value)
{
    char *line = x_asprintf("%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(t->fields, line);

    explicit_bzero(line, strlen(line));
    free(line);
    if (longer)
        t->fields = longer;
}

static void set_credentials(struct transfer *t, struct access *access)
{
    const char *token;

    if (access->plain)
        return;
    token = access_token(access, clock_now().boot_ms);
    if (token) {
        char *bearer = x_asprintf("Bearer %s", token);

        add_field(t, "Authorization", bearer);
        explicit_bzero(bearer, strlen(bearer));
        free(bearer);
    } else if (access->username) {
        curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(t->easy, CURLOPT_USERNAME, access->username);
        curl_easy_setopt(t->easy, CURLOPT_PASSWORD, access->password ? access->password : "");
    }
    for (size_t i = 0; i < access->impersonate.count; i++) {
        struct curl_slist *longer = curl_slist_append(t->fields, access->impersonate.lines[i]);

        t->fields = longer ? longer : t->fields;
    }
}

static void set_common(struct transfer *t, const struct access *access)
{
    CURL *easy = t->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, access->plain ? "http" : "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Else a call that is given up while its name is looked up would hold the loop until the name server
     * answers. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_GAP_S);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_S);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_about_to_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
}

/* With tls-server-name the URL holds that name, the connection goes to the real host (kubernetes 1.8). */
static void set_url(struct transfer *t, const struct access *access)
{
    const char *host = strstr(access->server, "://") + 3;
    size_t host_len = strcspn(host, "/");
    const char *port = memchr(host, ']', host_len) ? memchr(host, ']', host_len) : host;

    if (!access->tls_server_name || access->plain) {
        t->url = x_asprintf("%s%s", access->server, t->path);
    } else {
        port = memchr(port, ':', host_len - (size_t)(port - host));
        size_t name_len = port ? (size_t)(port - host) : host_len;
        char *to = x_asprintf("::%.*s:%.*s", (int)name_len, host, port ? (int)(host_len - name_len - 1) : 3,
                              port ? port + 1 : "443");
        char *real = x_asprintf("%.*s", (int)host_len, host);

        t->connect_to = curl_slist_append(NULL, to);
        curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
        add_field(t, "Host", real);
        t->url =
            x_asprintf("https://%s%.*s%s%s", access->tls_server_name, port ? (int)(host_len - name_len) : 0,
                       port ? port : "", host + host_len, t->path);
        free(to);
        free(real);
    }
    curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
}

static void set_method(struct transfer *t, bool once)
{
    if (!t->body) {
        if (strcmp(t->method, "GET"))
            curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
        return;
    }
    curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(t->body));
    if (once) {
        curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_body);
        curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    } else {
        /* locked by resourceVersion: a second arrival ends in 409 (kubernetes 42) */
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body);
    }
}

static struct transfer *new_transfer(CURL *easy, struct access *access, const char *method, const char *path)
{
    struct transfer *t = x_calloc(1, sizeof *t);

    t->easy = easy;
    t->warnings = &access->warnings;
    t->method = x_strdup(method);
    t->path = x_strdup(path);
    t->start_before = INT64_MAX;
    t->started_ms = clock_now().boot_ms;
    t->within_ms = KUBE_CALL_MS;
    t->timer = -1;
    t->retry_after_ms = -1;
    t->answer_max = ANSWER_MAX;
    set_common(t, access);
    set_url(t, access);
    add_field(t, "Accept", "application/json");
    return t;
}

void transfer_arm(struct transfer *t, struct access *access)
{
    access_reread(access, clock_now().boot_ms);
    t->generation = exec_plugin_generation(access->plugin);
    transfer_set_way(t->easy, access);
    set_credentials(t, access);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->fields);
}

struct transfer *transfer_new(CURL *easy, struct access *access, bool multiplex,
                              const struct watcher_request *request)
{
    struct transfer *t = new_transfer(easy, access, request->method, request->path);

    t->id = request->id;
    t->secret = request->secret;
    t->list = t->stream.list = request->list;
    t->start_before = request->start_before;
    if (request->end_before &&
        request->end_before - t->started_ms < t->within_ms) /* when another may lead (design 12.15) */
        t->within_ms = request->end_before > t->started_ms ? (long)(request->end_before - t->started_ms) : 1;
    if (request->fresh)
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (request->election)
        curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT "/leader-election");
    if (request->body) {
        t->body = x_strdup(request->body);
        add_field(t, "Content-Type", request->content_type);
        t->fields = curl_slist_append(t->fields, "Expect:");
    }
    set_method(t, request->once);
    if (multiplex) {
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L); /* one connection instead of many */
    }
    /* A list is read as it comes: unpacked, what comes at once may be a thousand times as large. */
    if (!access->no_compression && !request->list)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return t;
}

/* On a connection of its own, so that nothing else waits behind the stream; never compressed (kubernetes trap
 * 1). */
struct transfer *transfer_new_watch(CURL *easy, struct access *access, const char *path)
{
    struct transfer *t = new_transfer(easy, access, "GET", path);

    t->watch = true;
    t->answer_max = REFUSAL_MAX;
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    return t;
}

CURL *transfer_free(struct transfer *t)
{
    CURL *easy = t->easy;

    curl_easy_reset(easy);
    for (struct curl_slist *f = t->fields; f; f = f->next)
        explicit_bzero(f->data, strlen(f->data));
    curl_slist_free_all(t->fields);
    curl_slist_free_all(t->connect_to);
    if (t->secret && t->answer)
        explicit_bzero(t->answer, t->answer_len);
    watch_stream_clear(&t->stream);
    free(t->method);
    free(t->path);
    free(t->url);
    free(t->body);
    free(t->answer);
    free(t);
    return easy;
}

/* It would tell of deletions that never were. */
static bool cut_off(const struct transfer *t)
{
    return t->list && (t->stream.depth || t->stream.broken);
}

/* NOT_SENT only when it is certain: the request never reached the point where its bytes leave. */
static enum watcher_fate fate_of(const struct transfer *t, CURLcode code)
{
    if (code == CURLE_OK)
        return cut_off(t) ? KUBE_LOST : KUBE_ANSWERED;
    if (t->begun)
        return KUBE_LOST;
    return t->fenced ? KUBE_FENCED : KUBE_NOT_SENT;
}

static const char *detail_of(const struct transfer *t, CURLcode code)
{
    if (t->too_big || t->stream.broken)
        return "the answer is over the size limit";
    if (code == CURLE_OK)
        return cut_off(t) ? "the list is cut off" : "";
    if (t->fenced)
        return "too late to be sent";
    return t->error[0] ? t->error : curl_easy_strerror(code);
}

struct watcher_result transfer_result(struct transfer *t, CURLcode code)
{
    long status = 0;
    bool rest = t->stream.rest_len != 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (struct watcher_result){
        .id = t->id,
        .fate = fate_of(t, code),
        .status = (int)status,
        .body = rest        ? t->stream.rest
                : t->answer ? t->answer
                            : "",
        .body_len = rest ? t->stream.rest_len : t->answer_len,
        .retry_after_ms = t->retry_after_ms,
        .detail = detail_of(t, code),
    };
}
