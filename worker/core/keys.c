/* worker/core/keys.c -- judges the keys of a list: ours, current, to be changed in place, or another's
 * (design 5, 12.9). Decides nothing about order or time. Called by make.c, remove.c and attempts.c. */
#include <string.h>

#include "worker/core/job.h"

static bool read_bool(struct value map, const char *name)
{
    bool b = false;

    return value_bool(value_get(map, name), &b) && b;
}

static bool read_key(struct found_key *key, struct value map)
{
    int64_t owner = OWNER_OTHER;

    memset(key, 0, sizeof *key);
    if (!span_copy(value_text(value_get(map, "id")), key->id, sizeof key->id) || key->id[0] == '\0')
        return false;
    if (!span_copy(value_text(value_get(map, "created")), key->created, sizeof key->created))
        key->created[0] = '\0';
    if (!span_copy(value_text(value_get(map, "fingerprint")), key->fingerprint, sizeof key->fingerprint))
        key->fingerprint[0] = '\0';
    value_int(value_get(map, "owner"), &owner);
    key->owner = owner == OWNER_US || owner == OWNER_UNTAGGED ? (unsigned)owner : OWNER_OTHER;
    key->label = read_bool(map, "label");
    key->blob = read_bool(map, "blob");
    key->recorded = read_bool(map, "recorded");
    return true;
}

bool keys_read(struct found *found, const struct msg_found *msg)
{
    found->arrived = true;
    found->outcome = (unsigned)msg->outcome;
    found->wait_ms = msg->wait_ms;
    found->sure_since_s = (int64_t)msg->sure_since;
    found->n_keys = 0;
    for (struct value_iter it = value_each(msg->keys); value_next(&it);) {
        if (found->n_keys == FOUND_MAX || !read_key(&found->keys[found->n_keys], it.item))
            return false;
        found->n_keys++;
    }
    return true;
}

void keys_expect(struct job *job)
{
    struct found *found = &job->found;
    const char *id = job->state.id;

    if (id[0] == '\0' || state_is_obsolete(&job->state, id) || found->n_keys == FOUND_MAX)
        return;
    for (unsigned i = 0; i < found->n_keys; i++)
        if (strcmp(found->keys[i].id, id) == 0)
            return;
    struct found_key *key = &found->keys[found->n_keys++];
    *key = (struct found_key){.recorded = true, .owner = OWNER_UNTAGGED};
    span_copy(span_of(id), key->id, sizeof key->id);
}

/* Ours by tag, by record, or by label and material together; never with another's tag (design 5, 12.9). */
bool key_is_ours(const struct job *job, const struct found_key *key)
{
    if (key->owner == OWNER_OTHER)
        return false;
    return key->owner == OWNER_US || key->recorded || state_knows(&job->state, key->id) ||
           (key->label && key->blob);
}

/* Recorded first, then the oldest, then the smallest id. */
static bool is_better(const struct job *job, const struct found_key *a, const struct found_key *b)
{
    bool a_id = strcmp(a->id, job->state.id) == 0, b_id = b != NULL && strcmp(b->id, job->state.id) == 0;

    if (b == NULL || a_id != b_id)
        return b == NULL || a_id;
    if (a->recorded != b->recorded)
        return a->recorded;
    int by_age = strcmp(a->created, b->created);
    return by_age != 0 ? by_age < 0 : strcmp(a->id, b->id) < 0;
}

static const struct found_key *best(const struct job *job, bool blob)
{
    const struct found_key *chosen = NULL;

    for (unsigned i = 0; i < job->found.n_keys; i++) {
        const struct found_key *key = &job->found.keys[i];

        if (key->blob == blob && key_is_ours(job, key) && !state_is_obsolete(&job->state, key->id) &&
            is_better(job, key, chosen))
            chosen = key;
    }
    return chosen;
}

const struct found_key *keys_current(const struct job *job)
{
    return best(job, true);
}

const struct found_key *keys_rotatable(const struct job *job)
{
    return best(job, false);
}

const struct found_key *keys_foreign(const struct job *job)
{
    for (unsigned i = 0; i < job->found.n_keys; i++)
        if (job->found.keys[i].blob && !key_is_ours(job, &job->found.keys[i]))
            return &job->found.keys[i];
    return NULL;
}

void keys_forget(struct job *job, const char *id)
{
    struct found *found = &job->found;

    for (unsigned i = 0; i < found->n_keys; i++) {
        if (strcmp(found->keys[i].id, id) != 0)
            continue;
        found->n_keys--;
        memmove(&found->keys[i], &found->keys[i + 1], (found->n_keys - i) * sizeof found->keys[0]);
        return;
    }
}
