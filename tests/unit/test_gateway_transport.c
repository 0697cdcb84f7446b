/* tests/unit/test_gateway_transport.c -- what the gateway's HTTP shell puts on the wire, byte for byte, and
 * what it writes into the log (packet C-1, C-3, C-4, C-7, C-8, C-10's choice of HTTP/1.1, C-12, C-42). */
#include <fcntl.h>

#include "tests/unit/test_gateway_peer.h"

static void test_C_01_paths_below_any_base(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *base, *line;
    } rows[] = {
        {"", "GET " LIST " HTTP/1.1\r\n"},
        {"/", "GET " LIST " HTTP/1.1\r\n"},
        {"/metal/v1", "GET /metal/v1" LIST " HTTP/1.1\r\n"},
        {"/metal/v1/", "GET /metal/v1" LIST " HTTP/1.1\r\n"},
        {"/a/b/c//", "GET /a/b/c" LIST " HTTP/1.1\r\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_start(rig, rows[i].base);
        assert_int_equal(get(rig)->status, 200);
        assert_memory_equal(rig->last, rows[i].line, strlen(rows[i].line));
        http_free(rig->http);
        options_free(&rig->options);
        rig->http = NULL;
    }
}

static char *request_text(const struct rig *rig, const char *line, const char *more)
{
    return x_asprintf("%s HTTP/1.1\r\n"
                      "Host: 127.0.0.1:%u\r\n"
                      "User-Agent: gardener-extension-provider-packet/" PROVIDER_PACKET_VERSION
                      " libcurl/%s\r\n"
                      "X-Auth-Token: " TOKEN "\r\n"
                      "Accept: application/json\r\n%s",
                      line, rig->port, curl_version_info(CURLVERSION_NOW)->version, more);
}

/* Each whole request: nothing more is sent, nothing less. */
static void test_C_03_C_04_each_request_byte_for_byte(void **state)
{
    struct rig *rig = *state;
    static const char body[] = "{\"label\":\"l\"}";
    static const struct {
        const char *method, *path, *body, *more;
    } rows[] = {
        {"GET", LIST "?page=2", NULL, "\r\n"},
        {"DELETE", ITEM, NULL, "\r\n"},
        {"POST", LIST, body, "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"label\":\"l\"}"},
        {"PUT", ITEM, body, "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"label\":\"l\"}"},
    };

    rig_start(rig, "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *line = x_asprintf("%s %s", rows[i].method, rows[i].path);
        char *wanted = request_text(rig, line, rows[i].more);

        call(rig, rows[i].method, rows[i].path, rows[i].body);
        assert_string_equal(rig->last, wanted);
        free(wanted);
        free(line);
    }
}

static void test_C_04_consumer_token_when_configured(void **state)
{
    struct rig *rig = *state;

    rig->options.consumer = "gardener";
    rig_start(rig, "");
    get(rig);
    assert_int_equal(headers_named(rig, "X-Consumer-Token"), 1);
    assert_non_null(strstr(rig->last, "\r\nX-Consumer-Token: gardener\r\n"));
}

static void elsewhere(struct conn *conn, const char *request)
{
    struct rig *other = (struct rig *)(uintptr_t)strtoull(strstr(request, "other=") + 6, NULL, 16);
    char *text =
        x_asprintf("HTTP/1.1 %.3s Moved\r\nLocation: http://localhost:%u/elsewhere\r\n"
                   "Content-Type: application/json\r\nX-Request-Id: rid-1\r\nContent-Length: 0\r\n\r\n",
                   strstr(request, "status=") + 7, other->port);

    say(conn, text);
    free(text);
}

/* Another listener on another name: nothing ever arrives there, whatever the method and the status. */
static void test_C_08_redirects_are_not_followed(void **state)
{
    struct rig *rig = *state, *other;
    static const char *const statuses[] = {"301", "302", "303", "307", "308"};
    static const char *const methods[] = {"GET", "DELETE", "POST", "PUT"};
    char path[200];

    assert_int_equal(rig_open((void **)&other), 0);
    rig_start(rig, "");
    rig->on_request = elsewhere;
    for (size_t i = 0; i < 20; i++) {
        snprintf(path, sizeof path, LIST "?status=%s&other=%llx", statuses[i / 4],
                 (unsigned long long)(uintptr_t)other);
        const struct call *c = call(rig, methods[i % 4], path, i % 4 >= 2 ? "{}" : NULL);

        assert_int_equal(c->fate, FATE_ANSWERED);
        assert_int_equal(c->status, atoi(statuses[i / 4]));
        assert_int_equal(rig->n_requests, i + 1);
    }
    zmq_pollitem_t item = {.fd = other->listener, .events = ZMQ_POLLIN};

    assert_int_equal(zmq_poll(&item, 1, 0), 0); /* no connection waits there */
    rig_close((void **)&other);
}

/* The first bytes of a TLS connection name what we can speak. */
static void test_C_10_no_protocol_that_shares_a_connection_is_offered(void **state)
{
    struct rig *rig = *state;
    static const unsigned char alpn[] = {0, 16, 0, 11, 0, 9, 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

    rig_start(rig, "");
    free(rig->options.origin);
    rig->options.origin = x_asprintf("https://127.0.0.1:%u", rig->port);
    rig->options.tls = true;
    begin(rig, 1, "GET", LIST, NULL);
    struct conn *conn = &rig->conns[0];

    while (!rig->calls[1].done && (conn->n < 5 || conn->n < 5 + 256u * (unsigned char)conn->in[3]))
        idle(rig, 5);
    conn_close(conn);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_NOT_SENT);
    assert_int_equal(conn->in[0], 22); /* a TLS handshake */
    assert_non_null(memmem(conn->in, conn->n, alpn, sizeof alpn));
    assert_null(memmem(conn->in, conn->n, TOKEN, strlen(TOKEN)));
}

static void odd_names(struct conn *conn, const char *request)
{
    (void)request;
    say(conn, "HTTP/1.1 404 Not Found\r\ncOnTeNt-TyPe:   Application/JSON; Charset=UTF-8\r\n"
              "x-REQUEST-id: abc\r\nretry-AFTER: 7\r\nCONTENT-length: 2\r\n\r\n{}");
}

static void test_C_12_header_names_and_type_without_case(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    rig->on_request = odd_names;
    const struct call *c = get(rig);

    assert_int_equal(c->status, 404);
    assert_true(c->json);
    assert_string_equal(c->request_id, "abc");
}

/* ---- the log ---- */

static int saved_stderr, log_reader;
static char log_text_[65536];

static void log_catch(void)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_reader = ends[0];
    fcntl(log_reader, F_SETFL, O_NONBLOCK);
}

/* Everything written since log_catch(). */
static const char *log_caught(void)
{
    ssize_t n = read(log_reader, log_text_, sizeof log_text_ - 1);

    log_text_[n > 0 ? n : 0] = '\0';
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(log_reader);
    return log_text_;
}

static void refuse(struct conn *conn, const char *request)
{
    (void)request;
    say_answer(conn, "422 Unprocessable Entity", "{\"errors\":[\"no\"]}");
}

static void break_off(struct conn *conn, const char *request)
{
    (void)request;
    say(conn, HEAD("200 OK", 500) "\r\n{");
    conn_close(conn);
}

static void test_C_42_every_failed_call_is_logged_with_its_request_id(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    log_open("packet-gateway", LEVEL_INFO, false);
    log_catch();
    rig->on_request = refuse;
    call(rig, "POST", LIST, "{}");
    rig->on_request = break_off;
    call(rig, "DELETE", ITEM, NULL);
    rig->on_request = answer_empty;
    get(rig); /* went well: no line */
    const char *text = log_caught();
    const char *second = strchr(text, '\n');

    assert_non_null(second);
    assert_non_null(strstr(text,
                           "\"method\":\"POST\",\"path\":\"" LIST "\",\"fate\":\"answered\",\"status\":422,"
                           "\"requestID\":\"rid-1\",\"error\":\"\""));
    assert_non_null(strstr(second,
                           "\"method\":\"DELETE\",\"path\":\"" ITEM "\",\"fate\":\"lost\",\"status\":200,"
                           "\"requestID\":\"rid-1\",\"error\":\""));
    assert_null(strstr(text, "GET"));
    assert_null(strstr(text, TOKEN));
}

static void echo(struct conn *conn, const char *request)
{
    (void)request;
    say(conn, "HTTP/1.1 500 " TOKEN "\r\nX-Request-Id: " TOKEN "\r\nLocation: /" TOKEN "\r\nSunset: " TOKEN
              "\r\nContent-Type: " TOKEN "\r\nContent-Length: " TOKEN "\r\n\r\n");
    conn_close(conn);
}

static void echo_nonsense(struct conn *conn, const char *request)
{
    (void)request;
    say(conn, TOKEN " " TOKEN "\r\n\r\n" TOKEN);
    conn_close(conn);
}

/* A peer that says the token wherever it can: in names it chose for us (a next page), in headers, as an
 * answer that is none. At the most talkative level. */
static void test_C_07_the_token_reaches_no_log_line_and_no_sentence(void **state)
{
    struct rig *rig = *state;
    peer_fn *const ways[] = {echo, echo_nonsense, refuse, answer_empty};

    rig_start(rig, "");
    log_open("packet-gateway", LEVEL_DEBUG, false);
    log_catch();
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        rig->on_request = ways[i];
        const struct call *c = call(rig, "GET", LIST "?page=2&x=" TOKEN, NULL);

        assert_null(strstr(c->detail, TOKEN));
        assert_null(strstr(c->request_id, TOKEN));
    }
    const char *text = log_caught();

    assert_non_null(strstr(text, "packet call failed"));
    assert_non_null(strstr(text, "\"msg\":\"packet call\""));
    assert_null(strstr(text, TOKEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_C_01_paths_below_any_base),
        RIG_TEST(test_C_03_C_04_each_request_byte_for_byte),
        RIG_TEST(test_C_04_consumer_token_when_configured),
        RIG_TEST(test_C_08_redirects_are_not_followed),
        RIG_TEST(test_C_10_no_protocol_that_shares_a_connection_is_offered),
        RIG_TEST(test_C_12_header_names_and_type_without_case),
        RIG_TEST(test_C_42_every_failed_call_is_logged_with_its_request_id),
        RIG_TEST(test_C_07_the_token_reaches_no_log_line_and_no_sentence),
    };

    return run_with_curl(tests, sizeof tests / sizeof tests[0]);
}
