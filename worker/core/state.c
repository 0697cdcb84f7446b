/* worker/core/state.c -- reads and writes status.state. Attempts are added and removed one by one, never
 * overwritten as a whole; Terraform's shape is replaced in the same patch that records the key (design 12.8).
 * Never holds a credential (gardener 58). Called by job.c, attempts.c, patch.c and the flows. */
#include "worker/core/state.h"

#include <string.h>

#include "base/clock.h"

/* Members of shapes that other extensions wrote (gardener 7.3). */
static const char *const foreign_members[] = {"data", "encoding", "apiVersion", "kind"};
#define N_FOREIGN ((uint32_t)(sizeof foreign_members / sizeof foreign_members[0]))

/* Text, or nothing. Anything else under the name makes the state prove nothing. */
static void read_text(struct state *state, struct value map, const char *name, char *buf, size_t size)
{
    struct value v = value_get(map, name);
    struct span text = value_text(v);

    buf[0] = '\0';
    if (value_kind(v) == VALUE_NONE || value_kind(v) == VALUE_NIL)
        return;
    if (text.p == NULL || !span_copy(text, buf, size)) {
        buf[0] = '\0';
        state->broken = true;
    }
}

static void read_attempts(struct state *state, struct value map)
{
    for (struct value_iter it = value_each(map); value_next(&it);) {
        struct span fingerprint = value_text(it.key), when = value_text(it.item);
        struct attempt *attempt = &state->attempts[state->n_attempts];
        int64_t ms = 0;

        if (state->n_attempts == ATTEMPTS_MAX ||
            !span_copy(fingerprint, attempt->fingerprint, sizeof attempt->fingerprint)) {
            state->broken = true;
            return;
        }
        *attempt = (struct attempt){.stored = true};
        span_copy(fingerprint, attempt->fingerprint, sizeof attempt->fingerprint);
        if (when.p != NULL && clock_parse(when.p, when.len, &ms) == 0)
            attempt->at_s = ms / 1000;
        else
            attempt->at_s = -1; /* attempts.c gives it a time to count from */
        state->n_attempts++;
    }
}

static void read_obsolete(struct state *state, struct value list)
{
    for (struct value_iter it = value_each(list); value_next(&it);) {
        char id[ID_SIZE];

        if (!span_copy(value_text(it.item), id, sizeof id) || id[0] == '\0' ||
            (!state_is_obsolete(state, id) && !state_add_obsolete(state, id)))
            state->broken = true;
    }
}

static void read_unsettled(struct state *state, struct value v)
{
    struct span when = value_text(v);
    int64_t ms = 0;

    if (value_kind(v) == VALUE_NONE || value_kind(v) == VALUE_NIL)
        return;
    if (when.p != NULL && clock_parse(when.p, when.len, &ms) == 0 && ms > 0)
        state->unsettled_s = ms / 1000;
    else
        state->broken = true;
}

static bool is_shape(struct value v, enum value_kind kind)
{
    enum value_kind is = value_kind(v);

    return is == VALUE_NONE || is == VALUE_NIL || is == kind;
}

void state_read(struct state *state, struct value status, struct span terraform_key)
{
    struct value map = value_get(status, "state");

    memset(state, 0, sizeof *state);
    read_text(state, map, "project", state->project, sizeof state->project);
    read_text(state, map, "id", state->id, sizeof state->id);
    read_text(state, map, "label", state->label, sizeof state->label);
    read_text(state, map, "fingerprint", state->fingerprint, sizeof state->fingerprint);
    read_attempts(state, value_get(map, "attempts"));
    read_obsolete(state, value_get(map, "obsolete"));
    read_unsettled(state, value_get(map, "unsettled"));
    if (!is_shape(map, VALUE_MAP) || !is_shape(value_get(map, "attempts"), VALUE_MAP) ||
        !is_shape(value_get(map, "obsolete"), VALUE_ARRAY))
        state->broken = true;
    for (uint32_t i = 0; i < N_FOREIGN; i++)
        if (value_kind(value_get(map, foreign_members[i])) != VALUE_NONE)
            state->foreign = true;
    state->stored_id = state->id[0] != '\0';
    state->stored_fingerprint = state->fingerprint[0] != '\0';
    state->stored_obsolete = state->n_obsolete > 0;
    state->stored_unsettled = state->unsettled_s != 0;
    read_text(state, value_get(status, "providerStatus"), "sshKeyID", state->status_id,
              sizeof state->status_id);
    if (state->id[0] == '\0' && terraform_key.len > 0)
        span_copy(terraform_key, state->id, sizeof state->id);
    if (state->id[0] == '\0' && !state_is_obsolete(state, state->status_id))
        memcpy(state->id, state->status_id, sizeof state->id);
    state->dirty = false;
}

bool state_proves_nothing_sent(const struct state *state)
{
    return !state->broken && !state->foreign && !state_binds_project(state) && state->status_id[0] == '\0';
}

bool state_binds_project(const struct state *state)
{
    return state->id[0] != '\0' || state->n_attempts > 0 || state->n_obsolete > 0 || state->unsettled_s != 0;
}

bool state_knows(const struct state *state, const char *id)
{
    return strcmp(state->id, id) == 0 || strcmp(state->status_id, id) == 0 || state_is_obsolete(state, id);
}

bool state_is_obsolete(const struct state *state, const char *id)
{
    for (unsigned i = 0; i < state->n_obsolete; i++)
        if (strcmp(state->obsolete[i], id) == 0)
            return true;
    return false;
}

bool state_add_obsolete(struct state *state, const char *id)
{
    if (id[0] == '\0' || state->n_obsolete == OBSOLETE_MAX || state_is_obsolete(state, id))
        return false;
    span_copy(span_of(id), state->obsolete[state->n_obsolete++], ID_SIZE);
    state->dirty = true;
    return true;
}

void state_drop_obsolete(struct state *state, const char *id)
{
    for (unsigned i = 0; i < state->n_obsolete; i++) {
        if (strcmp(state->obsolete[i], id) != 0)
            continue;
        state->n_obsolete--;
        memmove(state->obsolete[i], state->obsolete[i + 1], (state->n_obsolete - i) * ID_SIZE);
        state->dirty = true;
        return;
    }
}

void state_unsettled(struct state *state, int64_t until_s)
{
    if (state->unsettled_s == until_s)
        return;
    state->unsettled_s = until_s;
    state->dirty = true;
}

struct attempt *state_attempt(struct state *state, const char *fingerprint)
{
    for (unsigned i = 0; i < state->n_attempts; i++)
        if (strcmp(state->attempts[i].fingerprint, fingerprint) == 0 &&
            state->attempts[i].change != ATTEMPT_DROP)
            return &state->attempts[i];
    return NULL;
}

/* The entry itself, dropped or not. */
static struct attempt *find_entry(struct state *state, const char *fingerprint)
{
    for (unsigned i = 0; i < state->n_attempts; i++)
        if (strcmp(state->attempts[i].fingerprint, fingerprint) == 0)
            return &state->attempts[i];
    return NULL;
}

struct attempt *state_set_attempt(struct state *state, const char *fingerprint, int64_t at_s)
{
    struct attempt *attempt = find_entry(state, fingerprint);

    if (attempt == NULL) {
        if (state->n_attempts == ATTEMPTS_MAX)
            return NULL;
        attempt = &state->attempts[state->n_attempts++];
        *attempt = (struct attempt){0};
        span_copy(span_of(fingerprint), attempt->fingerprint, sizeof attempt->fingerprint);
    }
    attempt->at_s = at_s;
    attempt->change = ATTEMPT_SET;
    state->dirty = true;
    return attempt;
}

static void remove_entry(struct state *state, unsigned i)
{
    state->n_attempts--;
    memmove(&state->attempts[i], &state->attempts[i + 1],
            (state->n_attempts - i) * sizeof state->attempts[0]);
}

void state_drop_attempt(struct state *state, const char *fingerprint)
{
    struct attempt *attempt = find_entry(state, fingerprint);

    if (attempt == NULL)
        return;
    attempt->change = ATTEMPT_DROP;
    if (!attempt->stored)
        remove_entry(state, (unsigned)(attempt - state->attempts));
    state->dirty = true;
}

static unsigned count_changes(const struct state *state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < state->n_attempts; i++)
        n += state->attempts[i].change != ATTEMPT_KEEP;
    return n;
}

static void pack_attempts(const struct state *state, struct pack *p, unsigned changes)
{
    char when[CLOCK_TEXT_MAX];

    pack_text(p, "attempts");
    pack_map(p, changes);
    for (unsigned i = 0; i < state->n_attempts; i++) {
        const struct attempt *attempt = &state->attempts[i];

        if (attempt->change == ATTEMPT_KEEP)
            continue;
        pack_text(p, attempt->fingerprint);
        if (attempt->change == ATTEMPT_DROP) {
            pack_nil(p);
            continue;
        }
        clock_text_seconds(attempt->at_s * 1000, when);
        pack_text(p, when);
    }
}

static void pack_unsettled(const struct state *state, struct pack *p)
{
    char when[CLOCK_TEXT_MAX];

    pack_text(p, "unsettled");
    if (state->unsettled_s == 0) {
        pack_nil(p);
        return;
    }
    clock_text_seconds(state->unsettled_s * 1000, when);
    pack_text(p, when);
}

void state_pack(const struct state *state, struct pack *p)
{
    unsigned changes = count_changes(state);
    bool id = state->id[0] != '\0' || state->stored_id;
    bool fingerprint = state->fingerprint[0] != '\0' || state->stored_fingerprint;
    bool obsolete = state->n_obsolete > 0 || state->stored_obsolete;
    bool unsettled = state->unsettled_s != 0 || state->stored_unsettled;

    pack_map(p, 2u + id + fingerprint + obsolete + unsettled + (changes > 0) +
                    (state->foreign ? N_FOREIGN : 0u));
    pack_member(p, "project", state->project);
    pack_member(p, "label", state->label);
    if (id)
        pack_member(p, "id", state->id);
    if (fingerprint)
        pack_member(p, "fingerprint", state->fingerprint);
    if (changes > 0)
        pack_attempts(state, p, changes);
    if (unsettled)
        pack_unsettled(state, p);
    if (obsolete) {
        pack_text(p, "obsolete");
        pack_array(p, state->n_obsolete);
        for (unsigned i = 0; i < state->n_obsolete; i++)
            pack_text(p, state->obsolete[i]);
    }
    for (uint32_t i = 0; state->foreign && i < N_FOREIGN; i++) {
        pack_text(p, foreign_members[i]);
        pack_nil(p);
    }
}

void state_stored(struct state *state)
{
    for (unsigned i = state->n_attempts; i-- > 0;) {
        if (state->attempts[i].change == ATTEMPT_DROP) {
            remove_entry(state, i);
            continue;
        }
        state->attempts[i].change = ATTEMPT_KEEP;
        state->attempts[i].stored = true;
    }
    state->stored_id = state->id[0] != '\0';
    state->stored_fingerprint = state->fingerprint[0] != '\0';
    state->stored_obsolete = state->n_obsolete > 0;
    state->stored_unsettled = state->unsettled_s != 0;
    state->foreign = false;
    state->dirty = false;
}
