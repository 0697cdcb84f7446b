/* tests/unit/test_watcher_config.c -- which component configurations are taken (gardener 9.4, 62). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "watcher/config_file.h"

/* gardener 9.4 */
static void test_config_file(void **state)
{
    struct row {
        const char *text;
        int rc;
    } rows[] = {
        {"", 0},
        {"# only a comment\n", 0},
        {"apiVersion: packet.provider.extensions.config.gardener.cloud/v1alpha1\nkind: "
         "ControllerConfiguration\nnew: 1\n",
         0},
        {"{\"kind\":\"ControllerConfiguration\",\"apiVersion\":\"packet.provider.extensions.config.gardener."
         "cloud/v1alpha1\"}",
         0},
        {"apiVersion: packet.provider.extensions.config.gardener.cloud/v1alpha1\nkind: Other\n", -1},
        {"apiVersion: other/v1\nkind: ControllerConfiguration\n", -1},
        {"kind: ControllerConfiguration\n", -1},
        {"- a\n", -1},
        {"text\n", -1},
        {"a: [\n", -1},
        {"\t- x: y: z", -1},
    };
    char why[300], path[] = "/tmp/test-config-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        why[0] = '\0';
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, rows[i].text, strlen(rows[i].text), 0), strlen(rows[i].text));
        if (config_file_check(path, why, sizeof why) != rows[i].rc)
            fail_msg("row %zu: %s", i, why);
        assert_int_equal(*why == '\0', rows[i].rc == 0);
    }
    assert_int_equal(config_file_check("", why, sizeof why), -1);
    assert_non_null(strstr(why, "config file path not set"));
    assert_int_equal(config_file_check("/does/not/exist", why, sizeof why), -1);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_config_file)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
