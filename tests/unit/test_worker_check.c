/* tests/unit/test_worker_check.c -- the worker's look for drift (design 12.12): it writes nothing when
 * nothing is found or the check fails, and goes on as a Reconcile when something is. */
#include "tests/unit/worker_driver.h"

#define GENERATION_2                                                                                         \
    LAST("Create", "Succeeded", "100", "Successfully reconciled infrastructure", OLD_TIME)                   \
    ",'observedGeneration':2"
#define INTENT "'attempts':{'" KEY_FP "':'" STARTED_AT "'}"
#define INTENDED                                                                                             \
    PROCESSING("Reconcile")                                                                                  \
    ",'state':{'project':'" PROJECT "','label':'" LABEL "','id':'" ID_A "','fingerprint':'" KEY_FP           \
    "'," INTENT ",'unsettled':'2026-08-21T17:58:55Z'}"

static void open_check(struct driver *d, const char *fingerprint)
{
    char *status =
        x_asprintf(GENERATION_2 "," PROVIDER_STATUS(ID_A) ",'state':{'project':'" PROJECT "','label':'" LABEL
                                                          "','id':'" ID_A "','fingerprint':'%s'}",
                   fingerprint);

    driver_open_object(d, META_FINALIZED, KEY_BASE64, NULL, status);
    free(status);
    d->job.check = 1;
}

/* The job is a check, and this is what the list shows. */
static void check(struct driver *d, unsigned outcome, const char *keys)
{
    open_check(d, KEY_FP);
    driver_job(d);
    answer_found(d, expect_search(d).seq, outcome, keys);
}

static void design_12_12_nothing_found_writes_nothing(void **state)
{
    struct driver d;
    (void)state;

    check(&d, OUTCOME_OK, FOUND_OURS(ID_A));
    expect_done(&d, JOB_DONE);
    assert_int_equal(d.done.check, CHECK_SAME);
    driver_close(&d);
    check(&d, OUTCOME_OK, FOUND(ID_A, "true", "true", "0", KEY_FP)); /* tags alone are no drift */
    expect_done(&d, JOB_DONE);
    assert_int_equal(d.done.check, CHECK_SAME);
    driver_close(&d);
}

static void design_12_12_no_answer_writes_nothing(void **state)
{
    static const unsigned outcomes[] = {OUTCOME_TRANSIENT, OUTCOME_UNAUTHENTICATED, OUTCOME_NO_PROJECT,
                                        OUTCOME_MISCONFIGURED};
    struct driver d;
    (void)state;

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        check(&d, outcomes[i], "");
        expect_note(&d, "the next check comes by itself");
        expect_done(&d, JOB_DONE);
        assert_int_equal(d.done.check, CHECK_FAILED);
        driver_close(&d);
    }
    check(&d, OUTCOME_LATER, "");
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.check, CHECK_NONE);
    driver_close(&d);
}

static void design_12_12_without_credentials_nothing_is_written(void **state)
{
    struct driver d;
    (void)state;

    open_check(&d, KEY_FP);
    d.job.secret = SECRET_MISSING;
    d.job.handle = 0;
    driver_job(&d);
    expect_note(&d, "cloudprovider");
    expect_done(&d, JOB_DONE);
    assert_int_equal(d.done.check, CHECK_FAILED);
    driver_close(&d);
}

static void design_12_12_other_material_than_recorded_is_left_to_its_event(void **state)
{
    struct driver d;
    (void)state;

    open_check(&d, OLD_FP);
    driver_job(&d);
    expect_search(&d);
    expect_done(&d, JOB_DONE);
    assert_int_equal(d.done.check, CHECK_NONE);
    driver_close(&d);
}

static void design_12_12_a_missing_key_is_made_again(void **state)
{
    struct driver d;
    (void)state;

    check(&d, OUTCOME_OK, "");
    expect_note(&d, "SSH key " ID_A " is not there any more");
    expect_status(&d, INTENDED);
    expect_update(&d, ID_A, true, true, true); /* the list may lag: only the API's 404 tells */
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    expect_patch(&d, PATCH_STATUS, NULL);
    assert_non_null(strstr(d.last_body, "\"sshKeyID\": \"" ID_B "\""));
    expect_done(&d, JOB_DONE);
    assert_int_equal(d.done.check, CHECK_FOUND);
    driver_close(&d);
}

static void design_12_12_changed_material_and_label_are_put_right(void **state)
{
    struct driver d;
    (void)state;

    check(&d, OUTCOME_OK, FOUND(ID_A, "false", "false", "1", OLD_FP));
    expect_note(&d, "with another public key");
    expect_status(&d, INTENDED);
    expect_update(&d, ID_A, true, true, false);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_DONE);
    driver_close(&d);
    check(&d, OUTCOME_OK, FOUND(ID_A, "false", "true", "1", KEY_FP));
    expect_note(&d, "has another label");
    expect_status(&d, PROCESSING("Reconcile"));
    expect_update(&d, ID_A, false, true, false);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_12_12_one_too_many_goes(void **state)
{
    struct driver d;
    (void)state;

    check(&d, OUTCOME_OK, FOUND_OURS(ID_A) "," FOUND_OLD(ID_B));
    expect_note(&d, "SSH key " ID_B " of this Shoot is one too many");
    expect_status(&d, PROCESSING("Reconcile"));
    expect_patch(&d, PATCH_STATUS, NULL); /* what is to go */
    expect_remove(&d, ID_B);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

/* Somebody tagged our key with another object's name: nobody touches it, and nothing is written. */
static void design_12_12_a_key_that_is_anothers_now_is_told(void **state)
{
    struct driver d;
    (void)state;

    check(&d, OUTCOME_OK, FOUND(ID_A, "true", "true", "2", KEY_FP));
    expect_note(&d, ID_A);
    expect_done(&d, JOB_DONE);
    assert_int_equal(d.done.check, CHECK_FAILED);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(design_12_12_nothing_found_writes_nothing),
        cmocka_unit_test(design_12_12_no_answer_writes_nothing),
        cmocka_unit_test(design_12_12_without_credentials_nothing_is_written),
        cmocka_unit_test(design_12_12_other_material_than_recorded_is_left_to_its_event),
        cmocka_unit_test(design_12_12_a_missing_key_is_made_again),
        cmocka_unit_test(design_12_12_changed_material_and_label_are_put_right),
        cmocka_unit_test(design_12_12_one_too_many_goes),
        cmocka_unit_test(design_12_12_a_key_that_is_anothers_now_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
