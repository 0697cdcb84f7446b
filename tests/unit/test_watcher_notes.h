/* tests/unit/test_watcher_notes.h -- a watcher core with a job running, whose worker says NOTE. Used by the
 * test_watcher_notes* programs. */
#ifndef TEST_WATCHER_NOTES_H
#define TEST_WATCHER_NOTES_H

#include "tests/unit/test_watcher_fixture.h"

struct rig {
    struct fx *fx;
    uint64_t job;
};

static inline struct rig running(struct fx_object object)
{
    struct rig rig = {.fx = fx_running(false)};

    fx_event(rig.fx, "ADDED", object);
    rig.job = fx_run(rig.fx);
    return rig;
}

/* Past the codec, which lets fewer characters through than the core is prepared for. */
static inline void say_as(struct rig *rig, uint64_t worker, uint64_t job, uint64_t epoch, uint64_t deadline,
                          bool warning, struct span reason, struct span text)
{
    struct message message = {
        .spec = msg_find(MSG_NOTE),
        .envelope = {.from = worker, .to = ME, .epoch = epoch, .deadline_ms = deadline},
        .body.note = {.job = job, .warning = warning, .reason = reason, .message = text},
    };

    watcher_core_message(rig->fx->core, WORKER, worker, &message, rig->fx->now);
}

static inline void say(struct rig *rig, bool warning, const char *reason, const char *message)
{
    say_as(rig, THE_WORKER, rig->job, ME, 0, warning, span_of(reason), span_of(message));
}

static inline unsigned posts(const struct fx *fx)
{
    unsigned n = 0;

    for (unsigned i = 0; i < fx->n_requests; i++)
        n += !strcmp(fx->requests[i].method, "POST");
    return n;
}

static inline struct fx_request *open_post(struct fx *fx)
{
    return fx_asked(fx, "POST", "/events");
}

static inline void created(struct fx *fx)
{
    fx_answer(fx, "POST", "/events", 201, "{\"kind\":\"Event\"}");
}

#endif
