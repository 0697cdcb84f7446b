/* tests/unit/test_watcher_reflector.h -- what the server says to a list or a watch, for the tests of both.
 * Used by test_watcher_reflector.c, test_watcher_streamed.c. */
#ifndef TEST_WATCHER_REFLECTOR_H
#define TEST_WATCHER_REFLECTOR_H

#include "tests/unit/test_watcher_fixture.h"

#define EXPIRED                                                                                              \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","                     \
    "\"message\":\"too old resource version: 700 (790)\",\"reason\":\"Expired\",\"code\":410}"
#define GONE_OLD "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Gone\",\"code\":410}"
#define TOO_LARGE                                                                                            \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"Timeout: Too large resource version: 9, "     \
    "current: 5\",\"reason\":\"Timeout\",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\","  \
    "\"message\":\"Too large resource version\"}],\"retryAfterSeconds\":1},\"code\":504}"
#define BUSY "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"TooManyRequests\",\"code\":429}"

static inline struct fx *listed(const char *version)
{
    struct fx *fx = fx_new(false, "");

    fx_go(fx);
    fx_answer_list(fx, version, "", 0, NULL);
    assert_non_null(strstr(fx->watch, "watch=true"));
    return fx;
}

static inline void bookmark(struct fx *fx, const char *version)
{
    char *event = x_asprintf("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Infrastructure\",\"metadata\":{"
                             "\"resourceVersion\":\"%s\",\"creationTimestamp\":null}}}",
                             version);

    watcher_core_event(fx->core, STREAM_OBJECTS, event, strlen(event), fx->now);
    free(event);
}

static inline void error_event(struct fx *fx, const char *status)
{
    char *event = x_asprintf("{\"type\":\"ERROR\",\"object\":%s}", status);

    watcher_core_event(fx->core, STREAM_OBJECTS, event, strlen(event), fx->now);
    free(event);
}

/* Lets the wait pass; returns how long it was. */
static inline int64_t pass_wait(struct fx *fx)
{
    int64_t wait = watcher_core_next_ms(fx->core) - fx->now.boot_ms;

    assert_true(wait > 0);
    fx_tick(fx, wait - 1);
    assert_null(fx_asked(fx, "GET", "?limit"));
    fx_tick(fx, 1);
    return wait;
}

#endif
