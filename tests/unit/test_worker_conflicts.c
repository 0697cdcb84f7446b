/* tests/unit/test_worker_conflicts.c -- what follows when a patch is refused (design 12.1), and messages that
 * do not fit: late, doubled, from the wrong side, for another job. */
#include "tests/unit/worker_driver.h"

#define KNOWN DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP)
#define FINAL                                                                                                \
    "{'status':{" SUCCEEDED("Reconcile") ",'lastError':null,'observedGeneration':2," PROVIDER_STATUS(        \
        ID_A) "}}"

/* Up to the final patch, which is sent and not answered. */
static void run_to_final(struct driver *d)
{
    driver_open_object(d, META_FINALIZED, KEY_BASE64, NULL, KNOWN);
    driver_job(d);
    uint64_t search = expect_search(d).seq;
    expect_status(d, PROCESSING("Reconcile"));
    answer_found(d, search, OUTCOME_OK, FOUND_OURS(ID_A));
    expect_patch_sent(d, PATCH_STATUS, FINAL);
}

static void a_harmless_change_is_passed_over(void **state)
{
    struct driver d;
    (void)state;

    run_to_final(&d);
    driver_changes(&d,
                   "{'metadata':{'labels':{'a':'b'},'annotations':{'c':'d'}},'status':{'conditions':[]}}");
    reply(&d, 409);
    expect_fetch(&d);
    reply(&d, 200);
    expect_patch(&d, PATCH_STATUS, FINAL); /* the same again, with the new resourceVersion */
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_79_anything_that_matters_starts_the_run_anew(void **state)
{
    static const char *const changes[] = {
        "{'metadata':{'uid':'other'}}",
        "{'metadata':{'generation':3}}",
        "{'metadata':{'deletionTimestamp':'2026-08-21T17:56:00Z'}}",
        "{'metadata':{'annotations':{'gardener.cloud/operation':'reconcile'}}}",
        "{'metadata':{'annotations':{'gardener.cloud/timestamp':'2026-08-21T17:56:00Z'}}}",
        "{'status':{'lastOperation':{'description':'somebody else'}}}",
        "{'status':{'lastOperation':{'lastUpdateTime':'2026-08-21T17:55:56Z'}}}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct driver d;
        run_to_final(&d);
        driver_changes(&d, changes[i]);
        reply(&d, 409);
        expect_fetch(&d);
        reply(&d, 200);
        expect_done(&d, JOB_AGAIN);
        driver_close(&d);
    }
}

static void finalizers_that_came_meanwhile_are_kept(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, "", KEY_BASE64, NULL, "");
    driver_job(&d);
    expect_search(&d);
    expect_patch_sent(&d, PATCH_META, "{'metadata':{" META_FINALIZED "}}");
    driver_changes(&d, "{'metadata':{'finalizers':['a/b']}}");
    reply(&d, 409);
    expect_fetch(&d);
    reply(&d, 200);
    expect_meta(&d, "'finalizers':['a/b','extensions.gardener.cloud/infrastructure']");
    expect_patch(&d, PATCH_STATUS, NULL);
    driver_close(&d);
}

static void K_43_K_52_gardener_45_each_answer_to_a_patch_ends_the_run_as_it_should(void **state)
{
    static const struct {
        unsigned patch, fetch;
        enum job_result result;
    } cases[] = {
        {404, 0, JOB_DONE},   {0, 0, JOB_RETRY},     {400, 0, JOB_RETRY},
        {403, 0, JOB_RETRY},  {422, 0, JOB_RETRY},   {500, 0, JOB_RETRY},
        {409, 404, JOB_DONE}, {409, 500, JOB_RETRY}, {409, 403, JOB_RETRY},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver d;
        run_to_final(&d);
        reply(&d, cases[i].patch);
        if (cases[i].fetch != 0) {
            expect_fetch(&d);
            reply(&d, cases[i].fetch);
        }
        expect_done(&d, cases[i].result); /* and no status is written */
        driver_close(&d);
    }
}

/* The server adds what it knows better and leaves out what it does not know; the run goes on with its
 * version. */
static void K_66_defaults_and_pruning_in_an_answer_change_nothing(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, KNOWN);
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_patch_sent(&d, PATCH_STATUS, NULL);
    driver_changes(
        &d, "{'spec':{'defaulted':1},'status':{'nodesCIDR':'10.0.0.0/8','lastOperation':{'progress':null}}}");
    reply(&d, 200);
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A));
    expect_patch(&d, PATCH_STATUS, FINAL);
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void conflicts_without_end_start_the_run_anew(void **state)
{
    struct driver d;
    (void)state;

    run_to_final(&d);
    for (int i = 0; i < 5; i++) {
        driver_changes(&d, "{'metadata':{'labels':{'a':'b'}}}");
        reply(&d, 409);
        expect_fetch(&d);
        reply(&d, 200);
        expect_patch_sent(&d, PATCH_STATUS, FINAL);
    }
    reply(&d, 409);
    expect_done(&d, JOB_AGAIN);
    driver_close(&d);
}

/* An intent that meets a conflict is written with the time of its second sending. */
static void a_repeated_intent_has_the_new_time(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_patch_sent(&d, PATCH_STATUS, NULL);
    driver_advance(&d, 10000);
    reply(&d, 409);
    expect_fetch(&d);
    reply(&d, 200);
    expect_patch(&d, PATCH_STATUS, NULL);
    assert_non_null(strstr(d.last_body, KEY_FP "\": \"2026-08-21T17:56:05Z\""));
    answer_found(&d, search, OUTCOME_OK, "");
    expect_create(&d);
    assert_true(d.envelope.deadline_ms > 1010000 &&
                d.envelope.deadline_ms <= 1010000 + ATTEMPT_SEND_S * 1000);
    driver_close(&d);
}

static void messages_that_do_not_fit_are_ignored(void **state)
{
    struct msg_found found = {.seq = 1};
    struct msg_outcome outcome = {.seq = 1, .outcome = OUTCOME_OK};
    struct msg_reply old = {.job = 4, .seq = 1, .code = 404};
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, KNOWN);
    driver_says(&d, GATEWAY, MSG_FOUND, &found); /* nobody asked */
    driver_says(&d, GATEWAY, MSG_OUTCOME, &outcome);
    driver_says(&d, WATCHER, MSG_REPLY, &old);
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_patch_sent(&d, PATCH_STATUS, NULL);
    uint64_t patch = d.seq;
    driver_says(&d, WATCHER, MSG_REPLY, &old); /* of another job */
    d.seq = patch + 7;
    reply(&d, 404); /* of another question */
    d.seq = search;
    answer_outcome(&d, OUTCOME_OK, ID_C); /* no call is open */
    expect_nothing(&d);
    d.seq = patch;
    merge_last_body(&d);
    reply(&d, 200);
    reply(&d, 200); /* twice */
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A));
    answer_found(&d, search, OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, FINAL);
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void a_second_job_is_given_back(void **state)
{
    struct pack p;
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, KNOWN);
    driver_job(&d);
    expect_search(&d);
    expect_patch_sent(&d, PATCH_STATUS, NULL);
    struct msg_job second = d.job;
    second.job = 6;
    pack_open(&p);
    pack_json(&p, d.object);
    second.object = pack_result(&p);
    driver_says(&d, WATCHER, MSG_JOB, &second);
    pack_close(&p);
    const struct msg_done *done = &expect(&d, MSG_DONE)->body.done;
    assert_int_equal(done->job, 6);
    assert_int_equal(done->result, JOB_AGAIN);
    assert_true(worker_core_busy(d.core));
    driver_close(&d);
}

static void an_object_that_is_none_is_tried_again(void **state)
{
    static const char *const objects[] = {"{}", "{'metadata':{'generation':1}}",
                                          "{'metadata':{'resourceVersion':'1'}}", "{'metadata':'x'}"};
    (void)state;

    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct driver d;
        driver_open(&d, objects[i]);
        driver_job(&d);
        expect_done(&d, JOB_RETRY);
        driver_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_harmless_change_is_passed_over),
        cmocka_unit_test(gardener_79_anything_that_matters_starts_the_run_anew),
        cmocka_unit_test(finalizers_that_came_meanwhile_are_kept),
        cmocka_unit_test(K_43_K_52_gardener_45_each_answer_to_a_patch_ends_the_run_as_it_should),
        cmocka_unit_test(K_66_defaults_and_pruning_in_an_answer_change_nothing),
        cmocka_unit_test(conflicts_without_end_start_the_run_anew),
        cmocka_unit_test(a_repeated_intent_has_the_new_time),
        cmocka_unit_test(messages_that_do_not_fit_are_ignored),
        cmocka_unit_test(a_second_job_is_given_back),
        cmocka_unit_test(an_object_that_is_none_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
