/* packet-gateway/core/budget.c -- the rate limit, whole: one token bucket for each credential, found by the
 * hash of its token, and the pause after a 429. Never sends, never waits: it answers how long a call would
 * have to. Called by calls.c, grants.c and gateway.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

static double burst_of(const struct gateway_core *core)
{
    return core->config.burst ? core->config.burst : 1;
}

/* What only deletes may use: they undo, and must get through behind any crowd. */
static double reserve_of(const struct gateway_core *core, enum lane lane)
{
    return lane == LANE_DELETE ? 0 : (double)(core->config.burst / 10);
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

double budget_left(const struct gateway_core *core, const struct credential *credential)
{
    int64_t passed = core->now.boot_ms - credential->filled_ms;
    double tokens = credential->tokens;

    if (passed > 0)
        tokens += credential->rate * (double)passed / 1000;
    return tokens > burst_of(core) ? burst_of(core) : tokens;
}

static void fill(const struct gateway_core *core, struct credential *c)
{
    c->tokens = budget_left(core, c);
    c->filled_ms = core->now.boot_ms;
}

/* Milliseconds until the bucket holds `need`. */
static int64_t wait_for(const struct gateway_core *core, const struct credential *c, double need)
{
    double have = budget_left(core, c);

    if (c->rate <= 0 || have >= need)
        return 0;
    double ms = (need - have) / c->rate * 1000;

    return ms > (double)PAUSE_CAP_MS ? PAUSE_CAP_MS : (int64_t)ms + 1;
}

static int64_t pause_left(const struct gateway_core *core, const struct credential *c)
{
    return c->paused_until_ms > core->now.boot_ms ? c->paused_until_ms - core->now.boot_ms : 0;
}

int64_t budget_wait_ms(const struct gateway_core *core, const struct credential *credential, enum lane lane)
{
    int64_t pause = pause_left(core, credential);
    int64_t wait = wait_for(core, credential, 1 + reserve_of(core, lane));

    return pause > wait ? pause : wait;
}

int64_t budget_admission_ms(const struct gateway_core *core, const struct credential *credential)
{
    int64_t pause = pause_left(core, credential);
    int64_t wait = wait_for(core, credential, credential->reserved + GRANT_CALLS);

    return pause > wait ? pause : wait;
}

void budget_take(struct gateway_core *core, struct credential *credential)
{
    fill(core, credential);
    if (credential->rate > 0)
        credential->tokens -= 1;
}

/* packet C-34: Retry-After, else the reset time when nothing remains, else doubling with jitter; capped. */
static int64_t pause_after_429(struct gateway_core *core, struct credential *c,
                               const struct gateway_result *r)
{
    int64_t wait = -1;

    if (r->retry_after_ms >= 0)
        wait = r->retry_after_ms;
    else if (r->limit_remaining == 0 && r->limit_reset_s > 0 && r->limit_reset_s <= (int64_t)LIMIT_TIME)
        wait = r->limit_reset_s * 1000 - core->now.wall_ms;
    if (wait < 0) {
        wait = PAUSE_FIRST_MS;
        for (unsigned i = 0; i < c->limited && wait < PAUSE_LAST_MS; i++)
            wait *= 2;
        if (wait > PAUSE_LAST_MS)
            wait = PAUSE_LAST_MS;
    }
    /* Jitter on top only: an earlier call than the server allows is a violation. */
    wait += (int64_t)(random_unit(core) * (double)(wait / 4 < 100 ? 100 : wait / 4 < 1000 ? wait / 4 : 1000));
    return wait > PAUSE_CAP_MS ? PAUSE_CAP_MS : wait;
}

void budget_learn(struct gateway_core *core, struct credential *credential, const struct answer *answer)
{
    const struct gateway_result *r = answer->result;

    if (r->fate != FATE_ANSWERED)
        return;
    fill(core, credential);
    if (answer->class == CLASS_LIMITED) {
        /* Several calls were under way when the limit was hit: one cut, one step of backoff for them all. */
        bool first = pause_left(core, credential) == 0;
        int64_t until = core->now.boot_ms + pause_after_429(core, credential, r);

        if (until > credential->paused_until_ms)
            credential->paused_until_ms = until;
        if (first && credential->rate > 0)
            credential->rate = credential->rate / 2 < RATE_FLOOR ? RATE_FLOOR : credential->rate / 2;
        if (first)
            credential->limited++;
        credential->tokens = 0;
        return;
    }
    credential->limited = 0;
    /* A call each second more for each second at full speed; at low rates a tenth for each call. */
    if (credential->rate > 0 && credential->rate < core->config.rate) {
        double step = 1 / credential->rate;

        credential->rate += step < credential->rate / 10 ? step : credential->rate / 10;
        if (credential->rate > core->config.rate)
            credential->rate = core->config.rate;
    }
    if (r->limit_remaining == 0 && r->limit_reset_s > 0 && r->limit_reset_s <= (int64_t)LIMIT_TIME) {
        int64_t wait = r->limit_reset_s * 1000 - core->now.wall_ms;

        wait = wait > PAUSE_CAP_MS ? PAUSE_CAP_MS : wait;
        if (wait > 0 && core->now.boot_ms + wait > credential->paused_until_ms)
            credential->paused_until_ms = core->now.boot_ms + wait;
    }
}

void budget_empty(struct gateway_core *core)
{
    struct credential *c;

    EACH(c, &core->credentials)
    {
        c->tokens = 0;
        c->filled_ms = core->now.boot_ms;
    }
}

void budget_sweep(struct gateway_core *core)
{
    struct credential *next;

    for (struct credential *c = TAILQ_FIRST(&core->credentials); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->refs || core->now.boot_ms - c->used_ms < CREDENTIAL_KEPT_MS)
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
