/* tests/unit/test_worker_reconcile.c -- the worker's reconcile flow: first run, no-op, no key, repairs. */
#include "tests/unit/worker_driver.h"

#define ATTEMPT_STATE                                                                                        \
    "'state':{'project':'" PROJECT "','label':'" LABEL "','attempts':{'" KEY_FP "':'" STARTED_AT "'}}"
#define UNSETTLED "2026-08-21T17:58:55Z" /* ATTEMPT_SEND_S + ATTEMPT_SETTLE_S after the repetition */
#define CREATED_STATE(id)                                                                                    \
    "'state':{'project':'" PROJECT "','label':'" LABEL "','id':'" id "','fingerprint':'" KEY_FP              \
    "','attempts':{'" KEY_FP "':null}}"
#define FINAL(type, id, state)                                                                               \
    SUCCEEDED(type) ",'lastError':null,'observedGeneration':2," PROVIDER_STATUS(id) state

#define SETTLED_AT                                                                                           \
    "2026-08-21T17:58:55Z" /* what is sent while the recorded key may stand floats until then */
static void fresh(struct driver *d)
{
    driver_open_object(d, "", KEY_BASE64, NULL, "");
}

/* Up to the CREATE of a first run. */
static void run_to_create(struct driver *d)
{
    fresh(d);
    driver_job(d);
    uint64_t search = expect_search(d).seq;
    expect_meta(d, META_FINALIZED);
    expect_status(d, PROCESSING("Create") "," ATTEMPT_STATE);
    answer_found(d, search, OUTCOME_OK, "");
    expect_create(d);
}

static void gardener_18_19_22_create_writes_in_order(void **state)
{
    struct driver d;
    (void)state;

    fresh(&d);
    driver_job(&d);
    struct msg_search search = expect_search(&d);
    assert_true(span_is(search.key, KEY_LINE));
    expect_patch_sent(&d, PATCH_META, "{'metadata':{" META_FINALIZED "}}");
    expect_nothing(&d); /* nothing but the search overlaps with the finalizer */
    merge_last_body(&d);
    reply(&d, 200);
    expect_patch_sent(&d, PATCH_STATUS, "{'status':{" PROCESSING("Create") "," ATTEMPT_STATE "}}");
    uint64_t patch_seq = d.seq;
    answer_found(&d, search.seq, OUTCOME_OK, "");
    expect_nothing(&d); /* no effect before the Processing patch's 200 */
    d.seq = patch_seq;
    merge_last_body(&d);
    reply(&d, 200);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_A);
    expect_status(&d, FINAL("Create", ID_A, "," CREATED_STATE(ID_A)));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_18_foreign_finalizers_stay(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, "'finalizers':['a/b','c/d']", KEY_BASE64, NULL, "");
    driver_job(&d);
    expect_search(&d);
    expect_meta(&d, "'finalizers':['a/b','c/d','extensions.gardener.cloud/infrastructure']");
    expect_status(&d, PROCESSING("Create") "," ATTEMPT_STATE);
    driver_close(&d);
}

static void gardener_17_30_no_op_takes_the_annotation_off_and_calls_once(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED "," ANNOTATED("reconcile"), KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP));
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_meta(&d, "'annotations':{'gardener.cloud/operation':null}");
    expect_status(&d, PROCESSING("Reconcile"));
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A));
    expect_status(&d, FINAL("Reconcile", ID_A, ""));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_20_create_stays_create_after_an_error(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       LAST("Create", "Error", "50", "x", OLD_TIME) ",'lastError':{'description':'x'}");
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_status(&d, PROCESSING("Create") "," ATTEMPT_STATE); /* 21: no lastError, no observedGeneration */
    answer_found(&d, search, OUTCOME_OK, "");
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_A);
    expect_status(&d, FINAL("Create", ID_A, "," CREATED_STATE(ID_A)));
    assert_null(json_object_get(json_object_get(d.object, "status"), "lastError")); /* 29 */
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_5_adopts_an_untagged_key_with_label_and_material(void **state)
{
    struct driver d;
    (void)state;

    fresh(&d);
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    answer_found(&d, search, OUTCOME_OK, FOUND(ID_B, "true", "true", "0", KEY_FP));
    expect_meta(&d, META_FINALIZED);
    expect_status(&d, PROCESSING("Create")); /* the list came first: nothing is intended */
    expect_update(&d, ID_B, false, false, true);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_status(&d, FINAL("Create", ID_B,
                            ",'state':{'project':'" PROJECT "','label':'" LABEL "','id':'" ID_B
                            "','fingerprint':'" KEY_FP "'}"));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_5_label_drift_is_repaired_in_place(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP));
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_status(&d, PROCESSING("Reconcile"));
    answer_found(&d, search, OUTCOME_OK, FOUND(ID_A, "false", "true", "1", KEY_FP));
    expect_update(&d, ID_A, false, true, false);
    answer_outcome(&d, OUTCOME_REFUSED, NULL); /* nothing depends on it */
    expect_note(&d, "refused to change label or tags");
    expect_status(&d, FINAL("Reconcile", ID_A, ""));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

/* The key went behind our back: an intent is written before the POST, since the Processing patch had none. */
static void design_12_2_missing_key_is_made_again_after_an_intent(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP));
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_status(&d, PROCESSING("Reconcile"));
    answer_found(&d, search, OUTCOME_OK, "");
    expect_status(&d, "'state':{'project':'" PROJECT "','label':'" LABEL "','id':'" ID_A
                      "','fingerprint':'" KEY_FP "','attempts':{'" KEY_FP "':'" STARTED_AT
                      "'},'unsettled':'" SETTLED_AT "'}");
    expect_update(&d, ID_A, true, true, true); /* a list may lag: the gateway proves that the key is gone */
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    expect_status(&d, FINAL("Reconcile", ID_B,
                            ",'state':{'project':'" PROJECT "','label':'" LABEL "','id':'" ID_B
                            "','fingerprint':'" KEY_FP "','attempts':{'" KEY_FP "':null},'unsettled':null}"));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_12_2_unknown_create_is_asked_again_and_then_waits_without_error(void **state)
{
    static const int64_t pauses[] = {100, 400, 1600};
    struct driver d;
    (void)state;

    run_to_create(&d);
    for (size_t i = 0; i < 3; i++) {
        answer_outcome(&d, OUTCOME_UNKNOWN, NULL);
        expect_nothing(&d);
        driver_advance(&d, pauses[i] - 1);
        expect_nothing(&d);
        driver_advance(&d, 1);
        if (i == 0) /* written ahead: two requests may be on their way */
            expect_status(&d, "'state':{'project':'" PROJECT "','label':'" LABEL "','attempts':{'" KEY_FP
                              "':'" STARTED_AT "'},'unsettled':'" UNSETTLED "'}");
        expect_create(&d);
    }
    answer_outcome(&d, OUTCOME_UNKNOWN, NULL);
    expect_done(&d, JOB_LATER); /* and the attempt stays in the state */
    assert_true(d.done.after_ms > 0);
    assert_non_null(strstr(d.last_body, STARTED_AT));
    driver_close(&d);
}

static void design_12_2_unknown_create_that_shows_up_is_taken(void **state)
{
    struct driver d;
    (void)state;

    run_to_create(&d);
    answer_outcome(&d, OUTCOME_UNKNOWN, NULL);
    driver_advance(&d, 100);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_create(&d);
    d.adopted = true;
    answer_outcome(&d, OUTCOME_OK, ID_C);
    expect_status(
        &d,
        LAST(
            "Create", "Succeeded", "100", "Successfully reconciled infrastructure",
            STARTED_AT) ",'lastError':null,'observedGeneration':2," PROVIDER_STATUS(ID_C) ",'state':{'"
                                                                                          "project':'" PROJECT
                                                                                          "','label':'" LABEL
                                                                                          "','id':'" ID_C
                                                                                          "','fingerprint':"
                                                                                          "'" KEY_FP
                                                                                          "','attempts':{"
                                                                                          "'" KEY_FP
                                                                                          "':null},'"
                                                                                          "unsettled':null}");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_12_6_later_takes_the_intent_back_and_shows_no_error(void **state)
{
    struct driver d;
    (void)state;

    run_to_create(&d);
    answer_outcome(&d, OUTCOME_LATER, NULL);
    expect_status(&d, "'state':{'project':'" PROJECT "','label':'" LABEL "','attempts':{'" KEY_FP "':null}}");
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.after_ms, 3000);
    driver_close(&d);
}

static void design_12_6_later_on_the_list_ends_before_processing(void **state)
{
    struct driver d;
    (void)state;

    fresh(&d);
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_LATER, "");
    expect_meta(&d, META_FINALIZED);
    expect_done(&d, JOB_LATER);
    driver_close(&d);
}

static void design_12_15_fenced_starts_anew(void **state)
{
    struct driver d;
    (void)state;

    run_to_create(&d);
    answer_outcome(&d, OUTCOME_FENCED, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_AGAIN);
    driver_close(&d);
}

static void gardener_27_success_is_not_older_than_the_timestamp(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d,
                       META_FINALIZED ",'annotations':{'gardener.cloud/timestamp':'2026-08-21T17:56:00.9Z'}",
                       KEY_BASE64, NULL, DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP));
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_status(&d, PROCESSING("Reconcile"));
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A));
    expect_status(
        &d, LAST("Reconcile", "Succeeded", "100", "Successfully reconciled infrastructure",
                 "2026-08-21T17:56:00Z") ",'lastError':null,'observedGeneration':2," PROVIDER_STATUS(ID_A));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_37_81_no_key_wanted_removes_ours_and_succeeds(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, NULL, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, OLD_FP));
    driver_job(&d);
    struct msg_search search = expect_search(&d);
    assert_int_equal(search.key.len, 0);
    expect_status(&d, PROCESSING("Reconcile"));
    answer_found(&d, search.seq, OUTCOME_OK, FOUND_OLD(ID_A));
    expect_status(&d, "'state':{'project':'" PROJECT "','label':'" LABEL
                      "','id':'','fingerprint':'','obsolete':['" ID_A "']}," PROVIDER_STATUS(""));
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_status(
        &d, FINAL("Reconcile", "", ",'state':{'project':'" PROJECT "','label':'" LABEL "','obsolete':[]}"));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_37_no_key_wanted_and_none_ever_made_needs_no_credentials(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, "", NULL, "");
    d.job.secret = SECRET_MISSING;
    d.job.handle = 0;
    driver_job(&d);
    expect_status(&d, PROCESSING("Create"));
    expect_status(&d, FINAL("Create", "", ""));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_15_51_nothing_is_done_when_nothing_may_be(void **state)
{
    static const char *const objects[][2] = {
        {ANNOTATED("wait-for-state"), ""},
        {META_FINALIZED, LAST("Migrate", "Succeeded", "100", "x", OLD_TIME)},
        {META_FINALIZED "," ANNOTATED("reconcile"), LAST("Migrate", "Succeeded", "100", "x", OLD_TIME)},
        {META_FINALIZED ",'deletionTimestamp':'2026-08-21T17:00:00Z'",
         LAST("Migrate", "Succeeded", "100", "x", OLD_TIME)},
        {"'deletionTimestamp':'2026-08-21T17:00:00Z','finalizers':['a/b']", ""}, /* 41 */
    };
    (void)state;

    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct driver d;
        driver_open_object(&d, objects[i][0], KEY_BASE64, NULL, objects[i][1]);
        driver_job(&d);
        expect_done(&d, JOB_SKIP);
        driver_close(&d);
    }
}

static void gardener_38_design_12_7_a_job_over_its_wall_limit_ends_by_an_answer(void **state)
{
    struct driver d;
    (void)state;

    run_to_create(&d);
    assert_in_range(JOB_WALL_MS, 1, 10 * 60 * 1000); /* gardenlet waits for 20 minutes */
    driver_advance(&d, JOB_WALL_MS - 1);
    expect_nothing(&d);
    driver_advance(&d, 1);
    expect_done(&d, JOB_RETRY);
    answer_outcome(&d, OUTCOME_OK, ID_A); /* too late: nobody waits for it */
    driver_close(&d);
}

static void drain_finishes_the_job_and_takes_no_other(void **state)
{
    struct msg_drain drain = {.within_ms = 1000};
    struct driver d;
    (void)state;

    run_to_create(&d);
    driver_says(&d, SUPERVISOR, MSG_DRAIN, &drain);
    assert_false(worker_core_finished(d.core));
    assert_string_equal(worker_core_key(d.core), "shoot--foo--bar/infrastructure");
    answer_outcome(&d, OUTCOME_OK, ID_A);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect(&d, MSG_DONE);
    expect_nothing(&d); /* no IDLE */
    assert_true(worker_core_finished(d.core));
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gardener_18_19_22_create_writes_in_order),
        cmocka_unit_test(gardener_18_foreign_finalizers_stay),
        cmocka_unit_test(gardener_17_30_no_op_takes_the_annotation_off_and_calls_once),
        cmocka_unit_test(gardener_20_create_stays_create_after_an_error),
        cmocka_unit_test(design_5_adopts_an_untagged_key_with_label_and_material),
        cmocka_unit_test(design_5_label_drift_is_repaired_in_place),
        cmocka_unit_test(design_12_2_missing_key_is_made_again_after_an_intent),
        cmocka_unit_test(design_12_2_unknown_create_is_asked_again_and_then_waits_without_error),
        cmocka_unit_test(design_12_2_unknown_create_that_shows_up_is_taken),
        cmocka_unit_test(design_12_6_later_takes_the_intent_back_and_shows_no_error),
        cmocka_unit_test(design_12_6_later_on_the_list_ends_before_processing),
        cmocka_unit_test(design_12_15_fenced_starts_anew),
        cmocka_unit_test(gardener_27_success_is_not_older_than_the_timestamp),
        cmocka_unit_test(gardener_37_81_no_key_wanted_removes_ours_and_succeeds),
        cmocka_unit_test(gardener_37_no_key_wanted_and_none_ever_made_needs_no_credentials),
        cmocka_unit_test(gardener_15_51_nothing_is_done_when_nothing_may_be),
        cmocka_unit_test(gardener_38_design_12_7_a_job_over_its_wall_limit_ends_by_an_answer),
        cmocka_unit_test(drain_finishes_the_job_and_takes_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
