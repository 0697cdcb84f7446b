/* watcher/core/explain_object.c -- what an operator is shown of the object itself: what is wanted, and what
 * the status says was reached. It is read for each question, as nothing of it is kept. Called by explain.c.
 */
#include "watcher/core/core.h"

#define SHOWN_MAX   1024u /* of one text of the object, in bytes */
#define CODES_SHOWN 8u

static void shown(struct pack *p, const char *name, struct span text)
{
    pack_text(p, name);
    pack_span(p, text.p ? span_begin(text, SHOWN_MAX) : SPAN(""));
}

static void shown_number(struct pack *p, const char *name, struct value number)
{
    int64_t n = 0;

    value_int(number, &n);
    pack_member_int(p, name, n);
}

static void shown_codes(struct pack *p, struct value codes)
{
    struct value_iter it = value_each(codes);
    uint32_t n = value_kind(codes) == VALUE_ARRAY ? value_count(codes) : 0;

    n = n < CODES_SHOWN ? n : CODES_SHOWN;
    pack_text(p, "codes");
    pack_array(p, n);
    for (uint32_t i = 0; i < n && value_next(&it); i++)
        pack_span(p, value_kind(it.item) == VALUE_STR ? value_text(it.item) : SPAN("?"));
}

void explain_pack_desired(struct pack *p, const struct object *object)
{
    pack_map(p, 5);
    pack_member_int(p, "generation", object->generation);
    shown(p, "operation", object->operation);
    shown(p, "deletionTimestamp", object->deletion);
    shown(p, "secretNamespace", object->secret_ns);
    shown(p, "secretName", object->secret_name);
}

void explain_pack_actual(struct pack *p, const struct object *object)
{
    struct value last = value_get(object->status, "lastOperation");
    struct value error = value_get(object->status, "lastError");
    struct value state = value_get(object->status, "state");

    pack_map(p, 13);
    shown_number(p, "observedGeneration", value_get(object->status, "observedGeneration"));
    pack_text(p, "finalizer");
    pack_bool(p, object->finalizer);
    shown(p, "type", object->op_type);
    shown(p, "state", object->op_state);
    shown(p, "lastUpdateTime", object->op_time);
    shown_number(p, "progress", value_get(last, "progress"));
    shown(p, "description", value_text(value_get(last, "description")));
    shown(p, "error", value_text(value_get(error, "description")));
    shown_codes(p, value_get(error, "codes"));
    shown(p, "sshKeyID", value_text(value_at(object->status, "providerStatus", "sshKeyID", NULL)));
    shown(p, "project", value_text(value_get(state, "project")));
    shown(p, "fingerprint", value_text(value_get(state, "fingerprint")));
    pack_member_int(p, "openAttempts", (int64_t)value_count(value_get(state, "attempts")));
}
