/* tests/unit/test_watcher_kubeconfig.c -- which configuration wins, what a kubeconfig may say and what is
 * refused (kubernetes 1 to 4, 7, 8; gardener 63). Works in a folder of its own. */
#include "tests/unit/test_watcher_kubeconfig.h"

#define CLUSTER "    server: https://kube.example:6443/prefix/\n"

/* 63 */
static void test_G_63_precedence(void **state)
{
    char *env = in("env");

    (void)state;
    write_config("flag", "    server: https://flag\n", "    {}\n");
    write_config("env", "    server: https://env\n", "    {}\n");
    write_config("home/.kube/config", "    server: https://home\n", "    {}\n");
    assert_int_equal(find("flag", env, "", "home", "10.0.0.1"), 0);
    assert_string_equal(found.server, "https://flag");
    assert_int_equal(find("", env, "", "home", "10.0.0.1"), 0);
    assert_string_equal(found.server, "https://env");
    assert_int_equal(find("", "", "", "home", "10.0.0.1"), 0);
    assert_string_equal(found.server, "https://10.0.0.1:443");
    assert_string_equal(found.token, "pod-token");
    assert_non_null(found.ca);
    assert_int_equal(find("", "", "", "home", "fd00::1"), 0);
    assert_string_equal(found.server, "https://[fd00::1]:443");
    assert_int_equal(find("", "", "", "home", ""), 0);
    assert_string_equal(found.server, "https://home");
    assert_int_equal(find("", "", "", "", ""), -1);
    assert_int_equal(find("flag", "", "https://master:1", "", ""), 0);
    assert_string_equal(found.server, "https://master:1");
    assert_int_equal(find("nowhere", env, "", "home", "10.0.0.1"), -1); /* an explicit file must be there */
    write_file("broken", "a: [\n");
    assert_int_equal(find("broken", env, "", "home", "10.0.0.1"), -1); /* an error, no fall-back */
    write_file("empty", "");
    assert_int_equal(find_flag("empty"), -1);
    char *empty = in("empty");
    assert_int_equal(find("", empty, "", "", "10.0.0.1"), 0); /* an empty result falls back to the cluster */
    assert_string_equal(found.server, "https://10.0.0.1:443");
    assert_int_equal(find("", "/does/not/exist", "", "", "10.0.0.1"), 0);
    free(empty);
    free(env);
}

/* 1, 2: the first file that names an entry wins whole, paths against the file that defines it */
static void test_K_1_K_2_several_files(void **state)
{
    (void)state;
    write_file("one", "contexts:\n- {name: c, context: {cluster: k, user: u}}\n"
                      "clusters:\n- {name: k, cluster: {server: \"https://one\"}}\n");
    write_file("sub/two",
               "current-context: c\n"
               "clusters:\n- {name: k, cluster: {server: \"https://two\", certificate-authority: ca.crt}}\n"
               "users:\n- {name: u, user: {tokenFile: the-token}}\n");
    write_file("sub/the-token", "abc\n");
    char *files = x_asprintf("%s/one::%s/missing:%s/sub/two:%s/one", folder, folder, folder, folder);
    assert_int_equal(find("", files, "", "", ""), 0);
    assert_string_equal(found.server, "https://one");
    assert_null(found.ca); /* nothing is merged inside an entry */
    assert_string_equal(access_token(&found, 0), "abc");
    free(files);
    write_config("sub/relative", CLUSTER "    certificate-authority: ca.crt\n", "    token: t\n");
    assert_int_equal(find_flag("sub/relative"), 0);
    assert_string_equal(found.ca, ca_pem);
    assert_string_equal(found.server, "https://kube.example:6443/prefix");
}

static void test_json_is_yaml(void **state)
{
    (void)state;
    write_file("json", "{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":"
                       "\"k\",\"user\":\"u\"}}],"
                       "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"https://"
                       "[::1]:6443\",\"tls-server-name\":\"x\"}}],"
                       "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"t\"}}]}");
    assert_int_equal(find_flag("json"), 0);
    assert_string_equal(found.tls_server_name, "x");
    assert_string_equal(found.token, "t");
}

/* 3 and what this version does not do: an error with its reason, never half a configuration */
static void test_K_3_refusals(void **state)
{
    struct row {
        const char *cluster, *user, *why;
    } rows[] = {
        {CLUSTER "    certificate-authority: ca.crt\n    certificate-authority-data: @B64@\n", "    {}\n",
         "exclude"},
        {CLUSTER "    insecure-skip-tls-verify: true\n    certificate-authority: ca.crt\n", "    {}\n",
         "exclude"},
        {CLUSTER "    certificate-authority: nowhere.crt\n", "    {}\n", "cannot read"},
        {CLUSTER "    certificate-authority-data: \"!!\"\n", "    {}\n", "base64"},
        {CLUSTER "    certificate-authority-data: aGVsbG8=\n", "    {}\n", "no certificate"},
        {CLUSTER "    proxy-url: ftp://proxy\n", "    {}\n", "no http, https or socks5"},
        {CLUSTER "    proxy-url: \"http://u:pw@\"\n", "    {}\n", "\"http://\" is no http"},
        {"    server: \"\"\n", "    {}\n", "no API server"},
        {"    server: ftp://x\n", "    {}\n", "URL"},
        {"    server: host/path\n", "    {}\n", "scheme"},
        {"    server: http://\n", "    {}\n", "names no host"},
        {"    server: https:///path\n", "    {}\n", "names no host"},
        {"    server: https://?h\n", "    {}\n", "names no host"},
        {CLUSTER, "    token: t\n    username: u\n    password: p\n", "exclude"},
        {CLUSTER, "    client-certificate: ca.crt\n", "client-key"},
        {CLUSTER, "    client-key: ca.crt\n", "client-certificate"},
        {CLUSTER,
         "    client-certificate: ca.crt\n    client-certificate-data: @B64@\n    client-key: ca.crt\n",
         "exclude"},
        {CLUSTER, "    client-certificate: ca.crt\n    client-key: ca.crt\n    client-key-data: @B64@\n",
         "exclude"},
        {CLUSTER, "    as-groups: [a]\n", "need as"},
        {CLUSTER, "    as-uid: a\n", "need as"},
        {CLUSTER, "    as-user-extra: {a: [b]}\n", "need as"},
        {CLUSTER, "    as: \"some\\r\\nbody\"\n", "control characters"},
        {CLUSTER, "    exec: {command: x}\n", "apiVersion"},
        {CLUSTER, "    exec: {command: x}\n    auth-provider: {name: oidc}\n", "exclude"},
        {CLUSTER, "    auth-provider: {name: oidc}\n", "unsupported"},
        {CLUSTER, "    tokenFile: nowhere\n", "token"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = x_strdup(rows[i].cluster), *at = strstr(text, "@B64@");

        if (at) { /* the length of the data does not matter here */
            char *longer = x_asprintf("%.*s%s%s", (int)(at - text), text, ca_b64, at + 5);
            free(text);
            text = longer;
        }
        char *user = x_strdup(rows[i].user);
        if ((at = strstr(user, "@B64@"))) {
            char *longer = x_asprintf("%.*s%s%s", (int)(at - user), user, ca_b64, at + 5);
            free(user);
            user = longer;
        }
        write_config("refused", text, user);
        if (find_flag("refused") != -1 || !strstr(error, rows[i].why))
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, error, rows[i].why);
        free(text);
        free(user);
    }
}

/* 11: IPv6 and a path are covered above; a proxy of the file wins over the environment, also for loopback */
static void test_K_11_proxy_url(void **state)
{
    (void)state;
    write_config("proxy", CLUSTER "    proxy-url: socks5://u:pw@proxy:1080\n", "    {}\n");
    assert_int_equal(find_flag("proxy"), 0);
    assert_string_equal(found.proxy, "socks5h://u:pw@proxy:1080");
    write_config("proxy", "    server: https://[::1]:6443/a/b\n    proxy-url: http://proxy\n", "    {}\n");
    assert_int_equal(find_flag("proxy"), 0);
    assert_string_equal(found.proxy, "http://proxy");
    assert_string_equal(found.server, "https://[::1]:6443/a/b");
    write_config("proxy", CLUSTER, "    {}\n");
    assert_int_equal(find_flag("proxy"), 0);
    assert_string_equal(found.proxy, "");
}

/* 1.11: each value is a header of its own, names percent-encoded */
static void test_K_1_impersonation(void **state)
{
    static const char *const want[] = {"Impersonate-User: jane",        "Impersonate-Uid: 7",
                                       "Impersonate-Group: a b",        "Impersonate-Group: c",
                                       "Impersonate-Extra-x%2Fy%25: 1", "Impersonate-Extra-x%2Fy%25: 2"};

    (void)state;
    write_config("as", CLUSTER,
                 "    token: t\n    as: jane\n    as-uid: \"7\"\n    as-groups: [a b, c]\n"
                 "    as-user-extra: {\"x/y%\": [\"1\", \"2\"]}\n");
    assert_int_equal(find_flag("as"), 0);
    assert_int_equal(found.impersonate.count, sizeof want / sizeof *want);
    for (size_t i = 0; i < found.impersonate.count; i++)
        assert_string_equal(found.impersonate.lines[i], want[i]);
}

static void test_missing_names(void **state)
{
    const char *const texts[] = {
        "current-context: c\n",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n",
        ("current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
         "clusters: [{name: k, cluster: {server: \"https://x\"}}]\n"),
        "clusters: [{name: k, cluster: {server: \"https://x\"}}]\n",
        "just text\n",
        "- a\n- b\n",
        "current-context: [c]\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file("missing-names", texts[i]);
        assert_int_equal(find_flag("missing-names"), -1);
        assert_true(*error);
    }
}

/* 4: no scheme, plain http */
static void test_K_4_schemes(void **state)
{
    (void)state;
    write_config("schemes", "    server: 127.0.0.1:8080\n", "    token: t\n");
    assert_int_equal(find_flag("schemes"), 0);
    assert_string_equal(found.server, "http://127.0.0.1:8080");
    assert_true(found.plain);
    write_config("schemes", "    server: kube.example\n    certificate-authority: ca.crt\n",
                 "    token: t\n");
    assert_int_equal(find_flag("schemes"), 0);
    assert_string_equal(found.server, "https://kube.example");
    assert_false(found.plain);
    write_config(
        "schemes",
        "    server: https://h/p?q#f\n    insecure-skip-tls-verify: true\n    disable-compression: true\n",
        "    username: u\n    password: p\n");
    assert_int_equal(find_flag("schemes"), 0);
    assert_string_equal(found.server, "https://h/p");
    assert_true(found.insecure);
    assert_true(found.no_compression);
    assert_string_equal(found.password, "p");
}

/* A static token beside an exec plugin: the plugin is not run (kubernetes 1.5). */
static void test_a_token_makes_exec_needless(void **state)
{
    (void)state;
    write_config("both", CLUSTER, "    token: t\n    exec: {command: x}\n");
    assert_int_equal(find_flag("both"), 0);
}

/* 7, 8 */
static void test_K_7_K_8_token_rotation(void **state)
{
    (void)state;
    write_file("rotating", "first\n");
    write_config("rotation", CLUSTER, "    tokenFile: rotating\n");
    assert_int_equal(find_flag("rotation"), 0);
    int64_t t0 = found.token_read_ms;
    write_file("rotating", "second");
    assert_string_equal(access_token(&found, t0 + TOKEN_REREAD_MS - 1), "first");
    assert_string_equal(access_token(&found, t0 + TOKEN_REREAD_MS), "second");
    write_file("rotating", "  \n");
    assert_string_equal(access_token(&found, t0 + 3 * TOKEN_REREAD_MS), "second");
    write_file("rotating", "with\nnewline");
    assert_string_equal(access_token(&found, t0 + 5 * TOKEN_REREAD_MS), "second");
    char *path = in("rotating");
    unlink(path);
    free(path);
    assert_string_equal(access_token(&found, t0 + 7 * TOKEN_REREAD_MS), "second");
    write_file("rotating", "third");
    assert_string_equal(access_token(&found, t0 + 7 * TOKEN_REREAD_MS + 1), "second");
    access_doubt(&found); /* a 401 */
    assert_string_equal(access_token(&found, t0 + 7 * TOKEN_REREAD_MS + 2), "third");
}

static void test_in_cluster_without_ca(void **state)
{
    char *ca = in("ca.crt"), *away = in("ca.away");

    (void)state;
    assert_int_equal(rename(ca, away), 0);
    assert_int_equal(find("", "", "", "", "10.0.0.1"), -1); /* never the system's roots instead */
    assert_int_equal(rename(away, ca), 0);
    free(ca);
    free(away);
}

/* A self-signed certificate, made afresh for each run. */
static void make_ca(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"t",
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_sign(cert, key, EVP_sha256());
    PEM_write_bio_X509(bio, cert);
    long len = BIO_get_mem_data(bio, &data);
    ca_pem = x_strndup(data, (size_t)len);
    ca_b64 = x_malloc((size_t)len * 2);
    EVP_EncodeBlock((unsigned char *)ca_b64, (const unsigned char *)ca_pem, (int)len);
    BIO_free(bio);
    X509_free(cert);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_G_63_precedence),
        cmocka_unit_test(test_K_1_K_2_several_files),
        cmocka_unit_test(test_json_is_yaml),
        cmocka_unit_test(test_K_3_refusals),
        cmocka_unit_test(test_K_11_proxy_url),
        cmocka_unit_test(test_K_1_impersonation),
        cmocka_unit_test(test_missing_names),
        cmocka_unit_test(test_K_4_schemes),
        cmocka_unit_test(test_a_token_makes_exec_needless),
        cmocka_unit_test(test_K_7_K_8_token_rotation),
        cmocka_unit_test(test_in_cluster_without_ca),
    };

    make_ca();
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
