/* tests/unit/test_worker_delete.c -- deletion and forced deletion: which calls, in which order, with and
 * without usable credentials, with open attempts. */
#include "tests/unit/worker_driver.h"

#define DELETING                      META_FINALIZED ",'deletionTimestamp':'2026-08-21T17:55:50Z'"
#define HEAD                          "'project':'" PROJECT "','label':'" LABEL "'"
#define DELETE(state, progress, text) LAST("Delete", state, progress, text, STARTED_AT)
#define DELETING_NOW                  DELETE("Processing", "1", "Deleting the Infrastructure")
#define DELETED                       DELETE("Succeeded", "100", "Successfully deleted Infrastructure")
#define FINAL                         DELETED ",'lastError':null,'observedGeneration':2"
#define EMPTY_STATE                   "'state':{" HEAD ",'id':'','fingerprint':''}"
#define KNOWN                         DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP)
#define ERROR_PHRASE                  "Error deleting Infrastructure"

static void open_deleting(struct driver *d, const char *status)
{
    driver_open_object(d, DELETING, KEY_BASE64, NULL, status);
}

static void gardener_42_one_call_when_the_state_leaves_no_doubt(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, KNOWN);
    driver_job(&d);
    expect_status(&d, DELETING_NOW);
    expect_remove(&d, ID_A);
    assert_int_equal(d.envelope.epoch, 9);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_status(&d, FINAL "," PROVIDER_STATUS("") "," EMPTY_STATE);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_42_43_foreign_finalizers_stay_and_a_gone_key_is_deleted(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d,
                       "'finalizers':['a/b','extensions.gardener.cloud/infrastructure','c/"
                       "d'],'deletionTimestamp':'2026-08-21T17:55:50Z'," ANNOTATED("reconcile"),
                       KEY_BASE64, NULL, KNOWN);
    driver_job(&d);
    expect_meta(&d, "'annotations':{'gardener.cloud/operation':null}");
    expect_status(&d, DELETING_NOW);
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_status(&d, FINAL "," PROVIDER_STATUS("") "," EMPTY_STATE);
    expect_patch_sent(&d, PATCH_META, "{'metadata':{'finalizers':['a/b','c/d']}}");
    reply(&d, 404); /* 45 */
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_44_a_failed_call_keeps_the_finalizer(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, KNOWN);
    driver_job(&d);
    expect_status(&d, DELETING_NOW);
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_UNAUTHORIZED, NULL);
    expect_error(&d, "Delete", ERROR_PHRASE, "ERR_INFRA_UNAUTHORIZED", "The finalizer stays");
    driver_close(&d);
}

static void design_12_8_doubt_lists_first_and_removes_all_of_ours(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, DONE_BEFORE ",'state':{" HEAD ",'id':'" ID_A "','obsolete':['" ID_B "']}");
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_status(&d, DELETING_NOW);
    expect_nothing(&d);
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A) "," FOUND(ID_C, "true", "true", "2", KEY_FP));
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_remove(&d, ID_B); /* not listed, but a list may lag; ID_C has another owner's tag */
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_status(&d, FINAL ",'state':{" HEAD ",'id':'','obsolete':[]}");
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_75_proof_that_nothing_was_sent_needs_no_credentials(void **state)
{
    static const unsigned secrets[] = {SECRET_MISSING, SECRET_EMPTY, SECRET_NO_TOKEN, SECRET_WORKLOAD};
    (void)state;

    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        struct driver d;
        open_deleting(&d, LAST("Create", "Error", "50", "x", OLD_TIME) ",'state':{" HEAD ",'attempts':{}}");
        d.job.secret = secrets[i];
        d.job.handle = 0;
        driver_job(&d);
        expect_status(&d, DELETING_NOW);
        expect_status(&d, FINAL);
        expect_meta(&d, "'finalizers':null");
        expect_done(&d, JOB_DONE);
        driver_close(&d);
    }
}

/* A token that never worked must not keep an object that never had a key. */
static void gardener_75_nor_credentials_that_work(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, LAST("Create", "Error", "50", "x", OLD_TIME));
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_UNAUTHENTICATED, "");
    expect_status(&d, DELETING_NOW);
    expect_status(&d, FINAL);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_74_a_missing_secret_keeps_the_finalizer_while_a_key_may_exist(void **state)
{
    static const char *const statuses[] = {
        KNOWN,
        "'state':{" HEAD ",'attempts':{'" KEY_FP "':'2026-08-21T10:00:00Z'}}",
        "'state':{" HEAD ",'obsolete':['" ID_B "']}",
        PROVIDER_STATUS(ID_A),
        "'state':{'data':'eyJ2ZXJzaW9uIjo0fQ==','encoding':'base64'}",
        "'state':{'attempts':'garbage'}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct driver d;
        bool garbage = strstr(statuses[i], "garbage") != NULL;

        open_deleting(&d, statuses[i]);
        d.job.secret = SECRET_MISSING;
        d.job.handle = 0;
        driver_job(&d);
        expect_status(&d, DELETING_NOW);
        expect_error(&d, "Delete", ERROR_PHRASE, garbage ? "ERR_CONFIGURATION_PROBLEM" : "",
                     garbage ? "status.state" : "shoot--foo--bar/cloudprovider does not exist");
        driver_close(&d);
    }
}

static void design_12_2_an_open_attempt_keeps_the_finalizer_until_two_lists_late_enough(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, "'state':{" HEAD ",'attempts':{'" KEY_FP "':'2026-08-21T17:55:00Z'}}");
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_OK, "");
    expect_status(&d, DELETING_NOW);
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.absent_since, STARTED_MS / 1000);
    assert_int_equal(d.done.after_ms, (ATTEMPT_SEND_S + ATTEMPT_SETTLE_S - 55 + 1) * 1000);

    d.job.absent_since = d.done.absent_since; /* the next run, a second too early */
    driver_advance(&d, (int64_t)d.done.after_ms - 2000);
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.absent_since, STARTED_MS / 1000);

    driver_advance(&d, 2000); /* and in time */
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_12_2_an_attempt_whose_key_is_seen_is_removed(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, "'state':{" HEAD ",'attempts':{'" OLD_FP "':'2026-08-21T17:55:00Z'}}");
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_OK, FOUND(ID_B, "true", "false", "0", OLD_FP));
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_remove(&d, ID_B);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    assert_non_null(strstr(d.last_body, OLD_FP "\": null"));
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_46_force_succeeds_with_broken_credentials_and_says_what_is_left(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, KNOWN);
    d.job.secret = SECRET_NO_TOKEN;
    d.job.handle = 0;
    d.job.force_delete = 1;
    driver_job(&d);
    expect_status(&d, DELETING_NOW);
    expect_note(&d, ID_A);
    expect_status(&d, FINAL);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_46_force_tries_once_and_waits_no_longer_than_ten_seconds(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, KNOWN);
    d.job.force_delete = 1;
    driver_job(&d);
    expect_status(&d, DELETING_NOW);
    expect_remove(&d, ID_A);
    driver_advance(&d, 9999);
    expect_nothing(&d);
    driver_advance(&d, 1);
    expect_note(&d, ID_A);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    answer_outcome(&d, OUTCOME_OK, NULL); /* nobody waits for it any more */
    driver_close(&d);
}

static void gardener_46_force_does_not_wait_for_attempts_or_budget(void **state)
{
    static const unsigned outcomes[] = {OUTCOME_OK, OUTCOME_LATER, OUTCOME_TRANSIENT};
    (void)state;

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        struct driver d;
        open_deleting(&d, "'state':{" HEAD ",'attempts':{'" KEY_FP "':'2026-08-21T17:55:00Z'}}");
        d.job.force_delete = 1;
        driver_job(&d);
        answer_found(&d, expect_search(&d).seq, outcomes[i], "");
        expect_status(&d, DELETING_NOW);
        if (outcomes[i] != OUTCOME_OK)
            expect_note(&d, LABEL);
        expect_patch(&d, PATCH_STATUS, NULL);
        expect_meta(&d, "'finalizers':null");
        expect_done(&d, JOB_DONE);
        driver_close(&d);
    }
}

static void gardener_47_force_means_nothing_without_a_deletion(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, KNOWN);
    d.job.secret = SECRET_MISSING;
    d.job.handle = 0;
    d.job.force_delete = 1;
    driver_job(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_error(&d, "Reconcile", "Error reconciling infrastructure", "", "does not exist");
    driver_close(&d);
}

static void design_12_8_another_project_in_the_secret_deletes_nothing(void **state)
{
    struct driver d;
    (void)state;

    open_deleting(&d, KNOWN);
    d.job.project = SPAN("99999999-17f8-4131-9e8c-e5f6c33b465e");
    driver_job(&d);
    expect_status(&d, DELETING_NOW);
    expect_error(&d, "Delete", ERROR_PHRASE, "ERR_CONFIGURATION_PROBLEM", "is in project " PROJECT);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gardener_42_one_call_when_the_state_leaves_no_doubt),
        cmocka_unit_test(gardener_42_43_foreign_finalizers_stay_and_a_gone_key_is_deleted),
        cmocka_unit_test(gardener_44_a_failed_call_keeps_the_finalizer),
        cmocka_unit_test(design_12_8_doubt_lists_first_and_removes_all_of_ours),
        cmocka_unit_test(gardener_75_proof_that_nothing_was_sent_needs_no_credentials),
        cmocka_unit_test(gardener_75_nor_credentials_that_work),
        cmocka_unit_test(gardener_74_a_missing_secret_keeps_the_finalizer_while_a_key_may_exist),
        cmocka_unit_test(design_12_2_an_open_attempt_keeps_the_finalizer_until_two_lists_late_enough),
        cmocka_unit_test(design_12_2_an_attempt_whose_key_is_seen_is_removed),
        cmocka_unit_test(gardener_46_force_succeeds_with_broken_credentials_and_says_what_is_left),
        cmocka_unit_test(gardener_46_force_tries_once_and_waits_no_longer_than_ten_seconds),
        cmocka_unit_test(gardener_46_force_does_not_wait_for_attempts_or_budget),
        cmocka_unit_test(gardener_47_force_means_nothing_without_a_deletion),
        cmocka_unit_test(design_12_8_another_project_in_the_secret_deletes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
