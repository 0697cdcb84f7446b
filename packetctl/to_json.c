/* packetctl/to_json.c -- msgpack values as JSON. Pure. Called by show.c. */
#include "packetctl/packetctl.h"

static json_t *text_to_json(struct value v)
{
    struct span text = value_text(v);
    json_t *json = text.p ? json_stringn(text.p, text.len) : NULL;

    return json ? json : json_string(""); /* no UTF-8 */
}

static json_t *array_to_json(struct value v)
{
    json_t *array = json_array();

    for (struct value_iter it = value_each(v); value_next(&it);)
        json_array_append_new(array, to_json(it.item));
    return array;
}

static json_t *map_to_json(struct value v)
{
    json_t *object = json_object();

    for (struct value_iter it = value_each(v); value_next(&it);) {
        char key[256];
        if (span_copy(value_text(it.key), key, sizeof key))
            json_object_set_new(object, key, to_json(it.item));
    }
    return object;
}

json_t *to_json(struct value v)
{
    int64_t number = 0;
    bool truth = false;

    switch (value_kind(v)) {
    case VALUE_BOOL: value_bool(v, &truth); return json_boolean(truth);
    case VALUE_INT: value_int(v, &number); return json_integer(number);
    case VALUE_STR: return text_to_json(v);
    case VALUE_ARRAY: return array_to_json(v);
    case VALUE_MAP: return map_to_json(v);
    default: return json_null();
    }
}
