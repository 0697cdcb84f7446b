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

bool attempts_others_open(const struct job *job)
{
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
    int64_t now_s = core->now.wall_ms / 1000;

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
        int64_t wait =
            is_seen(job, attempt) ? 0 : settle_wait(attempt->at_s, first_s, found->sent_s, found->arrived_s);
        if (wait == 0) {
            state_drop_attempt(&job->state, attempt->fingerprint);
            continue;
        }
        if (first_s < attempt->at_s || first_s == 0)
            job->absent_since = found->arrived_s;
        wait_s = wait > wait_s ? wait : wait_s;
    }
    return (uint64_t)wait_s * 1000;
}

bool attempts_own_is_open(struct worker_core *core, uint64_t *wait_ms)
{
    struct job *job = core->job;
    int64_t now_s = core->now.wall_ms / 1000, at_s = job->open ? now_s : job->intent_before_s;

    if (!job->open && !job->intent_before)
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

void attempts_intend(struct worker_core *core)
{
    struct job *job = core->job;
    struct attempt *own = state_attempt(&job->state, job->key.fingerprint);

    if (job->intent_ms == 0 && own != NULL) {
        mend_time(core, own);
        job->intent_before = true;
        job->intent_before_s = own->at_s;
    }
    if (state_set_attempt(&job->state, job->key.fingerprint, core->now.wall_ms / 1000) == NULL)
        return; /* attempts_intent_is_fresh() stays false, and nothing is sent */
    job->intent_ms = core->now.boot_ms;
}

bool attempts_intent_is_fresh(const struct worker_core *core)
{
    int64_t lifetime_ms = ATTEMPT_SEND_S * 1000 / 2;

    return core->job->intent_ms != 0 && core->now.boot_ms < core->job->intent_ms + lifetime_ms;
}

void attempts_close(struct job *job, bool success)
{
    if (!job->key.present || !job_makes(job) || (job->intent_ms == 0 && !success) || (job->open && !success))
        return;
    if (state_attempt(&job->state, job->key.fingerprint) == NULL)
        return;
    if (success || !job->intent_before)
        state_drop_attempt(&job->state, job->key.fingerprint);
    else
        state_set_attempt(&job->state, job->key.fingerprint, job->intent_before_s);
}
