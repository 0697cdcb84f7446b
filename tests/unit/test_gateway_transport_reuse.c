/* tests/unit/test_gateway_transport_reuse.c -- connections that were used before (packet C-10): closed by the
 * peer before the next request, after it, or left with bytes that nobody asked for. Counted at the peer. */
#include "tests/unit/test_gateway_peer.h"

static const char *const methods[] = {"GET", "DELETE", "POST", "PUT"};

static const char *body_of(size_t method)
{
    return method >= 2 ? "{\"label\":\"l\"}" : NULL;
}

static const struct call *call_nr(struct rig *rig, size_t method)
{
    return call(rig, methods[method], method == 0 || method == 2 ? LIST : ITEM, body_of(method));
}

static void answer_and_close(struct conn *conn, const char *request)
{
    answer_empty(conn, request);
    conn_close(conn);
}

/* Closed while idle: each method, POST and PUT too, goes out once, on a fresh connection, and is answered. */
static void test_C_10_closed_just_before_the_next_request(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    rig->on_request = answer_and_close;
    for (size_t i = 0; i < 4; i++) {
        const struct call *c = call_nr(rig, i);

        assert_int_equal(c->fate, FATE_ANSWERED);
        assert_int_equal(rig->n_requests, i + 1);
        assert_int_equal(rig->n_conns, i + 1);
        idle(rig, 20);
    }
}

/* Takes what comes first on a connection, hangs up without a word at what comes second. */
static void hang_up_on_the_second(struct conn *conn, const char *request)
{
    if (conn->requests > 1)
        conn_close(conn);
    else
        answer_empty(conn, request);
}

static void test_C_10_closed_just_after_get_and_delete_are_sent_once_more(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    rig->on_request = hang_up_on_the_second;
    for (size_t i = 0; i < 2; i++) {
        unsigned requests, conns;

        get(rig);
        requests = rig->n_requests;
        conns = rig->n_conns;
        const struct call *c = call_nr(rig, i);

        assert_int_equal(c->fate, FATE_ANSWERED);
        assert_int_equal(rig->n_requests, requests + 2);
        assert_int_equal(rig->n_conns, conns + 1);
        assert_int_equal(rig->conns[rig->n_conns - 1].requests, 1);
        http_free(rig->http);
        options_free(&rig->options);
        rig_start(rig, "");
    }
}

static void test_C_10_closed_just_after_post_and_put_are_never_sent_again(void **state)
{
    struct rig *rig = *state;

    rig->on_request = hang_up_on_the_second;
    for (size_t i = 2; i < 4; i++) {
        rig_start(rig, "");
        get(rig);
        unsigned requests = rig->n_requests;
        const struct call *c = call_nr(rig, i);

        assert_int_equal(c->fate, FATE_LOST);
        assert_true(*c->detail);
        idle(rig, 50); /* nor a moment later */
        assert_int_equal(rig->n_requests, requests + 1);
        http_free(rig->http);
        options_free(&rig->options);
        rig->http = NULL;
    }
}

static struct conn *held[8];
static unsigned n_held, hold;

/* Answers when `hold` requests have come, so that as many connections are open. */
static void answer_together(struct conn *conn, const char *request)
{
    held[n_held++] = conn;
    for (unsigned i = 0; n_held == hold && i < n_held; i++)
        answer_empty(held[i], request);
}

static void hang_up(struct conn *conn, const char *request)
{
    (void)request;
    conn_close(conn);
}

/* Five idle connections, all of them dead, and so is every fresh one: two requests, the second on a
 * connection of its own. */
static void test_C_10_once_more_is_once_more(void **state)
{
    struct rig *rig = *state;

    for (size_t i = 0; i < 4; i++) {
        rig_start(rig, "");
        hold = 5;
        n_held = 0;
        rig->on_request = answer_together;
        for (unsigned id = 1; id <= hold; id++)
            begin(rig, id, "GET", LIST, NULL);
        for (unsigned id = 1; id <= hold; id++)
            assert_int_equal(wait_for(rig, id)->fate, FATE_ANSWERED);
        unsigned requests = rig->n_requests, conns = rig->n_conns;

        rig->on_request = hang_up;
        assert_int_equal(call_nr(rig, i)->fate, FATE_LOST);
        idle(rig, 20);
        assert_int_equal(rig->n_requests, requests + (i < 2 ? 2 : 1));
        if (i < 2)
            assert_true(rig->n_conns > conns);
        http_free(rig->http);
        options_free(&rig->options);
        rig->http = NULL;
    }
}

/* On a fresh connection nothing is repeated here: what to do then is for the core to say. */
static void test_C_10_a_fresh_connection_that_dies_is_no_stale_one(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    rig->on_request = hang_up;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(call_nr(rig, i)->fate, FATE_LOST);
        assert_int_equal(rig->n_requests, i + 1);
    }
}

/* Answers what comes first on a connection; what comes second is left to the test. */
static void hold_the_second(struct conn *conn, const char *request)
{
    if (conn->requests == 1)
        answer_empty(conn, request);
}

static struct rig *with_a_delete_held(void **state, int64_t start_before)
{
    struct rig *rig = *state;
    struct gateway_request request = {
        .id = 1, .method = "DELETE", .path = ITEM, .token = TOKEN, .start_before = start_before};

    rig_start(rig, "");
    rig->on_request = hold_the_second;
    get(rig);
    http_start(rig->http, &request);
    while (rig->n_requests < 2)
        idle(rig, 5);
    return rig;
}

/* design 12.15: the repeat counts as a start. */
static void test_C_10_no_second_try_when_it_is_too_late_to_start(void **state)
{
    int64_t start_before = clock_now().boot_ms + 3000;
    struct rig *rig = with_a_delete_held(state, start_before);

    while (clock_now().boot_ms < start_before)
        idle(rig, 10);
    conn_close(&rig->conns[0]);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_LOST);
    assert_int_equal(rig->n_requests, 2);
}

/* ... and not after the end of its epoch, either. */
static void test_C_10_no_second_try_after_a_fence(void **state)
{
    struct rig *rig = with_a_delete_held(state, INT64_MAX);

    http_fence_mutations(rig->http);
    conn_close(&rig->conns[0]);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_LOST);
    assert_int_equal(rig->n_requests, 2);
}

/* Without either it is sent once more. */
static void test_C_10_a_second_try_as_long_as_it_may_start(void **state)
{
    struct rig *rig = with_a_delete_held(state, INT64_MAX);

    conn_close(&rig->conns[0]);
    assert_int_equal(wait_for(rig, 1)->fate, FATE_ANSWERED);
    assert_int_equal(rig->n_requests, 3);
}

static int on_hang_up(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    conn_close(arg);
    return 0;
}

/* Hangs up on a second request after a while; a first one it answers. */
static void hang_up_later(struct conn *conn, const char *request)
{
    if (conn->requests > 1)
        zloop_timer(conn->rig->loop, 300, 1, on_hang_up, conn);
    else if (conn->number == 1)
        answer_empty(conn, request);
}

/* The second try has only what is left of the total time: a call that began later ends later. */
static void test_C_09_C_10_both_tries_share_the_total_time(void **state)
{
    struct rig *rig = *state;

    rig->options.limits.total_ms = 1000;
    rig_start(rig, "");
    rig->on_request = hang_up_later;
    get(rig);
    begin(rig, 1, "GET", LIST, NULL); /* hung up on after 300 ms, then never answered */
    idle(rig, 150);
    begin(rig, 2, "GET", LIST, NULL); /* never answered */
    assert_int_equal(wait_for(rig, 2)->fate, FATE_LOST);
    assert_true(rig->calls[1].done);
    assert_int_equal(rig->calls[1].fate, FATE_LOST);
    assert_true(rig->n_requests >= 3);
}

/* ---- bytes that nobody asked for ---- */

#define FALSE_ANSWER HEAD("201 Created", 45) "\r\n{\"id\":\"11111111-54d1-4a0e-8f0a-2b6a5a1d9c44\"} "

static int on_more(zloop_t *loop, int timer, void *arg)
{
    struct conn *conn = arg;

    (void)loop;
    (void)timer;
    if (conn->fd >= 0)
        say(conn, FALSE_ANSWER);
    return 0;
}

/* The first answer of a connection is followed by another one. */
static void answer_twice(struct conn *conn, const char *request)
{
    if (strncmp(request, "POST", 4) == 0)
        say_answer(conn, "422 Unprocessable Entity", "{\"errors\":[\"no\"]}");
    else
        answer_empty(conn, request);
    if (conn->requests == 1)
        zloop_timer(conn->rig->loop, 20, 1, on_more, conn);
}

/* The next call must not take it for its own: a POST would be told that its key exists. */
static void test_C_09_a_second_answer_is_nobodys(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    rig->on_request = answer_twice;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(get(rig)->status, 200);
        idle(rig, 60);
        const struct call *c = call_nr(rig, 2);

        assert_int_equal(c->fate, FATE_ANSWERED);
        assert_int_equal(c->status, 422);
        assert_int_equal(rig->n_requests, 2 * (i + 1));
        idle(rig, 60);
    }
    for (unsigned i = 0; i + 1 < rig->n_conns; i++)
        assert_true(rig->conns[i].ended);
}

/* More bytes than announced, all at once or the rest a moment later. */
static void answer_too_long(struct conn *conn, const char *request)
{
    (void)request;
    if (conn->number == 1)
        say(conn, HEAD("200 OK", 10) "\r\n{\"ssh_keys\":[]}HTTP/1.1 201 Created\r\n\r\n");
    else if (conn->number == 2)
        say(conn, HEAD("200 OK", 14) "\r\n{\"ssh_keys\":[]}");
    else
        answer_empty(conn, request);
}

static void test_C_09_a_length_too_short_ends_the_connection(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    rig->on_request = answer_too_long;
    for (unsigned i = 0; i < 2; i++) {
        const struct call *c = get(rig);

        assert_int_equal(c->fate, FATE_ANSWERED);
        assert_int_equal(c->body_len, i ? 14 : 10); /* cut: no JSON */
        idle(rig, 20);
    }
    assert_int_equal(rig->n_conns, 2);
    assert_string_equal(get(rig)->body, EMPTY);
    assert_int_equal(rig->n_conns, 3);
    assert_true(rig->conns[0].ended && rig->conns[1].ended);
}

/* Nothing wrong: the connection is used again. Without this the others would prove nothing. */
static void test_C_10_a_good_connection_is_kept(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "");
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(call_nr(rig, i % 4)->status, 200);
    assert_int_equal(rig->n_conns, 1);
    assert_int_equal(rig->n_requests, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_C_10_closed_just_before_the_next_request),
        RIG_TEST(test_C_10_closed_just_after_get_and_delete_are_sent_once_more),
        RIG_TEST(test_C_10_closed_just_after_post_and_put_are_never_sent_again),
        RIG_TEST(test_C_10_once_more_is_once_more),
        RIG_TEST(test_C_10_a_fresh_connection_that_dies_is_no_stale_one),
        RIG_TEST(test_C_10_no_second_try_when_it_is_too_late_to_start),
        RIG_TEST(test_C_10_no_second_try_after_a_fence),
        RIG_TEST(test_C_10_a_second_try_as_long_as_it_may_start),
        RIG_TEST(test_C_09_C_10_both_tries_share_the_total_time),
        RIG_TEST(test_C_09_a_second_answer_is_nobodys),
        RIG_TEST(test_C_09_a_length_too_short_ends_the_connection),
        RIG_TEST(test_C_10_a_good_connection_is_kept),
    };

    return run_with_curl(tests, sizeof tests / sizeof tests[0]);
}
