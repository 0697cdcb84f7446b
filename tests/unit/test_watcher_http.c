/* tests/unit/test_watcher_http.c -- the watcher's HTTP against a server of this test (kubernetes 4, 12, 13,
 * 20, 25, 42, 49; design 12.15): which headers are sent, what each end is called, and that nothing is sent
 * too late. */
#include "tests/unit/test_watcher_http.h"

#include <netinet/tcp.h>

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

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    getsockopt(fd, level, option, &value, &len);
    return value;
}

/* The kernel itself gives a path up after 45 s: of bytes that nobody acknowledges, and of silence, which it
 * asks about after 30 s. */
static void test_K_23_a_dead_path_is_noticed(void **state)
{
    struct rig *rig = *state;
    const char *port = strrchr(rig->access.server, ':') + 1;
    struct sockaddr_in peer;
    unsigned seen = 0;

    start(rig, "GET", "/x", NULL, false);
    for (int fd = 3; fd < 256; fd++) {
        socklen_t len = sizeof peer;

        if (getpeername(fd, (struct sockaddr *)&peer, &len) || peer.sin_family != AF_INET ||
            ntohs(peer.sin_port) != atoi(port))
            continue;
        seen++;
        assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 15);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 45000);
    }
    assert_int_equal(seen, 1);
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

/* The items come before the result, the rest is its body; a list that is cut off is no list. */
static void test_K_68_a_list_comes_item_by_item(void **state)
{
    struct rig *rig = *state;
    struct watcher_request request = {.id = 9,
                                      .method = "GET",
                                      .path = "/list",
                                      .list = true,
                                      .start_before = INT64_MAX,
                                      .end_before = INT64_MAX};

    rig->list_id = 9;
    http_start(rig->http, &request);
    run(rig);
    assert_string_equal(rig->encoding, ""); /* unpacked it may be a thousand times as large */
    assert_int_equal(rig->items, 2);
    assert_string_equal(rig->item, "{\"b\":\"]\"}");
    assert_int_equal(rig->result.fate, KUBE_ANSWERED);
    assert_string_equal(rig->answer, "{\"items\":[],\"metadata\":{\"resourceVersion\":\"5\"}}");
    rig->results = 0;
    request.path = "/cut-list";
    http_start(rig->http, &request);
    run(rig);
    assert_int_equal(rig->items, 3);
    assert_int_equal(rig->result.fate, KUBE_LOST);
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
        cmocka_unit_test_setup_teardown(test_K_23_a_dead_path_is_noticed, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_14_a_warning_fails_nothing, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_too_late, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_51_ends_in_time, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_the_election_says_so, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_42_K_72_lost, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_nobody_there, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_25_watch, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_68_a_list_comes_item_by_item, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_unwatch, rig_open, rig_close),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return rc;
}
