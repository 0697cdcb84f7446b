/* tests/unit/test_watcher_writes.c -- what a worker may have written (design 12.5), how it is sent
 * (design 12.1, kubernetes 38, 40, 47), what comes back, and what is sent again (kubernetes 49, 50). */
#include "tests/unit/test_watcher_fixture.h"
#include "watcher/core/convert.h"

#define OURS   "extensions.gardener.cloud/infrastructure"
#define OBJECT ((struct fx_object){.version = "10", .finalizers = "[\"foreign/a\",\"foreign/b\"]"})

struct rig {
    struct fx *fx;
    uint64_t job;
    struct pack body;
};

/* In place: a packer points to the buffer beside it. */
static void running(struct rig *rig)
{
    rig->fx = fx_running(false);
    fx_event(rig->fx, "ADDED", OBJECT);
    rig->job = fx_run(rig->fx);
    pack_open(&rig->body);
}

static void close_rig(struct rig *rig)
{
    pack_close(&rig->body);
    fx_free(rig->fx);
}

/* The worker's body, written as JSON for readability. */
static void ask(struct rig *rig, enum patch_target target, const char *version, const char *json,
                uint64_t worker, uint64_t epoch, uint64_t deadline)
{
    struct text text = {.p = json, .len = strlen(json)};

    assert_int_equal(convert_object(text, &rig->body), 0);
    struct msg_patch patch = {.job = rig->job,
                              .seq = 3,
                              .target = target,
                              .resource_version = span_of(version),
                              .body = pack_result(&rig->body)};
    fx_say(rig->fx, WORKER, worker, MSG_PATCH, &patch, epoch, deadline);
}

static void assert_refused(struct rig *rig, const char *reason)
{
    struct fx_sent *reply = fx_take(rig->fx, MSG_REPLY);

    assert_null(fx_asked(rig->fx, "PATCH", ""));
    assert_non_null(reply);
    assert_int_equal(reply->message.body.reply.code, 0);
    assert_int_equal(reply->message.body.reply.seq, 3);
    assert_int_equal(reply->message.envelope.correlation, 77);
    assert_true(span_is(reply->message.body.reply.reason, reason));
}

static const char *const refused_meta[] = {
    "{}",
    "{\"metadata\":{}}",
    "{\"metadata\":null}",
    "{\"spec\":{\"type\":\"x\"}}",
    "{\"status\":{\"state\":{}}}",
    "{\"metadata\":{\"finalizers\":[\"foreign/a\",\"foreign/b\"]},\"spec\":{}}",
    "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}",
    "{\"metadata\":{\"ownerReferences\":[]}}",
    "{\"metadata\":{\"resourceVersion\":\"10\"}}",
    "{\"metadata\":{\"annotations\":null}}",
    "{\"metadata\":{\"annotations\":{}}}",
    "{\"metadata\":{\"annotations\":{\"gardener.cloud/operation\":\"reconcile\"}}}",
    "{\"metadata\":{\"annotations\":{\"gardener.cloud/timestamp\":null}}}",
    "{\"metadata\":{\"annotations\":{\"gardener.cloud/operation\":null,\"a\":null}}}",
    "{\"metadata\":{\"finalizers\":null}}",
    "{\"metadata\":{\"finalizers\":[]}}",
    "{\"metadata\":{\"finalizers\":[\"" OURS "\"]}}",
    "{\"metadata\":{\"finalizers\":[\"foreign/a\"]}}",
    "{\"metadata\":{\"finalizers\":[\"foreign/b\",\"foreign/a\"]}}",
    "{\"metadata\":{\"finalizers\":[\"foreign/a\",\"foreign/b\",\"foreign/c\"]}}",
    "{\"metadata\":{\"finalizers\":[\"foreign/a\",\"foreign/b\",7]}}",
    "{\"metadata\":{\"finalizers\":[\"foreign/a\",\"foreign/b\",\"" OURS "\",\"" OURS "\"]}}",
    "{\"metadata\":{\"finalizers\":\"" OURS "\"}}",
};

static const char *const refused_status[] = {
    "{}",
    "{\"status\":{}}",
    "{\"status\":null}",
    "{\"status\":{\"conditions\":[]}}",
    "{\"status\":{\"lastErrors\":[]}}",
    "{\"status\":{\"state\":{},\"resources\":[]}}",
    "{\"status\":{\"nodesCIDR\":\"10.0.0.0/8\"}}",
    "{\"status\":{\"lastOperation\":null}}",
    "{\"status\":{\"providerStatus\":\"x\"}}",
    "{\"status\":{\"state\":\"x\"}}",
    "{\"status\":{\"state\":null}}",
    "{\"status\":{\"observedGeneration\":\"1\"}}",
    "{\"status\":{\"state\":{}},\"metadata\":{\"finalizers\":[]}}",
    "{\"metadata\":{\"annotations\":{\"gardener.cloud/operation\":null}}}",
};

static void test_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_meta / sizeof *refused_meta; i++) {
        struct rig rig;
        running(&rig);
        ask(&rig, PATCH_META, "10", refused_meta[i], THE_WORKER, ME, 0);
        if (fx_asked(rig.fx, "PATCH", ""))
            fail_msg("taken: %s", refused_meta[i]);
        assert_refused(&rig, "NotAllowed");
        close_rig(&rig);
    }
    for (size_t i = 0; i < sizeof refused_status / sizeof *refused_status; i++) {
        struct rig rig;
        running(&rig);
        ask(&rig, PATCH_STATUS, "10", refused_status[i], THE_WORKER, ME, 0);
        if (fx_asked(rig.fx, "PATCH", ""))
            fail_msg("taken: %s", refused_status[i]);
        assert_refused(&rig, "NotAllowed");
        close_rig(&rig);
    }
}

static void test_a_member_given_twice_is_refused(void **state)
{
    struct rig rig;

    (void)state;
    running(&rig);
    pack_again(&rig.body);
    pack_map(&rig.body, 1), pack_text(&rig.body, "metadata"), pack_map(&rig.body, 2);
    pack_text(&rig.body, "finalizers"), pack_array(&rig.body, 2);
    pack_text(&rig.body, "foreign/a"), pack_text(&rig.body, "foreign/b");
    pack_text(&rig.body, "finalizers"), pack_array(&rig.body, 0);
    struct msg_patch patch = {.job = rig.job,
                              .seq = 3,
                              .target = PATCH_META,
                              .resource_version = SPAN("10"),
                              .body = pack_result(&rig.body)};
    fx_say(rig.fx, WORKER, THE_WORKER, MSG_PATCH, &patch, ME, 0);
    assert_refused(&rig, "NotAllowed");
    close_rig(&rig);
}

static void test_who_and_when(void **state)
{
    static const char good[] = "{\"status\":{\"observedGeneration\":1}}";
    struct rig rig;

    (void)state;
    running(&rig);
    fx_peer(rig.fx, WORKER, OTHER_WORKER);
    ask(&rig, PATCH_STATUS, "10", good, OTHER_WORKER, ME, 0); /* not its job */
    assert_null(fx_asked(rig.fx, "PATCH", ""));
    ask(&rig, PATCH_STATUS, "9", good, THE_WORKER, ME, 0); /* not the version it has seen */
    assert_refused(&rig, "NotAllowed");
    ask(&rig, PATCH_STATUS, "10", good, THE_WORKER, ME - 1, 0); /* another epoch */
    assert_refused(&rig, "Fenced");
    ask(&rig, PATCH_STATUS, "10", good, THE_WORKER, ME, (uint64_t)rig.fx->now.boot_ms); /* too late */
    assert_refused(&rig, "Fenced");
    ask(&rig, PATCH_STATUS, "10", good, THE_WORKER, ME, (uint64_t)rig.fx->now.boot_ms + 500);
    struct fx_request *patch = fx_asked(rig.fx, "PATCH", "");
    assert_non_null(patch);
    assert_int_equal(patch->start_before, rig.fx->now.boot_ms + 500);
    ask(&rig, PATCH_STATUS, "10", good, THE_WORKER, ME, 0); /* one at a time */
    assert_non_null(fx_take(rig.fx, MSG_REPLY));
    fx_result(rig.fx, patch, KUBE_FENCED, 0, "", -1);
    assert_true(span_is(fx_take(rig.fx, MSG_REPLY)->message.body.reply.reason, "Fenced"));
    close_rig(&rig);
}

static void assert_json(const char *text, const char *want)
{
    json_t *a = json_loads(text, 0, NULL), *b = json_loads(want, 0, NULL);

    assert_non_null(a);
    assert_non_null(b);
    if (!json_equal(a, b))
        fail_msg("%s is not %s", text, want);
    json_decref(a);
    json_decref(b);
}

static void test_K_38_K_40_K_47_how_it_is_sent(void **state)
{
    struct rig rig;

    (void)state;
    running(&rig);
    ask(&rig, PATCH_META, "10",
        "{\"metadata\":{\"finalizers\":[\"foreign/a\",\"foreign/b\",\"" OURS
        "\"],\"annotations\":{\"gardener.cloud/operation\":null}}}",
        THE_WORKER, ME, 0);
    struct fx_request *patch = fx_asked(rig.fx, "PATCH", "");
    assert_non_null(patch);
    assert_string_equal(patch->path,
                        "/apis/extensions.gardener.cloud/v1alpha1/namespaces/shoot--a--b/infrastructures/"
                        "infra?fieldManager=fm");
    assert_json(
        patch->body,
        "{\"metadata\":{\"resourceVersion\":\"10\",\"finalizers\":[\"foreign/a\",\"foreign/b\",\"" OURS
        "\"],\"annotations\":{\"gardener.cloud/operation\":null}}}");
    char *answer = fx_json(
        (struct fx_object){.version = "11", .finalizers = "[\"foreign/a\",\"foreign/b\",\"" OURS "\"]"});
    fx_answer(rig.fx, "PATCH", "", 200, answer);
    free(answer);
    struct fx_sent *reply = fx_take(rig.fx, MSG_REPLY);
    assert_int_equal(reply->message.body.reply.code, 200);
    assert_int_equal(reply->message.envelope.correlation, 77);
    assert_true(
        value_is_text(value_at(reply->message.body.reply.object, "metadata", "resourceVersion", NULL), "11"));
    assert_int_equal(
        value_kind(value_at(reply->message.body.reply.object, "metadata", "managedFields", NULL)),
        VALUE_NONE);
    ask(&rig, PATCH_STATUS, "11",
        "{\"status\":{\"lastError\":null,\"observedGeneration\":9007199254740993,\"state\":{\"a\":"
        "\"\\u00e4\\\"\\n\"}}}",
        THE_WORKER, ME, 0);
    patch = fx_asked(rig.fx, "PATCH", "");
    assert_string_equal(strrchr(patch->path, '/'), "/status?fieldManager=fm");
    assert_json(patch->body,
                "{\"metadata\":{\"resourceVersion\":\"11\"},\"status\":{\"lastError\":null,"
                "\"observedGeneration\":9007199254740993,\"state\":{\"a\":\"\\u00e4\\\"\\n\"}}}");
    close_rig(&rig);
}

/* Taking off our own finalizer leaves the others; the last one of all leaves an empty list. */
static void test_finalizer_off(void **state)
{
    struct fx *fx = fx_running(false);
    struct rig rig = {.fx = fx};

    (void)state;
    fx_event(fx, "ADDED", (struct fx_object){.version = "10", .finalizers = "[\"" OURS "\"]"});
    rig.job = fx_run(fx);
    pack_open(&rig.body);
    ask(&rig, PATCH_META, "10", "{\"metadata\":{\"finalizers\":[]}}", THE_WORKER, ME, 0);
    assert_non_null(fx_asked(fx, "PATCH", ""));
    close_rig(&rig);
}

static void test_K_41_K_50_answers(void **state)
{
    struct row {
        enum watcher_fate fate;
        int status;
        const char *body, *reason;
        unsigned code;
    } rows[] = {
        {KUBE_ANSWERED, 409,
         "{\"kind\":\"Status\",\"message\":\"modified\",\"reason\":\"Conflict\",\"code\":409}", "Conflict",
         409},
        {KUBE_ANSWERED, 404, FX_NOT_FOUND, "NotFound", 404},
        {KUBE_ANSWERED, 422, "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"code\":422}", "Invalid", 422},
        {KUBE_ANSWERED, 429, "Too many requests, please try again later.", "TooManyRequests", 429},
        {KUBE_ANSWERED, 503, "<html><body>no</body></html>", "ServiceUnavailable", 503},
        {KUBE_ANSWERED, 504, "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"code\":504}", "Timeout", 504},
        {KUBE_ANSWERED, 200, "{}", "Unreadable", 0},
        {KUBE_LOST, 0, "", "Lost", 0},
        {KUBE_NOT_SENT, 0, "", "NotSent", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig rig;
        running(&rig);

        ask(&rig, PATCH_STATUS, "10", "{\"status\":{\"observedGeneration\":1}}", THE_WORKER, ME, 0);
        fx_result(rig.fx, fx_asked(rig.fx, "PATCH", ""), rows[i].fate, rows[i].status, rows[i].body, -1);
        struct fx_sent *reply = fx_take(rig.fx, MSG_REPLY);
        assert_non_null(reply);
        assert_int_equal(reply->message.body.reply.code, rows[i].code);
        assert_true(span_is(reply->message.body.reply.reason, rows[i].reason));
        assert_null(fx_asked(rig.fx, "PATCH", "")); /* 50: a write without an answer is not sent again */
        close_rig(&rig);
    }
}

/* kubernetes 49: integer Retry-After on 429 and 5xx, at most 10 times, capped */
static void test_K_49_retry_after(void **state)
{
    struct rig rig;
    struct fx *fx;

    (void)state;
    running(&rig);
    fx = rig.fx;
    ask(&rig, PATCH_STATUS, "10", "{\"status\":{\"observedGeneration\":1}}", THE_WORKER, ME, 0);
    for (int i = 0; i < 10; i++) {
        struct fx_request *patch = fx_asked(fx, "PATCH", "");
        assert_non_null(patch);
        fx_result(fx, patch, KUBE_ANSWERED, i % 2 ? 503 : 429, "", i ? 1000 : 3600000);
        int64_t wait = watcher_core_next_ms(fx->core) - fx->now.boot_ms;
        assert_in_range(wait, i ? 1000 : 30000, i ? 1100 : 33000);
        fx_tick(fx, wait - 1);
        assert_null(fx_asked(fx, "PATCH", ""));
        fx_tick(fx, 1);
    }
    fx_result(fx, fx_asked(fx, "PATCH", ""), KUBE_ANSWERED, 429, "", 1000);
    assert_int_equal(fx_take(fx, MSG_REPLY)->message.body.reply.code, 429);
    close_rig(&rig);
}

static void test_fetch(void **state)
{
    struct rig rig;
    struct msg_fetch fetch = {.seq = 5};
    char *object = fx_json((struct fx_object){.version = "15", .finalizers = "[\"foreign/z\"]"});

    (void)state;
    running(&rig);
    fetch.job = rig.job;
    fx_say(rig.fx, WORKER, THE_WORKER, MSG_FETCH, &fetch, ME, 0);
    struct fx_request *get = fx_asked(rig.fx, "GET", "/infrastructures/infra");
    assert_non_null(get);
    assert_null(strstr(get->path, "resourceVersion")); /* a quorum read */
    fx_result(rig.fx, get, KUBE_LOST, 0, "", -1);      /* 50: a read is sent again */
    fx_tick(rig.fx, 1200);
    fx_answer(rig.fx, "GET", "/infrastructures/infra", 200, object);
    struct fx_sent *reply = fx_take(rig.fx, MSG_REPLY);
    assert_int_equal(reply->message.body.reply.seq, 5);
    assert_true(
        value_is_text(value_at(reply->message.body.reply.object, "metadata", "resourceVersion", NULL), "15"));
    ask(&rig, PATCH_META, "15", "{\"metadata\":{\"finalizers\":[\"foreign/z\",\"" OURS "\"]}}", THE_WORKER,
        ME, 0);
    assert_non_null(fx_asked(rig.fx, "PATCH", ""));
    free(object);
    close_rig(&rig);
}

/* The end of a job waits for a write that is still open. */
static void test_done_with_a_write_open(void **state)
{
    struct rig rig;

    (void)state;
    running(&rig);
    ask(&rig, PATCH_STATUS, "10", "{\"status\":{\"observedGeneration\":1}}", THE_WORKER, ME, 0);
    fx_done(rig.fx, THE_WORKER, rig.job, JOB_DONE, 0);
    assert_non_null(rig.fx->core->jobs);
    fx_event(rig.fx, "MODIFIED", (struct fx_object){.version = "30", .operation = "reconcile"});
    assert_null(fx_asked(rig.fx, "GET", "/clusters/"));
    fx_answer(rig.fx, "PATCH", "", 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"code\":409}");
    assert_non_null(fx_asked(rig.fx, "GET", "/clusters/"));
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused),        cmocka_unit_test(test_a_member_given_twice_is_refused),
        cmocka_unit_test(test_who_and_when),           cmocka_unit_test(test_K_38_K_40_K_47_how_it_is_sent),
        cmocka_unit_test(test_finalizer_off),          cmocka_unit_test(test_K_41_K_50_answers),
        cmocka_unit_test(test_K_49_retry_after),       cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_done_with_a_write_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
