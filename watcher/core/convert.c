/* watcher/core/convert.c -- jansson to msgpack and back. Recursion is bounded: JSON by scan_shallow(),
 * msgpack by value_check(). Owns nothing. Called by events.c, jobs.c, writes.c. */
#include "watcher/core/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/messages.h"

json_t *convert_parse(struct text json)
{
    if (!json.p || !scan_shallow(json, VALUE_DEPTH_MAX))
        return NULL;
    return json_loadb(json.p, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static void pack_json_text(struct pack *out, const char *text, size_t len)
{
    pack_span(out, (struct span){.p = text, .len = (uint32_t)len});
}

static void pack_json(struct pack *out, json_t *json, const char *left_out);

/* left_out: a member of json's "metadata" that is not copied, NULL below the top. */
static void pack_json_map(struct pack *out, json_t *json, const char *left_out)
{
    const char *name;
    json_t *item;

    pack_map(out, (uint32_t)json_object_size(json));
    json_object_foreach(json, name, item)
    {
        pack_text(out, name);
        if (left_out && !strcmp(name, "metadata") && json_is_object(item))
            json_object_del(item, left_out);
        pack_json(out, item, NULL);
    }
}

static void pack_json(struct pack *out, json_t *json, const char *left_out)
{
    size_t i;
    json_t *item;

    switch (json_typeof(json)) {
    case JSON_OBJECT: pack_json_map(out, json, left_out); break;
    case JSON_ARRAY:
        pack_array(out, (uint32_t)json_array_size(json));
        json_array_foreach(json, i, item)
        {
            pack_json(out, item, NULL);
        }
        break;
    case JSON_STRING: pack_json_text(out, json_string_value(json), json_string_length(json)); break;
    case JSON_INTEGER: pack_int(out, json_integer_value(json)); break;
    case JSON_REAL: msgpack_pack_double(&out->to, json_real_value(json)); break;
    case JSON_TRUE: pack_bool(out, true); break;
    case JSON_FALSE: pack_bool(out, false); break;
    case JSON_NULL: pack_nil(out); break;
    }
}

int convert_object(struct text json, struct pack *out)
{
    json_t *object = convert_parse(json);

    pack_again(out);
    if (json_is_object(object))
        pack_json(out, object, "managedFields");
    json_decref(object);
    if (out->out.size && out->out.size <= LIMIT_OBJECT && value_check(out->out.data, out->out.size))
        return 0;
    pack_again(out);
    return -1;
}

static json_t *json_of(struct value v);

static json_t *json_of_map(struct value v)
{
    json_t *object = json_object();
    struct value_iter it = value_each(v);

    while (object && value_next(&it)) {
        struct span name = value_text(it.key);
        char *text = name.p && !memchr(name.p, '\0', name.len) ? strndup(name.p, name.len) : NULL;

        if (!text || json_object_set_new(object, text, json_of(it.item))) {
            json_decref(object);
            object = NULL;
        }
        free(text);
    }
    return object;
}

static json_t *json_of_array(struct value v)
{
    json_t *array = json_array();
    struct value_iter it = value_each(v);

    while (array && value_next(&it))
        if (json_array_append_new(array, json_of(it.item))) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static json_t *json_of_float(struct value v)
{
    union {
        uint64_t bits;
        double number;
    } as64 = {0};
    union {
        uint32_t bits;
        float number;
    } as32 = {0};

    for (size_t i = 1; i < v.len; i++) {
        as64.bits = as64.bits << 8 | v.at[i];
        as32.bits = as32.bits << 8 | v.at[i];
    }
    double number = v.len == 9 ? as64.number : (double)as32.number;
    return isfinite(number) ? json_real(number) : NULL;
}

static json_t *json_of(struct value v)
{
    struct span text = {0};
    int64_t number = 0;
    bool yes = false;

    switch (value_kind(v)) {
    case VALUE_NIL: return json_null();
    case VALUE_BOOL: value_bool(v, &yes); return json_boolean(yes);
    case VALUE_INT: return value_int(v, &number) ? json_integer(number) : NULL;
    case VALUE_FLOAT: return json_of_float(v);
    case VALUE_STR: value_str(v, &text); return json_stringn(text.p ? text.p : "", text.len);
    case VALUE_ARRAY: return json_of_array(v);
    case VALUE_MAP: return json_of_map(v);
    case VALUE_NONE:
    case VALUE_BIN: break;
    }
    return NULL;
}

char *convert_patch(struct value body, struct span resource_version)
{
    json_t *json = value_is_map(body) ? json_of(body) : NULL;
    json_t *version = json_stringn(resource_version.p ? resource_version.p : "", resource_version.len);
    char *text = NULL;

    if (json && version) {
        json_t *metadata = json_object_get(json, "metadata");

        if (!metadata && !json_object_set_new(json, "metadata", json_object()))
            metadata = json_object_get(json, "metadata");
        if (json_is_object(metadata) && !json_object_set(metadata, "resourceVersion", version))
            text = json_dumps(json, JSON_COMPACT);
    }
    json_decref(version);
    json_decref(json);
    return text;
}
