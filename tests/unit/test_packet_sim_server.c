/* tests/unit/test_packet_sim_server.c -- how answers of the real simulator leave and fail to leave (S-2,
 * S-22, S-23, S-27, S-28), and bytes that are no request. Owns nothing beyond the fixture. */
#include "tests/unit/test_packet_sim_server.h"

#include <time.h>

static void request_id(const struct answer *answer, char *out)
{
    const char *line = strstr(answer->bytes, "\r\nX-Request-Id: ");
    assert_non_null(line);
    memcpy(out, line + 16, 32);
    out[32] = '\0';
    assert_int_equal(strspn(out, "0123456789abcdef"), 32);
    assert_memory_equal(line + 48, "\r\n", 2);
}

static void test_S_02_headers_on_the_wire(void **state)
{
    struct server *server = *state;
    static const char *const paths[] = {KEYS, "/metal/v1/ssh-keys/nothing", "/metal/v1/user"};
    char ids[3][33];
    int fd = open_connection(server->port);
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = {0};
        send_request(fd, "GET", paths[i], NULL);
        read_answer(fd, &answer, PROMISED);
        assert_non_null(strstr(answer.bytes, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
        request_id(&answer, ids[i]);
        forget(&answer);
    }
    assert_string_not_equal(ids[0], ids[1]);
    assert_string_not_equal(ids[1], ids[2]);
    close(fd);
}

static void test_S_06_delete_has_no_body_and_no_type(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    char path[128];
    json_t *key = NULL;
    assert_int_equal(ask(server->port, "POST", KEYS, CREATE, &key), 201);
    snprintf(path, sizeof path, "/metal/v1/ssh-keys/%s", json_string_value(json_object_get(key, "id")));
    json_decref(key);
    int fd = open_connection(server->port);
    send_request(fd, "DELETE", path, NULL);
    send_request(fd, "GET", KEYS, NULL); /* a body of the first would stand before this answer */
    read_answer(fd, &answer, 4);
    assert_int_equal(answer.status, 204);
    assert_null(memmem(answer.bytes, answer.head, "Content-Type", 12));
    assert_memory_equal(answer.bytes + answer.head, "HTTP", 4);
    forget(&answer);
    close(fd);
}

/* A reset leaves no byte; whether the key exists says the name of the fault. */
static void reset_and_count(struct server *server, const char *preset, size_t keys_after)
{
    struct answer answer = {0};
    fault(server, "POST", preset);
    int fd = open_connection(server->port);
    send_request(fd, "POST", KEYS, CREATE);
    read_answer(fd, &answer, TO_END);
    assert_true(answer.reset);
    assert_int_equal(answer.len, 0);
    assert_int_equal(keys(server), keys_after);
    close(fd);
    forget(&answer);
}

static void test_S_22_S_23_reset(void **state)
{
    struct server *server = *state;
    reset_and_count(server, "\"preset\":\"failed-reset\"", 0);
    reset_and_count(server, "\"preset\":\"committed-reset\"", 1);
    assert_int_equal(ask(server->port, "POST", KEYS, CREATE, NULL), 422);
}

/* Nothing arrives on the connection although a later request on another one was answered. */
static void test_S_22_S_27_accept_and_never_answer(void **state)
{
    struct server *server = *state;
    fault(server, "POST", "\"preset\":\"committed-hang\"");
    int fd = open_connection(server->port);
    send_request(fd, "POST", KEYS, CREATE);
    while (keys(server) == 0) /* the request has been carried out */
        usleep(1000);
    assert_int_equal(ask(server->port, "GET", KEYS, NULL, NULL), 200);
    assert_true(silent(fd));
    close(fd);
    assert_int_equal(ask(server->port, "POST", KEYS, CREATE, NULL), 422);
}

static void test_S_22_S_23_answers_that_break_off(void **state)
{
    struct server *server = *state;
    static const char *const presets[] = {
        "\"preset\":\"failed-truncated-json\"", "\"preset\":\"failed-empty-object\"",
        "\"preset\":\"failed-502-html\"", "\"preset\":\"committed-503-html\""};
    static const int statuses[] = {201, 201, 502, 503};
    for (size_t i = 0; i < 4; i++) {
        json_t *body = NULL;
        fault(server, "POST", presets[i]);
        assert_int_equal(ask(server->port, "POST", KEYS, CREATE, &body), statuses[i]);
        assert_int_equal(body != NULL, i == 1);
        assert_int_equal(keys(server), i == 3);
        json_decref(body);
    }
}

static int get_with(struct server *server, const char *members, struct answer *answer, size_t enough)
{
    fault(server, "GET", members);
    int fd = open_connection(server->port);
    send_request(fd, "GET", KEYS, NULL);
    read_answer(fd, answer, enough);
    return fd;
}

static void test_S_27_headers_then_stall(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    int fd = get_with(server, "\"preset\":\"stall\"", &answer, 0);
    assert_int_equal(answer.status, 200);
    assert_true(answer.promised > 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(server->port, "GET", KEYS, NULL, NULL), 200);
    assert_int_equal(answer.len, answer.head);
    assert_true(silent(fd));
    close(fd);
    forget(&answer);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Bytes come at their time or later, never earlier; a busy machine can only delay them. */
static void test_S_27_one_byte_a_second(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    int64_t start_ms = now_ms();
    int fd = get_with(server, "\"preset\":\"drip\"", &answer, 2);
    assert_true(now_ms() - start_ms >= 1900);
    assert_true(answer.len - answer.head < 2 + (size_t)(now_ms() - start_ms) / 1000);
    assert_memory_equal(answer.bytes + answer.head, "{\"", 2);
    assert_int_equal(ask(server->port, "GET", KEYS, NULL, NULL), 200);
    close(fd);
    forget(&answer);
}

static void test_S_27_body_larger_than_a_limit(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    int fd = get_with(server, "\"preset\":\"huge-body\",\"size\":3000000", &answer, PROMISED);
    assert_true(answer.promised > 3000000);
    assert_int_equal(answer.len - answer.head, answer.promised);
    close(fd);
    forget(&answer);
}

/* Promised minus arrived, at the end of the connection. */
static long missing(struct server *server, const char *members)
{
    struct answer answer = {0};
    int fd = get_with(server, members, &answer, TO_END);
    assert_int_equal(answer.status, 200);
    assert_true(answer.ended || answer.reset);
    long bytes = answer.promised - (long)(answer.len - answer.head);
    close(fd);
    forget(&answer);
    return bytes;
}

static void test_S_27_wrong_content_length(void **state)
{
    struct server *server = *state;
    struct answer whole = {0};
    int fd = open_connection(server->port);
    send_request(fd, "GET", KEYS, NULL);
    read_answer(fd, &whole, PROMISED);
    assert_int_equal(missing(server, "\"preset\":\"bad-length\""), 64);
    assert_int_equal(missing(server, "\"preset\":\"cut-off\""), whole.promised - whole.promised / 2);
    close(fd);
    forget(&whole);
}

static void test_S_28_closed_before_the_next_request(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    int kept = open_connection(server->port);
    int fd = get_with(server, "\"preset\":\"close-before-next\"", &answer, PROMISED);
    assert_int_equal(answer.status, 200);
    assert_null(strstr(answer.bytes, "Connection: close")); /* the client is not told */
    read_answer(fd, &answer, TO_END);
    assert_true(answer.ended);
    assert_int_equal((long)(answer.len - answer.head), answer.promised);
    close(fd);
    for (int i = 0; i < 2; i++) { /* without the fault a connection is kept */
        forget(&answer);
        send_request(kept, "GET", KEYS, NULL);
        read_answer(kept, &answer, PROMISED);
        assert_int_equal(answer.status, 200);
    }
    close(kept);
    forget(&answer);
}

static void test_S_28_closed_after_the_next_request(void **state)
{
    struct server *server = *state;
    struct answer answer = {0};
    int fd = open_connection(server->port);
    assert_int_equal(ask(server->admin_port, "POST", "/_sim/faults",
                         "{\"fault\":{\"preset\":\"close-on-reuse\"},\"count\":-1}", NULL),
                     201);
    send_request(fd, "GET", KEYS, NULL);
    read_answer(fd, &answer, PROMISED);
    assert_int_equal(answer.status, 200);
    forget(&answer);
    send_request(fd, "POST", KEYS, CREATE);
    read_answer(fd, &answer, TO_END);
    assert_true(answer.reset);
    assert_int_equal(answer.len, 0);
    assert_int_equal(keys(server), 0);
    close(fd);
    assert_int_equal(ask(server->port, "POST", KEYS, CREATE, NULL), 201);
    forget(&answer);
}

/* Whatever arrives, the next client is served. */
static void test_odd_bytes_do_no_harm(void **state)
{
    struct server *server = *state;
    static const char *const odd[] = {
        "\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET " KEYS "\r\n\r\n",
        "GET " KEYS " HTTP/1.1\r\nX-Auth-Token\r\n\r\n",
        "GET /\xff\xfe%00%zz?%=&&=%4 HTTP/1.1\r\nHost: x\r\nX-Auth-Token: \xff\r\n\r\n",
        "GET http://elsewhere/metal/v1/user HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT " KEYS " HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST " KEYS " HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST " KEYS " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " TOKEN
        "\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{",
        "POST " KEYS " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " TOKEN "\r\nContent-Length: 5\r\n\r\n[[[[[",
        "POST /_sim/config HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nnull",
        "POST /_sim/faults HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[[],7,{}]",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        int fd = open_connection(server->port);
        send_bytes(fd, odd[i], strlen(odd[i]));
        shutdown(fd, SHUT_WR);
        assert_int_equal(ask(server->port, "GET", KEYS, NULL, NULL), 200);
        close(fd);
    }
    char *large = malloc((2u << 20) + 1);
    memset(large, '[', 2u << 20);
    large[2u << 20] = '\0';
    assert_int_equal(ask(server->port, "POST", KEYS, large, NULL), 413);
    free(large);
    assert_int_equal(keys(server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_02_headers_on_the_wire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_06_delete_has_no_body_and_no_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_22_S_23_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_22_S_27_accept_and_never_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_22_S_23_answers_that_break_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_27_headers_then_stall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_27_one_byte_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_27_body_larger_than_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_27_wrong_content_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_28_closed_before_the_next_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_28_closed_after_the_next_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_bytes_do_no_harm, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
