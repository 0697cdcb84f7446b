/* tests/fuzz/fuzz_proto_value.c -- any bytes as a value, checked or not: reading never leaves them, and
 * a walk over a checked value finds as many items as its heads claim. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Recursion is bounded by VALUE_DEPTH_MAX for a checked value; an unchecked one is walked one level. */
static void walk(struct value v, bool checked, unsigned depth)
{
    uint32_t seen = 0;
    struct span s;
    int64_t n;
    uint64_t u;
    bool b;

    value_str(v, &s);
    value_bin(v, &s);
    value_int(v, &n);
    value_uint(v, &u);
    value_bool(v, &b);
    for (struct value_iter it = value_each(v); value_next(&it); seen++) {
        if (it.item.at < v.at || it.item.at + it.item.len > v.at + v.len)
            abort();
        if (checked && depth < VALUE_DEPTH_MAX)
            walk(it.item, true, depth + 1);
    }
    if (checked && seen != value_count(v))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value v = {.at = data, .len = size};
    bool checked = value_check(data, size);

    if (value_length(data, size) > size)
        abort();
    walk(v, checked, 0);
    value_at(v, "metadata", "name", NULL);
    return 0;
}
