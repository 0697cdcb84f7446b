/* tests/unit/worker_json.h -- JSON to msgpack and back, and merge patches, for tests that speak to a core in
 * place of the watcher. Text in single quotes is read as JSON. For tests/unit/worker_driver.h only. */
#ifndef TESTS_UNIT_WORKER_JSON_H
#define TESTS_UNIT_WORKER_JSON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/pack.h"

static inline json_t *json_of(const char *text)
{
    char *copy = x_strdup(text);
    json_error_t error;

    for (char *c = copy; *c != '\0' && strchr(text, '"') == NULL; c++) /* real JSON is left alone */
        if (*c == '\'')
            *c = '"';
    json_t *json = json_loads(copy, JSON_DECODE_ANY, &error);
    if (json == NULL)
        fail_msg("the test's JSON is wrong: %s in %s", error.text, copy);
    free(copy);
    return json;
}

static inline void pack_json(struct pack *p, const json_t *json)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_object(json)) {
        pack_map(p, (uint32_t)json_object_size(json));
        json_object_foreach((json_t *)json, key, item)
        {
            pack_text(p, key);
            pack_json(p, item);
        }
    } else if (json_is_array(json)) {
        pack_array(p, (uint32_t)json_array_size(json));
        json_array_foreach(json, i, item) pack_json(p, item);
    } else if (json_is_string(json)) {
        pack_text(p, json_string_value(json));
    } else if (json_is_integer(json)) {
        pack_int(p, json_integer_value(json));
    } else if (json_is_boolean(json)) {
        pack_bool(p, json_is_true(json));
    } else {
        pack_nil(p);
    }
}

static inline json_t *json_of_value(struct value v)
{
    struct value_iter it = value_each(v);
    struct span text = value_text(v);
    json_t *json = NULL;
    int64_t n = 0;
    bool b = false;

    switch (value_kind(v)) {
    case VALUE_MAP:
        json = json_object();
        while (value_next(&it)) {
            struct span key = value_text(it.key);
            char *name = x_strndup(key.p, key.len);
            json_object_set_new(json, name, json_of_value(it.item));
            free(name);
        }
        return json;
    case VALUE_ARRAY:
        json = json_array();
        while (value_next(&it))
            json_array_append_new(json, json_of_value(it.item));
        return json;
    case VALUE_STR: return json_stringn(text.p, text.len);
    case VALUE_INT: value_int(v, &n); return json_integer(n);
    case VALUE_BOOL: value_bool(v, &b); return json_boolean(b);
    default: return json_null();
    }
}

/* RFC 7396. Returns a new value. */
static inline json_t *merge_patch(const json_t *old, const json_t *patch)
{
    const char *key;
    json_t *item;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *merged = json_is_object(old) ? json_deep_copy(old) : json_object();
    json_object_foreach((json_t *)patch, key, item)
    {
        if (json_is_null(item))
            json_object_del(merged, key);
        else
            json_object_set_new(merged, key, merge_patch(json_object_get(merged, key), item));
    }
    return merged;
}

static inline void assert_json(const char *got, const char *expected)
{
    json_t *a = json_of(got), *b = json_of(expected);

    if (!json_equal(a, b)) {
        char *left = json_dumps(a, JSON_SORT_KEYS | JSON_INDENT(1)),
             *right = json_dumps(b, JSON_SORT_KEYS | JSON_INDENT(1));
        fail_msg("got %s\nexpected %s", left, right);
    }
    json_decref(a);
    json_decref(b);
}

#endif
