/* tests/unit/test_worker_errors.c -- every cause a run can fail for: its code, its words, and that nothing is
 * sent when nothing may be; the rules for providerConfig. */
#include "tests/unit/worker_driver.h"

#define PHRASE        "Error reconciling infrastructure"
#define CONFIG_PHRASE "Error checking infrastructure config"
#define CONFIGURATION "ERR_CONFIGURATION_PROBLEM"
#define CONFIG(more)                                                                                         \
    "{'apiVersion':'packet.provider.extensions.gardener.cloud/v1alpha1','kind':'InfrastructureConfig'" more  \
    "}"

static void gardener_36_76_each_state_of_the_secret(void **state)
{
    static const struct {
        unsigned secret;
        const char *code, *words;
    } cases[] = {
        {SECRET_MISSING, "", "Secret shoot--foo--bar/cloudprovider does not exist"},
        {SECRET_EMPTY, CONFIGURATION, "does not contain any data"},
        {SECRET_NO_TOKEN, CONFIGURATION, "\"apiToken\""},
        {SECRET_NO_PROJECT, CONFIGURATION, "\"projectID\""},
        {SECRET_BAD_TOKEN, CONFIGURATION, "\"apiToken\""},
        {SECRET_BAD_PROJECT, CONFIGURATION, "not a UUID"},
        {SECRET_WORKLOAD, CONFIGURATION, "WorkloadIdentity"},
        {200, "", "could not be made usable"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver d;
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
        d.job.secret = cases[i].secret;
        d.job.handle = 0;
        d.job.project = (struct span){0};
        driver_job(&d);
        expect_status(&d, PROCESSING("Create")); /* nothing is intended when nothing can be sent */
        expect_error(&d, "Create", PHRASE, cases[i].code, cases[i].words);
        driver_close(&d);
    }
}

static void gardener_24_39_each_outcome_of_a_call(void **state)
{
    static const struct {
        unsigned outcome;
        const char *code, *words;
    } cases[] = {
        {OUTCOME_UNAUTHENTICATED, "ERR_INFRA_UNAUTHENTICATED", "does not accept the API token"},
        {OUTCOME_UNAUTHORIZED, "ERR_INFRA_UNAUTHORIZED", "may not manage SSH keys of project " PROJECT},
        {OUTCOME_NO_PROJECT, "ERR_INFRA_UNAUTHORIZED", "does not exist or the token"},
        {OUTCOME_TRANSIENT, "", "could not be reached"},
        {OUTCOME_MISCONFIGURED, "ERR_RETRYABLE_CONFIGURATION_PROBLEM", "not the Packet API"},
        {OUTCOME_NOT_GRANTED, "", "error of the extension"},
        {OUTCOME_BUG, "", "error of the extension"},
    };
    (void)state;

    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        bool in_list = i % 2 != 0;
        struct driver d;

        driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
        driver_job(&d);
        uint64_t search = expect_search(&d).seq;
        expect_patch(&d, PATCH_STATUS, NULL);
        answer_found(&d, search, in_list ? cases[i / 2].outcome : OUTCOME_OK, "");
        if (!in_list) {
            expect_create(&d);
            answer_outcome(&d, cases[i / 2].outcome, NULL);
        }
        expect_error(&d, "Create", PHRASE, cases[i / 2].code, cases[i / 2].words);
        assert_non_null(strstr(d.last_body, KEY_FP "\": null")); /* nothing was sent: no attempt stays */
        driver_close(&d);
    }
}

static void gardener_76_refused_without_an_older_attempt_is_final(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_OK, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_create(&d);
    answer_outcome(&d, OUTCOME_REFUSED, NULL);
    expect_error(&d, "Create", PHRASE, CONFIGURATION, "(HTTP 422, request req-1)");
    driver_close(&d);
}

/* An older code must not stay behind in the merged object. */
static void gardener_24_codes_of_an_older_error_go(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       LAST("Create", "Error", "50", "x",
                            OLD_TIME) ",'lastError':{'description':'x','codes':['" CONFIGURATION "']}");
    driver_job(&d);
    answer_found(&d, expect_search(&d).seq, OUTCOME_TRANSIENT, "");
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_error(&d, "Create", PHRASE, "", "(HTTP 500)");
    driver_close(&d);
}

static void design_12_8_another_project_than_recorded_sends_nothing(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       DONE_BEFORE ",'state':{'project':'99999999-17f8-4131-9e8c-e5f6c33b465e','id':'" ID_A
                                   "'}");
    driver_job(&d);
    expect_status(&d, PROCESSING("Reconcile"));
    expect_error(&d, "Reconcile", PHRASE, CONFIGURATION, "99999999-17f8-4131-9e8c-e5f6c33b465e");
    driver_close(&d);
}

/* A project that nothing was ever sent to may be corrected. */
static void a_project_without_a_key_may_change(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL,
                       "'state':{'project':'99999999-17f8-4131-9e8c-e5f6c33b465e','attempts':{}}");
    driver_job(&d);
    expect_search(&d);
    expect_status(&d, PROCESSING("Create") ",'state':{'project':'" PROJECT "','label':'" LABEL
                                           "','attempts':{'" KEY_FP "':'" STARTED_AT "'}}");
    driver_close(&d);
}

static void gardener_77_provider_config(void **state)
{
    static const struct {
        const char *config, *words; /* words: of the error; NULL: it goes on */
    } cases[] = {
        {NULL, NULL},
        {"null", NULL},
        {CONFIG(""), NULL},
        {"'text'", "not an object"},
        {"[]", "not an object"},
        {"7", "not an object"},
        {"{}", "not an InfrastructureConfig"},
        {"{'apiVersion':'packet.provider.extensions.gardener.cloud/v1alpha1','kind':'ControlPlaneConfig'}",
         "not an InfrastructureConfig"},
        {"{'apiVersion':'aws.provider.extensions.gardener.cloud/v1alpha1','kind':'InfrastructureConfig'}",
         "not an InfrastructureConfig"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver d;
        driver_open_object(&d, META_FINALIZED, KEY_BASE64, cases[i].config, "");
        driver_job(&d);
        if (cases[i].words == NULL)
            expect_search(&d);
        expect_patch(&d, PATCH_STATUS, NULL);
        if (cases[i].words != NULL)
            expect_error(&d, "Create", CONFIG_PHRASE, CONFIGURATION, cases[i].words);
        driver_close(&d);
    }
}

static void gardener_77_unknown_fields_are_told_in_an_event(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, CONFIG(",'facility':'ewr1'"), "");
    driver_job(&d);
    expect_note(&d, "facility");
    expect_search(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    driver_close(&d);
}

static void gardener_77_key_in_the_config_is_used_when_the_spec_has_none(void **state)
{
    static const char *const configs[] = {CONFIG(",'sshPublicKey':'" KEY_LINE "'"),
                                          CONFIG(",'sshPublicKey':'" KEY_BASE64 "'")};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct driver d;
        driver_open_object(&d, META_FINALIZED, NULL, configs[i], "");
        driver_job(&d);
        expect_note(&d, "spec.providerConfig");
        assert_true(span_is(expect_search(&d).key, KEY_LINE));
        expect_patch(&d, PATCH_STATUS, NULL);
        driver_close(&d);
    }
    struct driver d;
    driver_open_object(&d, META_FINALIZED, NULL, CONFIG(",'sshPublicKey':7"), "");
    driver_job(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_error(&d, "Create", CONFIG_PHRASE, CONFIGURATION, "sshPublicKey in spec.providerConfig");
    driver_close(&d);
}

static void restore_checks_the_config_with_its_own_phrase(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED "," ANNOTATED("restore"), KEY_BASE64, "[]", "");
    driver_job(&d);
    expect_patch(&d, PATCH_STATUS, NULL);
    expect_error(&d, "Restore", "Error checking Infrastructure config", CONFIGURATION, "not an object");
    driver_close(&d);
}

static void a_bad_key_is_a_configuration_problem_and_is_not_sent(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, "bm8ga2V5", NULL, ""); /* "no key" */
    driver_job(&d);
    expect_status(&d, PROCESSING("Create"));
    expect_error(&d, "Create", PHRASE, CONFIGURATION, "does not hold an SSH public key");
    driver_close(&d);
}

/* What is wrong in the object itself is as wrong the next time; a Secret changes without an event. */
static void K_35_only_what_is_wrong_in_the_object_waits_for_its_next_event(void **state)
{
    static const struct {
        const char *key, *config, *words;
    } cases[] = {{KEY_BASE64, "[]", HELD_WORDS},
                 {NULL, CONFIG(",'sshPublicKey':7"), HELD_WORDS},
                 {"bm8ga2V5", NULL, HELD_WORDS},
                 {"***", NULL, HELD_WORDS}};
    struct driver d;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        driver_open_object(&d, META_FINALIZED, cases[i].key, cases[i].config, "");
        driver_job(&d);
        expect_patch(&d, PATCH_STATUS, NULL);
        expect_error(&d, "Create", cases[i].config ? CONFIG_PHRASE : PHRASE, CONFIGURATION, cases[i].words);
        driver_close(&d);
    }
    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "");
    d.job.secret = SECRET_EMPTY;
    d.job.handle = 0;
    d.job.project = (struct span){0};
    driver_job(&d);
    expect_status(&d, PROCESSING("Create"));
    expect_error(&d, "Create", PHRASE, CONFIGURATION, "It is tried again by itself");
    driver_close(&d);
}

static void a_state_that_is_garbage_stops_before_any_call(void **state)
{
    struct driver d;
    (void)state;

    driver_open_object(&d, META_FINALIZED, KEY_BASE64, NULL, "'state':{'id':7}");
    driver_job(&d);
    expect_status(&d, PROCESSING("Create"));
    expect_error(&d, "Create", PHRASE, CONFIGURATION, "status.state");
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gardener_36_76_each_state_of_the_secret),
        cmocka_unit_test(gardener_24_39_each_outcome_of_a_call),
        cmocka_unit_test(gardener_76_refused_without_an_older_attempt_is_final),
        cmocka_unit_test(gardener_24_codes_of_an_older_error_go),
        cmocka_unit_test(design_12_8_another_project_than_recorded_sends_nothing),
        cmocka_unit_test(a_project_without_a_key_may_change),
        cmocka_unit_test(gardener_77_provider_config),
        cmocka_unit_test(gardener_77_unknown_fields_are_told_in_an_event),
        cmocka_unit_test(gardener_77_key_in_the_config_is_used_when_the_spec_has_none),
        cmocka_unit_test(restore_checks_the_config_with_its_own_phrase),
        cmocka_unit_test(a_bad_key_is_a_configuration_problem_and_is_not_sent),
        cmocka_unit_test(K_35_only_what_is_wrong_in_the_object_waits_for_its_next_event),
        cmocka_unit_test(a_state_that_is_garbage_stops_before_any_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
