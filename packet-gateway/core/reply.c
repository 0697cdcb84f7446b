/* packet-gateway/core/reply.c -- the answers to a worker, OUTCOME and FOUND, within their limits. Never sends
 * key material of others, never a token. Called by tasks.c. */
#include <string.h>

#include "packet-gateway/core/internal.h"
#include "proto/pack.h"

#define WAIT_MAX_MS (2 * PAUSE_CAP_MS)

static struct span text_or_absent(const char *text)
{
    return text && *text ? span_of(text) : (struct span){0};
}

static uint64_t wait_of(int64_t wait_ms)
{
    return wait_ms <= 0 ? 0 : wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (uint64_t)wait_ms;
}

void reply_outcome(struct gateway_core *core, const struct task *task, enum outcome outcome, int64_t wait_ms,
                   const char *id, bool adopted)
{
    struct msg_outcome body = {
        .seq = task->seq,
        .outcome = outcome,
        .http = (uint64_t)task->http,
        .request_id = text_or_absent(task->request_id),
        .detail = text_or_absent(task->detail),
        .wait_ms = wait_of(wait_ms),
        .id = text_or_absent(id),
        .adopted = adopted,
        .maybe = task->maybe,
        .unsure = task->place && place_is_unsure(core, task->place),
    };
    struct envelope envelope = {.correlation = task->correlation};

    core->ops.send(core->ops.ctx, task->asker, MSG_OUTCOME, &body, &envelope);
}

static void pack_key(struct pack *p, const struct found_key *key)
{
    pack_map(p, 7);
    pack_text(p, "id");
    pack_text(p, key->id);
    pack_text(p, "label");
    pack_bool(p, key->label);
    pack_text(p, "blob");
    pack_bool(p, key->blob);
    pack_text(p, "owner");
    pack_uint(p, key->owner);
    pack_text(p, "recorded");
    pack_bool(p, key->recorded);
    pack_text(p, "created");
    pack_text(p, key->created);
    pack_text(p, "fingerprint");
    pack_text(p, key->readable ? key->material.fingerprint : "");
}

void reply_found(struct gateway_core *core, const struct task *task, enum outcome outcome, int64_t wait_ms)
{
    struct msg_found body = {
        .seq = task->seq,
        .outcome = outcome,
        .http = (uint64_t)task->http,
        .request_id = text_or_absent(task->request_id),
        .detail = text_or_absent(task->detail),
        .wait_ms = wait_of(wait_ms),
    };
    struct envelope envelope = {.correlation = task->correlation};
    struct pack keys;
    unsigned n = task->list.n < FOUND_KEYS_MAX ? task->list.n : FOUND_KEYS_MAX;

    pack_open(&keys);
    if (outcome == OUTCOME_OK) {
        pack_array(&keys, n);
        for (unsigned i = 0; i < n; i++)
            pack_key(&keys, &task->list.keys[i]);
        body.keys = pack_result(&keys);
        if (!place_was_unsure(task->place, task->list.sent_ms))
            body.sure_since = (uint64_t)(core->started_steady_ms / 1000 + 1);
    }
    core->ops.send(core->ops.ctx, task->asker, MSG_FOUND, &body, &envelope);
    pack_close(&keys);
}
