/* tests/unit/test_watcher_exec_answer.c -- what an exec plugin may print, and what each fault of it is called
 * (kubernetes 1.6, 10). */
#include <jansson.h>

#include "tests/unit/test_watcher_exec.h"
#include "watcher/exec_answer.h"

static char error[EXEC_ERROR_MAX];
static struct exec_credential got;

static int take(const char *text)
{
    exec_credential_wipe(&got);
    error[0] = '\0';
    return exec_answer_read(text, strlen(text), V1, &got, error);
}

static void test_K_10_K_63_a_token_and_its_time(void **state)
{
    (void)state;
    assert_int_equal(take(ANSWER "\"token\":\"abc.d-e_f\",\"other\":[1]}}\n"), 0);
    assert_string_equal(got.token, "abc.d-e_f");
    assert_null(got.cert);
    assert_true(got.good_until_ms == INT64_MAX);
    assert_int_equal(take(ANSWER "\"token\":\"t\",\"clientKeyData\":\"\",\"clientCertificateData\":null,"
                                 "\"expirationTimestamp\":\"2026-01-01T01:00:00.25+01:00\"}}"),
                     0);
    assert_true(got.good_until_ms == 1767225600250);
    assert_int_equal(take(ANSWER "\"token\":\"t\",\"expirationTimestamp\":null}}"), 0);
    assert_true(got.good_until_ms == INT64_MAX);
    exec_credential_wipe(&got);
    assert_null(got.token);
}

static void test_K_10_faulty_answers_have_names(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "no JSON object"},
        {"Please log in", "no JSON object"},
        {"[]", "no JSON object"},
        {ANSWER "\"token\":\"t\"}} more", "no JSON object"},
        {ANSWER "\"token\":\"t\"}", "no JSON object"},
        {"{\"kind\":\"Secret\",\"apiVersion\":\"" V1 "\",\"status\":{\"token\":\"t\"}}", "kind"},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "beta1\",\"status\":{\"token\":\"t\"}}",
         "apiVersion"},
        {"{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}", "apiVersion"},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}", "no status"},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":null}", "no status"},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":\"t\"}", "no status"},
        {ANSWER "}}", "neither"},
        {ANSWER "\"token\":\"\"}}", "neither"},
        {ANSWER "\"token\":5}}", "no text"},
        {ANSWER "\"token\":\"a\\u0000b\"}}", "no text"},
        {ANSWER "\"token\":\"a\\r\\nX: y\"}}", "header"},
        {ANSWER "\"token\":\"a b\"}}", "header"},
        {ANSWER "\"token\":\"\\u00e4\"}}", "header"},
        {ANSWER "\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\"}}", "no time"},
        {ANSWER "\"token\":\"t\",\"expirationTimestamp\":\"2026-13-01T00:00:00Z\"}}", "no time"},
        {ANSWER "\"clientCertificateData\":\"x\"}}", "without its key"},
        {ANSWER "\"token\":\"t\",\"clientCertificateData\":\"x\"}}", "without its key"},
        {ANSWER "\"clientKeyData\":\"x\"}}", "without its certificate"},
        {ANSWER "\"clientCertificateData\":\"x\",\"clientKeyData\":\"y\"}}", "no pair"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (take(rows[i].text) != -1 || !strstr(error, rows[i].why) || got.token || got.cert)
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, error, rows[i].why);
}

static void test_K_10_the_sentence_holds_nothing_of_the_answer(void **state)
{
    (void)state;
    assert_int_equal(take("marker-of-a-token"), -1);
    assert_null(strstr(error, "marker"));
    assert_int_equal(take(ANSWER "\"token\":\"marker \"}}"), -1);
    assert_null(strstr(error, "marker"));
}

static void test_K_10_a_certificate_and_its_key(void **state)
{
    char *cert, *key, *other_cert, *other_key;

    (void)state;
    make_pair("one", &cert, &key);
    make_pair("other", &other_cert, &other_key);
    json_t *json = json_pack("{s:s, s:s, s:{s:s, s:s}}", "kind", "ExecCredential", "apiVersion", V1, "status",
                             "clientCertificateData", cert, "clientKeyData", key);
    char *text = json_dumps(json, 0);
    assert_int_equal(take(text), 0);
    assert_null(got.token);
    assert_string_equal(got.cert, cert);
    assert_string_equal(got.key, key);
    free(text);
    json_object_set_new(json_object_get(json, "status"), "clientKeyData", json_string(other_key));
    text = json_dumps(json, 0);
    assert_int_equal(take(text), -1);
    assert_non_null(strstr(error, "no pair"));
    free(text);
    json_decref(json);
    free(cert);
    free(key);
    free(other_cert);
    free(other_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_10_K_63_a_token_and_its_time),
        cmocka_unit_test(test_K_10_faulty_answers_have_names),
        cmocka_unit_test(test_K_10_the_sentence_holds_nothing_of_the_answer),
        cmocka_unit_test(test_K_10_a_certificate_and_its_key),
    };

    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    exec_credential_wipe(&got);
    return rc;
}
