/* worker/core/attempts.c -- open attempts (design 12.2): a mutation without a definite answer stays one until
 * its result is seen, or until two complete lists without it, far enough apart and late enough, have shown
 * that it cannot come any more. Sends nothing. Called by flow.c, make.c and remove.c. */
#include <string.h>

#include "worker/core/job.h"

/* The last moment at which a request for an intent of that time can take effect. */
#define EFFECT_S (ATTEMPT_SEND_S + ATTEMPT_SETTLE_S)

static bool is_own(const struct job *job, const struct attempt *attempt)
{
    return job_makes(job) && job->key.present && strcmp(attempt->fingerprint, job->key.fingerprint) == 0;
}

/* Requests may still take effect whose end nobody knows. They do no harm while their own material is what is
 * wanted: Packet refuses it twice. No other material is intended while they last, so that an attempt with
 * ours tells that they are ours. */
static bool is_unsettled(struct job *job)
{
    bool same = job_makes(job) && job->key.present &&
                (strcmp(job->key.fingerprint, job->state.fingerprint) == 0 ||
                 state_attempt(&job->state, job->key.fingerprint) != NULL);

    return job->unsettled_before_s != 0 && !same;
}

/* One gateway has sent everything that followed from an intent of that time, and knows each end. A time ahead
 * of our clock proves nothing: the clock was set back meanwhile. */
static bool is_known(const struct job *job, int64_t at_s)
{
    const struct found *found = &job->found;

    return found->sure_since_s != 0 && at_s >= found->sure_since_s && at_s <= found->arrived_s;
}

bool attempts_others_open(struct job *job)
{
    if (is_unsettled(job))
        return true;
    for (unsigned i = 0; i < job->state.n_attempts; i++)
        if (job->state.attempts[i].change != ATTEMPT_DROP && !is_own(job, &job->state.attempts[i]))
            return true;
    return false;
}

/* A key with the attempt's material, ours by any sign or by the label alone: the attempt itself is the proof.
 * Its id is recorded, so that no later run depends on its tags. */
static bool is_seen(struct job *job, const struct attempt *attempt)
{
    bool seen = false;

    for (unsigned i = 0; i < job->found.n_keys; i++) {
        struct found_key *key = &job->found.keys[i];

        if (strcmp(key->fingerprint, attempt->fingerprint) != 0 || key->owner == OWNER_OTHER ||
            !(key->label || key_is_ours(job, key)))
            continue;
        job->learned |= !key->recorded && key->owner != OWNER_US;
        seen = key->recorded = true;
        if (job->state.id[0] != '\0') {
            if (!state_knows(&job->state, key->id))
                state_add_obsolete(&job->state, key->id);
            continue;
        }
        memcpy(job->state.id, key->id, sizeof job->state.id);
        memcpy(job->state.fingerprint, attempt->fingerprint, sizeof job->state.fingerprint);
        job->state.dirty = true;
    }
    return seen;
}

/* Seconds until an attempt of at_s can be called settled by a list sent at list_s; 0 = it is. first_s: the
 * first list without it, 0 = this one is the first. */
static int64_t settle_wait(int64_t at_s, int64_t first_s, int64_t list_s, int64_t now_s)
{
    int64_t due_s = at_s + EFFECT_S;

    if (first_s == 0 || first_s < at_s) {
        first_s = now_s;
        list_s = 0;
    }
    if (due_s < first_s + ATTEMPT_LISTS_S)
        due_s = first_s + ATTEMPT_LISTS_S;
    if (list_s >= due_s)
        return 0;
    return due_s > now_s ? due_s - now_s + 1 : 1;
}

/* A time that nobody of us wrote counts from now. */
static void mend_time(struct worker_core *core, struct attempt *attempt)
{
    int64_t now_s = core->now.steady_ms / 1000;

    if (attempt->at_s >= 0 && attempt->at_s <= now_s + TIMESTAMP_AHEAD_S)
        return;
    attempt->at_s = now_s;
    attempt->change = ATTEMPT_SET;
    core->job->state.dirty = true;
}

uint64_t attempts_settle(struct worker_core *core)
{
    struct job *job = core->job;
    const struct found *found = &job->found;
    int64_t wait_s = 0, first_s = job->absent_since;

    for (unsigned i = job->state.n_attempts; i-- > 0;) {
        struct attempt *attempt = &job->state.attempts[i];

        if (attempt->change == ATTEMPT_DROP || is_own(job, attempt))
            continue;
        mend_time(core, attempt);
        bool ended = is_seen(job, attempt) || is_known(job, attempt->at_s);
        int64_t wait = ended ? 0 : settle_wait(attempt->at_s, first_s, found->sent_s, found->arrived_s);
        if (wait == 0) {
            state_drop_attempt(&job->state, attempt->fingerprint);
            continue;
        }
        if (first_s < attempt->at_s || first_s == 0)
            job->absent_since = found->arrived_s;
        wait_s = wait > wait_s ? wait : wait_s;
    }
    int64_t left_s = is_unsettled(job) ? job->unsettled_before_s - core->now.steady_ms / 1000 + 1 : 0;
    if (is_unsettled(job) && found->sent_s >= job->unsettled_before_s) {
        job->unsettled_before_s = 0;
        state_unsettled(&job->state, 0);
    } else if (left_s > wait_s) {
        wait_s = left_s;
    }
    return (uint64_t)(wait_s > 0 ? wait_s : 0) * 1000;
}

bool attempts_own_is_open(struct worker_core *core, uint64_t *wait_ms)
{
    struct job *job = core->job;
    int64_t now_s = core->now.steady_ms / 1000, at_s = job->open ? now_s : job->intent_before_s;

    if (!job->open && (!job->intent_before || is_known(job, at_s)))
        return false;
    int64_t wait = settle_wait(at_s, job->absent_since, job->found.sent_s, now_s);
    if (wait == 0) {
        job->intent_before = job->open = false;
        return false;
    }
    if (job->absent_since < at_s)
        job->absent_since = now_s;
    *wait_ms = (uint64_t)wait * 1000;
    return true;
}

/* Once more the same material, while an earlier request with it has no known end: that is written ahead,
 * since one key that is seen then does not tell the fate of both. */
static void write_ahead(struct worker_core *core)
{
    struct job *job = core->job;
    int64_t until_s = 0;

    if (job->open)
        until_s = core->now.steady_ms / 1000 + EFFECT_S;
    else if (strcmp(job->state.fingerprint, job->key.fingerprint) ==
             0) /* it may stand already, and tell nothing */
        until_s = core->now.steady_ms / 1000 + EFFECT_S;
    else if (job->intent_before && !is_known(job, job->intent_before_s))
        until_s = job->intent_before_s + EFFECT_S;
    job->ahead = job->open;
    if (until_s > job->state.unsettled_s)
        state_unsettled(&job->state, until_s);
}

void attempts_intend(struct worker_core *core)
{
    struct job *job = core->job;
    struct attempt *own = state_attempt(&job->state, job->key.fingerprint);

    if (job->intent_ms == 0 && own != NULL) {
        mend_time(core, own);
        job->intent_before = true;
        job->intent_before_s = own->at_s;
    }
    if (state_set_attempt(&job->state, job->key.fingerprint, core->now.steady_ms / 1000) == NULL)
        return; /* attempts_may_send() stays false, and nothing is sent */
    write_ahead(core);
    job->intent_ms = core->now.boot_ms;
}

bool attempts_may_send(const struct worker_core *core)
{
    const struct job *job = core->job;
    int64_t lifetime_ms = ATTEMPT_SEND_S * 1000 / 2;

    return job->intent_ms != 0 && core->now.boot_ms < job->intent_ms + lifetime_ms && job->ahead >= job->open;
}

/* What this run asked for was sent by one gateway, since no worker outlives its own: that one knows what
 * still floats of it. What an older gateway had sent is over when a key is seen and nothing else could have
 * made it. */
void attempts_took_effect(struct job *job, bool seen, bool unsure)
{
    bool older = job->intent_before && !is_known(job, job->intent_before_s);

    job->unsure = unsure || (older && (!seen || job->open));
    job->open = false;
}

/* The key stands, but some request for it has no known end: until when it may still take effect. 0: none. */
static int64_t unsettled_until(const struct job *job, int64_t now_s)
{
    int64_t until_s = now_s + ATTEMPT_SETTLE_S, before_s = job->intent_before_s + EFFECT_S;

    if (!job->unsure)
        return 0;
    return job->intent_before && before_s > until_s ? before_s : until_s;
}

static void close_success(struct worker_core *core)
{
    struct job *job = core->job;
    int64_t until_s = unsettled_until(job, core->now.steady_ms / 1000), before_s = job->unsettled_before_s;

    if (before_s > until_s && before_s > job->found.sent_s)
        until_s = before_s;
    state_unsettled(&job->state, until_s);
    if (state_attempt(&job->state, job->key.fingerprint) != NULL)
        state_drop_attempt(&job->state, job->key.fingerprint);
}

void attempts_close(struct worker_core *core, bool success)
{
    struct job *job = core->job;

    if (!job->key.present || !job_makes(job))
        return;
    if (success) {
        close_success(core);
        return;
    }
    if (job->intent_ms == 0 || job->open || state_attempt(&job->state, job->key.fingerprint) == NULL)
        return;
    state_unsettled(&job->state, job->unsettled_before_s);
    if (job->intent_before)
        state_set_attempt(&job->state, job->key.fingerprint, job->intent_before_s);
    else
        state_drop_attempt(&job->state, job->key.fingerprint);
}
