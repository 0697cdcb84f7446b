/* tests/unit/test_worker_attempts.c -- open attempts (design 12.2): what may be sent while the outcome of an
 * older mutation is not known, and when it is known. */
#include "tests/unit/worker_driver.h"

#define HEAD              "'project':'" PROJECT "','label':'" LABEL "'"
#define MINUTE_AGO        "2026-08-21T17:54:55Z" /* 60 s before the tests begin */
#define MINUTE_AGO_ENDS   "2026-08-21T17:57:55Z" /* EFFECT_S after it */
#define EFFECT_S          (ATTEMPT_SEND_S + ATTEMPT_SETTLE_S)
#define STATE(more)       "'state':{" HEAD more "}"
#define ATTEMPT(fp, when) ",'attempts':{'" fp "':'" when "'}"

static uint64_t begin(struct driver *d)
{
    driver_job(d);
    return expect_search(d).seq;
}

/* No POST of other material until two complete lists, far enough apart and late enough, have not shown it. */
static void other_material_waits_for_two_lists(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(OLD_FP, MINUTE_AGO)));
    uint64_t search = begin(&d);
    expect_nothing(&d); /* Processing waits: whether anything may be intended is not known yet */
    answer_found(&d, search, OUTCOME_OK, "");
    expect_status(&d, PROCESSING("Create"));
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.after_ms, (EFFECT_S - 60 + 1) * 1000);
    assert_int_equal(d.done.absent_since, STARTED_MS / 1000);

    d.job.absent_since = d.done.absent_since;
    driver_advance(&d, (int64_t)d.done.after_ms);
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    assert_non_null(strstr(d.last_body, OLD_FP "\": null"));
    assert_non_null(strstr(d.last_body, KEY_FP "\": \"2026"));
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_A);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_DONE);
    assert_int_equal(d.done.absent_since, 0);
    driver_close(&d);
}

/* One list is not enough, however late: the second lies at least ten seconds after it. */
static void a_late_first_list_waits_ten_seconds_more(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(OLD_FP, OLD_TIME)));
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.after_ms, (ATTEMPT_LISTS_S + 1) * 1000);
    driver_close(&d);
}

/* A list from before the attempt says nothing about it. */
static void an_absence_older_than_the_attempt_does_not_count(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(OLD_FP, OLD_TIME)));
    d.job.absent_since = 1700000000;
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.absent_since, STARTED_MS / 1000);
    driver_close(&d);
}

/* The attempt took effect: its key is ours by that, even without a tag, is recorded and changed in place. */
static void a_seen_attempt_is_recorded_and_rotated(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(OLD_FP, MINUTE_AGO)));
    answer_found(&d, begin(&d), OUTCOME_OK, FOUND(ID_B, "true", "false", "0", OLD_FP));
    expect_status(&d, PROCESSING("Create") "," STATE(",'id':'" ID_B "','fingerprint':'" OLD_FP
                                                     "','attempts':{'" OLD_FP "':null,'" KEY_FP
                                                     "':'" STARTED_AT "'}"));
    expect_update(&d, ID_B, true, false, true);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

/* The grant was made before the key was known: its id is written down, and the next run may touch it. */
static void a_seen_attempt_outside_the_grant_is_recorded_for_the_next_run(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED ",'deletionTimestamp':'2026-08-21T17:55:50Z'", KEY_BASE64, NULL,
                       STATE(ATTEMPT(OLD_FP, MINUTE_AGO)));
    uint64_t search = begin(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    answer_found(&d, search, OUTCOME_OK, FOUND(ID_B, "true", "false", "0", OLD_FP));
    expect_remove(&d, ID_B);
    answer_outcome(&d, OUTCOME_NOT_GRANTED, NULL);
    expect_status(&d, STATE(",'id':'" ID_B "','fingerprint':'" OLD_FP "','attempts':{'" OLD_FP "':null}"));
    expect_done(&d, JOB_AGAIN);
    driver_close(&d);
}

/* The same material may be asked for again at once: the gateway lists before it posts. */
static void the_same_material_goes_on(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(KEY_FP, MINUTE_AGO)));
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_status(
        &d, PROCESSING("Create") "," STATE(ATTEMPT(KEY_FP, STARTED_AT) ",'unsettled':'" MINUTE_AGO_ENDS "'"));
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_A);
    expect_patch(&d, PATCH_STATUS, NULL);
    assert_non_null(strstr(d.last_body, KEY_FP "\": null"));
    /* the older request may still come: another material or a deletion would have to wait for it */
    assert_non_null(strstr(d.last_body, "\"unsettled\": \"2026-08-21T17:58:35Z\""));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

/* 422 without a match while an older create may still arrive is no answer; its time is put back. */
static void refused_during_an_older_attempt_waits_and_then_counts(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(KEY_FP, MINUTE_AGO)));
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_REFUSED, NULL);
    expect_status(&d, STATE(ATTEMPT(KEY_FP, MINUTE_AGO) ",'unsettled':null"));
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.absent_since, STARTED_MS / 1000);

    d.job.absent_since = d.done.absent_since;
    driver_advance(&d, (int64_t)d.done.after_ms);
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_REFUSED, NULL);
    expect_error(&d, "Create", "Error reconciling infrastructure", "ERR_CONFIGURATION_PROBLEM", "refused");
    assert_non_null(strstr(d.last_body, KEY_FP "\": null"));
    driver_close(&d);
}

static void refused_after_an_unknown_create_of_the_same_run_waits(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_UNKNOWN, NULL);
    driver_advance(&d, 100);
    expect_patch(&d, PATCH_STATUS, NULL); /* written ahead */
    expect_create(&d);
    answer_outcome(&d, OUTCOME_REFUSED, NULL);
    expect_done(&d, JOB_LATER); /* no patch: the attempt stays as it was written */
    assert_true(d.done.after_ms >= (uint64_t)ATTEMPT_SETTLE_S * 1000);
    driver_close(&d);
}

/* Of three questions one may have been a POST, or all: the gateway says whether any of them still floats.
 * When an older gateway had sent the same material too, one key that is seen does not tell the fate of both.
 */
static void what_floats_of_this_run_is_the_gateways_word(void **state)
{
    static const char older[] = PROCESSING("Create") "," STATE(ATTEMPT(KEY_FP, "2026-08-21T17:55:00Z"));
    struct driver d;
    (void)state;

    for (int row = 0; row < 3; row++) {
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, row == 2 ? older : "");
        answer_found(&d, begin(&d), OUTCOME_OK, "");
        expect_patch(&d, PATCH_STATUS, NULL);
        d.unsure = row == 1;
        for (int i = 0; i < 2; i++) {
            expect_create(&d);
            answer_outcome(&d, OUTCOME_UNKNOWN, NULL);
            driver_advance(&d, 400);
            if (i == 0)
                expect_patch(&d, PATCH_STATUS, NULL); /* written ahead */
        }
        expect_create(&d);
        d.adopted = true;
        answer_outcome(&d, OUTCOME_OK, ID_A);
        expect_patch(&d, PATCH_STATUS, NULL);
        json_t *kept = json_object_get(json_object_get(d.object, "status"), "state");
        assert_int_equal(json_object_get(kept, "unsettled") != NULL, row != 0);
        expect_done(&d, JOB_DONE);
        driver_close(&d);
    }
}

/* An older gateway sent it, this one sent it and got no answer, a list shows one key: whose is it? */
static void one_key_does_not_tell_of_two_requests(void **state)
{
    static const char older[] = PROCESSING("Create") "," STATE(ATTEMPT(KEY_FP, "2026-08-21T17:55:00Z"));
    struct driver d;
    (void)state;

    for (int row = 0; row < 3; row++) {
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, row == 2 ? "" : older);
        answer_found(&d, begin(&d), OUTCOME_OK, "");
        expect_patch(&d, PATCH_STATUS, NULL);
        expect_create(&d);
        d.adopted = true;
        d.maybe = row != 1;
        answer_outcome(&d, OUTCOME_OK, ID_A);
        expect_patch(&d, PATCH_STATUS, NULL);
        json_t *kept = json_object_get(json_object_get(d.object, "status"), "state");
        assert_int_equal(json_object_get(kept, "unsettled") != NULL, row == 0);
        expect_done(&d, JOB_DONE);
        driver_close(&d);
    }
}

/* An Error after a create of unknown outcome leaves the attempt open. */
static void an_error_does_not_close_an_open_attempt(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_UNKNOWN, NULL);
    driver_advance(&d, 100);
    expect_patch(&d, PATCH_STATUS, NULL); /* written ahead */
    expect_create(&d);
    answer_outcome(&d, OUTCOME_UNAUTHENTICATED, NULL);
    expect_error(&d, "Create", "Error reconciling infrastructure", "ERR_INFRA_UNAUTHENTICATED", "token");
    json_t *attempts =
        json_object_get(json_object_get(json_object_get(d.object, "status"), "state"), "attempts");
    assert_string_equal(json_string_value(json_object_get(attempts, KEY_FP)), STARTED_AT);
    driver_close(&d);
}

/* A key stands, but a request for it has no known end: it goes only when that is over. */
static void what_is_unsettled_delays_deletion_and_rotation_alone(void **state)
{
    static const char status[] = DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," STATE(
        ",'id':'" ID_A "','fingerprint':'" KEY_FP "','unsettled':'2026-08-21T17:56:55Z'");
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, status); /* a no-op is not delayed */
    answer_found(&d, begin(&d), OUTCOME_OK, FOUND_OURS(ID_A));
    expect_status(&d, PROCESSING("Reconcile"));
    expect_patch(&d, PATCH_STATUS, NULL);
    assert_null(strstr(d.last_body, "unsettled"));
    expect_done(&d, JOB_DONE);
    driver_changes(&d, "{'metadata':{'deletionTimestamp':'2026-08-21T17:55:50Z'}}");
    answer_found(&d, begin(&d), OUTCOME_OK, FOUND_OURS(ID_A));
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.after_ms, 61000);
    driver_advance(&d, 61000);
    answer_found(&d, begin(&d), OUTCOME_OK, FOUND_OURS(ID_A));
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void what_is_unsettled_delays_other_material(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," STATE(",'id':'" ID_A "','fingerprint':'" OLD_FP
                                             "','unsettled':'2026-08-21T17:56:55Z'"));
    uint64_t search = begin(&d);
    expect_nothing(&d);
    answer_found(&d, search, OUTCOME_OK, FOUND_OLD(ID_A));
    expect_status(&d, PROCESSING("Reconcile")); /* and nothing is intended */
    expect_done(&d, JOB_LATER);
    driver_close(&d);
}

/* One gateway has sent all of it and knows each end: nobody waits. */
static void a_gateway_that_is_sure_ends_the_attempt_at_once(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(OLD_FP, MINUTE_AGO)));
    d.sure_since = STARTED_MS / 1000 - 60;
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_status(
        &d, PROCESSING("Create") "," STATE(",'attempts':{'" OLD_FP "':null,'" KEY_FP "':'" STARTED_AT "'}"));
    expect_create(&d);
    driver_close(&d);
    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, STATE(ATTEMPT(OLD_FP, MINUTE_AGO)));
    d.sure_since = STARTED_MS / 1000 - 59; /* it began later: it cannot know */
    answer_found(&d, begin(&d), OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_LATER);
    driver_close(&d);
}

/* Times that nobody of us wrote: counted from now, and written so that they do pass. */
static void a_time_that_is_none_counts_from_now(void **state)
{
    static const char *const times[] = {"yesterday", "2099-01-01T00:00:00Z"};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct driver d;
        char *status = x_asprintf(STATE(",'attempts':{'" OLD_FP "':'%s'}"), times[i]);

        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, status);
        answer_found(&d, begin(&d), OUTCOME_OK, "");
        expect_status(&d, PROCESSING("Create") "," STATE(ATTEMPT(OLD_FP, STARTED_AT)));
        expect_done(&d, JOB_LATER);
        free(status);
        driver_close(&d);
    }
}

static void more_attempts_than_we_ever_write_prove_nothing(void **state)
{
    char status[4096] = STATE(",'attempts':{'a':'x'");
    struct driver d;
    (void)state;

    status[strlen(status) - 1] = '\0'; /* the brace of the macro */
    for (int i = 0; i < 40; i++) {
        char one[32];
        snprintf(one, sizeof one, ",'f%d':'x'", i);
        strcat(status, one);
    }
    strcat(status, "}}");
    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, status);
    driver_job(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_error(&d, "Create", "Error reconciling infrastructure", "ERR_CONFIGURATION_PROBLEM",
                 "status.state");
    driver_close(&d);
}

/* A pause so long that the intent is used up: it is written anew before the next POST. */
static void a_used_up_intent_is_written_again(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
    uint64_t search = begin(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    driver_advance(&d, 59000);
    answer_found(&d, search, OUTCOME_OK, "");
    expect_status(&d, STATE(ATTEMPT(KEY_FP, "2026-08-21T17:56:54Z")));
    expect_create(&d);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_material_waits_for_two_lists),
        cmocka_unit_test(a_late_first_list_waits_ten_seconds_more),
        cmocka_unit_test(an_absence_older_than_the_attempt_does_not_count),
        cmocka_unit_test(a_seen_attempt_is_recorded_and_rotated),
        cmocka_unit_test(a_seen_attempt_outside_the_grant_is_recorded_for_the_next_run),
        cmocka_unit_test(the_same_material_goes_on),
        cmocka_unit_test(refused_during_an_older_attempt_waits_and_then_counts),
        cmocka_unit_test(refused_after_an_unknown_create_of_the_same_run_waits),
        cmocka_unit_test(what_floats_of_this_run_is_the_gateways_word),
        cmocka_unit_test(one_key_does_not_tell_of_two_requests),
        cmocka_unit_test(an_error_does_not_close_an_open_attempt),
        cmocka_unit_test(what_is_unsettled_delays_deletion_and_rotation_alone),
        cmocka_unit_test(what_is_unsettled_delays_other_material),
        cmocka_unit_test(a_gateway_that_is_sure_ends_the_attempt_at_once),
        cmocka_unit_test(a_time_that_is_none_counts_from_now),
        cmocka_unit_test(more_attempts_than_we_ever_write_prove_nothing),
        cmocka_unit_test(a_used_up_intent_is_written_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
