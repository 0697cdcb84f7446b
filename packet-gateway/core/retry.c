/* packet-gateway/core/retry.c -- the retry policy, whole. What is worth repeating is a column of classify.c's
 * table; here stand how often and how long between. A POST never comes here: create.c lists instead (packet
 * C-20). Called by list.c and change.c. */
#include "packet-gateway/core/internal.h"

#define DELAY_FIRST_MS 100
#define DELAY_LAST_MS  2000

/* splitmix64: enough for jitter, and the same seed gives the same run. */
double random_unit(struct gateway_core *core)
{
    uint64_t z = core->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0; /* 2^53 */
}

int64_t retry_delay_ms(struct gateway_core *core, unsigned tries)
{
    int64_t base = DELAY_FIRST_MS;

    for (unsigned i = 1; i < tries && base < DELAY_LAST_MS; i++)
        base *= 4;
    if (base > DELAY_LAST_MS)
        base = DELAY_LAST_MS;
    return base / 2 + (int64_t)((double)base / 2 * random_unit(core));
}

/* Answers that come at once are worth more tries than those that take their 30 s: those would keep a worker
 * for minutes. */
static bool tries_left(const struct gateway_core *core, const struct call *call)
{
    bool soon = core->now.boot_ms - TAILQ_FIRST(&call->tasks)->asked_ms < TRIES_SOON_MS;

    return call->tries < (soon ? TRIES_SOON_MAX : TRIES_MAX);
}

bool retry_call(struct gateway_core *core, struct call *call, enum answer_class class)
{
    if (TAILQ_FIRST(&call->tasks)->orphan) /* a list has no orphans */
        return false;
    if (class == CLASS_LIMITED && call->tries < TRIES_MAX &&
        budget_wait_ms(core, call->credential, call->lane) <= BUDGET_WAIT_MS) {
        call_repeat(core, call, 0); /* the pause holds it back */
        return true;
    }
    if (!class_row(class)->repeat || !tries_left(core, call))
        return false;
    int64_t delay = retry_delay_ms(core, call->tries);

    /* A repeat that would come too late is no repeat. */
    if (core->now.boot_ms + delay >= call->start_before)
        return false;
    call_repeat(core, call, delay);
    return true;
}
