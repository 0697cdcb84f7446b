/* tests/unit/test_gateway_transport_time.c -- peers that take their time (packet C-9, C-11): each call ends
 * by the limit that is meant for it, as lost or not sent, its connection is dropped, and the others go on.
 * The limits are set so far apart that only one of them can have ended a call. */
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/test_gateway_peer.h"

#define NEVER_MS  (4L * ENOUGH_MS)
#define NEVER_S   (NEVER_MS / 1000)
#define SLOW_HOST "slow.example.invalid"

/* ---- a name server that does not answer: this program's own resolver ---- */

static pthread_mutex_t name_server = PTHREAD_MUTEX_INITIALIZER; /* held: it does not answer */
static unsigned names_asked;
static atomic_bool gave_up; /* after 20 s it answers all the same, so that a test fails rather than hangs */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    const struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)hints;
    if (strcmp(node, SLOW_HOST) == 0) {
        struct timespec until;

        names_asked++;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 20;
        gave_up = pthread_mutex_timedlock(&name_server, &until) != 0;
        if (!gave_up)
            pthread_mutex_unlock(&name_server);
    }
    struct addrinfo *a = calloc(1, sizeof *a + sizeof local);

    if (!a)
        return EAI_MEMORY;
    *a = (struct addrinfo){.ai_family = AF_INET,
                           .ai_socktype = SOCK_STREAM,
                           .ai_addrlen = sizeof local,
                           .ai_addr = (void *)(a + 1)};
    memcpy(a->ai_addr, &local, sizeof local);
    ((struct sockaddr_in *)a->ai_addr)->sin_port = htons((uint16_t)atoi(service ? service : "0"));
    *res = a;
    return 0;
}

void freeaddrinfo(struct addrinfo *res)
{
    free(res);
}

/* ---- the peer's ways, chosen by the path's last word ---- */

static int on_drip(zloop_t *loop, int timer, void *arg)
{
    struct conn *conn = arg;

    (void)loop;
    (void)timer;
    if (conn->fd >= 0)
        (void)!send(conn->fd, "x", 1, MSG_NOSIGNAL);
    return 0;
}

static void drip(struct conn *conn)
{
    say(conn, HEAD("200 OK", 100000) "\r\n");
    zloop_timer(conn->rig->loop, 50, 0, on_drip, conn); /* until the loop ends */
}

static bool is(const char *request, const char *way)
{
    const char *at = strstr(request, "?way=");

    return at && strncmp(at + 5, way, strlen(way)) == 0 && at[5 + strlen(way)] == ' ';
}

static void misbehave(struct conn *conn, const char *request)
{
    if (is(request, "silence"))
        return;
    if (is(request, "drip"))
        drip(conn);
    else if (is(request, "stall"))
        say(conn, HEAD("200 OK", 500) "\r\n{\"ssh_keys\":");
    else if (is(request, "half-head"))
        say(conn, "HTTP/1.1 200 OK\r\nContent-Type: applica");
    else if (is(request, "endless-body")) {
        say(conn,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: rid-1\r\n\r\n{\"a\":\"");
        say_endlessly(conn, "0123456789012345678901234567890123456789012345678901234567890123456789");
    } else if (is(request, "endless-head")) {
        say(conn, "HTTP/1.1 200 OK\r\n");
        say_endlessly(conn, "X-More: 01234567890123456789012345678901234567890123456789012345678901\r\n");
    } else if (is(request, "endless-interim"))
        say_endlessly(conn, "HTTP/1.1 100 Continue\r\n\r\n");
    else if (is(request, "huge-length"))
        say(conn, HEAD("200 OK", 99999999999) "\r\n{");
    else if (is(request, "long-closed")) {
        say(conn, HEAD("200 OK", 500) "\r\n" EMPTY);
        conn_close(conn);
    } else if (is(request, "no-http"))
        say(conn, "{\"ssh_keys\":[]}\r\n\r\n");
    else if (is(request, "chunks"))
        say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
    else
        answer_empty(conn, request);
}

static void begin_way(struct rig *rig, unsigned id, const char *method, const char *way)
{
    char *path = x_asprintf(LIST "?way=%s", way);

    begin(rig, id, method, path, strcmp(method, "POST") == 0 ? "{}" : NULL);
    free(path);
}

static void limits(struct rig *rig, long connect_ms, long total_ms, long slow_seconds)
{
    rig->options.limits = (struct gateway_limits){connect_ms, total_ms, slow_seconds};
    rig->on_request = misbehave;
    rig_start(rig, "");
}

/* Each way at once, with calls that nothing is wrong with between them. */
static void ended_by(struct rig *rig, const char *const *ways, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        begin_way(rig, i + 1, i % 2 ? "POST" : "GET", ways[i]);
    for (int i = 0; i < 5; i++)
        assert_int_equal(get(rig)->status, 200);
    for (unsigned i = 0; i < n; i++)
        assert_false(rig->calls[i + 1].done);
    for (unsigned i = 0; i < n; i++) {
        if (wait_for(rig, i + 1)->fate != FATE_LOST)
            fail_msg("%s: fate %d", ways[i], (int)rig->calls[i + 1].fate);
        assert_true(*rig->calls[i + 1].detail);
    }
    assert_int_equal(get(rig)->status, 200);
    idle(rig, 50);
    unsigned dropped = 0;

    for (unsigned i = 0; i < rig->n_conns; i++)
        dropped += rig->conns[i].ended;
    assert_int_equal(dropped, n);
    assert_int_equal(rig->n_conns, n + 1);
}

static void test_C_09_a_silent_peer_is_left_by_the_low_speed_limit(void **state)
{
    static const char *const ways[] = {"silence", "silence", "stall", "stall", "half-head"};

    limits(*state, NEVER_MS, NEVER_MS, 3);
    ended_by(*state, ways, 5);
}

static void test_C_09_a_peer_that_drips_is_left_by_the_total_limit(void **state)
{
    static const char *const ways[] = {"drip", "drip", "silence", "stall", "half-head"};

    limits(*state, NEVER_MS, 3000, NEVER_S);
    ended_by(*state, ways, 5);
}

/* By size or by nonsense, whatever the clock says. */
static void test_C_09_C_11_endless_and_false_answers_end_without_waiting(void **state)
{
    struct rig *rig = *state;
    static const char *const ways[] = {"endless-body", "endless-head", "endless-interim", "huge-length",
                                       "long-closed",  "no-http",      "chunks"};

    limits(rig, NEVER_MS, NEVER_MS, NEVER_S);
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        begin_way(rig, 1, i % 2 ? "POST" : "GET", ways[i]);
        if (wait_for(rig, 1)->fate != FATE_LOST)
            fail_msg("%s: fate %d, body %s", ways[i], (int)rig->calls[1].fate, rig->calls[1].body);
        if (strncmp(ways[i], "endless", 7) == 0 || strcmp(ways[i], "huge-length") == 0)
            assert_non_null(strstr(rig->calls[1].detail, "longer than"));
        assert_int_equal(get(rig)->status, 200);
    }
    idle(rig, 50);
    for (unsigned i = 0; i + 1 < rig->n_conns; i++)
        assert_true(rig->conns[i].ended || rig->conns[i].fd < 0);
}

/* The largest answer that is allowed arrives whole. */
static void largest(struct conn *conn, const char *request)
{
    static char body[GATEWAY_ANSWER_MAX];
    int size = (int)sizeof body;

    (void)request;
    say(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8388608\r\n\r\n");
    assert_int_equal(size, 8388608);
    memset(body, ' ', sizeof body);
    for (size_t sent = 0; sent < sizeof body;) {
        ssize_t n = send(conn->fd, body + sent, sizeof body - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0) { /* let the other side read */
            idle(conn->rig, 1);
            continue;
        }
        sent += (size_t)n;
    }
}

/* Nobody accepts: the queue of the listener is full, and the kernel drops what comes. */
static void test_C_09_a_peer_that_does_not_accept_is_left_by_the_connect_limit(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int deaf = socket(AF_INET, SOCK_STREAM, 0), waiting[4];
    char error[256] = "";

    assert_int_equal(bind(deaf, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(deaf, 0), 0);
    assert_int_equal(getsockname(deaf, (struct sockaddr *)&at, &len), 0);
    for (int i = 0; i < 4; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(waiting[i], (struct sockaddr *)&at, sizeof at);
    }
    limits(rig, 700, NEVER_MS, NEVER_S);
    options_free(&rig->options);
    char *url = x_asprintf("http://127.0.0.1:%u", ntohs(at.sin_port));

    assert_int_equal(options_read_url(&rig->options, url, error, sizeof error), 0);
    free(url);
    begin(rig, 1, "POST", LIST, "{}");
    assert_int_equal(wait_for(rig, 1)->fate, FATE_NOT_SENT);
    assert_true(*rig->calls[1].detail);
    for (int i = 0; i < 4; i++)
        close(waiting[i]);
    close(deaf);
}

/* A name that is not resolved holds up its own call, and neither others nor the loop when it is given up. */
static void test_C_09_a_silent_name_server_holds_up_nobody_else(void **state)
{
    struct rig *rig = *state;

    limits(rig, 700, NEVER_MS, NEVER_S);
    free(rig->options.origin);
    rig->options.origin = x_asprintf("http://" SLOW_HOST ":%u", rig->port);
    pthread_mutex_lock(&name_server);
    begin(rig, 1, "POST", LIST, "{}");
    free(rig->options.origin);
    rig->options.origin = x_asprintf("http://127.0.0.1:%u", rig->port);
    assert_int_equal(get(rig)->status, 200);
    assert_false(rig->calls[1].done);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_NOT_SENT);
    assert_int_equal(get(rig)->status, 200);
    assert_false(gave_up); /* nobody has waited for it */
    assert_true(names_asked > 0);
    pthread_mutex_unlock(&name_server);
}

static void test_C_11_the_largest_answer_arrives(void **state)
{
    struct rig *rig = *state;

    limits(rig, NEVER_MS, NEVER_MS, NEVER_S);
    rig->on_request = largest;
    assert_int_equal(get(rig)->fate, FATE_ANSWERED);
    assert_int_equal(rig->calls[0].body_len, GATEWAY_ANSWER_MAX);
}

/* design 12.15: whatever waits in the shell, nothing starts after the moment the core named, and no limit of
 * time makes an exception. */
static void test_C_09_nothing_starts_after_its_last_moment(void **state)
{
    struct rig *rig = *state;
    struct gateway_request request = {.id = 1,
                                      .method = "POST",
                                      .path = LIST,
                                      .token = TOKEN,
                                      .body = "{}",
                                      .once = true,
                                      .end_before = INT64_MAX};

    limits(rig, NEVER_MS, NEVER_MS, NEVER_S);
    request.start_before = clock_now().boot_ms;
    http_start(rig->http, &request);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_FENCED);
    assert_int_equal(rig->n_requests, 0);
}

/* design 12.15: nothing is waited for when another may lead. */
static void test_C_09_nothing_outlives_the_leadership(void **state)
{
    struct rig *rig = *state;
    struct gateway_request request = {.id = 1,
                                      .method = "POST",
                                      .path = LIST "?way=silence",
                                      .token = TOKEN,
                                      .body = "{}",
                                      .once = true,
                                      .start_before = INT64_MAX};

    limits(rig, NEVER_MS, NEVER_MS, NEVER_S);
    request.end_before = clock_now().boot_ms + 200;
    http_start(rig->http, &request);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_LOST);
    assert_non_null(strstr(rig->calls[1].detail, "no whole answer"));
}

/* design 12.15: what libcurl holds and has not begun when an epoch ends, waiting for a name here, does not
 * begin any more; a read may. */
static void test_C_09_what_waits_in_libcurl_can_still_be_stopped(void **state)
{
    struct rig *rig = *state;

    limits(rig, NEVER_MS, NEVER_MS, NEVER_S);
    free(rig->options.origin);
    rig->options.origin = x_asprintf("http://" SLOW_HOST ":%u", rig->port);
    pthread_mutex_lock(&name_server);
    begin(rig, 1, "POST", LIST, "{}");
    begin(rig, 2, "DELETE", LIST, NULL);
    begin(rig, 3, "GET", LIST, NULL);
    idle(rig, 50);
    http_fence_mutations(rig->http);
    pthread_mutex_unlock(&name_server);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_FENCED);
    assert_int_equal(wait_for(rig, 2)->fate, FATE_FENCED);
    assert_int_equal(wait_for(rig, 3)->fate, FATE_ANSWERED);
    assert_int_equal(rig->n_requests, 1);
    assert_memory_equal(rig->last, "GET ", 4);
}

/* What runs in production: packet 4.4. */
static void test_C_09_the_limits_of_production(void **state)
{
    struct rig *rig = *state;
    const struct gateway_limits l = DEFAULT_LIMITS;

    rig_start(rig, "");
    assert_int_equal(l.connect_ms, 10000);
    assert_int_equal(l.total_ms, 30000);
    assert_int_equal(l.slow_seconds, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_C_09_a_silent_peer_is_left_by_the_low_speed_limit),
        RIG_TEST(test_C_09_a_peer_that_drips_is_left_by_the_total_limit),
        RIG_TEST(test_C_09_C_11_endless_and_false_answers_end_without_waiting),
        RIG_TEST(test_C_09_a_peer_that_does_not_accept_is_left_by_the_connect_limit),
        RIG_TEST(test_C_09_a_silent_name_server_holds_up_nobody_else),
        RIG_TEST(test_C_11_the_largest_answer_arrives),
        RIG_TEST(test_C_09_nothing_starts_after_its_last_moment),
        RIG_TEST(test_C_09_nothing_outlives_the_leadership),
        RIG_TEST(test_C_09_what_waits_in_libcurl_can_still_be_stopped),
        RIG_TEST(test_C_09_the_limits_of_production),
    };

    return run_with_curl(tests, sizeof tests / sizeof tests[0]);
}
