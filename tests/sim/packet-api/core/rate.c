/* tests/sim/packet-api/core/rate.c -- the real bucket: admits, refuses with 429 and counts violations (S-26).
 * Owns the arithmetic of the buckets; decides nothing else. Called once for each request with a valid token.
 */
#include "tests/sim/packet-api/core/internal.h"

#define ONE      1000 /* a request, in thousandths: a rate of r per second adds r of them each millisecond */
#define GRACE_MS 50   /* a request that crossed the 429 on its way is no violation */

static void refill(struct psim_token *bucket, int64_t now_ms, int rate, int burst)
{
    int64_t full = (int64_t)burst * ONE;
    if (bucket->level_ms == INT64_MIN)
        bucket->level = full;
    else if (now_ms > bucket->level_ms)
        bucket->level += /* from as far below empty as refused requests can bring it */
            now_ms - bucket->level_ms > 2 * full / rate + 1 ? 2 * full : (now_ms - bucket->level_ms) * rate;
    if (bucket->level > full)
        bucket->level = full;
    if (bucket->level_ms < now_ms)
        bucket->level_ms = now_ms;
}

void psim_rate_refill(struct packet_sim *sim)
{
    sim->rate_all.level_ms = INT64_MIN;
    for (size_t i = 0; i < sim->n_tokens; i++)
        sim->tokens[i]->level_ms = INT64_MIN;
}

void psim_rate_note_pause(struct psim_call *call, int64_t seconds)
{
    if (call->token == NULL || seconds <= 0 || seconds > 86400)
        return;
    int64_t arrives = call->now_ms + psim_latency(call);
    call->token->pause_from_ms = arrives + GRACE_MS;
    call->token->pause_until_ms = arrives + seconds * 1000;
}

static void refuse(struct psim_call *call, const struct psim_token *bucket, int rate)
{
    int64_t missing = ONE - bucket->level;
    int64_t seconds = (missing + (int64_t)rate * 1000 - 1) / ((int64_t)rate * 1000);
    if (seconds < 1)
        seconds = 1;
    char date[32];
    psim_http_date(call->now_ms + seconds * 1000 + 999, date);
    psim_answer_errors(call, 429, "Too many requests");
    if (call->sim->switches.rate_retry_after == PACKET_SIM_RETRY_AFTER_SECONDS)
        psim_header(call, "Retry-After", "%lld", (long long)seconds);
    else if (call->sim->switches.rate_retry_after == PACKET_SIM_RETRY_AFTER_DATE)
        psim_header(call, "Retry-After", "%s", date);
    if (call->sim->switches.rate_retry_after != PACKET_SIM_RETRY_AFTER_NONE)
        psim_rate_note_pause(call, seconds);
}

bool psim_rate_admit(struct psim_call *call)
{
    struct packet_sim *sim = call->sim;
    const struct packet_sim_switches *switches = &sim->switches;
    struct psim_token *bucket = switches->rate_scope == PACKET_SIM_RATE_ALL ? &sim->rate_all : call->token;
    if (call->now_ms >= call->token->pause_from_ms && call->now_ms < call->token->pause_until_ms)
        sim->counters.during_pause++;
    if (switches->rate_per_s <= 0)
        return true;
    int burst = switches->rate_burst > 0 ? switches->rate_burst : switches->rate_per_s;
    refill(bucket, call->now_ms, switches->rate_per_s, burst);
    bool admitted = bucket->level >= ONE;
    if (admitted || (!switches->rate_denied_costs_nothing && bucket->level > -(int64_t)burst * ONE))
        bucket->level -= ONE; /* a client that storms is kept out for a while, not for ever */
    if (switches->rate_headers) {
        int64_t level = bucket->level > 0 ? bucket->level : 0;
        psim_header(call, "X-RateLimit-Limit", "%d", burst);
        psim_header(call, "X-RateLimit-Remaining", "%lld", (long long)(level / ONE));
        psim_header(
            call, "X-RateLimit-Reset", "%lld",
            (long long)((call->now_ms + ((int64_t)burst * ONE - level) / switches->rate_per_s) / 1000 + 1));
    }
    if (!admitted) {
        sim->counters.rate++;
        refuse(call, bucket, switches->rate_per_s);
    }
    return admitted;
}
