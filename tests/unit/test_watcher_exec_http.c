/* tests/unit/test_watcher_exec_http.c -- requests that need a credential of the exec plugin, against a TLS
 * server of this test: they wait in order, with their own time-outs, and fail with a sentence; 401 is told
 * and brings a new one; another client certificate ends old connections (kubernetes 1.6, 10). */
#include "tests/unit/test_watcher_exec_rig.h"

#include <curl/curl.h>
#include <microhttpd.h>
#include <stdatomic.h>

#include "watcher/http.h"

#define IDS_MAX 16u

struct bench {
    struct rig *rig;
    struct MHD_Daemon *server;
    struct http *http;
    char *cert, *key;
    atomic_uint arrived, opened, closed;
    _Atomic bool silent; /* the stream ends */
    char tokens[IDS_MAX][64];
    uint64_t ids[IDS_MAX];
    int statuses[IDS_MAX];
    enum watcher_fate fates[IDS_MAX];
    char details[IDS_MAX][512];
    unsigned results, events, ends, wanted;
    int end_status;
    char end_body[512];
    bool again; /* a result asks for one more */
};

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response)
{
    enum MHD_Result rc = MHD_queue_response(connection, status, response);

    MHD_destroy_response(response);
    return rc;
}

/* One event, then nothing for ever. */
static ssize_t on_stream(void *ctx, uint64_t at, char *buf, size_t size)
{
    struct bench *b = ctx;
    static const char event[] = "{\"type\":\"A\"}\n";

    (void)size;
    if (b->silent)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (at) {
        usleep(2000);
        return 0;
    }
    memcpy(buf, event, sizeof event - 1);
    return sizeof event - 1;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *len,
                                  void **per_request)
{
    struct bench *b = ctx;
    const char *token = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");

    (void)method;
    (void)version;
    (void)data;
    if (!*per_request) {
        *per_request = b;
        unsigned n = b->arrived++;
        snprintf(b->tokens[n % IDS_MAX], sizeof b->tokens[0], "%s", token ? token : "");
        return MHD_YES;
    }
    *len = 0;
    if (token && !strcmp(token, "Bearer wrong"))
        return reply(connection, 401,
                     MHD_create_response_from_buffer(2, (void *)(uintptr_t) "no", MHD_RESPMEM_PERSISTENT));
    if (!strcmp(url, "/stream"))
        return reply(connection, 200,
                     MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_stream, b, NULL));
    return reply(connection, 200,
                 MHD_create_response_from_buffer(2, (void *)(uintptr_t) "{}", MHD_RESPMEM_PERSISTENT));
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **per_connection,
                          enum MHD_ConnectionNotificationCode code)
{
    struct bench *b = ctx;

    (void)connection;
    (void)per_connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        b->opened++;
    else
        b->closed++;
}

static void start(struct bench *b, uint64_t id, int64_t within_ms)
{
    struct watcher_request request = {.id = id,
                                      .method = "GET",
                                      .path = "/x",
                                      .start_before = INT64_MAX,
                                      .end_before = within_ms ? clock_now().boot_ms + within_ms : INT64_MAX};

    http_start(b->http, &request);
}

static void on_result(void *ctx, const struct watcher_result *result)
{
    struct bench *b = ctx;
    unsigned n = b->results++ % IDS_MAX;

    b->ids[n] = result->id;
    b->statuses[n] = result->status;
    b->fates[n] = result->fate;
    snprintf(b->details[n], sizeof b->details[n], "%s", result->detail);
    if (b->again) {
        b->again = false;
        start(b, 100, 0);
    }
}

static void on_event(void *ctx, const char *json, size_t len)
{
    (void)json;
    (void)len;
    ((struct bench *)ctx)->events++;
}

static void on_watch_ended(void *ctx, int status, const char *body, size_t len, int64_t retry_after_ms)
{
    struct bench *b = ctx;

    (void)retry_after_ms;
    b->ends++;
    b->end_status = status;
    snprintf(b->end_body, sizeof b->end_body, "%.*s", (int)len, body);
}

static void on_settled(void *ctx)
{
    (void)ctx;
}

static int on_look_all(zloop_t *loop, int timer, void *arg)
{
    struct bench *b = arg;

    (void)loop;
    (void)timer;
    return b->results + b->events + b->ends >= b->wanted ? -1 : 0;
}

/* Until so many results, events and ends of a watch have come. */
static void wait_for(struct bench *b, unsigned wanted)
{
    b->wanted = wanted;
    int look = zloop_timer(b->rig->loop, 2, 0, on_look_all, b),
        hang = zloop_timer(b->rig->loop, ENOUGH_MS, 1, on_hang, b);

    zloop_start(b->rig->loop);
    zloop_timer_end(b->rig->loop, look);
    zloop_timer_end(b->rig->loop, hang);
    assert_int_equal(b->results + b->events + b->ends, wanted);
}

static int bench_open(void **state)
{
    struct bench *b = x_calloc(1, sizeof *b);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    rig_open(state);
    b->rig = *state;
    make_pair("server", &b->cert, &b->key);
    b->server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, on_request, b,
                                 MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&any, MHD_OPTION_HTTPS_MEM_CERT,
                                 b->cert, MHD_OPTION_HTTPS_MEM_KEY, b->key, MHD_OPTION_NOTIFY_CONNECTION,
                                 on_connection, b, MHD_OPTION_END);
    *state = b;
    return b->server ? 0 : -1;
}

static void bench_start(struct bench *b, const char *plugin)
{
    struct http_events events = {b, on_result, NULL, on_event, on_watch_ended, on_settled};
    struct access *access = &b->rig->access;

    rig_start(b->rig, plugin, "", EXEC_RUN_MS);
    free(access->server);
    access->server =
        x_asprintf("https://127.0.0.1:%d", MHD_get_daemon_info(b->server, MHD_DAEMON_INFO_BIND_PORT)->port);
    access->insecure = true;
    access->plugin = b->rig->plugin;
    b->http = http_new(b->rig->loop, access, &events, false);
    assert_non_null(b->http);
}

static int bench_close(void **state)
{
    struct bench *b = *state;

    b->silent = true;
    http_free(b->http);
    MHD_stop_daemon(b->server);
    *state = b->rig;
    rig_close(state);
    free(b->cert);
    free(b->key);
    free(b);
    return 0;
}

#define GIVE(token) "echo '" ANSWER "\"token\":\"" token "\"}}'"

static void test_K_10_requests_wait_in_order(void **state)
{
    struct bench *b = *state;

    bench_start(b, GIVE("good"));
    http_watch(b->http, "/stream");
    for (uint64_t id = 1; id <= 4; id++)
        start(b, id, 0);
    assert_int_equal(b->arrived, 0);
    wait_for(b, 5); /* and the watch's event */
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(b->tokens[i], "Bearer good");
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(b->statuses[i], 200);
    assert_int_equal(b->events, 1);
    assert_int_equal(count_runs(), 1);
}

/* What is asked for while they are told waits for the next run. */
static void test_K_10_without_a_credential_they_fail_with_its_reason(void **state)
{
    struct bench *b = *state;

    bench_start(b, "[ $(wc -l <$D/runs) = 1 ] && exit 3; " GIVE("good"));
    b->again = true;
    start(b, 1, 0);
    start(b, 2, 0);
    http_watch(b->http, "/stream");
    wait_for(b, 4);
    assert_int_equal(b->ids[0], 1);
    assert_int_equal(b->ids[1], 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(b->fates[i], KUBE_NOT_SENT);
        assert_non_null(strstr(b->details[i], "exit code 3"));
    }
    assert_int_equal(b->end_status, -1);
    assert_non_null(strstr(b->end_body, "exit code 3"));
    assert_int_equal(b->ids[2], 100);
    assert_int_equal(b->statuses[2], 200);
    assert_int_equal(b->arrived, 1);
}

static void test_K_10_who_waits_keeps_its_own_time_out(void **state)
{
    struct bench *b = *state;

    bench_start(b, "sleep 1000");
    start(b, 1, 300);
    wait_for(b, 1);
    assert_int_equal(b->fates[0], KUBE_NOT_SENT);
    assert_non_null(strstr(b->details[0], "no credential"));
    assert_int_equal(b->arrived, 0);
}

static void test_K_10_a_401_is_told_and_the_next_request_has_another_token(void **state)
{
    struct bench *b = *state;

    bench_start(b, "[ $(wc -l <$D/runs) = 1 ] && " GIVE("wrong") " || " GIVE("good"));
    start(b, 1, 0);
    wait_for(b, 1);
    assert_int_equal(b->statuses[0], 401);
    start(b, 2, 0);
    wait_for(b, 2);
    assert_int_equal(b->statuses[1], 200);
    assert_string_equal(b->tokens[1], "Bearer good");
    assert_int_equal(b->arrived, 2);
    assert_int_equal(count_runs(), 2);
    assert_int_equal(b->opened, 1); /* a token alone needs no other connection */
}

static void test_K_10_a_watch_that_is_refused_asks_for_another_token(void **state)
{
    struct bench *b = *state;

    bench_start(b, "[ $(wc -l <$D/runs) = 1 ] && " GIVE("wrong") " || " GIVE("good"));
    http_watch(b->http, "/stream");
    wait_for(b, 1);
    assert_int_equal(b->end_status, 401);
    http_watch(b->http, "/stream");
    wait_for(b, 2);
    assert_int_equal(b->events, 1);
    assert_int_equal(count_runs(), 2);
}

/* The pairs lie in the folder as JSON strings: "c1", "k1", "c2", "k2". */
static void write_pair(unsigned n)
{
    char *pem[2], name[8];

    make_pair("client", &pem[0], &pem[1]);
    for (unsigned i = 0; i < 2; i++) {
        char *escaped = x_calloc(2, strlen(pem[i]) + 1), *to = escaped;

        for (const char *from = pem[i]; *from; from++) {
            *to++ = *from == '\n' ? '\\' : *from;
            if (*from == '\n')
                *to++ = 'n';
        }
        snprintf(name, sizeof name, "%c%u", "ck"[i], n);
        write_file(name, escaped, 0600);
        free(escaped);
        free(pem[i]);
    }
}

static void test_K_10_another_certificate_ends_old_connections(void **state)
{
    struct bench *b = *state;

    write_pair(1);
    write_pair(2);
    bench_start(b, "n=$(wc -l <$D/runs)\n"
                   "printf '" ANSWER "\"token\":\"t\",\"clientCertificateData\":\"'; cat $D/c$n; "
                   "printf '\",\"clientKeyData\":\"'; cat $D/k$n; echo '\"}}'");
    start(b, 1, 0);
    wait_for(b, 1);
    assert_int_equal(b->statuses[0], 200);
    http_watch(b->http, "/stream");
    wait_for(b, 2);
    assert_int_equal(b->opened, 2);
    assert_int_equal(b->closed, 0);
    exec_plugin_answered(b->rig->plugin, exec_plugin_generation(b->rig->plugin), 401);
    wait_for(b, 3);
    assert_int_equal(b->ends, 1); /* the watch: like a stream that has come to its end */
    assert_int_equal(b->end_status, 0);

    b->silent = true; /* the server looks at a stream's socket only when it has something to say */
    for (int i = 0; i < 2000 && b->closed < 2; i++)
        usleep(10000);
    assert_int_equal(b->closed, 2);
    start(b, 2, 0);
    wait_for(b, 4);
    assert_int_equal(b->statuses[1], 200);
    assert_int_equal(b->opened, 3);
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_open, bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(test_K_10_requests_wait_in_order),
        ON_BENCH(test_K_10_without_a_credential_they_fail_with_its_reason),
        ON_BENCH(test_K_10_who_waits_keeps_its_own_time_out),
        ON_BENCH(test_K_10_a_401_is_told_and_the_next_request_has_another_token),
        ON_BENCH(test_K_10_a_watch_that_is_refused_asks_for_another_token),
        ON_BENCH(test_K_10_another_certificate_ends_old_connections),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = cmocka_run_group_tests(tests, folder_open, folder_close);
    curl_global_cleanup();
    return rc;
}
