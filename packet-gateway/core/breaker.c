/* packet-gateway/core/breaker.c -- is the API there at all? After some calls in a row that it did not answer
 * nothing is sent but one probe now and then; its answer, whatever it says, opens the way again. Never judges
 * what an answer means. Called by calls.c, grants.c and gateway.c. */
#include <stdio.h>

#include "packet-gateway/core/internal.h"

enum sign { SIGN_OF_LIFE, SIGN_OF_DEATH, NO_SIGN };

/* A refused token or a wrong certificate is an answer: somebody must hear of it. A fenced call was not sent.
 */
static enum sign sign_of(const struct answer *answer)
{
    const char *id = answer->result->request_id;

    switch (answer->class) {
    case CLASS_FENCED: return NO_SIGN;
    case CLASS_NOT_SENT:
    case CLASS_LOST: return SIGN_OF_DEATH;
    case CLASS_FRONT:
        /* A balancer that has nobody behind it; what the API itself says is JSON and has a request id. */
        return answer->status < 502 || (answer->root && id && *id) ? SIGN_OF_LIFE : SIGN_OF_DEATH;
    default: return SIGN_OF_LIFE;
    }
}

bool breaker_is_open(const struct gateway_core *core)
{
    return core->breaker.open;
}

int64_t breaker_wait_ms(const struct gateway_core *core)
{
    const struct breaker *b = &core->breaker;

    if (!b->open)
        return 0;
    if (b->probe)
        return BREAKER_FIRST_MS;
    return b->probe_ms > core->now.boot_ms ? b->probe_ms - core->now.boot_ms : 0;
}

/* A POST is never the probe: its outcome would be unknown, and a list comes before each. */
bool breaker_lets(const struct gateway_core *core, const struct call *call)
{
    bool post = call->method[0] == 'P' && call->method[1] == 'O';

    return !core->breaker.open || (!post && breaker_wait_ms(core) == 0);
}

void breaker_sent(struct gateway_core *core, const struct call *call)
{
    if (core->breaker.open)
        core->breaker.probe = call->id;
}

static void put_off(struct gateway_core *core, int64_t wait_ms)
{
    struct breaker *b = &core->breaker;

    b->wait_ms = wait_ms > BREAKER_LAST_MS ? BREAKER_LAST_MS : wait_ms;
    b->probe_ms = core->now.boot_ms + b->wait_ms + (int64_t)((double)b->wait_ms / 4 * random_unit(core));
}

static void failed(struct gateway_core *core, const struct answer *answer, bool probe)
{
    struct breaker *b = &core->breaker;

    if (b->failures++ == 0)
        b->since_wall_ms = core->now.wall_ms;
    /* None of the peer's words: they go to objects of every credential. */
    if (answer->status)
        snprintf(b->why, sizeof b->why, "HTTP %d", answer->status);
    else
        snprintf(b->why, sizeof b->why, "%.400s",
                 answer->result->detail && answer->result->detail[0] ? answer->result->detail : "no answer");
    if (probe) {
        put_off(core, 2 * b->wait_ms);
    } else if (!b->open && b->failures >= BREAKER_FAILURES) {
        b->open = true;
        b->since_ms = core->now.boot_ms;
        put_off(core, BREAKER_FIRST_MS);
    }
}

void breaker_learn(struct gateway_core *core, uint64_t id, const struct answer *answer)
{
    struct breaker *b = &core->breaker;
    bool probe = b->probe == id;
    enum sign sign = sign_of(answer);

    if (probe)
        b->probe = 0;
    if (sign == SIGN_OF_DEATH) {
        failed(core, answer, probe);
    } else if (sign == SIGN_OF_LIFE) {
        b->failures = 0;
        b->open = false;
        b->probe = 0;
    }
}

bool breaker_tells(const struct gateway_core *core, char out[DETAIL_TEXT])
{
    const struct breaker *b = &core->breaker;
    char since[CLOCK_TEXT_MAX];

    if (!b->open || core->now.boot_ms - b->since_ms < BREAKER_TELL_MS)
        return false;
    clock_text_seconds(b->since_wall_ms, since);
    snprintf(out, DETAIL_TEXT, "the Packet API has not answered since %s: %s", since, b->why);
    return true;
}
