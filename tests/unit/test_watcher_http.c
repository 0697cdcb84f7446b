/* tests/unit/test_watcher_http.c -- the watcher's HTTP against a server of this test (kubernetes 4, 12, 13,
 * 20, 25, 42, 49; design 12.15): which headers are sent, what each end is called, and that nothing is sent
 * too late. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <microhttpd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/http.h"

#define ENOUGH_MS 20000 /* a test that takes longer hangs */

struct rig {
    struct MHD_Daemon *server;
    zloop_t *loop;
    struct http *http;
    struct access access;
    unsigned arrived; /* requests at the server */
    char agent[200], accept[100], encoding[100], authorization[100], type[100], body[200];
    struct watcher_result result; /* with its texts kept below */
    char answer[200], detail[200];
    unsigned results, events, ends;
    int end_status;
    char end_body[200], event[200];
    bool done;
};

static void keep(struct MHD_Connection *connection, const char *name, char *out, size_t size)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

    snprintf(out, size, "%s", value ? value : "");
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *body,
                             const char *name, const char *value)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

    if (name)
        MHD_add_response_header(response, name, value);
    enum MHD_Result rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *len,
                                  void **per_request)
{
    struct rig *rig = ctx;

    (void)method;
    (void)version;
    if (!*per_request) { /* the headers */
        *per_request = rig;
        rig->arrived++;
        keep(connection, "User-Agent", rig->agent, sizeof rig->agent);
        keep(connection, "Accept", rig->accept, sizeof rig->accept);
        keep(connection, "Accept-Encoding", rig->encoding, sizeof rig->encoding);
        keep(connection, "Authorization", rig->authorization, sizeof rig->authorization);
        keep(connection, "Content-Type", rig->type, sizeof rig->type);
        return MHD_YES;
    }
    if (*len) {
        snprintf(rig->body, sizeof rig->body, "%.*s", (int)*len, data);
        *len = 0;
        return MHD_YES;
    }
    if (!strcmp(url, "/redirect"))
        return reply(connection, 302, "", "Location", "/elsewhere");
    if (!strcmp(url, "/busy"))
        return reply(connection, 429, "wait", "Retry-After", "3");
    if (!strcmp(url, "/warns"))
        return reply(connection, 200, "{\"fine\":1}", "Warning",
                     "299 - \"old\" \"a date\", 299 - \"older\", 199 - \"no\"");
    if (!strcmp(url, "/hangup"))
        return MHD_NO;
    if (!strcmp(url, "/gone"))
        return reply(connection, 410, "{\"kind\":\"Status\",\"code\":410}", NULL, NULL);
    if (!strcmp(url, "/stream"))
        return reply(connection, 200, "{\"type\":\"A\"}\n{\"type\":\"B\"}{\"cut", NULL, NULL);
    if (!strcmp(url, "/garbage"))
        return reply(connection, 200, "{\"type\":\"A\"} nonsense {}", NULL, NULL);
    return reply(connection, 200, "{\"fine\":1}", NULL, NULL);
}

static void on_result(void *ctx, const struct watcher_result *result)
{
    struct rig *rig = ctx;

    rig->result = *result;
    snprintf(rig->answer, sizeof rig->answer, "%s", result->body);
    snprintf(rig->detail, sizeof rig->detail, "%s", result->detail);
    rig->results++;
    rig->done = true;
}

static void on_event(void *ctx, const char *json, size_t len)
{
    struct rig *rig = ctx;

    snprintf(rig->event, sizeof rig->event, "%.*s", (int)len, json);
    rig->events++;
}

static void on_watch_ended(void *ctx, int status, const char *body, size_t len, int64_t retry_after_ms)
{
    struct rig *rig = ctx;

    (void)retry_after_ms;
    rig->end_status = status;
    snprintf(rig->end_body, sizeof rig->end_body, "%.*s", (int)len, body);
    rig->ends++;
    rig->done = true;
}

static void on_settled(void *ctx)
{
    (void)ctx;
}

static int on_look(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    return ((struct rig *)arg)->done ? -1 : 0;
}

static int on_hang(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    (void)arg;
    return -1;
}

/* Runs the loop until a result or an end of the watch has come. */
static void run(struct rig *rig)
{
    int look = zloop_timer(rig->loop, 2, 0, on_look, rig),
        hang = zloop_timer(rig->loop, ENOUGH_MS, 1, on_hang, rig);

    rig->done = false;
    zloop_start(rig->loop);
    zloop_timer_end(rig->loop, look);
    zloop_timer_end(rig->loop, hang);
    assert_true(rig->done);
}

static int rig_open(void **state)
{
    struct rig *rig = x_calloc(1, sizeof *rig);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct http_events events = {rig, on_result, on_event, on_watch_ended, on_settled};

    log_set_level(LEVEL_ERROR);
    zsys_handler_set(NULL);
    rig->server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, rig,
                                   MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&any, MHD_OPTION_END);
    if (!rig->server)
        return -1;
    rig->access.server =
        x_asprintf("http://127.0.0.1:%d", MHD_get_daemon_info(rig->server, MHD_DAEMON_INFO_BIND_PORT)->port);
    rig->access.plain = true;
    rig->access.proxy = x_strdup("");
    rig->access.token = x_strdup("secret-token");
    rig->loop = zloop_new();
    zloop_set_nonstop(rig->loop, true);
    rig->http = http_new(rig->loop, &rig->access, &events, false);
    *state = rig;
    return 0;
}

static int rig_close(void **state)
{
    struct rig *rig = *state;

    http_free(rig->http);
    zloop_destroy(&rig->loop);
    if (rig->server)
        MHD_stop_daemon(rig->server);
    access_clear(&rig->access);
    free(rig);
    return 0;
}

static void start(struct rig *rig, const char *method, const char *path, const char *body, bool once)
{
    struct watcher_request request = {.id = 7,
                                      .method = method,
                                      .path = path,
                                      .body = body,
                                      .once = once,
                                      .content_type = body ? "application/merge-patch+json" : NULL,
                                      .start_before = INT64_MAX,
                                      .end_before = INT64_MAX};

    http_start(rig->http, &request);
    run(rig);
}

/* 4, 13, 25 */
static void test_K_4_K_13_headers(void **state)
{
    struct rig *rig = *state;

    start(rig, "GET", "/x", NULL, false);
    assert_int_equal(rig->result.fate, KUBE_ANSWERED);
    assert_int_equal(rig->result.status, 200);
    assert_int_equal(rig->result.id, 7);
    assert_string_equal(rig->answer, "{\"fine\":1}");
    assert_string_equal(rig->accept, "application/json");
    assert_string_equal(rig->encoding, "gzip");
    assert_string_equal(rig->authorization, ""); /* no credentials over plain http */
    assert_non_null(strstr(rig->agent, "gardener-extension-provider-packet/"));
    start(rig, "PATCH", "/x", "{\"a\":1}", false);
    assert_string_equal(rig->type, "application/merge-patch+json");
    assert_string_equal(rig->body, "{\"a\":1}");
    start(rig, "POST", "/x", "{\"b\":1}", true);
    assert_string_equal(rig->body, "{\"b\":1}");
    assert_int_equal(rig->arrived, 3);
}

/* 12, 49 */
static void test_K_12_K_49_answers(void **state)
{
    struct rig *rig = *state;

    start(rig, "GET", "/redirect", NULL, false);
    assert_int_equal(rig->result.status, 302);
    assert_int_equal(rig->arrived, 1);
    start(rig, "GET", "/busy", NULL, false);
    assert_int_equal(rig->result.status, 429);
    assert_int_equal(rig->result.retry_after_ms, 3000);
}

/* Told once, whoever was answered; the answer is as good as any. */
static void test_K_14_a_warning_fails_nothing(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 2; i++) {
        start(rig, "GET", "/warns", NULL, false);
        assert_string_equal(rig->answer, "{\"fine\":1}");
        assert_int_equal(rig->access.warnings.count, 2);
    }
}

/* design 12.15 */
static void test_too_late(void **state)
{
    struct rig *rig = *state;
    struct watcher_request request = {.method = "PATCH",
                                      .path = "/x",
                                      .body = "{}",
                                      .content_type = "a/b",
                                      .start_before = 1,
                                      .end_before = INT64_MAX};

    http_start(rig->http, &request);
    run(rig);
    assert_int_equal(rig->result.fate, KUBE_FENCED);
    assert_int_equal(rig->arrived, 0);
}

/* design 12.15: a server that takes the request and is silent; it ends long before its usual time-out. */
static void test_K_51_ends_in_time(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    struct watcher_request request = {.method = "PATCH",
                                      .path = "/x",
                                      .body = "{}",
                                      .content_type = "a/b",
                                      .start_before = INT64_MAX,
                                      .end_before = clock_now().boot_ms + 200};

    assert_int_equal(bind(silent, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(silent, 5), 0);
    assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &len), 0);
    free(rig->access.server);
    rig->access.server = x_asprintf("http://127.0.0.1:%u", ntohs(address.sin_port));
    http_start(rig->http, &request);
    run(rig);
    assert_int_equal(rig->result.fate, KUBE_LOST);
    close(silent);
}

static void test_the_election_says_so(void **state)
{
    struct rig *rig = *state;
    struct watcher_request request = {.method = "GET",
                                      .path = "/x",
                                      .election = true,
                                      .fresh = true,
                                      .start_before = INT64_MAX,
                                      .end_before = INT64_MAX};

    http_start(rig->http, &request);
    run(rig);
    assert_int_equal(rig->result.status, 200);
    assert_non_null(strstr(rig->agent, "/leader-election"));
}

/* 42: the server takes the request and hangs up, on a connection that was used before: once is once */
static void test_K_42_K_72_lost(void **state)
{
    struct rig *rig = *state;

    start(rig, "GET", "/x", NULL, false);
    start(rig, "POST", "/hangup", "{}", true);
    assert_int_equal(rig->result.fate, KUBE_LOST);
    assert_int_equal(rig->arrived, 2);
    assert_true(*rig->detail);
}

static void test_nobody_there(void **state)
{
    struct rig *rig = *state;

    MHD_stop_daemon(rig->server);
    rig->server = NULL;
    start(rig, "PATCH", "/x", "{}", false);
    assert_int_equal(rig->result.fate, KUBE_NOT_SENT);
    http_watch(rig->http, "/stream");
    run(rig);
    assert_int_equal(rig->end_status, -1);
    assert_true(*rig->end_body);
}

static void test_K_25_watch(void **state)
{
    struct rig *rig = *state;

    http_watch(rig->http, "/stream");
    run(rig);
    assert_string_equal(rig->encoding, ""); /* never compressed (25) */
    assert_int_equal(rig->events, 2);
    assert_string_equal(rig->event, "{\"type\":\"B\"}");
    assert_int_equal(rig->end_status, 0);
    http_watch(rig->http, "/gone");
    run(rig);
    assert_int_equal(rig->end_status, 410);
    assert_non_null(strstr(rig->end_body, "Status"));
    http_watch(rig->http, "/garbage");
    run(rig);
    assert_int_equal(rig->events, 3);
    assert_int_equal(rig->end_status, 500);
    assert_int_equal(rig->ends, 3);
}

/* A watch that was taken back ends in silence. */
static void test_unwatch(void **state)
{
    struct rig *rig = *state;

    http_watch(rig->http, "/stream");
    http_unwatch(rig->http);
    start(rig, "GET", "/x", NULL, false);
    assert_int_equal(rig->ends, 0);
    assert_int_equal(rig->events, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_K_4_K_13_headers, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_12_K_49_answers, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_14_a_warning_fails_nothing, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_too_late, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_51_ends_in_time, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_the_election_says_so, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_42_K_72_lost, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_nobody_there, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_25_watch, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_unwatch, rig_open, rig_close),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return rc;
}
