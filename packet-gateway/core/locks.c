/* packet-gateway/core/locks.c -- one lock for each (project, label), and what is known behind it: keys made
 * and removed in the last moments, an unknown POST, a list that showed nothing (design 12.2, 12.4, 12.11).
 * Never sends. A place outlives its askers for as long as it remembers something. Called by the tasks. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

struct place *place_get(struct gateway_core *core, const char *project, const char *label)
{
    struct place *p;

    EACH(p, &core->places)
    {
        if (strcmp(p->project, project) == 0 && strcmp(p->label, label) == 0)
            return p;
    }
    p = x_calloc(1, sizeof *p);
    memcpy(p->project, project, UUID_TEXT);
    p->label = x_strdup(label);
    TAILQ_INSERT_TAIL(&core->places, p, link);
    return p;
}

bool locks_hand_out(struct gateway_core *core)
{
    struct task *t;

    EACH(t, &core->tasks)
    {
        if (t->done || t->holds || t->orphan)
            continue;
        if (!t->place->holder) {
            t->place->holder = t;
            t->holds = true;
            task_begin(core, t);
            return true;
        }
        if (core->now.boot_ms - t->asked_ms >= LOCK_WAIT_MS) {
            task_refuse(core, t, OUTCOME_LATER, LOCK_WAIT_MS);
            return true;
        }
    }
    return false;
}

void lock_release(struct task *task)
{
    if (task->holds)
        task->place->holder = NULL;
    task->holds = false;
}

int64_t locks_next_ms(const struct gateway_core *core)
{
    int64_t next = INT64_MAX;
    const struct task *t;

    EACH(t, &core->tasks)
    {
        if (!t->done && !t->holds && t->asked_ms + LOCK_WAIT_MS < next)
            next = t->asked_ms + LOCK_WAIT_MS;
    }
    return next;
}

int64_t place_behind_ms(const struct gateway_core *core, const struct place *place)
{
    int64_t behind = place->busy_until_ms - core->now.boot_ms - FAIR_FREE_MS;

    return behind < 0 ? 0 : behind > FAIR_MOST_MS ? FAIR_MOST_MS : behind;
}

void place_called(const struct gateway_core *core, struct place *place)
{
    if (place->busy_until_ms < core->now.boot_ms)
        place->busy_until_ms = core->now.boot_ms;
    place->busy_until_ms += FAIR_CALL_MS;
}

static struct trace *trace_find(const struct place *place, const char *id)
{
    struct trace *t;

    EACH_TRACE(t, &place->traces)
    {
        if (strcmp(t->id, id) == 0)
            return t;
    }
    return NULL;
}

static void trace_free(struct trace *trace)
{
    LIST_REMOVE(trace, link);
    free(trace);
}

/* A fresh trace of this id in front; the oldest goes when there are too many. */
static struct trace *trace_new(struct gateway_core *core, struct place *place, const char *id)
{
    struct trace *t = trace_find(place, id), *last = NULL;
    unsigned n = 0;

    if (t)
        trace_free(t);
    EACH_TRACE(t, &place->traces)
    {
        n++;
        last = t;
    }
    if (n >= TRACES_MAX)
        trace_free(last);
    t = x_calloc(1, sizeof *t);
    memcpy(t->id, id, UUID_TEXT);
    t->at_ms = core->now.boot_ms;
    LIST_INSERT_HEAD(&place->traces, t, link);
    return t;
}

void place_made(struct gateway_core *core, struct place *place, const char *id,
                const struct material *material, const char *created)
{
    struct trace *t = trace_new(core, place, id);

    t->material = *material;
    memcpy(t->created, created, sizeof t->created);
}

void place_changed(struct place *place, const char *id, const struct material *material)
{
    struct trace *t = trace_find(place, id);

    if (t)
        t->material = *material;
}

void place_gone(struct gateway_core *core, struct place *place, const char *id)
{
    trace_new(core, place, id)->gone = true;
}

bool trace_counts(const struct trace *trace, int64_t asked_ms)
{
    return asked_ms - trace->at_ms < GRACE_MS;
}

bool place_is_gone(const struct place *place, const char *id, int64_t asked_ms)
{
    const struct trace *t = trace_find(place, id);

    return t && t->gone && trace_counts(t, asked_ms);
}

void place_floats(struct gateway_core *core, struct place *place)
{
    if (!place_is_unsure(core, place))
        place->floating = 0;
    place->floating++;
    place->floating_until_ms = core->now.boot_ms + OPEN_KEPT_MS;
}

void place_landed(struct place *place)
{
    if (place->floating)
        place->floating--;
}

bool place_was_unsure(const struct place *place, int64_t at_ms)
{
    return place->floating && at_ms < place->floating_until_ms;
}

bool place_is_unsure(const struct gateway_core *core, const struct place *place)
{
    return place_was_unsure(place, core->now.boot_ms);
}

void place_open(struct gateway_core *core, struct place *place, const struct material *material)
{
    place->open = true;
    place->open_until_ms = core->now.boot_ms + OPEN_KEPT_MS;
    place->open_material = *material;
}

bool place_is_open(const struct gateway_core *core, const struct place *place,
                   const struct material *material)
{
    return place->open && core->now.boot_ms < place->open_until_ms &&
           material_same(&place->open_material, material);
}

bool place_absent(const struct gateway_core *core, const struct task *task)
{
    const struct place *p = task->place;

    return p->absent_known && p->absent_seen == p->mutations &&
           core->now.boot_ms - p->absent_ms < EVIDENCE_MS && p->absent_by == task->grant->credential &&
           material_same(&p->absent_material, &task->want);
}

void place_note_absent(struct task *task)
{
    struct place *p = task->place;

    p->absent_known = true;
    p->absent_ms = task->list.sent_ms;
    p->absent_seen = task->list.seen;
    p->absent_material = task->want;
    p->absent_by = task->grant->credential;
}

static bool remembers(const struct gateway_core *core, const struct place *p)
{
    if (p->tasks || (p->open && core->now.boot_ms < p->open_until_ms) || place_is_unsure(core, p))
        return true;
    if (p->absent_known && core->now.boot_ms - p->absent_ms < EVIDENCE_MS)
        return true;
    const struct trace *newest = LIST_FIRST(&p->traces);

    return newest && trace_counts(newest, core->now.boot_ms);
}

static void place_free(struct gateway_core *core, struct place *p)
{
    while (!LIST_EMPTY(&p->traces))
        trace_free(LIST_FIRST(&p->traces));
    TAILQ_REMOVE(&core->places, p, link);
    free(p->label);
    free(p);
}

void locks_sweep(struct gateway_core *core)
{
    struct place *next;

    for (struct place *p = TAILQ_FIRST(&core->places); p; p = next) {
        next = TAILQ_NEXT(p, link);
        if (!remembers(core, p))
            place_free(core, p);
    }
}

void locks_free(struct gateway_core *core)
{
    while (!TAILQ_EMPTY(&core->places))
        place_free(core, TAILQ_FIRST(&core->places));
}
