/* watcher/core/lease_record.c -- reads and writes Lease objects as JSON. Decides nothing about who leads.
 * Called by lease.c. */
#include "watcher/core/lease_record.h"

#include <string.h>

#include "base/clock.h"
#include "watcher/core/convert.h"
#include "watcher/core/version.h"

#define DURATION_MAX_S 1000000 /* no record may make us wait for longer, or make numbers overflow */

json_t *lease_record_parse(const char *body, size_t len)
{
    json_t *lease = convert_parse((struct text){.p = body, .len = len});
    json_t *metadata = json_object_get(lease, "metadata");
    const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));

    if (!version || !*version || strlen(version) >= VERSION_MAX) {
        json_decref(lease);
        return NULL;
    }
    json_object_del(metadata, "managedFields");
    return lease;
}

static json_t *spec_of(const json_t *lease)
{
    return json_object_get(lease, "spec");
}

static const char *text_of(const json_t *text)
{
    const char *value = json_string_value(text);

    return value ? value : "";
}

const char *lease_record_holder(const json_t *lease)
{
    return text_of(json_object_get(spec_of(lease), "holderIdentity"));
}

const char *lease_record_version(const json_t *lease)
{
    return text_of(json_object_get(json_object_get(lease, "metadata"), "resourceVersion"));
}

int64_t lease_record_duration_ms(const json_t *lease)
{
    json_int_t seconds = json_integer_value(json_object_get(spec_of(lease), "leaseDurationSeconds"));

    if (seconds < 0)
        seconds = 0;
    return 1000 * (seconds < DURATION_MAX_S ? (int64_t)seconds : DURATION_MAX_S);
}

uint64_t lease_record_transitions(const json_t *lease)
{
    json_int_t n = json_integer_value(json_object_get(spec_of(lease), "leaseTransitions"));

    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint64_t)n;
}

bool lease_record_same(const json_t *a, const json_t *b)
{
    const json_t *x = spec_of(a), *y = spec_of(b);

    return a && b && (x == y || json_equal(x, y));
}

/* MicroTime wants exactly six digits (kubernetes 58). */
static void set_now(json_t *spec, const char *name, int64_t wall_ms)
{
    char now[CLOCK_TEXT_MAX];

    clock_text_micro(wall_ms * 1000, now);
    json_object_set_new(spec, name, json_string(now));
}

static void set_term(json_t *spec, const char *holder, int64_t duration_ms, int64_t wall_ms)
{
    json_object_set_new(spec, "holderIdentity", json_string(holder));
    json_object_set_new(spec, "leaseDurationSeconds", json_integer(duration_ms / 1000));
    set_now(spec, "renewTime", wall_ms);
}

static char *body_of(json_t *lease)
{
    char *text = json_dumps(lease, JSON_COMPACT);

    json_decref(lease);
    return text;
}

char *lease_record_put(const json_t *lease, enum lease_change change, const char *holder, int64_t duration_ms,
                       int64_t wall_ms)
{
    json_t *whole = json_deep_copy(lease), *spec = spec_of(whole);
    json_int_t transitions = (json_int_t)lease_record_transitions(lease);

    if (!json_is_object(spec)) {
        json_object_set_new(whole, "spec", json_object());
        spec = spec_of(whole);
    }
    if (change == LEASE_RELEASE) {
        holder = "";
        duration_ms = 1000;
    }
    set_term(spec, holder, duration_ms, wall_ms);
    if (change != LEASE_RENEW || !json_is_string(json_object_get(spec, "acquireTime")))
        set_now(spec, "acquireTime", wall_ms);
    json_object_set_new(spec, "leaseTransitions", json_integer(transitions + (change == LEASE_TAKE)));
    return body_of(whole);
}

char *lease_record_post(const char *ns, const char *name, const char *holder, int64_t duration_ms,
                        int64_t wall_ms)
{
    json_t *spec = json_object();

    set_term(spec, holder, duration_ms, wall_ms);
    set_now(spec, "acquireTime", wall_ms);
    json_object_set_new(spec, "leaseTransitions", json_integer(0));
    return body_of(json_pack("{s:s,s:s,s:{s:s,s:s},s:o}", "apiVersion", "coordination.k8s.io/v1", "kind",
                             "Lease", "metadata", "name", name, "namespace", ns, "spec", spec));
}
