/* tests/unit/test_watcher_lease.h -- the elector alone, its requests and its watch faked; time moves only
 * when a test says so. Used by test_watcher_lease.c and test_watcher_lease_ends.c. */
#ifndef TEST_WATCHER_LEASE_H
#define TEST_WATCHER_LEASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/lease.h"

#define ME       "host_me"
#define OTHER    "host_other"
#define DURATION 15000
#define DEADLINE 10000
#define RETRY    2000
#define START    1000000

struct rig {
    struct lease lease;
    struct instant now;
    uint64_t random;
    unsigned asked, watches, unwatches;
    enum lease_verb verb; /* of the last request */
    char path[300], watch[400], *body;
    int64_t end_before;
    bool fresh;
};

static inline void on_request(void *ctx, enum lease_verb verb, const char *path, char *body,
                              int64_t end_before, bool fresh)
{
    struct rig *rig = ctx;

    rig->asked++;
    rig->verb = verb;
    snprintf(rig->path, sizeof rig->path, "%s", path);
    free(rig->body);
    rig->body = body;
    rig->end_before = end_before;
    rig->fresh = fresh;
}

static inline void on_watch(void *ctx, const char *path)
{
    struct rig *rig = ctx;

    rig->watches++;
    snprintf(rig->watch, sizeof rig->watch, "%s", path);
}

static inline void on_unwatch(void *ctx)
{
    ((struct rig *)ctx)->unwatches++;
}

static inline int open_rig(void **state)
{
    struct rig *rig = x_calloc(1, sizeof *rig);
    struct lease_config config = {.ns = "garden",
                                  .name = "the-lease",
                                  .identity = ME,
                                  .duration_ms = DURATION,
                                  .renew_ms = DEADLINE,
                                  .retry_ms = RETRY};
    struct lease_ops ops = {.ctx = rig, .request = on_request, .watch = on_watch, .unwatch = on_unwatch};

    log_set_level(LEVEL_ERROR);
    rig->now = (struct instant){.boot_ms = START, .wall_ms = 1767225600000};
    rig->random = 5;
    lease_open(&rig->lease, &config, &ops, &rig->random);
    *state = rig;
    return 0;
}

static inline int close_rig(void **state)
{
    struct rig *rig = *state;

    lease_close(&rig->lease);
    free(rig->body);
    free(rig);
    return 0;
}

/* ---- playing ---- */

/* Moves on; the elector is woken when it asked for it, as its shell does. */
static inline void pass(struct rig *rig, int64_t ms)
{
    int64_t end = rig->now.boot_ms + ms;

    while (lease_next_ms(&rig->lease) <= end) {
        int64_t next = lease_next_ms(&rig->lease);

        if (next > rig->now.boot_ms) {
            rig->now.wall_ms += next - rig->now.boot_ms;
            rig->now.boot_ms = next;
        }
        lease_tick(&rig->lease, rig->now);
        if (lease_next_ms(&rig->lease) <= rig->now.boot_ms)
            fail_msg("the elector does not come to rest");
    }
    rig->now.wall_ms += end - rig->now.boot_ms;
    rig->now.boot_ms = end;
}

static inline void result(struct rig *rig, enum watcher_fate fate, int status, const char *body)
{
    struct watcher_result r = {.fate = fate,
                               .status = status,
                               .body = body,
                               .body_len = strlen(body),
                               .retry_after_ms = -1,
                               .detail = "detail"};

    lease_result(&rig->lease, &r, rig->now);
}

/* A Lease as the server shows it. Static text. */
static inline const char *shown(const char *holder, const char *version, const char *renewed, int transitions)
{
    static char text[600];

    snprintf(
        text, sizeof text,
        "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"the-lease\","
        "\"namespace\":\"garden\",\"resourceVersion\":\"%s\",\"labels\":{\"a\":\"b\"},\"managedFields\":[{}]}"
        ","
        "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":15,\"acquireTime\":"
        "\"2020-01-01T00:00:00.000000Z\",\"renewTime\":\"%s\",\"leaseTransitions\":%d,\"strategy\":\"x\"}}",
        version, holder, renewed, transitions);
    return text;
}

#define OLD "2020-01-01T00:00:00.000000Z"

/* The server takes what was just written. */
static inline void taken(struct rig *rig, const char *version)
{
    json_t *json = json_loads(rig->body, 0, NULL);

    assert_non_null(json);
    json_object_set_new(json_object_get(json, "metadata"), "resourceVersion", json_string(version));
    char *text = json_dumps(json, 0);
    json_decref(json);
    result(rig, KUBE_ANSWERED, rig->verb == LEASE_CREATE ? 201 : 200, text);
    free(text);
}

static inline void event(struct rig *rig, const char *type, const char *object)
{
    char *text = x_asprintf("{\"type\":\"%s\",\"object\":%s}", type, object);

    lease_event(&rig->lease, text, strlen(text), rig->now);
    free(text);
}

static inline void lead(struct rig *rig)
{
    lease_start(&rig->lease, rig->now);
    result(rig, KUBE_ANSWERED, 404, "{}");
    taken(rig, "1");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
}

static inline void stand_by(struct rig *rig)
{
    lease_start(&rig->lease, rig->now);
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "5", OLD, 3));
    assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
}

static inline json_t *spec(const struct rig *rig, json_t **whole)
{
    *whole = json_loads(rig->body, 0, NULL);
    assert_non_null(*whole);
    return json_object_get(*whole, "spec");
}

static inline void expect_spec(const struct rig *rig, const char *holder, const char *acquired,
                               int transitions, int seconds)
{
    json_t *whole, *s = spec(rig, &whole);
    char now[CLOCK_TEXT_MAX];

    clock_text_micro(rig->now.wall_ms * 1000, now);
    assert_string_equal(json_string_value(json_object_get(s, "holderIdentity")), holder);
    assert_string_equal(json_string_value(json_object_get(s, "acquireTime")), acquired ? acquired : now);
    assert_string_equal(json_string_value(json_object_get(s, "renewTime")), now);
    assert_int_equal(json_integer_value(json_object_get(s, "leaseTransitions")), transitions);
    assert_int_equal(json_integer_value(json_object_get(s, "leaseDurationSeconds")), seconds);
    json_decref(whole);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_rig, close_rig)

#endif
