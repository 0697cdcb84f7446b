/* tests/unit/test_worker_rotate.c -- another public key than recorded: changed in place, or made before the
 * old one goes; surplus keys of ours; keys that are somebody else's. */
#include "tests/unit/worker_driver.h"

#define HEAD               "'project':'" PROJECT "','label':'" LABEL "'"
#define ROTATING(id, more) "'state':{" HEAD ",'id':'" id "','fingerprint':'" OLD_FP "'" more "}"
#define INTENT             ",'attempts':{'" KEY_FP "':'" STARTED_AT "'}"
#define CLOSED             ",'attempts':{'" KEY_FP "':null}"
#define CURRENT(id, more)  "'state':{" HEAD ",'id':'" id "','fingerprint':'" KEY_FP "'" more "}"
#define FINAL(id)          SUCCEEDED("Reconcile") ",'lastError':null,'observedGeneration':2," PROVIDER_STATUS(id)

/* An object that was Succeeded with ID_A and the old material; its Processing patch has been answered. */
static uint64_t rotate(struct driver *d)
{
    driver_open_object(d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, OLD_FP));
    driver_job(d);
    uint64_t search = expect_search(d).seq;
    expect_status(d, PROCESSING("Reconcile") "," ROTATING(ID_A, INTENT));
    return search;
}

static void gardener_34_put_keeps_the_id(void **state)
{
    struct driver d;
    (void)state;

    answer_found(&d, rotate(&d), OUTCOME_OK, FOUND_OLD(ID_A));
    expect_update(&d, ID_A, true, false, false);
    assert_true(d.envelope.deadline_ms > 0);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_status(&d, FINAL(ID_A) "," CURRENT(ID_A, CLOSED));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_5_refused_put_makes_before_it_breaks(void **state)
{
    struct driver d;
    (void)state;

    answer_found(&d, rotate(&d), OUTCOME_OK, FOUND_OLD(ID_A));
    expect_update(&d, ID_A, true, false, false);
    answer_outcome(&d, OUTCOME_REFUSED, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    /* 31: the new id is in both places, and the old one named, before it is deleted */
    expect_status(&d, CURRENT(ID_B, CLOSED ",'obsolete':['" ID_A "']") "," PROVIDER_STATUS(ID_B));
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_status(&d, FINAL(ID_B) "," CURRENT(ID_B, ",'obsolete':[]"));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_5_put_on_a_key_that_is_gone_creates(void **state)
{
    struct driver d;
    (void)state;

    answer_found(&d, rotate(&d), OUTCOME_OK, FOUND_OLD(ID_A));
    expect_update(&d, ID_A, true, false, false);
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    expect_status(&d, FINAL(ID_B) "," CURRENT(ID_B, CLOSED));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

static void design_12_2_unknown_put_waits_and_stays_an_attempt(void **state)
{
    struct driver d;
    (void)state;

    answer_found(&d, rotate(&d), OUTCOME_OK, FOUND_OLD(ID_A));
    expect_update(&d, ID_A, true, false, false);
    answer_outcome(&d, OUTCOME_UNKNOWN, NULL);
    expect_done(&d, JOB_LATER);
    driver_close(&d);
}

/* The removal of the old key fails: the new id is shown all the same, and the old one stays named. */
static void gardener_31_error_after_the_new_key_keeps_it(void **state)
{
    struct driver d;
    (void)state;

    answer_found(&d, rotate(&d), OUTCOME_OK, FOUND_OLD(ID_A));
    expect_update(&d, ID_A, true, false, false);
    answer_outcome(&d, OUTCOME_REFUSED, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_TRANSIENT, NULL);
    expect_error(&d, "Reconcile", "Error reconciling infrastructure", "", "could not be reached");
    json_t *status = json_object_get(d.object, "status");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(status, "providerStatus"), "sshKeyID")), ID_B);
    assert_int_equal(json_array_size(json_object_get(json_object_get(status, "state"), "obsolete")), 1);
    driver_close(&d);
}

static void design_5_surplus_keys_of_ours_go_after_the_current_one_stands(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_B) "," FULL_STATE(ID_B, KEY_FP));
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_status(&d, PROCESSING("Reconcile"));
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A) "," FOUND_OURS(ID_B) "," FOUND_OLD(ID_C));
    expect_status(&d, CURRENT(ID_B, ",'obsolete':['" ID_A "','" ID_C "']") "," PROVIDER_STATUS(ID_B));
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_remove(&d, ID_C);
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_status(&d, FINAL(ID_B) "," CURRENT(ID_B, ",'obsolete':[]"));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

/* Recorded first, then the oldest, then the smallest id. */
static void the_current_key_is_chosen_by_record_age_and_id(void **state)
{
#define OURS_OF(id, created)                                                                                 \
    "{'id':'" id "','label':true,'blob':true,'owner':1,'recorded':false,'created':'" created                 \
    "','fingerprint':'" KEY_FP "'}"
    static const struct {
        const char *recorded, *keys, *chosen;
    } cases[] = {
        {ID_C, OURS_OF(ID_A, "2026-01-01") "," OURS_OF(ID_C, "2026-03-01"), ID_C},
        {"", OURS_OF(ID_A, "2026-03-01") "," OURS_OF(ID_B, "2026-01-01"), ID_B},
        {"", OURS_OF(ID_B, "2026-01-01") "," OURS_OF(ID_A, "2026-01-01"), ID_A},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver d;
        char *status = x_asprintf(DONE_BEFORE ",'state':{" HEAD ",'id':'%s','fingerprint':'" KEY_FP "'}",
                                  cases[i].recorded);

        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, status);
        driver_job(&d);
        answer_found(&d, expect_search(&d).seq, OUTCOME_OK, cases[i].keys);
        expect_patch(&d, PATCH_STATUS, NULL); /* Processing */
        expect_patch(&d, PATCH_STATUS, NULL); /* obsolete */
        json_t *provider = json_object_get(json_object_get(d.object, "status"), "providerStatus");
        assert_string_equal(json_string_value(json_object_get(provider, "sshKeyID")), cases[i].chosen);
        expect(&d, MSG_REMOVE);
        free(status);
        driver_close(&d);
    }
}

static void design_12_9_a_foreign_key_with_our_material_is_left_alone(void **state)
{
    static const char *const keys[] = {
        FOUND(ID_C, "false", "true", "0", KEY_FP), /* another label */
        FOUND(ID_C, "true", "true", "2", KEY_FP),  /* another object's tag */
    };
    (void)state;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct driver d;
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
        driver_job(&d);
        uint64_t search = expect_search(&d).seq;
        expect_patch(&d, PATCH_STATUS, NULL);
        answer_found(&d, search, OUTCOME_OK, keys[i]);
        expect_error(&d, "Create", "Error reconciling infrastructure", "ERR_CONFIGURATION_PROBLEM", ID_C);
        assert_non_null(strstr(d.last_body, KEY_FP "\": null")); /* nothing was sent: no attempt is left */
        driver_close(&d);
    }
}

/* Back to a key whose old copy is still on its way out: it is never adopted, and goes before the new one
 * comes. */
static void design_12_2_an_obsolete_id_is_never_adopted_again(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_B) ",'state':{" HEAD ",'id':'" ID_B
                                                             "','fingerprint':'" OLD_FP "','obsolete':['" ID_A
                                                             "']}");
    driver_job(&d);
    uint64_t search = expect_search(&d).seq;
    expect_status(&d, PROCESSING("Reconcile") "," ROTATING(ID_B, INTENT ",'obsolete':['" ID_A "']"));
    answer_found(&d, search, OUTCOME_OK, FOUND_OURS(ID_A) "," FOUND_OLD(ID_B));
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_update(&d, ID_B, true, false, false);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_status(&d, FINAL(ID_B) "," CURRENT(ID_B, CLOSED ",'obsolete':[]"));
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gardener_34_put_keeps_the_id),
        cmocka_unit_test(design_5_refused_put_makes_before_it_breaks),
        cmocka_unit_test(design_5_put_on_a_key_that_is_gone_creates),
        cmocka_unit_test(design_12_2_unknown_put_waits_and_stays_an_attempt),
        cmocka_unit_test(gardener_31_error_after_the_new_key_keeps_it),
        cmocka_unit_test(design_5_surplus_keys_of_ours_go_after_the_current_one_stands),
        cmocka_unit_test(the_current_key_is_chosen_by_record_age_and_id),
        cmocka_unit_test(design_12_9_a_foreign_key_with_our_material_is_left_alone),
        cmocka_unit_test(design_12_2_an_obsolete_id_is_never_adopted_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
