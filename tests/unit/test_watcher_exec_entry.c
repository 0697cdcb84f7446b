/* tests/unit/test_watcher_exec_entry.c -- what a kubeconfig says of an exec plugin: what is refused, what it
 * is told of the cluster, and that reading it runs nothing (kubernetes 1.5, 1.6, 10). */
#include <jansson.h>

#include "tests/unit/test_watcher_exec.h"

static struct access found;
static char error[ACCESS_ERROR_MAX];

#define NEVER "      apiVersion: " V1 "\n      interactiveMode: Never\n"

static void test_K_10_what_is_refused(void **state)
{
    static const struct {
        const char *exec, *cluster, *why;
    } rows[] = {
        {NEVER, "", "no command"},
        {"      command: x\n      interactiveMode: Never\n", "", "apiVersion"},
        {"      command: x\n      interactiveMode: Never\n      apiVersion: "
         "client.authentication.k8s.io/v1alpha1\n",
         "", "apiVersion"},
        {"      command: x\n      apiVersion: " V1 "\n", "", "interactiveMode"},
        {"      command: x\n      apiVersion: " V1 "\n      interactiveMode: Perhaps\n", "", "none of"},
        {"      command: x\n      apiVersion: " V1 "\n      interactiveMode: Always\n", "", "terminal"},
        {"      command: x\n      env: [{value: y}]\n" NEVER, "", "no name"},
        {"      command: x\n      env: [{name: \"a=b\", value: y}]\n" NEVER, "", "no name"},
        {"      command: x\n" NEVER,
         "    extensions: [{name: client.authentication.k8s.io/exec, extension: {a: &x [*x]}}]\n", "no JSON"},
        {"      command: x\n" NEVER "    auth-provider: {name: oidc}\n", "", "exclude"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (find_exec(&found, rows[i].exec, rows[i].cluster, error) != -1 || !strstr(error, rows[i].why))
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, error, rows[i].why);
}

static void test_K_10_v1beta1_needs_no_mode(void **state)
{
    (void)state;
    assert_int_equal(find_exec(&found,
                               "      command: x\n      apiVersion: client.authentication.k8s.io/v1beta1\n",
                               "", error),
                     0);
    assert_string_equal(found.exec->api_version, "client.authentication.k8s.io/v1beta1");
    assert_string_equal(
        found.exec->info,
        "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
        "\"spec\":{\"interactive\":false}}");
}

/* 1.4: against the file's folder with a slash in it only */
static void test_K_10_where_the_command_is(void **state)
{
    (void)state;
    assert_int_equal(
        find_exec(&found, "      command: bin/x\n      args: [a, \"b c\", 5]\n" NEVER, "", error), 0);
    char *wanted = in_folder("bin/x");
    assert_string_equal(found.exec->command, wanted);
    assert_string_equal(found.exec->arguments[0], wanted);
    assert_string_equal(found.exec->arguments[2], "b c");
    assert_string_equal(found.exec->arguments[3], "5");
    assert_null(found.exec->arguments[4]);
    assert_string_equal(found.exec->name, "x");
    free(wanted);
    assert_int_equal(find_exec(&found, "      command: x\n" NEVER, "", error), 0);
    assert_string_equal(found.exec->command, "x");
    assert_int_equal(find_exec(&found, "      command: /opt/x\n" NEVER, "", error), 0);
    assert_string_equal(found.exec->command, "/opt/x");
}

/* 1.5 */
static void test_K_10_beside_a_static_credential_it_is_not_run(void **state)
{
    static const char *const own[] = {"    token: t\n", "    username: u\n"};

    (void)state;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        char *user = x_asprintf("      command: x\n" NEVER "%s", own[i]);

        assert_int_equal(find_exec(&found, user, "", error), 0);
        assert_null(found.exec);
        free(user);
    }
}

static void test_K_10_what_it_is_told_of_the_cluster(void **state)
{
    char *cert, *key;
    static const char extensions[] = "    tls-server-name: other\n    disable-compression: true\n    "
                                     "proxy-url: http://proxy:1\n    certificate-authority: ca.crt\n"
                                     "    extensions:\n    - {name: mine, extension: {a: 1}}\n"
                                     "    - name: client.authentication.k8s.io/exec\n"
                                     "      extension: {n: 1, t: \"1\", list: [true, ~, x, 1.5], s: yes}\n";

    (void)state;
    make_pair("ca", &cert, &key);
    write_file("ca.crt", cert, 0600);
    assert_int_equal(
        find_exec(&found, "      command: x\n      provideClusterInfo: true\n" NEVER, extensions, error), 0);
    json_t *info = json_loads(found.exec->info, 0, NULL);
    json_t *cluster = json_object_get(json_object_get(info, "spec"), "cluster");
    json_t *ca = json_object_get(cluster, "certificate-authority-data");
    unsigned char plain[4096];
    assert_true(EVP_DecodeBlock(plain, (const unsigned char *)json_string_value(ca),
                                (int)json_string_length(ca)) >= (int)strlen(cert));
    assert_memory_equal(plain, cert, strlen(cert));
    json_object_del(cluster, "certificate-authority-data");
    char *text = json_dumps(cluster, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text,
        "{\"config\":{\"list\":[true,null,\"x\",1.5],\"n\":1,\"s\":\"yes\",\"t\":\"1\"},"
        "\"disable-compression\":true,\"proxy-url\":\"http://proxy:1\",\"server\":\"https://kube.example\","
        "\"tls-server-name\":\"other\"}");
    free(text);
    json_decref(info);
    free(cert);
    free(key);
}

static void test_K_10_reading_it_runs_nothing(void **state)
{
    (void)state;
    write_plugin("");
    find_plugin(&found, "");
    assert_int_equal(count_runs(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_10_what_is_refused),
        cmocka_unit_test(test_K_10_v1beta1_needs_no_mode),
        cmocka_unit_test(test_K_10_where_the_command_is),
        cmocka_unit_test(test_K_10_beside_a_static_credential_it_is_not_run),
        cmocka_unit_test(test_K_10_what_it_is_told_of_the_cluster),
        cmocka_unit_test(test_K_10_reading_it_runs_nothing),
    };

    int rc = cmocka_run_group_tests(tests, folder_open, folder_close);
    access_clear(&found);
    return rc;
}
