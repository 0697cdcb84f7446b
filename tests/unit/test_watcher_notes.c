/* tests/unit/test_watcher_notes.c -- a worker's NOTE becomes an Event (kubernetes 7.1, 60, 61): what is
 * posted, and what is left out. */
#include <jansson.h>

#include "tests/unit/test_watcher_notes.h"

#define EVENTS "/api/v1/namespaces/shoot--a--b/events"
#define MINUTE 60000

/* What the fixture does not keep, of the newest request. */
static struct {
    bool once;
    char content_type[64];
} newest;

static void keep_request(void *ctx, const struct watcher_request *request)
{
    newest.once = request->once;
    snprintf(newest.content_type, sizeof newest.content_type, "%s",
             request->content_type ? request->content_type : "");
    fx_request(ctx, request);
}

static json_t *open_event(struct fx *fx)
{
    struct fx_request *post = open_post(fx);
    json_t *event;

    assert_non_null(post);
    event = json_loads(post->body, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(event);
    return event;
}

/* A text of the open Event, by its path. */
static void open_text(struct fx *fx, const char *outer, const char *name, char *to, size_t size)
{
    json_t *event = open_event(fx);
    const char *text =
        json_string_value(json_object_get(outer ? json_object_get(event, outer) : event, name));

    assert_non_null(text);
    assert_true((size_t)snprintf(to, size, "%s", text) < size);
    json_decref(event);
}

static void assert_text(struct fx *fx, const char *outer, const char *name, const char *want)
{
    char text[LIMIT_TEXT + 1];

    open_text(fx, outer, name, text, sizeof text);
    assert_string_equal(text, want);
}

static const char whole[] =
    "{'apiVersion':'v1','kind':'Event','metadata':{'name':'infra.%s','namespace':'shoot--a--b'},"
    "'involvedObject':{'kind':'Infrastructure','apiVersion':'extensions.gardener.cloud/v1alpha1',"
    "'namespace':'shoot--a--b','name':'infra','uid':'" UID "','resourceVersion':'10'},"
    "'reason':'ProviderConfig','message':'unknown field colour','type':'Warning',"
    "'source':{'component':'provider-packet'},'reportingComponent':'provider-packet',"
    "'firstTimestamp':'2027-01-15T08:00:00Z','lastTimestamp':'2027-01-15T08:00:00Z','count':1}";

static void test_K_61_what_is_posted(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});
    char name[300];

    (void)state;
    rig.fx->core->ops.request = keep_request;
    say(&rig, true, "ProviderConfig", "unknown field colour");
    assert_string_equal(open_post(rig.fx)->path, EVENTS);
    assert_true(newest.once);
    assert_string_equal(newest.content_type, "application/json");
    assert_true(open_post(rig.fx)->start_before == INT64_MAX);
    open_text(rig.fx, "metadata", "name", name, sizeof name);
    char *text = x_asprintf(whole, strchr(name, '.') + 1);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    json_t *want = json_loads(text, 0, NULL), *event = open_event(rig.fx);
    if (!json_equal(event, want))
        fail_msg("posted: %s", open_post(rig.fx)->body);
    json_decref(want);
    json_decref(event);
    free(text);
    created(rig.fx);
    say(&rig, false, "Told", "nothing is wrong");
    assert_text(rig.fx, NULL, "type", "Normal");
    fx_free(rig.fx);
}

/* ---- names ---- */

static void assert_name(const char *name, const char *object)
{
    size_t len = strlen(object);
    const char *hex = name + len + 1;

    assert_true(strlen(name) <= 253);
    if (strncmp(name, object, len) != 0 || name[len] != '.' || strlen(hex) != 16 ||
        strspn(hex, "0123456789abcdef") != 16)
        fail_msg("%s is no name for %s", name, object);
}

static void test_names(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});
    char names[2][300];

    (void)state;
    for (int i = 0; i < 2; i++) {
        say(&rig, true, "Same", i ? "moment" : "time");
        open_text(rig.fx, "metadata", "name", names[i], sizeof names[i]);
        assert_name(names[i], "infra");
        created(rig.fx);
        rig.fx->now.wall_ms -= 3600000; /* a clock that steps back brings no number again */
    }
    assert_true(strcmp(names[0], names[1]) < 0);
    fx_free(rig.fx);
}

/* The name is cut, and then ends like a name again. */
static void test_long_name(void **state)
{
    char name[LIMIT_NAME + 1];

    (void)state;
    memset(name, 'a', LIMIT_NAME);
    name[LIMIT_NAME] = '\0';
    for (size_t kept = 236; kept >= 235; kept--) {
        struct rig rig = running((struct fx_object){.version = "10", .name = name});
        say(&rig, true, "Long", "name");
        char cut[LIMIT_NAME + 1], shown[LIMIT_NAME + 1];
        snprintf(cut, sizeof cut, "%.*s", (int)kept, name);
        open_text(rig.fx, "metadata", "name", shown, sizeof shown);
        assert_name(shown, cut);
        assert_text(rig.fx, "involvedObject", "name", name);
        fx_free(rig.fx);
        name[235] = '.';
    }
}

/* ---- words ---- */

static void test_words_are_cleaned(void **state)
{
    static const struct {
        struct span said;
        const char *shown;
    } rows[] = {
        {{"plain", 5}, "plain"},
        {{"a\nb\tc\r\"\\", 8}, "a b c \"\\"},
        {{"\x1b[31mred\x7f", 9}, " [31mred "},
        {{"nul\0nul", 7}, "nul nul"},
        {{"gr\xc3\xbc\xc3\x9f", 6}, "gr\xc3\xbc\xc3\x9f"},
        {{"c1\xc2\x9b"
          "1m\xc2\xa0",
          8},
         "c1  1m\xc2\xa0"},
        {{"bad\xff\xc3", 5}, "bad??"},
        {{"cut\xc2", 4}, "cut?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig rig = running((struct fx_object){.version = "10"});
        say_as(&rig, THE_WORKER, rig.job, ME, 0, true, rows[i].said, rows[i].said);
        assert_text(rig.fx, NULL, "message", rows[i].shown);
        assert_text(rig.fx, NULL, "reason", rows[i].shown);
        fx_free(rig.fx);
    }
}

static void test_longest_words(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});
    char reason[128 + 1] = "", message[LIMIT_TEXT + 1] = "";

    (void)state;
    memset(reason, 'R', sizeof reason - 1);
    memset(message, 'm', sizeof message - 1);
    say(&rig, true, reason, message);
    assert_text(rig.fx, NULL, "reason", reason);
    assert_text(rig.fx, NULL, "message", message);
    assert_int_equal(strlen(message), 1024);
    fx_free(rig.fx);
}

/* ---- who may ---- */

static void test_who_and_when(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});
    struct span word = SPAN("Word");
    uint64_t now = (uint64_t)rig.fx->now.boot_ms;

    (void)state;
    fx_peer(rig.fx, WORKER, OTHER_WORKER);
    say_as(&rig, OTHER_WORKER, rig.job, ME, 0, true, word, word); /* not its job */
    say_as(&rig, 99, rig.job, ME, 0, true, word, word);           /* nobody we know */
    say_as(&rig, THE_WORKER, rig.job + 1, ME, 0, true, word, word);
    say_as(&rig, THE_WORKER, rig.job, ME - 1, 0, true, word, word); /* another epoch */
    say_as(&rig, THE_WORKER, rig.job, ME, now, true, word, word);   /* too late */
    assert_int_equal(posts(rig.fx), 0);
    assert_int_equal(rig.fx->core->refused, 2);
    say_as(&rig, THE_WORKER, rig.job, ME, now + 500, true, word, word);
    assert_non_null(open_post(rig.fx));
    assert_true(open_post(rig.fx)->start_before == (int64_t)now + 500);
    fx_done(rig.fx, THE_WORKER, rig.job, JOB_DONE, 0);
    say(&rig, true, "After", "its end");
    assert_int_equal(posts(rig.fx), 1);
    fx_free(rig.fx);
}

/* A worker that guesses the number of a job it has not been given yet. */
static void test_before_the_job_is_sent(void **state)
{
    struct rig rig = {.fx = fx_running(false)};

    (void)state;
    fx_event(rig.fx, "ADDED", (struct fx_object){.version = "10"});
    rig.job = rig.fx->core->jobs->id;
    say(&rig, true, "Too", "early");
    assert_int_equal(posts(rig.fx), 0);
    fx_free(rig.fx);
}

/* ---- how many ---- */

static struct fx_request *open_patch(struct fx *fx)
{
    return fx_asked(fx, "PATCH", "/events/");
}

/* The same again is the same Event, counted up. */
static void test_K_60_repetition(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});
    char name[300];

    (void)state;
    say(&rig, true, "Reason", "message");
    open_text(rig.fx, "metadata", "name", name, sizeof name);
    created(rig.fx);
    fx_tick(rig.fx, 90 * 1000);
    say(&rig, true, "Reason", "message");
    struct fx_request *patch = open_patch(rig.fx);
    assert_non_null(patch);
    assert_string_equal(strrchr(patch->path, '/') + 1, name);
    assert_string_equal(patch->body,
                        "{\"count\":2,\"lastTimestamp\":\"2027-01-15T08:01:30Z\",\"message\":\"message\"}");
    fx_answer(rig.fx, "PATCH", "/events/", 200, "{}");
    say(&rig, true, "Reason", "other message");
    say(&rig, true, "Other", "message");
    say(&rig, true, "Reasonm", "essage"); /* no letter moves from one into the other */
    say(&rig, false, "Reason", "message");
    assert_int_equal(posts(rig.fx), 5);
    assert_int_equal(rig.fx->core->notes.repeated, 1);
    fx_free(rig.fx);
}

/* The API server keeps Events for an hour. */
static void test_K_60_a_forgotten_event_is_made_anew(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});

    (void)state;
    say(&rig, true, "Reason", "message");
    created(rig.fx);
    say(&rig, true, "Reason", "message");
    fx_answer(rig.fx, "PATCH", "/events/", 404, FX_NOT_FOUND);
    assert_int_equal(posts(rig.fx), 1);
    say(&rig, true, "Reason", "message");
    assert_int_equal(posts(rig.fx), 2);
    assert_text(rig.fx, NULL, "message", "message");
    fx_free(rig.fx);
}

static void test_same_words_about_another_object(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});

    (void)state;
    say(&rig, true, "Reason", "message");
    created(rig.fx);
    fx_done(rig.fx, THE_WORKER, rig.job, JOB_DONE, 0);
    fx_event(rig.fx, "ADDED", (struct fx_object){.version = "20", .ns = "shoot--c--d", .uid = "another-uid"});
    rig.job = fx_run(rig.fx);
    say(&rig, true, "Reason", "message");
    assert_non_null(fx_asked(rig.fx, "POST", "/namespaces/shoot--c--d/events"));
    fx_free(rig.fx);
}

static void say_number(struct rig *rig, unsigned n)
{
    char message[32];

    snprintf(message, sizeof message, "number %u", n);
    say(rig, true, "Many", message);
}

/* From the tenth different message on within ten minutes they are one. */
static void test_K_60_similar_ones_are_combined(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});

    (void)state;
    for (unsigned i = 1; i < 10; i++) {
        say_number(&rig, i);
        created(rig.fx);
    }
    say_number(&rig, 10);
    assert_text(rig.fx, NULL, "message", "(combined from similar events): number 10");
    created(rig.fx);
    say_number(&rig, 11);
    struct fx_request *patch = open_patch(rig.fx);
    assert_non_null(patch);
    assert_non_null(strstr(patch->body, "\"count\":2"));
    assert_non_null(strstr(patch->body, "(combined from similar events): number 11"));
    fx_answer(rig.fx, "PATCH", "/events/", 200, "{}");
    fx_tick(rig.fx, 10 * MINUTE + 1);
    say_number(&rig, 12);
    assert_text(rig.fx, NULL, "message", "number 12");
    fx_free(rig.fx);
}

/* 25 at once about one object, then one every five minutes; another object has its own allowance. */
static void test_K_60_an_object_has_an_allowance(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});
    char reason[16];

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        snprintf(reason, sizeof reason, "Reason%u", i);
        say(&rig, true, reason, "message");
        if (open_post(rig.fx))
            created(rig.fx);
    }
    assert_int_equal(posts(rig.fx), 25);
    assert_int_equal(rig.fx->core->notes.limited, 5);
    fx_tick(rig.fx, 5 * MINUTE - 1);
    say(&rig, true, "Late", "message");
    assert_int_equal(posts(rig.fx), 25);
    fx_tick(rig.fx, 1);
    say(&rig, true, "Later", "message");
    say(&rig, true, "Latest", "message");
    assert_int_equal(posts(rig.fx), 26);
    fx_free(rig.fx);
}

/* Without an answer it is sent again, a dozen times; nobody waits for it. */
static void test_K_60_no_answer(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});

    (void)state;
    say(&rig, true, "Reason", "message");
    for (unsigned i = 1; i <= 12; i++) {
        struct fx_request *post = open_post(rig.fx);

        assert_non_null(post);
        fx_result(rig.fx, post, i % 2 ? KUBE_LOST : KUBE_NOT_SENT, 0, "", -1);
        fx_tick(rig.fx, 10000);
    }
    assert_null(open_post(rig.fx));
    assert_int_equal(rig.fx->core->notes.failed, 1);
    fx_done(rig.fx, THE_WORKER, rig.job, JOB_DONE, 0);
    assert_null(rig.fx->core->jobs);
    fx_free(rig.fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_61_what_is_posted),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_words_are_cleaned),
        cmocka_unit_test(test_longest_words),
        cmocka_unit_test(test_who_and_when),
        cmocka_unit_test(test_before_the_job_is_sent),
        cmocka_unit_test(test_K_60_repetition),
        cmocka_unit_test(test_same_words_about_another_object),
        cmocka_unit_test(test_K_60_a_forgotten_event_is_made_anew),
        cmocka_unit_test(test_K_60_similar_ones_are_combined),
        cmocka_unit_test(test_K_60_an_object_has_an_allowance),
        cmocka_unit_test(test_K_60_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
