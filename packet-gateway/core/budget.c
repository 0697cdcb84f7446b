/* packet-gateway/core/budget.c -- when a call may start: one token bucket of our own for each credential,
 * found by the hash of its token, the pause after a 429, and what learn.c knows of the server's limit. Never
 * sends, never waits: it answers how long a call would have to. Called by calls.c, grants.c and gateway.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

/* What only deletes may use: they undo, and must get through behind any crowd. */
static double own_reserve(const struct gateway_core *core, const struct credential *c)
{
    return c->known == LIMIT_FOUND ? 1 : (double)(core->config.burst / 10);
}

/* At a rate that was found nothing is saved up: one call, and the reserve. */
static double own_burst(const struct gateway_core *core, const struct credential *c)
{
    if (c->known == LIMIT_FOUND)
        return 2;
    return core->config.burst ? core->config.burst : 1;
}

struct credential *credential_get(struct gateway_core *core, const char *token, size_t len)
{
    unsigned char hash[DIGEST_LEN];
    struct credential *c;

    digest_of(token, len, hash);
    EACH(c, &core->credentials)
    {
        if (memcmp(c->hash, hash, sizeof hash) == 0)
            break;
    }
    if (!c) {
        c = x_calloc(1, sizeof *c);
        memcpy(c->hash, hash, sizeof hash);
        c->rate = core->config.rate;
        c->filled_ms = core->now.boot_ms;
        c->window = c->rate > 0 ? 1 : core->config.parallel; /* no limit of our own is none of either kind */
        TAILQ_INSERT_TAIL(&core->credentials, c, link);
    }
    c->used_ms = core->now.boot_ms;
    if (!c->token)
        c->token = secret_new(token, len);
    if (!c->token)
        return NULL;
    c->refs++;
    return c;
}

void credential_ref(struct credential *credential)
{
    credential->refs++;
}

void credential_unref(struct gateway_core *core, struct credential *credential)
{
    credential->used_ms = core->now.boot_ms;
    if (--credential->refs == 0)
        secret_free(&credential->token);
}

/* What our own bucket would hold if it had no rim. */
static double poured(const struct gateway_core *core, const struct credential *c)
{
    int64_t passed = core->now.boot_ms - c->filled_ms;

    return passed > 0 ? c->tokens + c->rate * (double)passed / 1000 : c->tokens;
}

static double own_left(const struct gateway_core *core, const struct credential *c)
{
    double tokens = poured(core, c), burst = own_burst(core, c);

    return tokens > burst ? burst : tokens;
}

static void fill(const struct gateway_core *core, struct credential *c)
{
    if (core->now.boot_ms < c->filled_ms)
        return; /* a pause, which ends with what there is */
    c->tokens = own_left(core, c);
    c->filled_ms = core->now.boot_ms;
}

/* Milliseconds until our own bucket holds `need`. */
static int64_t own_wait_ms(const struct gateway_core *core, const struct credential *c, double need)
{
    double have = own_left(core, c);

    if (c->rate <= 0 || have >= need)
        return 0;
    double ms = (need - have) / c->rate * 1000;

    return ms > (double)PAUSE_CAP_MS ? PAUSE_CAP_MS : (int64_t)ms + 1;
}

int64_t budget_pause_ms(const struct gateway_core *core, const struct credential *credential)
{
    int64_t left = credential->paused_until_ms - core->now.boot_ms;

    return left > 0 ? left : 0;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

double budget_left(const struct gateway_core *core, const struct credential *credential)
{
    double own = own_left(core, credential), level;

    if (credential->known != LIMIT_ANNOUNCED)
        return own;
    level = learn_level(core, credential);
    return credential->rate > 0 && own < level ? own : level;
}

int64_t budget_wait_ms(const struct gateway_core *core, const struct credential *credential, enum lane lane)
{
    bool delete = lane == LANE_DELETE;
    int64_t wait = budget_pause_ms(core, credential);

    wait = later(wait, own_wait_ms(core, credential, delete ? 1 : 1 + own_reserve(core, credential)));
    if (credential->known != LIMIT_ANNOUNCED)
        return wait;
    return later(wait, learn_wait_ms(core, credential, delete ? 1 : 1 + learn_reserve(credential)));
}

int64_t budget_admission_ms(const struct gateway_core *core, const struct credential *credential,
                            enum lane lane, double calls)
{
    bool delete = lane == LANE_DELETE;
    double need = credential->reserved + calls, own = delete ? 0 : own_reserve(core, credential);
    int64_t wait = later(budget_pause_ms(core, credential), own_wait_ms(core, credential, need + own));

    if (credential->known != LIMIT_ANNOUNCED)
        return wait;
    return later(wait, learn_wait_ms(core, credential, delete ? need : need + learn_reserve(credential)));
}

bool budget_has_room(const struct gateway_core *core, const struct credential *credential)
{
    (void)core;
    return credential->known != LIMIT_UNKNOWN || credential->in_flight < credential->window;
}

struct start budget_take(struct gateway_core *core, struct credential *credential)
{
    struct start start = {
        .number = credential->sent + 1, .sent_ms = core->now.boot_ms, .alongside = credential->in_flight};
    bool kept_pace = poured(core, credential) < own_burst(core, credential) + 0.5;

    fill(core, credential);
    learn_start(core, credential, kept_pace);
    if (credential->rate > 0)
        credential->tokens -= 1;
    credential->in_flight++;
    credential->sent++;
    credential->taken_ms = core->now.boot_ms;
    return start;
}

/* packet C-34: Retry-After, else the reset time when nothing remains, else doubling with jitter; capped. */
static int64_t pause_after_429(struct gateway_core *core, unsigned in_a_row, const struct gateway_result *r)
{
    int64_t wait = -1;

    if (r->retry_after_ms >= 0)
        wait = r->retry_after_ms;
    else if (r->limit_remaining == 0)
        wait = learn_reset_wait_ms(core, r);
    if (wait < 0) {
        wait = PAUSE_FIRST_MS;
        for (unsigned i = 0; i < in_a_row && wait < PAUSE_LAST_MS; i++)
            wait *= 2;
        if (wait > PAUSE_LAST_MS)
            wait = PAUSE_LAST_MS;
    }
    /* Jitter on top only: an earlier call than the server allows is a violation. */
    wait += (int64_t)(random_unit(core) * (double)(wait / 4 < 100 ? 100 : wait / 4 < 1000 ? wait / 4 : 1000));
    return wait > PAUSE_CAP_MS ? PAUSE_CAP_MS : wait;
}

/* Calls that were under way when the limit was hit are one event with it: one step of backoff for them all.
 */
static void refused(struct gateway_core *core, struct credential *c, uint64_t number,
                    const struct gateway_result *r)
{
    bool again = number <= c->limited_at;
    int64_t until =
        core->now.boot_ms + pause_after_429(core, again && c->limited ? c->limited - 1 : c->limited, r);

    core->limited++;
    if (until > c->paused_until_ms)
        c->paused_until_ms = until;
    if (!again) {
        c->limited++;
        c->limited_at = c->sent;
        learn_refused(core, c);
    }
    /* Then one call may go at once: the server has said so. */
    c->filled_ms = c->paused_until_ms;
    c->tokens = 1 + own_reserve(core, c);
}

void budget_learn(struct gateway_core *core, struct credential *credential, const struct start *start,
                  const struct answer *answer)
{
    if (credential->in_flight)
        credential->in_flight--;
    if (answer->result->fate != FATE_ANSWERED)
        return;
    fill(core, credential);
    learn_headers(core, credential, start, answer->result);
    if (answer->class == CLASS_LIMITED) {
        refused(core, credential, start->number, answer->result);
    } else {
        credential->limited = 0;
        learn_passed(core, credential);
    }
}

void budget_empty(struct gateway_core *core)
{
    struct credential *c;

    core->epoch_ms = core->now.boot_ms;
    EACH(c, &core->credentials)
    {
        c->tokens = 0;
        c->filled_ms = later(core->now.boot_ms, c->paused_until_ms);
        if (c->announced.refill > 0 && c->announced.level > 0) {
            c->announced.level = 0; /* comes back at the known rate */
            c->announced.level_ms = core->now.boot_ms;
        }
    }
}

void budget_sweep(struct gateway_core *core)
{
    struct credential *next;

    for (struct credential *c = TAILQ_FIRST(&core->credentials); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->refs || c->tickets || core->now.boot_ms - c->used_ms < CREDENTIAL_KEPT_MS)
            continue;
        TAILQ_REMOVE(&core->credentials, c, link);
        free(c);
    }
}

void budget_free(struct gateway_core *core)
{
    struct credential *c;

    while ((c = TAILQ_FIRST(&core->credentials))) {
        TAILQ_REMOVE(&core->credentials, c, link);
        secret_free(&c->token);
        free(c);
    }
}
