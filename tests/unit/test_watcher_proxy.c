/* tests/unit/test_watcher_proxy.c -- which proxy the environment means, as Go's programs read it (kubernetes
 * 1.10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "watcher/proxy.h"

static char error[200];

static char *choose(const char *server, const char *no)
{
    struct proxy_environment env = {.https = "https://secure:3128", .http = "plain:80", .no = no};

    return proxy_choose(server, NULL, &env, error, sizeof error);
}

static void test_K_11_who_needs_none(void **state)
{
    static const struct {
        const char *server, *no;
        bool none;
    } rows[] = {
        {"https://kube.example:6443/p", "", false},
        {"https://localhost:6443", "", true},
        {"https://127.8.0.1", "", true},
        {"https://[::1]:6443", "", true},
        {"https://kube.example", "*", true},
        {"https://kube.example", "kube.example", true},
        {"https://a.kube.example", "kube.example", true},
        {"https://akube.example", "kube.example", false},
        {"https://kube.example", ".kube.example", false},
        {"https://a.kube.example", ".kube.example", true},
        {"https://a.kube.example", "*.kube.example", true},
        {"https://KUBE.example", "other, Kube.Example ,more", true},
        {"https://kube.example", "kube.example:443", true},
        {"https://kube.example:6443", "kube.example:443", false},
        {"https://10.1.2.3", "10.1.2.3", true},
        {"https://10.1.2.3", "10.1.0.0/16", true},
        {"https://10.1.2.3", "10.1.2.2/31", true},
        {"https://10.1.2.3", "10.1.2.0/31", false},
        {"https://10.1.2.3", "10.1.2.0/33", false},
        {"https://10.1.2.3", "2.3", false},
        {"https://[fd00::1]:6443", "fd00::/8", true},
        {"https://[fd00::1]:6443", "[fd00::1]:6443", true},
        {"https://[fd00::1]:6443", "10.0.0.0/0", false},
        {"https://kube.example", ",,:,/,[", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *proxy = choose(rows[i].server, rows[i].no);

        if (strcmp(proxy, rows[i].none ? "" : "https://secure:3128") != 0)
            fail_msg("%s without %s: \"%s\"", rows[i].server, rows[i].no, proxy);
        free(proxy);
    }
}

static void test_K_11_by_scheme(void **state)
{
    char *proxy = choose("http://kube.example", "");

    (void)state;
    assert_string_equal(proxy, "http://plain:80");
    free(proxy);
}

/* ALL_PROXY is curl's habit, not Go's; capitals win. */
static void test_K_11_names_of_the_environment(void **state)
{
    (void)state;
    setenv("ALL_PROXY", "socks5://all", 1);
    setenv("https_proxy", "http://small", 1);
    unsetenv("HTTPS_PROXY");
    assert_string_equal(proxy_environment().https, "http://small");
    setenv("HTTPS_PROXY", "http://large", 1);
    assert_string_equal(proxy_environment().https, "http://large");
    unsetenv("HTTP_PROXY");
    unsetenv("http_proxy");
    assert_string_equal(proxy_environment().http, "");
}

static void test_no_password_is_shown(void **state)
{
    char *shown = proxy_shown("http://user:p@ss@proxy:1");

    (void)state;
    assert_string_equal(shown, "http://proxy:1");
    free(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_11_who_needs_none),
        cmocka_unit_test(test_K_11_by_scheme),
        cmocka_unit_test(test_K_11_names_of_the_environment),
        cmocka_unit_test(test_no_password_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
