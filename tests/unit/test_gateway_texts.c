/* tests/unit/test_gateway_texts.c -- what is looked at before the dear steps of a list: may these two lines
 * hold the same key, is this body small enough to parse (packet C-11, C-15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "packet-gateway/core/answer.h"

static void test_C_15_lines_that_may_hold_the_same_key(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool alike;
    } rows[] = {
        {"ssh-rsa AAAB", "ssh-rsa AAAB", true},
        {" ssh-rsa\t AAAB\n", "ssh-rsa AAAB root@host x", true},
        {"ssh-rsa AAAB==", "ssh-rsa AAAB", true},
        {"ssh-rsa AAAB= a", "ssh-rsa AAAB== b", true},
        {"ssh-rsa AAAB", "ssh-rsa AAAC", true}, /* unused bits of the last character */
        {"ssh-rsa AAAB= a", "ssh-rsa AAAC== b", true},
        {"ssh-rsa AABB", "ssh-rsa AAAB", false},
        {"ssh-rsa AABBB", "ssh-rsa AAAB", false},
        {"ssh-rsa AAAB", "ssh-rsa AAABA", false},
        {"ssh-rsa AAAB=A", "ssh-rsa AAABA", false},
        {"ssh-rsa AAA B", "ssh-rsa AAAB", false},
        {"ssh-rsa AAAB", "ssh-dss AAAB", false},
        {"ssh-rsa", "ssh-rsa", false},
        {"", "", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *a = rows[i].a, *b = rows[i].b;

        if (material_alike(a, strlen(a), b, strlen(b)) != rows[i].alike)
            fail_msg("\"%s\" and \"%s\"", a, b);
        assert_true(material_alike(b, strlen(b), a, strlen(a)) == rows[i].alike);
    }
}

/* begin, n times c, end: does it parse? */
static bool parses(const char *begin, char c, size_t n, const char *end)
{
    size_t len = strlen(begin) + n + strlen(end);
    char *body = x_malloc(len + 1);

    strcpy(body, begin);
    memset(body + strlen(begin), c, n);
    strcpy(body + strlen(begin) + n, end);
    json_t *root = answer_json(body, len);
    bool there = root != NULL;

    json_decref(root);
    free(body);
    return there;
}

static void test_C_11_what_stands_in_a_string_does_not_count(void **state)
{
    (void)state;
    const size_t many = JSON_VALUES_MAX + 1;

    assert_true(parses("[\"", ',', many, "\"]"));
    assert_true(parses("[\"\\\"", ',', many, "\"]"));
    assert_true(parses("[\"a\\\"b\\\\\\\"", '[', many, "\\\"\"]"));
    assert_true(parses("[\"", '\\', 1000000, "\"]"));
    assert_false(parses("[\"\\\\\",1", ',', many, "1]"));
    assert_false(parses("[\"", '\\', 1000001, "\"]"));
    assert_false(parses("[\"", 'a', 10, ""));
    assert_false(parses("[\"", 'a', 10, "\\"));
    assert_false(parses("[\"", 'a', 10, "\\\""));
}

static void test_C_11_depth_is_counted_after_a_string(void **state)
{
    (void)state;
    char end[JSON_DEPTH_MAX + 2];

    memset(end, ']', sizeof end - 1);
    end[sizeof end - 1] = '\0';
    assert_false(parses("[\"\\\\\",", '[', JSON_DEPTH_MAX, end));
    end[JSON_DEPTH_MAX] = '\0';
    assert_true(parses("[\"\\\\\",", '[', JSON_DEPTH_MAX - 1, end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_15_lines_that_may_hold_the_same_key),
        cmocka_unit_test(test_C_11_what_stands_in_a_string_does_not_count),
        cmocka_unit_test(test_C_11_depth_is_counted_after_a_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
