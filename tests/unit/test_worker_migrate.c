/* tests/unit/test_worker_migrate.c -- control-plane migration: migrate on the source, restore on the
 * destination, and taking over what the Terraform-based extension left in the state. */
#include "tests/unit/worker_driver.h"

#define HEAD                           "'project':'" PROJECT "','label':'" LABEL "'"
#define MIGRATE(state, progress, text) LAST("Migrate", state, progress, text, STARTED_AT)
#define MIGRATING                      MIGRATE("Processing", "1", "Starting migration of the Infrastructure")
#define MIGRATED                                                                                             \
    MIGRATE("Succeeded", "100", "Successfully migrated Infrastructure")                                      \
    ",'lastError':null,'observedGeneration':2"
#define RESTORE(state, progress, text) LAST("Restore", state, progress, text, STARTED_AT)
#define RESTORING                      RESTORE("Processing", "1", "Restoring the Infrastructure")
#define RESTORED                                                                                             \
    RESTORE("Succeeded", "100", "Successfully restored Infrastructure")                                      \
    ",'lastError':null,'observedGeneration':2"
#define CLOSED     ",'attempts':{'" KEY_FP "':null}"
#define INTENT     ",'attempts':{'" KEY_FP "':'" STARTED_AT "'}"
#define NO_FOREIGN ",'data':null,'encoding':null,'apiVersion':null,'kind':null"

static void gardener_49_50_migrate_calls_nobody_and_keeps_the_order(void **state)
{
    static const char *const deletion[] = {"", ",'deletionTimestamp':'2026-08-21T17:55:50Z'"};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct driver d;
        char *meta = x_asprintf(META_FINALIZED "," ANNOTATED("migrate") "%s", deletion[i]);

        driver_open_object(&d, meta, KEY_BASE64, NULL,
                           DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP));
        d.job.secret = SECRET_MISSING; /* 74: needs no credentials */
        d.job.handle = 0;
        driver_job(&d);
        expect_status(&d, MIGRATING);
        expect_status(&d, MIGRATED);
        expect_meta(&d, "'finalizers':null,'annotations':{'gardener.cloud/operation':null}");
        expect_done(&d, JOB_DONE);
        free(meta);
        driver_close(&d);
    }
}

/* Died between Succeeded and the last patch: no second run of the same annotation. */
static void gardener_78_migrate_goes_on_where_it_stood(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED "," ANNOTATED("migrate"), KEY_BASE64, NULL,
                       LAST("Migrate", "Succeeded", "100", "x", STARTED_AT));
    driver_job(&d);
    expect_meta(&d, "'finalizers':null,'annotations':{'gardener.cloud/operation':null}");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_57_a_lost_migrate_annotation_does_not_end_the_migration(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       LAST("Migrate", "Processing", "1", "x", OLD_TIME));
    driver_job(&d);
    expect_status(&d, MIGRATING);
    expect_status(&d, MIGRATED);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_53_54_restore_with_state_keeps_the_id(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, ANNOTATED("restore"), KEY_BASE64, NULL, FULL_STATE(ID_A, KEY_FP));
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_meta(&d, META_FINALIZED);
    expect_status(&d, RESTORING);
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A));
    expect_meta(&d, "'annotations':{'gardener.cloud/operation':null}"); /* before the success */
    expect_status(&d, RESTORED "," PROVIDER_STATUS(ID_A));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_55_restore_without_state_adopts(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, ANNOTATED("restore"), KEY_BASE64, NULL, "");
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_meta(&d, META_FINALIZED);
    expect_status(&d, RESTORING ",'state':{" HEAD INTENT "}");
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_B));
    expect_meta(&d, "'annotations':{'gardener.cloud/operation':null}");
    expect_status(&d, RESTORED "," PROVIDER_STATUS(ID_B) ",'state':{" HEAD ",'id':'" ID_B
                                                         "','fingerprint':'" KEY_FP "'" CLOSED "}");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_57_a_failed_restore_keeps_type_and_annotation(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, ANNOTATED("restore") "," META_FINALIZED, KEY_BASE64, NULL,
                       FULL_STATE(ID_A, KEY_FP));
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_TRANSIENT, "");
    expect_status(&d, RESTORING);
    expect_error(&d, "Restore", "Error restoring Infrastructure", "", "could not be reached");
    json_object_del(json_object_get(json_object_get(d.object, "metadata"), "annotations"),
                    "gardener.cloud/operation");

    driver_job(&d); /* even when the annotation is lost */
    answer_found(&d, expect_search(&d).seq, OUTCOME_OK, FOUND_OURS(ID_A));
    expect_status(&d, RESTORING);
    expect_status(&d, RESTORED "," PROVIDER_STATUS(ID_A));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

/* Both encodings, and a state that even the watcher could not read: the shape is replaced in the first patch.
 */
static void gardener_56_terraform_state_is_taken_over(void **state)
{
    static const struct {
        const char *state, *key;
    } cases[] = {
        {"'state':{'data':'eyJ2ZXJzaW9uIjo0fQ==','encoding':'base64'}", ID_A},
        {"'state':{'data':'{}','encoding':'none'}", ID_A},
        {"'state':{'data':'garbage','encoding':'rot13'}", NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver d;
        bool known = cases[i].key != NULL;

        driver_open_object(&d, META_FINALIZED "," ANNOTATED("reconcile"), KEY_BASE64, NULL, cases[i].state);
        d.job.terraform_key = known ? span_of(cases[i].key) : (struct span){0};
        driver_job(&d);
        uint64_t search = expect_search(&d).seq;
        expect_meta(&d, "'annotations':{'gardener.cloud/operation':null}");
        if (known)
            expect_status(&d,
                          PROCESSING("Create") ",'state':{" HEAD ",'id':'" ID_A "'" INTENT NO_FOREIGN "}");
        else
            expect_status(&d, PROCESSING("Create") ",'state':{" HEAD INTENT NO_FOREIGN "}");
        answer_found(&d, search, OUTCOME_OK, FOUND(ID_A, "true", "true", "0", KEY_FP));
        expect_update(&d, ID_A, false, false, true);
        answer_outcome(&d, OUTCOME_OK, NULL);
        expect_status(&d,
                      SUCCEEDED("Create") ",'lastError':null,'observedGeneration':2," PROVIDER_STATUS(
                          ID_A) ",'state':{" HEAD ",'id':'" ID_A "','fingerprint':'" KEY_FP "'" CLOSED "}");
        assert_null(json_object_get(json_object_get(json_object_get(d.object, "status"), "state"), "data"));
        expect_done(&d, JOB_DONE);
        driver_close(&d);
    }
}

static void terraform_state_is_deleted_with_one_call(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(
        &d, META_FINALIZED ",'deletionTimestamp':'2026-08-21T17:55:50Z'", KEY_BASE64, NULL,
        DONE_BEFORE "," PROVIDER_STATUS(ID_A) ",'state':{'data':'eyJ2ZXJzaW9uIjo0fQ==','encoding':'base64'}");
    d.job.terraform_key = span_of(ID_A);
    driver_job(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void gardener_52_58_state_is_complete_after_success_and_holds_no_secret(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_patch(&d, PATCH_STATUS, NULL);
    answer_found(&d, search, OUTCOME_OK, "");
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_A);
    expect_patch(&d, PATCH_STATUS, NULL);
    json_t *stored = json_object_get(json_object_get(d.object, "status"), "state");
    char *text = json_dumps(stored, JSON_SORT_KEYS);
    assert_json(text, "{" HEAD ",'id':'" ID_A "','fingerprint':'" KEY_FP "','attempts':{}}");
    free(text);
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gardener_49_50_migrate_calls_nobody_and_keeps_the_order),
        cmocka_unit_test(gardener_78_migrate_goes_on_where_it_stood),
        cmocka_unit_test(gardener_57_a_lost_migrate_annotation_does_not_end_the_migration),
        cmocka_unit_test(gardener_53_54_restore_with_state_keeps_the_id),
        cmocka_unit_test(gardener_55_restore_without_state_adopts),
        cmocka_unit_test(gardener_57_a_failed_restore_keeps_type_and_annotation),
        cmocka_unit_test(gardener_56_terraform_state_is_taken_over),
        cmocka_unit_test(terraform_state_is_deleted_with_one_call),
        cmocka_unit_test(gardener_52_58_state_is_complete_after_success_and_holds_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
