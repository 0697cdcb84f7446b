/* tests/unit/filter.c -- linked into every unit test: CMOCKA_TEST_FILTER=name runs that test alone. Called by
 * nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void filter(void)
{
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
}
