/* packet-gateway/core/learn.c -- finds out the limit that the server keeps for a credential: from its headers
 * when there are any, else from what it refuses. Never delays a call by itself: budget.c asks. Each
 * credential is in one of three states (enum knowledge); the parts below are theirs. Called by budget.c
 * alone. */
#include <string.h>

#include "packet-gateway/core/internal.h"

#define WINDOW_ANSWERS   4     /* the window widens after so many answers that found it full */
#define SILENT_MAX       16    /* answers without headers until what they announced is forgotten */
#define MEASURE_MS       10000 /* a refill is measured over one to two of these */
#define MEASURE_CALLS    8     /* calls that came back make it trustworthy */
#define MEASURE_LEAST_MS 50    /* the latency varies by as much */
#define REFILL_USED      0.98  /* of what was measured, so that the estimate never runs ahead */
#define GAP_LAST_MS      1000  /* longest gap that is made to see whether anything comes back */
#define IDLE_MS          2000  /* no call for so long: what was measured before tells nothing */
#define FOUND_STEP       0.85  /* of the rate that was refused, to go on with */
#define FOUND_FIRST      3.0   /* calls each second when the first call of all was refused */
#define FOUND_CALLS      8u    /* fewer calls do not measure a rate */
#define RATE_CAP         1000  /* where a found rate is none any more, when --packet-rate names none */

/* ---- LIMIT_ANNOUNCED: the headers */

double learn_rate(const struct credential *credential)
{
    if (credential->known == LIMIT_FOUND)
        return credential->rate;
    return credential->known == LIMIT_ANNOUNCED ? credential->announced.refill * REFILL_USED : 0;
}

double learn_reserve(const struct credential *credential)
{
    double limit = credential->announced.limit;

    return limit < 4 ? 0 : limit < 20 ? 1 : (double)(int64_t)(limit / 20);
}

/* Enough for one call of any lane. */
static double at_least_one(const struct credential *credential, double level)
{
    double one = 1 + learn_reserve(credential);

    return level < one ? one : level;
}

double learn_level(const struct gateway_core *core, const struct credential *credential)
{
    const struct announced *a = &credential->announced;
    int64_t now = core->now.boot_ms, passed = now - a->level_ms;
    double level = a->level;

    if (a->refill > 0 && passed > 0)
        level += a->refill * REFILL_USED * (double)passed / 1000;
    /* At the reset it is full. Without the server's Date that moment is a guess, and one call finds out. */
    if (a->refill <= 0 && a->reset_ms && now >= a->reset_ms)
        level = a->dated ? a->limit : at_least_one(credential, level);
    return level > a->limit ? a->limit : level;
}

/* Before it is known what comes back and when. */
static bool spaces(const struct announced *a)
{
    return a->shape != SHAPE_WINDOW && !a->measured;
}

int64_t learn_wait_ms(const struct gateway_core *core, const struct credential *credential, double need)
{
    const struct announced *a = &credential->announced;
    int64_t now = core->now.boot_ms;
    double level = learn_level(core, credential);

    if (level >= need)
        return spaces(a) && a->next_ms > now ? a->next_ms - now : 0;
    if (a->refill > 0) {
        double ms = (need - level) / (a->refill * REFILL_USED) * 1000;

        return ms > (double)PAUSE_CAP_MS ? PAUSE_CAP_MS : (int64_t)ms + 1;
    }
    if (credential->in_flight)
        return BUDGET_WAIT_MS;
    return a->reset_ms > now ? a->reset_ms - now : BUDGET_WAIT_MS;
}

/* The lower half of an unknown limit is spent slowly: only what is not full shows what comes back. */
static void space(const struct gateway_core *core, struct announced *a)
{
    int64_t left = a->reset_ms - core->now.boot_ms;

    if (a->level > a->limit / 2)
        return;
    if (a->shape == SHAPE_UNKNOWN || a->gap_ms <= 0) {
        a->gap_ms = left > 0 ? (int64_t)((double)left / (a->level > 0 ? a->level + 1 : 1)) : 0;
        if (a->gap_ms > GAP_LAST_MS)
            a->gap_ms = GAP_LAST_MS;
    }
    a->next_ms = core->now.boot_ms + a->gap_ms;
}

static struct mark mark_of(const struct gateway_core *core, const struct credential *c,
                           const struct start *start, double remaining)
{
    return (struct mark){.sent_ms = start->sent_ms,
                         .at_ms = core->now.boot_ms,
                         .number = start->number,
                         .remaining = remaining,
                         .loose = c->in_flight};
}

/* Calls that came back between a mark and an answer, at the least: a call under way at either end may have
 * been counted on either side. Of two that were under way together nobody knows which the server took first.
 */
static double came_back(const struct mark *from, const struct mark *to)
{
    if (to->sent_ms <= from->at_ms)
        return 0;
    return (double)(to->number - from->number) + to->remaining - from->remaining - from->loose - to->loose;
}

static void measure_from(struct announced *a, const struct mark *now)
{
    a->base = a->later = *now;
    a->lossy = false;
}

/* Within one window nothing comes back. What does so before the reset is a bucket that fills all the time. */
static void tell_shape(struct announced *a, const struct mark *now, int64_t reset_s, int64_t surely_ms)
{
    struct mark *same = &a->same;

    if (!same->at_ms || (reset_s != a->same_reset_s && now->at_ms >= a->same_until_ms)) {
        *same = *now;
        a->same_reset_s = reset_s;
        a->same_until_ms = surely_ms;
        return;
    }
    if (came_back(same, now) >= 1) {
        if (a->shape != SHAPE_BUCKET)
            measure_from(a, same);
        a->shape = SHAPE_BUCKET;
    } else if (a->shape == SHAPE_UNKNOWN && now->number - same->number >= 2 &&
               3 * (now->at_ms - same->at_ms) > a->reset_ms - same->at_ms) {
        a->shape = SHAPE_WINDOW; /* several calls over most of the time to the reset, and none came back */
    }
}

/* Each measurement is a lower bound. Over a short time, or when the bucket was full and some was lost, only a
 * higher one says more. */
static void measure_refill(struct announced *a, const struct mark *now)
{
    bool full = now->remaining >= a->limit - 1;
    double came = came_back(&a->base, now), rate = 0;
    int64_t took = now->at_ms - a->base.sent_ms; /* at the most */

    if (took >= MEASURE_LEAST_MS) {
        rate = (came - (came < MEASURE_CALLS ? 0.5 : 1)) * 1000 / (double)(took + MEASURE_LEAST_MS);
        if (came >= 1 && !full)
            a->gap_ms = (int64_t)((double)took / came * 0.9);
    }
    bool higher = rate > a->refill;

    a->lossy |= full;
    if (higher || (rate > 0 && !a->lossy && took >= MEASURE_MS / 2))
        a->refill = rate;
    if (full)
        a->gap_ms /= 2; /* too slow to see what comes back */
    else if (!a->lossy && came >= MEASURE_CALLS)
        a->measured = true;
    if (a->lossy && !higher && (full || took >= MEASURE_MS / 2)) {
        measure_from(a, now);
    } else if (now->at_ms - a->later.at_ms >= MEASURE_MS) {
        a->base = a->later;
        a->later = *now;
    }
}

int64_t learn_reset_wait_ms(const struct gateway_core *core, const struct gateway_result *result)
{
    if (result->limit_reset_s <= 0 || result->limit_reset_s > (int64_t)LIMIT_TIME)
        return -1;
    return result->limit_reset_s * 1000 - (result->date_s > 0 ? result->date_s * 1000 : core->now.wall_ms);
}

static void take_headers(struct gateway_core *core, struct credential *c, const struct start *start,
                         const struct gateway_result *r)
{
    struct announced *a = &c->announced;
    double remaining = (double)r->limit_remaining, level = remaining - c->in_flight;
    double least = remaining - (double)(c->sent - start->number) - start->alongside;
    bool first = c->known != LIMIT_ANNOUNCED;
    bool careful = !first && core->now.boot_ms - core->epoch_ms < EPOCH_CAUTION_MS;
    double before = first ? level : learn_level(core, c);

    if (first) {
        *a = (struct announced){0};
        c->known = LIMIT_ANNOUNCED;
        c->rate = core->config.rate;
    }
    if (r->limit > 0)
        a->limit = (double)r->limit;
    else if (a->limit < remaining + 1)
        a->limit = remaining + 1;
    a->silent = 0;
    a->level_ms = core->now.boot_ms;
    if (start->number < a->newest) {
        a->level = least > before ? least : before;
        return;
    }
    /* Of calls under way together the server may have counted this one first: then it does not know of the
     * others, answered or not. Somebody else's calls show in what remains. */
    if (!first && before < level)
        level = before > least ? before : least;
    a->level = level;
    if (careful && before < level)
        a->level = level - a->limit / 2 > before ? level - a->limit / 2 : before;
    a->remaining = remaining;
    struct mark now = mark_of(core, c, start, remaining);
    int64_t wait = learn_reset_wait_ms(core, r), at = core->now.boot_ms;

    /* Before this no reset can have brought calls back: the Date was cut, and the answer took its time. */
    tell_shape(a, &now, r->limit_reset_s, r->date_s > 0 ? at + wait - 1500 : 0);
    if (a->shape == SHAPE_BUCKET)
        measure_refill(a, &now);
    at += wait < PAUSE_FIRST_MS ? PAUSE_FIRST_MS : wait > PAUSE_CAP_MS ? PAUSE_CAP_MS : wait;
    if (first || r->limit_reset_s != a->reset_s || at < a->reset_ms)
        a->reset_ms = at; /* of several times told for one reset the earliest is nearest */
    a->reset_s = r->limit_reset_s;
    a->dated = r->date_s > 0;
    a->newest = start->number;
}

void learn_headers(struct gateway_core *core, struct credential *credential, const struct start *start,
                   const struct gateway_result *result)
{
    /* A limit of one is always used up: it says nothing of when the next call may go. */
    if (result->limit_remaining >= 0 && result->limit != 1) {
        take_headers(core, credential, start, result);
        return;
    }
    if (credential->known == LIMIT_ANNOUNCED && ++credential->announced.silent >= SILENT_MAX)
        credential->known = LIMIT_UNKNOWN;
}

/* ---- LIMIT_FOUND: a rate below what was refused, that creeps up */

static double per_second(uint64_t calls, int64_t ms)
{
    return (double)calls * 1000 / (double)(ms > 1000 ? ms : 1000);
}

/* Between two 429s as many calls went through as were refilled, but for what overflowed in the pause: the
 * limit lies between the calls over the whole time and those over the time after the pause, or the rate at
 * the 429. The new rate starts below the middle and rises fast to the upper end, the ceiling. */
static void find(struct gateway_core *core, struct credential *c)
{
    struct found *f = &c->found;
    bool again = c->known == LIMIT_FOUND;
    int64_t took = core->now.boot_ms - f->since_ms, paused = f->paused_ms < took ? f->paused_ms : 0;
    double lower = per_second(f->done, took), upper = per_second(f->done, took - paused);

    if (!again) {
        upper = lower;
    } else if (!f->trusted || f->done < FOUND_CALLS) { /* a steep climb, or too few to measure */
        upper = lower = f->done >= 2 ? c->rate : c->rate / 2;
    } else if (upper > c->rate) {
        upper = c->rate;
    }
    double least = again ? RATE_FLOOR : FOUND_FIRST, rate = (lower + upper) / 2 * FOUND_STEP;

    if (core->config.rate > 0 && rate > core->config.rate * FOUND_STEP)
        rate = core->config.rate * FOUND_STEP;
    f->trusted = f->done >= FOUND_CALLS || (again && (f->trusted || f->done >= 2));
    c->rate = rate < least ? least : rate;
    f->ceiling = upper < c->rate / FOUND_STEP ? c->rate / FOUND_STEP : upper;
    c->known = LIMIT_FOUND;
    f->climbing = false;
}

/* Calls each second by which the rate rises in a second. Past the ceiling slowly: then the first refusal is
 * the only one, for the next call comes before the one after it is missing. Far past it the ceiling was
 * wrong. */
static double climb(const struct credential *c)
{
    const struct found *f = &c->found;

    if (!f->trusted)
        return c->rate / 2;
    if (c->rate < f->ceiling)
        return f->ceiling / 50;
    return c->rate < 1.2 * f->ceiling ? f->ceiling / 200 : c->rate / 10;
}

static void rise(struct gateway_core *core, struct credential *c)
{
    int64_t from = c->taken_ms > c->paused_until_ms ? c->taken_ms : c->paused_until_ms;
    int64_t passed = core->now.boot_ms - from;
    double cap = core->config.rate > 0 ? core->config.rate : RATE_CAP;

    if (passed > IDLE_MS)
        passed = IDLE_MS;
    if (passed > 0)
        c->rate += climb(c) * (double)passed / 1000;
    if (c->rate < cap)
        return;
    c->known = LIMIT_UNKNOWN;
    c->rate = core->config.rate;
    c->window = core->config.parallel;
}

/* ---- all states */

void learn_start(struct gateway_core *core, struct credential *credential, bool kept_pace)
{
    struct found *f = &credential->found;
    int64_t last = credential->taken_ms > credential->paused_until_ms ? credential->taken_ms
                                                                      : credential->paused_until_ms;

    if (core->now.boot_ms - last > IDLE_MS) {
        f->since_ms = core->now.boot_ms;
        f->paused_ms = 0;
        f->done = 0;
    }
    if (credential->known == LIMIT_UNKNOWN && credential->window == 1 && !credential->sent)
        core->probes++;
    if (credential->known == LIMIT_FOUND) {
        core->probes += !f->climbing;
        f->climbing = true;
        if (kept_pace)
            rise(core, credential);
    }
    if (credential->known == LIMIT_ANNOUNCED) {
        struct announced *a = &credential->announced;

        a->level = learn_level(core, credential) - 1;
        a->level_ms = core->now.boot_ms;
        if (a->refill <= 0 && a->reset_ms && core->now.boot_ms >= a->reset_ms)
            a->reset_ms = core->now.boot_ms + PAUSE_LAST_MS; /* full only once; an answer will tell more */
        if (spaces(a))
            space(core, a);
    }
}

void learn_passed(struct gateway_core *core, struct credential *credential)
{
    credential->found.done++;
    if (credential->known != LIMIT_UNKNOWN || credential->window >= core->config.parallel ||
        credential->in_flight + 1 < credential->window)
        return;
    if (++credential->full >= WINDOW_ANSWERS) {
        credential->full = 0;
        credential->window++;
        core->probes++;
    }
}

void learn_refused(struct gateway_core *core, struct credential *credential)
{
    struct announced *a = &credential->announced;

    if (credential->known == LIMIT_ANNOUNCED) {
        /* Somebody else has the same credential, or the limit was lowered. */
        a->refill *= 0.8;
        a->same = (struct mark){0};
        a->shape = SHAPE_UNKNOWN;
        a->measured = false;
        a->gap_ms = 0;
        a->level = at_least_one(credential, a->level);
        a->level_ms = credential->paused_until_ms;
    } else {
        find(core, credential);
    }
    credential->found.since_ms = core->now.boot_ms;
    credential->found.paused_ms = budget_pause_ms(core, credential);
    credential->found.done = 0;
}
