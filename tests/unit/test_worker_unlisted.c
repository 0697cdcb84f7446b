/* tests/unit/test_worker_unlisted.c -- what a list does not show: a recorded key is changed in place before
 * another is made, an obsolete one goes first, and requests whose end nobody saw are waited for (packet 5.3,
 * C-28; design 12.2). */
#include "tests/unit/worker_driver.h"

#define HEAD          "'project':'" PROJECT "','label':'" LABEL "'"
#define STATE(more)   "'state':{" HEAD more "}"
#define NAMED(id, fp) ",'id':'" id "','fingerprint':'" fp "'"
#define DELETING      ",'deletionTimestamp':'2026-08-21T17:55:50Z'"
#define STARTED_S     (STARTED_MS / 1000)
#define EFFECT_S      (ATTEMPT_SEND_S + ATTEMPT_SETTLE_S)
#define MINUTE_AGO    "2026-08-21T17:54:55Z"
#define SETTLES       "2026-08-21T17:58:35Z" /* ATTEMPT_SETTLE_S after the tests begin */

/* The search answered with these keys, and the Processing patch; their order is of no matter here. */
static void run(struct driver *d, const char *keys)
{
    driver_job(d);
    answer_found(d, expect_search(d).seq, OUTCOME_OK, keys);
    expect_patch(d, PATCH_STATUS, NULL);
}

/* status.state as the API server has it now. */
static json_t *stored(const struct driver *d)
{
    return json_object_get(json_object_get(d->object, "status"), "state");
}

/* All of status.state, whichever way a patch led there. */
static void check_stored(const struct driver *d, const char *expected)
{
    char *text = x_asprintf("{%s}", expected), *got = json_dumps(stored(d), JSON_SORT_KEYS);

    assert_json(got, text);
    free(got);
    free(text);
}

/* The last patch, and the end of a run that leaves this key with the wanted material and nothing open. */
static void expect_stands(struct driver *d, const char *id)
{
    char *left = x_asprintf(HEAD ",'id':'%s','fingerprint':'" KEY_FP "','attempts':{}", id);

    expect_patch(d, PATCH_STATUS, NULL);
    assert_int_equal(json_array_size(json_object_get(stored(d), "obsolete")), 0);
    json_object_del(stored(d), "obsolete"); /* empty or not there: the same */
    check_stored(d, left);
    json_t *provider = json_object_get(json_object_get(d->object, "status"), "providerStatus");
    assert_string_equal(json_string_value(json_object_get(provider, "sshKeyID")), id);
    expect_done(d, JOB_DONE);
    free(left);
}

/* ---- a recorded id that the list misses */

/* ID_A is recorded with the wanted material, and no list shows it: the UPDATE is under way. */
static void unlisted(struct driver *d)
{
    driver_open_object(d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, KEY_FP));
    run(d, "");
    expect_patch(d, PATCH_STATUS, NULL); /* intent before effect */
    assert_string_equal(json_string_value(json_object_get(json_object_get(stored(d), "attempts"), KEY_FP)),
                        STARTED_AT);
    expect_update(d, ID_A, true, true, true);
    expect_nothing(d); /* nothing is made beside it */
}

static void an_unlisted_key_is_changed_in_place_and_keeps_its_id(void **state)
{
    struct driver d;
    (void)state;

    unlisted(&d);
    answer_outcome(&d, OUTCOME_OK, ID_A);
    expect_stands(&d, ID_A);
    driver_close(&d);
}

static void an_unlisted_key_that_is_proved_gone_is_made_anew(void **state)
{
    struct driver d;
    (void)state;

    unlisted(&d);
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    expect_stands(&d, ID_B); /* and ID_A is not to be deleted */
    driver_close(&d);
}

/* The grace of a fresh key, or a lost answer: no proof, so nothing is made. */
static void an_unlisted_key_without_proof_waits(void **state)
{
    struct driver d;
    (void)state;

    for (int unknown = 0; unknown < 2; unknown++) {
        unlisted(&d);
        answer_outcome(&d, unknown ? OUTCOME_UNKNOWN : OUTCOME_LATER, NULL);
        if (!unknown) /* nothing was sent: the intent is taken back */
            expect_patch(&d, PATCH_STATUS, NULL);
        expect_done(&d, JOB_LATER);
        assert_int_equal(json_object_size(json_object_get(stored(&d), "attempts")), unknown);
        assert_string_equal(json_string_value(json_object_get(stored(&d), "id")), ID_A);
        driver_close(&d);
    }
}

/* It is there and Packet will not change it: make before break, and the old id is named before it goes. */
static void an_unlisted_key_that_cannot_be_changed_is_replaced(void **state)
{
    struct driver d;
    (void)state;

    unlisted(&d);
    answer_outcome(&d, OUTCOME_REFUSED, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    expect_patch(&d, PATCH_STATUS, NULL);
    check_stored(&d, HEAD NAMED(ID_B, KEY_FP) ",'attempts':{},'obsolete':['" ID_A "']");
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_stands(&d, ID_B);
    driver_close(&d);
}

/* ---- obsolete ids go before anything is made */

/* Also the recorded one: it is not to be changed in place. */
static void obsolete_ids_go_before_a_create_listed_or_not(void **state)
{
    static const struct {
        const char *status, *list;
    } rows[] = {
        {DONE_BEFORE "," STATE(",'obsolete':['" ID_A "','" ID_B "']"), ""},
        {DONE_BEFORE "," STATE(",'obsolete':['" ID_A "','" ID_B "']"), FOUND_OURS(ID_A)},
        {DONE_BEFORE "," STATE(NAMED(ID_A, OLD_FP) ",'obsolete':['" ID_A "','" ID_B "']"), ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct driver d;
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, rows[i].status);
        run(&d, rows[i].list);
        expect_remove(&d, ID_A);
        expect_nothing(&d); /* one after the other, and no CREATE meanwhile */
        answer_outcome(&d, OUTCOME_OK, NULL);
        expect_remove(&d, ID_B);
        expect_nothing(&d);
        answer_outcome(&d, OUTCOME_GONE, NULL);
        expect_create(&d);
        answer_outcome(&d, OUTCOME_OK, ID_C);
        expect_stands(&d, ID_C);
        driver_close(&d);
    }
}

static void an_obsolete_id_that_stays_lets_nothing_be_made(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," STATE(",'obsolete':['" ID_A "']"));
    run(&d, "");
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_TRANSIENT, NULL);
    expect_error(&d, "Reconcile", "Error reconciling infrastructure", "", "could not be reached");
    assert_int_equal(json_array_size(json_object_get(stored(&d), "obsolete")), 1);
    driver_close(&d);
}

/* A key stands: it is mended first, and what is obsolete goes last. */
static void obsolete_ids_go_last_when_a_key_stands(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," STATE(NAMED(ID_B, KEY_FP) ",'attempts':{},'obsolete':['" ID_A "']"));
    run(&d, FOUND(ID_B, "true", "true", "0", KEY_FP));
    expect_update(&d, ID_B, false, false, true);
    answer_outcome(&d, OUTCOME_OK, ID_B);
    expect_remove(&d, ID_A);
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_stands(&d, ID_B);
    driver_close(&d);
}

/* ---- FOUND.sure_since */

/* An attempt of other material, a list without it, and a gateway that is sure since then. */
static void open_with_attempt(struct driver *d, const char *meta, const char *when, int64_t sure_since)
{
    char *status = x_asprintf(STATE(",'attempts':{'" OLD_FP "':'%s'}"), when);

    driver_open_object(d, meta, KEY_BASE64, NULL, status);
    d->sure_since = (uint64_t)sure_since;
    free(status);
}

static void an_attempt_newer_than_sure_since_holds_nobody_up(void **state)
{
    static const int64_t sure[] = {STARTED_S - 60, STARTED_S - 61, 1}; /* the attempt's own second, older */
    (void)state;

    for (size_t i = 0; i < sizeof sure / sizeof sure[0]; i++) {
        struct driver d;

        open_with_attempt(&d, META_FINALIZED, MINUTE_AGO, sure[i]);
        run(&d, "");
        assert_non_null(strstr(d.last_body, OLD_FP "\": null"));
        expect_create(&d);
        driver_close(&d);
        open_with_attempt(&d, META_FINALIZED DELETING, MINUTE_AGO, sure[i]);
        run(&d, "");                          /* Processing */
        expect_patch(&d, PATCH_STATUS, NULL); /* Succeeded */
        assert_non_null(strstr(d.last_body, OLD_FP "\": null"));
        expect_meta(&d, "'finalizers':null");
        expect_done(&d, JOB_DONE);
        driver_close(&d);
    }
}

/* The attempt is waited for, by a rotation and by a deletion: not before wait_s is over, nothing is sent. */
static void check_held_up(const char *when, int64_t sure_since, int64_t wait_s)
{
    static const char *const metas[] = {META_FINALIZED, META_FINALIZED DELETING};

    for (size_t i = 0; i < sizeof metas / sizeof metas[0]; i++) {
        struct driver d;

        open_with_attempt(&d, metas[i], when, sure_since);
        run(&d, "");
        assert_null(strstr(d.last_body, KEY_FP));
        expect_done(&d, JOB_LATER);
        assert_int_equal(d.done.after_ms, wait_s * 1000);
        driver_close(&d);
    }
}

static void an_attempt_older_than_sure_since_is_waited_for(void **state)
{
    (void)state;

    check_held_up(MINUTE_AGO, STARTED_S - 59, EFFECT_S - 60 + 1);
    check_held_up(MINUTE_AGO, STARTED_S, EFFECT_S - 60 + 1);
    check_held_up(MINUTE_AGO, 0, EFFECT_S - 60 + 1); /* the gateway is sure of nothing */
}

/* The clock was set back: whose attempt that was is not known. */
static void an_attempt_ahead_of_our_clock_is_not_known(void **state)
{
    struct driver d;
    (void)state;

    check_held_up("2026-08-21T17:55:56Z", STARTED_S - 3600, 1 + EFFECT_S + 1);
    check_held_up("2026-08-21T17:56:55Z", STARTED_S - 3600, 60 + EFFECT_S + 1);
    open_with_attempt(&d, META_FINALIZED, STARTED_AT, STARTED_S - 3600); /* this second is not ahead */
    run(&d, "");
    expect_create(&d);
    driver_close(&d);
}

/* Our own older attempt, known to have ended: nothing is unsettled, and a refusal is final. */
static void an_own_attempt_that_is_known_leaves_nothing_behind(void **state)
{
    struct driver d;
    (void)state;

    for (int refused = 0; refused < 2; refused++) {
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                           STATE(",'attempts':{'" KEY_FP "':'" MINUTE_AGO "'}"));
        d.sure_since = STARTED_S - 60;
        run(&d, ""); /* built before the gateway's word: it may name a time ... */
        expect_create(&d);
        answer_outcome(&d, refused ? OUTCOME_REFUSED : OUTCOME_OK, refused ? NULL : ID_A);
        if (refused)
            expect_error(&d, "Create", "Error reconciling infrastructure", "ERR_CONFIGURATION_PROBLEM", "");
        else
            expect_stands(&d, ID_A);
        assert_null(json_object_get(stored(&d), "unsettled")); /* ... that is taken back */
        driver_close(&d);
    }
}

/* ---- OUTCOME.unsure and state.unsettled */

static void an_unsure_create_is_written_as_unsettled(void **state)
{
    struct driver d;
    (void)state;

    for (int unsure = 0; unsure < 2; unsure++) {
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
        d.unsure = unsure != 0;
        run(&d, "");
        expect_create(&d);
        answer_outcome(&d, OUTCOME_OK, ID_A);
        expect_patch(&d, PATCH_STATUS, NULL);
        json_t *until = json_object_get(stored(&d), "unsettled");
        assert_string_equal(unsure ? SETTLES : "", until != NULL ? json_string_value(until) : "");
        expect_done(&d, JOB_DONE);
        driver_close(&d);
    }
}

/* Rotated in place with an unsure answer, up to the final patch; ID_A stands with the new material. */
static void rotate_unsure(struct driver *d)
{
    driver_open_object(d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE "," PROVIDER_STATUS(ID_A) "," FULL_STATE(ID_A, OLD_FP));
    run(d, FOUND_OLD(ID_A));
    expect_update(d, ID_A, true, false, false);
    d->unsure = true;
    answer_outcome(d, OUTCOME_OK, ID_A);
    d->unsure = false;
    expect_patch(d, PATCH_STATUS, NULL);
    check_stored(d, HEAD NAMED(ID_A, KEY_FP) ",'attempts':{},'unsettled':'" SETTLES "'");
    expect_done(d, JOB_DONE);
}

/* A second key that arrived meanwhile is found by the last search and goes too. */
static void a_deletion_waits_for_what_is_unsettled_and_then_goes_through(void **state)
{
    struct driver d;
    (void)state;

    rotate_unsure(&d);
    driver_changes(&d, "{'metadata':{'deletionTimestamp':'2026-08-21T17:55:50Z'}}");
    d.sure_since = STARTED_S - 3600; /* it tells the end of attempts, and there is none */
    run(&d, FOUND_OURS(ID_A));       /* searches, though one id is recorded */
    expect_done(&d, JOB_LATER);
    assert_int_equal(d.done.after_ms, (ATTEMPT_SETTLE_S + 1) * 1000);
    driver_advance(&d, ATTEMPT_SETTLE_S * 1000 - 1); /* a list from before it has passed */
    run(&d, FOUND_OURS(ID_A));
    expect_done(&d, JOB_LATER);
    driver_advance(&d, 1);
    run(&d, FOUND_OURS(ID_B));
    expect_remove(&d, ID_B);
    answer_outcome(&d, OUTCOME_OK, NULL);
    expect_remove(&d, ID_A); /* recorded, and not listed */
    answer_outcome(&d, OUTCOME_GONE, NULL);
    expect_patch(&d, PATCH_STATUS, NULL);
    assert_non_null(strstr(d.last_body, "\"unsettled\": null"));
    expect_meta(&d, "'finalizers':null");
    expect_done(&d, JOB_DONE);
    driver_close(&d);
}

/* Nothing is to be done: what is unsettled stays written until it has passed, and goes then. */
static void a_run_after_it_has_passed_clears_it(void **state)
{
    struct driver d;
    (void)state;

    rotate_unsure(&d);
    driver_advance(&d, ATTEMPT_SETTLE_S * 1000 - 1);
    for (int passed = 0; passed < 2; passed++) {
        driver_changes(&d, "{'metadata':{" ANNOTATED("reconcile") "}}");
        driver_job(&d);
        answer_found(&d, expect_search(&d).seq, OUTCOME_OK, FOUND_OURS(ID_A));
        expect_patch(&d, PATCH_META, NULL);
        expect_patch(&d, PATCH_STATUS, NULL);
        expect_patch(&d, PATCH_STATUS, NULL);
        assert_int_equal(strstr(d.last_body, "\"unsettled\": null") != NULL, passed);
        assert_int_equal(json_object_get(stored(&d), "unsettled") == NULL, passed);
        expect_done(&d, JOB_DONE);
        driver_advance(&d, 1);
    }
    driver_changes(&d, "{'metadata':{'deletionTimestamp':'2026-08-21T17:55:50Z'}}");
    driver_job(&d); /* and a deletion needs one call again */
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_remove(&d, ID_A);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unlisted_key_is_changed_in_place_and_keeps_its_id),
        cmocka_unit_test(an_unlisted_key_that_is_proved_gone_is_made_anew),
        cmocka_unit_test(an_unlisted_key_without_proof_waits),
        cmocka_unit_test(an_unlisted_key_that_cannot_be_changed_is_replaced),
        cmocka_unit_test(obsolete_ids_go_before_a_create_listed_or_not),
        cmocka_unit_test(an_obsolete_id_that_stays_lets_nothing_be_made),
        cmocka_unit_test(obsolete_ids_go_last_when_a_key_stands),
        cmocka_unit_test(an_attempt_newer_than_sure_since_holds_nobody_up),
        cmocka_unit_test(an_attempt_older_than_sure_since_is_waited_for),
        cmocka_unit_test(an_attempt_ahead_of_our_clock_is_not_known),
        cmocka_unit_test(an_own_attempt_that_is_known_leaves_nothing_behind),
        cmocka_unit_test(an_unsure_create_is_written_as_unsettled),
        cmocka_unit_test(a_deletion_waits_for_what_is_unsettled_and_then_goes_through),
        cmocka_unit_test(a_run_after_it_has_passed_clears_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
