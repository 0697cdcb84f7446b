/* tests/unit/test_watcher_way.c -- one request over real sockets: who is trusted, as whom it comes, and
 * through which proxy (kubernetes 1.8, 1.10). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "tests/unit/test_watcher_way.h"
#include "watcher/transfer.h"

static struct identity authority, server_id, stranger;
static struct host server;
static struct access the_access;
static char verbose[16384];

static int open_all(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LEVEL_ERROR);
    authority = identity_new("authority", NULL, NULL);
    stranger = identity_new("stranger", "IP:127.0.0.1,DNS:kube.example", NULL);
    server_id = identity_new("server", "IP:127.0.0.1,DNS:kube.example", &authority);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    identity_free(&authority);
    identity_free(&stranger);
    identity_free(&server_id);
    return 0;
}

static int start(void **state)
{
    (void)state;
    host_open(&server, answer_requests, server_context(&server_id));
    the_access = (struct access){.server = x_asprintf("https://127.0.0.1:%u/prefix", server.port),
                                 .ca = x_strdup(authority.cert_pem),
                                 .proxy = x_strdup("")};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    host_close(&server);
    SSL_CTX_free(server.ctx);
    access_clear(&the_access);
    return 0;
}

static int on_verbose(CURL *easy, curl_infotype type, char *data, size_t len, void *ctx)
{
    size_t used = strlen(verbose);

    (void)easy;
    (void)ctx;
    if (type == CURLINFO_TEXT && used + len < sizeof verbose)
        memcpy(verbose + used, data, len);
    return 0;
}

/* Returns the fate; the status in *status. */
static enum watcher_fate ask(int *status, const char *ciphers)
{
    struct watcher_request request = {
        .id = 1, .method = "GET", .path = "/x", .start_before = INT64_MAX, .end_before = INT64_MAX};
    CURL *easy = curl_easy_init();
    struct transfer *t = transfer_new(easy, &the_access, false, &request);

    transfer_arm(t, &the_access);
    memset(verbose, 0, sizeof verbose);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_verbose);
    if (ciphers)
        curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, ciphers);
    struct watcher_result result = transfer_result(t, curl_easy_perform(easy));
    *status = result.status;
    curl_easy_cleanup(transfer_free(t));
    return result.fate;
}

static void replace_text(char **text, const char *with)
{
    free(*text);
    *text = x_strdup(with);
}

static void assert_good(void)
{
    int status;

    if (ask(&status, NULL) != KUBE_ANSWERED || status != 200)
        fail_msg("no answer: %s", verbose);
    assert_string_equal(server.asked, "GET /prefix/x HTTP/1.1");
}

static void assert_refused(void)
{
    unsigned before = server.requests;
    int status;

    assert_int_equal(ask(&status, NULL), KUBE_NOT_SENT);
    assert_int_equal(server.requests, before);
}

/* The distribution's folder is not trusted beside the configured authority (trap 3). */
static void test_K_5_K_72_only_the_configured_authority(void **state)
{
    (void)state;
    assert_good();
    assert_null(strstr(verbose, "CApath: /"));
    free(the_access.ca);
    the_access.ca = x_strdup(stranger.cert_pem);
    assert_refused();
}

static void test_K_6_name_of_the_server(void **state)
{
    (void)state;
    free(the_access.server);
    the_access.server = x_asprintf("https://localhost:%u/prefix", server.port);
    assert_refused();
    the_access.tls_server_name = x_strdup("kube.example");
    assert_good();
    free(the_access.tls_server_name);
    the_access.tls_server_name = x_strdup("other.example");
    assert_refused();
    the_access.insecure = true;
    free(the_access.ca);
    the_access.ca = NULL;
    assert_good();
}

/* Only what we ask for keeps TLS 1.1 out here: no configuration of OpenSSL, and ciphers that would do. */
static void test_K_6_at_least_tls_1_2(void **state)
{
    int status;

    (void)state;
    SSL_CTX_set_min_proto_version(server.ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(server.ctx, "ALL:@SECLEVEL=0");
    assert_int_equal(ask(&status, "ALL:@SECLEVEL=0"), KUBE_NOT_SENT);
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_2_VERSION);
    assert_int_equal(ask(&status, NULL), KUBE_ANSWERED);
}

static void test_K_6_client_certificate(void **state)
{
    struct identity client = identity_new("system:client", NULL, &authority);

    (void)state;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server.ctx), authority.cert);
    SSL_CTX_set_verify(server.ctx, SSL_VERIFY_PEER, NULL);
    the_access.cert = x_strdup(client.cert_pem);
    the_access.key = x_strdup(client.key_pem);
    assert_good();
    assert_string_equal(server.subject, "system:client");
    identity_free(&client);
}

static void write_pem(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* In time, and only what is good; each change begins another era, in which no old connection is used. */
static void test_K_9_another_authority(void **state)
{
    char path[] = "/tmp/test-way-XXXXXX";
    int64_t now = 1000000;

    (void)state;
    close(mkstemp(path));
    write_pem(path, stranger.cert_pem);
    replace_text(&the_access.ca, stranger.cert_pem);
    the_access.ca_file = x_strdup(path);
    the_access.files_read_ms = clock_now().boot_ms;
    assert_refused();
    write_pem(path, "");
    access_reread(&the_access, now += 1000000000);
    assert_string_equal(the_access.ca, stranger.cert_pem);
    write_pem(path, authority.cert_pem);
    access_reread(&the_access, now + FILES_REREAD_MS - 1);
    assert_string_equal(the_access.ca, stranger.cert_pem);
    assert_int_equal(the_access.era, 0);
    access_reread(&the_access, now + FILES_REREAD_MS);
    assert_int_equal(the_access.era, 1);
    the_access.files_read_ms = INT64_MAX / 2;
    assert_good();
    unlink(path);
    access_reread(&the_access, INT64_MAX);
    assert_string_equal(the_access.ca, authority.cert_pem);
    assert_int_equal(the_access.era, 1);
}

/* The usual way: a request fails, and the next one finds the file changed. */
static void test_K_9_found_by_a_failure(void **state)
{
    char path[] = "/tmp/test-way-XXXXXX";

    (void)state;
    close(mkstemp(path));
    write_pem(path, authority.cert_pem);
    replace_text(&the_access.ca, stranger.cert_pem);
    the_access.ca_file = x_strdup(path);
    the_access.files_read_ms = clock_now().boot_ms;
    assert_refused();
    access_doubt(&the_access);
    assert_good();
    unlink(path);
}

static void test_K_9_another_client_certificate(void **state)
{
    struct identity old = identity_new("system:old", NULL, &authority),
                    new = identity_new("system:new", NULL, &authority);
    char cert[] = "/tmp/test-way-XXXXXX", key[] = "/tmp/test-way-XXXXXX";

    (void)state;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server.ctx), authority.cert);
    SSL_CTX_set_verify(server.ctx, SSL_VERIFY_PEER, NULL);
    close(mkstemp(cert));
    close(mkstemp(key));
    the_access.cert_file = x_strdup(cert);
    the_access.key_file = x_strdup(key);
    the_access.cert = x_strdup(old.cert_pem);
    the_access.key = x_strdup(old.key_pem);
    write_pem(cert, new.cert_pem);
    write_pem(key, old.key_pem);
    assert_good();
    assert_string_equal(server.subject, "system:old"); /* half of a change */
    assert_int_equal(the_access.era, 0);
    write_pem(key, new.key_pem);
    access_doubt(&the_access);
    assert_good();
    assert_string_equal(server.subject, "system:new");
    assert_int_equal(the_access.era, 1);
    unlink(cert);
    unlink(key);
    identity_free(&old);
    identity_free(&new);
}

static void through(struct host *proxy, const char *scheme)
{
    free(the_access.proxy);
    the_access.proxy = x_asprintf("%s://127.0.0.1:%u", scheme, proxy->port);
    proxy->to = server.port;
}

static void test_K_11_http_proxy(void **state)
{
    struct host proxy;
    int status;

    (void)state;
    host_open(&proxy, tunnel, NULL);
    through(&proxy, "http");
    assert_good();
    char *want = x_asprintf("CONNECT 127.0.0.1:%u HTTP/1.1", server.port);
    assert_string_equal(proxy.asked, want);
    assert_int_equal(the_access.warnings.count, 0); /* the proxy's headers are not the server's */
    proxy.to = 0;
    assert_int_equal(ask(&status, NULL), KUBE_NOT_SENT);
    assert_int_equal(server.requests, 1);
    free(want);
    host_close(&proxy);
}

static void test_K_11_https_proxy(void **state)
{
    struct host proxy;
    SSL_CTX *good = server_context(&server_id), *bad = server_context(&stranger);

    (void)state;
    host_open(&proxy, tunnel, good);
    through(&proxy, "https");
    assert_good();
    assert_int_equal(proxy.requests, 1);
    proxy.ctx = bad;
    assert_refused();
    assert_int_equal(proxy.requests, 1);
    host_close(&proxy);
    SSL_CTX_free(good);
    SSL_CTX_free(bad);
}

/* The proxy looks the name up, not we. */
static void test_K_11_socks_proxy(void **state)
{
    struct host proxy;

    (void)state;
    host_open(&proxy, socks, NULL);
    through(&proxy, "socks5h");
    free(the_access.server);
    the_access.server = x_asprintf("https://kube.example:%u/prefix", server.port);
    assert_good();
    assert_string_equal(proxy.asked, "name kube.example");
    host_close(&proxy);
}

/* libcurl would look at ALL_PROXY by itself. */
static void test_K_11_the_environment_is_not_asked_again(void **state)
{
    (void)state;
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    assert_good();
    unsetenv("ALL_PROXY");
    unsetenv("https_proxy");
}

static void test_K_13_impersonation_is_sent(void **state)
{
    struct watcher_request request = {
        .method = "GET", .path = "/x", .start_before = INT64_MAX, .end_before = INT64_MAX};
    CURL *easy = curl_easy_init();
    bool found = false;

    (void)state;
    the_access.impersonate = (struct impersonate){.lines = {x_strdup("Impersonate-User: jane")}, .count = 1};
    struct transfer *t = transfer_new(easy, &the_access, false, &request);
    transfer_arm(t, &the_access);
    for (struct curl_slist *field = t->fields; field; field = field->next)
        found |= !strcmp(field->data, "Impersonate-User: jane");
    assert_true(found);
    curl_easy_cleanup(transfer_free(t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_K_5_K_72_only_the_configured_authority, start, stop),
        cmocka_unit_test_setup_teardown(test_K_6_name_of_the_server, start, stop),
        cmocka_unit_test_setup_teardown(test_K_6_at_least_tls_1_2, start, stop),
        cmocka_unit_test_setup_teardown(test_K_6_client_certificate, start, stop),
        cmocka_unit_test_setup_teardown(test_K_9_another_authority, start, stop),
        cmocka_unit_test_setup_teardown(test_K_9_found_by_a_failure, start, stop),
        cmocka_unit_test_setup_teardown(test_K_9_another_client_certificate, start, stop),
        cmocka_unit_test_setup_teardown(test_K_11_http_proxy, start, stop),
        cmocka_unit_test_setup_teardown(test_K_11_https_proxy, start, stop),
        cmocka_unit_test_setup_teardown(test_K_11_socks_proxy, start, stop),
        cmocka_unit_test_setup_teardown(test_K_11_the_environment_is_not_asked_again, start, stop),
        cmocka_unit_test_setup_teardown(test_K_13_impersonation_is_sent, start, stop),
    };
    setenv("OPENSSL_CONF", "/dev/null", 1);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    curl_global_cleanup();
    return failed;
}
