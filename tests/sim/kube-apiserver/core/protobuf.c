/* tests/sim/kube-apiserver/core/protobuf.c -- turns the protobuf bodies that kubectl sends for built-in kinds
 * into JSON. Owns the field numbers of the few kinds that kubectl creates through typed clients (create
 * namespace, secret, configmap, auth can-i). Answers are always JSON. Called by the write path. */
#include <string.h>

#include "base/clock.h"
#include "tests/sim/kube-apiserver/core/internal.h"

#define DEPTH_MAX 8

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum kind {
    PB_STRING,
    PB_STRINGS,
    PB_INT,
    PB_BOOL,
    PB_MESSAGE,
    PB_MAP,
    PB_BYTES_MAP,
    PB_TIME,
    PB_MICRO_TIME
};

struct message;

struct field {
    unsigned number;
    enum kind kind;
    const char *name;
    const struct message *sub;
};

struct message {
    const char *name;
    struct field fields[12];
};

static const struct message meta_fields = {"ObjectMeta",
                                           {{1, PB_STRING, "name", NULL},
                                            {2, PB_STRING, "generateName", NULL},
                                            {3, PB_STRING, "namespace", NULL},
                                            {5, PB_STRING, "uid", NULL},
                                            {6, PB_STRING, "resourceVersion", NULL},
                                            {11, PB_MAP, "labels", NULL},
                                            {12, PB_MAP, "annotations", NULL},
                                            {14, PB_STRINGS, "finalizers", NULL}}};

static const struct message namespace_spec = {"NamespaceSpec", {{1, PB_STRINGS, "finalizers", NULL}}};

static const struct message lease_spec = {"LeaseSpec",
                                          {{1, PB_STRING, "holderIdentity", NULL},
                                           {2, PB_INT, "leaseDurationSeconds", NULL},
                                           {3, PB_MICRO_TIME, "acquireTime", NULL},
                                           {4, PB_MICRO_TIME, "renewTime", NULL},
                                           {5, PB_INT, "leaseTransitions", NULL}}};

static const struct message review_attributes = {"ResourceAttributes",
                                                 {{1, PB_STRING, "namespace", NULL},
                                                  {2, PB_STRING, "verb", NULL},
                                                  {3, PB_STRING, "group", NULL},
                                                  {4, PB_STRING, "version", NULL},
                                                  {5, PB_STRING, "resource", NULL},
                                                  {6, PB_STRING, "subresource", NULL},
                                                  {7, PB_STRING, "name", NULL}}};

static const struct message review_spec = {"SelfSubjectAccessReviewSpec",
                                           {{1, PB_MESSAGE, "resourceAttributes", &review_attributes}}};

static const struct message object_ref = {"ObjectReference",
                                          {{1, PB_STRING, "kind", NULL},
                                           {2, PB_STRING, "namespace", NULL},
                                           {3, PB_STRING, "name", NULL},
                                           {4, PB_STRING, "uid", NULL},
                                           {5, PB_STRING, "apiVersion", NULL},
                                           {6, PB_STRING, "resourceVersion", NULL},
                                           {7, PB_STRING, "fieldPath", NULL}}};

static const struct message event_source = {
    "EventSource", {{1, PB_STRING, "component", NULL}, {2, PB_STRING, "host", NULL}}};

static const struct message kinds[] = {
    {"Namespace", {{1, PB_MESSAGE, "metadata", &meta_fields}, {2, PB_MESSAGE, "spec", &namespace_spec}}},
    {"Secret",
     {{1, PB_MESSAGE, "metadata", &meta_fields},
      {2, PB_BYTES_MAP, "data", NULL},
      {3, PB_STRING, "type", NULL},
      {4, PB_MAP, "stringData", NULL},
      {5, PB_BOOL, "immutable", NULL}}},
    {"ConfigMap",
     {{1, PB_MESSAGE, "metadata", &meta_fields},
      {2, PB_MAP, "data", NULL},
      {3, PB_BYTES_MAP, "binaryData", NULL},
      {4, PB_BOOL, "immutable", NULL}}},
    {"ServiceAccount", {{1, PB_MESSAGE, "metadata", &meta_fields}}},
    {"Lease", {{1, PB_MESSAGE, "metadata", &meta_fields}, {2, PB_MESSAGE, "spec", &lease_spec}}},
    {"SelfSubjectAccessReview",
     {{1, PB_MESSAGE, "metadata", &meta_fields}, {2, PB_MESSAGE, "spec", &review_spec}}},
    {"Event",
     {{1, PB_MESSAGE, "metadata", &meta_fields},
      {2, PB_MESSAGE, "involvedObject", &object_ref},
      {3, PB_STRING, "reason", NULL},
      {4, PB_STRING, "message", NULL},
      {5, PB_MESSAGE, "source", &event_source},
      {6, PB_TIME, "firstTimestamp", NULL},
      {7, PB_TIME, "lastTimestamp", NULL},
      {8, PB_INT, "count", NULL},
      {9, PB_STRING, "type", NULL},
      {14, PB_STRING, "reportingComponent", NULL},
      {15, PB_STRING, "reportingInstance", NULL}}},
};

/* ---- the wire ---- */

struct span {
    const unsigned char *at;
    size_t len;
};

static int take_varint(struct span *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && in->len > 0; shift += 7) {
        unsigned char byte = *in->at++;

        in->len--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 0;
    }
    return -1;
}

/* One field: its number, and its number value or its bytes. -1: broken. */
static int take_field(struct span *in, unsigned *number, uint64_t *value, struct span *bytes)
{
    uint64_t tag;
    uint64_t len = 0;

    *bytes = (struct span){NULL, 0};
    *value = 0;
    if (take_varint(in, &tag) != 0)
        return -1;
    *number = (unsigned)(tag >> 3);
    switch (tag & 7) {
    case WIRE_VARINT: return take_varint(in, value);
    case WIRE_FIXED64: len = 8; break;
    case WIRE_FIXED32: len = 4; break;
    case WIRE_BYTES:
        if (take_varint(in, &len) != 0)
            return -1;
        break;
    default: return -1;
    }
    if (len > in->len)
        return -1;
    *bytes = (struct span){in->at, (size_t)len};
    in->at += len;
    in->len -= (size_t)len;
    return 0;
}

static json_t *text_of(struct span bytes)
{
    json_t *made = json_stringn(bytes.len ? (const char *)bytes.at : "", bytes.len);

    return made ? made : json_string(""); /* not UTF-8 */
}

/* ---- fields to JSON ---- */

static void add_pair(json_t *object, const char *name, struct span in, bool bytes)
{
    json_t *map = json_object_get(object, name);
    struct span parts[2] = {{NULL, 0}, {NULL, 0}};
    unsigned number;
    uint64_t value;
    struct span one;
    json_t *key;

    while (in.len > 0 && take_field(&in, &number, &value, &one) == 0)
        if (number == 1 || number == 2)
            parts[number - 1] = one;
    if (map == NULL) {
        map = json_object();
        (void)json_object_set_new(object, name, map);
    }
    key = text_of(parts[0]);
    (void)json_object_set_new(map, json_string_value(key),
                              bytes ? ks_base64(parts[1].len ? (const char *)parts[1].at : "", parts[1].len)
                                    : text_of(parts[1]));
    json_decref(key);
}

static json_t *time_of(struct span in, bool micro)
{
    uint64_t parts[2] = {0, 0};
    char text[CLOCK_TEXT_MAX];
    unsigned number;
    uint64_t value;
    struct span one;

    while (in.len > 0 && take_field(&in, &number, &value, &one) == 0)
        if (number == 1 || number == 2)
            parts[number - 1] = value;
    if (parts[0] == 0)
        return json_null();
    if (micro)
        clock_text_micro((int64_t)(parts[0] * 1000000u + parts[1] / 1000u), text);
    else
        clock_text_seconds((int64_t)(parts[0] * 1000u), text);
    return json_string(text);
}

static json_t *decode(const struct message *message, struct span in, int depth);

static void add_field(json_t *object, const struct field *field, uint64_t value, struct span bytes, int depth)
{
    json_t *list;

    switch (field->kind) {
    case PB_STRING: (void)json_object_set_new(object, field->name, text_of(bytes)); break;
    case PB_STRINGS:
        list = json_object_get(object, field->name);
        if (list == NULL) {
            list = json_array();
            (void)json_object_set_new(object, field->name, list);
        }
        (void)json_array_append_new(list, text_of(bytes));
        break;
    case PB_INT: (void)json_object_set_new(object, field->name, json_integer((json_int_t)value)); break;
    case PB_BOOL: (void)json_object_set_new(object, field->name, json_boolean(value != 0)); break;
    case PB_MESSAGE:
        (void)json_object_set_new(object, field->name, decode(field->sub, bytes, depth + 1));
        break;
    case PB_MAP: add_pair(object, field->name, bytes, false); break;
    case PB_BYTES_MAP: add_pair(object, field->name, bytes, true); break;
    case PB_TIME: (void)json_object_set_new(object, field->name, time_of(bytes, false)); break;
    case PB_MICRO_TIME: (void)json_object_set_new(object, field->name, time_of(bytes, true)); break;
    }
}

/* Empty text is what Go leaves out. */
static bool omitted(const struct field *field, struct span bytes)
{
    return field->kind == PB_STRING && bytes.len == 0;
}

static json_t *decode(const struct message *message, struct span in, int depth)
{
    json_t *made = json_object();
    unsigned number;
    uint64_t value;
    struct span bytes;

    while (depth < DEPTH_MAX && in.len > 0 && take_field(&in, &number, &value, &bytes) == 0)
        for (size_t i = 0; i < sizeof message->fields / sizeof *message->fields; i++)
            if (message->fields[i].name && message->fields[i].number == number &&
                !omitted(&message->fields[i], bytes))
                add_field(made, &message->fields[i], value, bytes, depth);
    return made;
}

/* The envelope: "k8s" and a zero byte, then the type in field 1 and the object in field 2. */
json_t *ks_protobuf(const char *data, size_t len)
{
    static const struct message type_fields = {
        "TypeMeta", {{1, PB_STRING, "apiVersion", NULL}, {2, PB_STRING, "kind", NULL}}};
    struct span in = {(const unsigned char *)data + 4, len - 4};
    struct span raw = {NULL, 0};
    json_t *type = NULL;
    json_t *made = NULL;
    unsigned number;
    uint64_t value;
    struct span bytes;

    if (len < 4 || memcmp(data, "k8s", 4) != 0)
        return NULL;
    while (in.len > 0 && take_field(&in, &number, &value, &bytes) == 0) {
        if (number == 1 && type == NULL)
            type = decode(&type_fields, bytes, 0);
        if (number == 2)
            raw = bytes;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && made == NULL; i++)
        if (strcmp(kinds[i].name, ks_str(type, "kind")) == 0)
            made = decode(&kinds[i], raw, 0);
    if (made != NULL)
        (void)json_object_update(made, type);
    json_decref(type);
    return made;
}
