/* tests/unit/worker_model.h -- a model of Packet and of the API server around one worker core: it answers
 * each message from a seed, loses answers, delays requests, and checks each mutation as it leaves. For
 * tests/unit/test_worker_random.c only. */
#ifndef TESTS_UNIT_WORKER_MODEL_H
#define TESTS_UNIT_WORKER_MODEL_H

#include "tests/unit/worker_driver.h"
#include "worker/core/pubkey.h"

#define KEYS_MAX  64
#define LATE_MAX  16
#define MATERIALS 3

static const char *const lines[MATERIALS] = {
    KEY_LINE,
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAEQBubm5ubm5ubm5ubm5ubm5u",
    "ssh-dss AAAAB3NzaC1kc3MAAAACcDEAAAABcQAAAAFnAAAAAXk=",
};

struct key {
    char id[40];
    int material;
    bool label, alive;
    unsigned owner;
};

struct late { /* a POST or PUT on its way */
    int material;
    int key; /* of a PUT, -1: a POST */
    int64_t at_ms;
    unsigned run; /* that asked for it */
};

struct model {
    struct driver d;
    struct pubkey wanted[MATERIALS];
    char base64[MATERIALS][256];
    struct key keys[KEYS_MAX];
    unsigned n_keys;
    struct late late[LATE_MAX];
    unsigned n_late, faults; /* faults: percent of the answers */
    unsigned runs;           /* each with a gateway of its own, which knows what of this run is on its way */
    uint64_t random, seed;
    bool processing; /* this run's Processing patch has been answered with 200 */
};

static inline unsigned draw(struct model *m, unsigned below)
{
    m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)((m->random >> 33) % below);
}

static inline bool fault(struct model *m)
{
    return draw(m, 100) < m->faults;
}

static inline void write_base64(const char *text, char *out, size_t size)
{
    struct span s = span_of(text);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;

    for (uint32_t i = 0; i < s.len; i += 3) {
        uint32_t bits = (uint32_t)(uint8_t)s.p[i] << 16;
        bits |= i + 1 < s.len ? (uint32_t)(uint8_t)s.p[i + 1] << 8 : 0;
        bits |= i + 2 < s.len ? (uint8_t)s.p[i + 2] : 0;
        assert_true(n + 5 < size);
        out[n++] = digits[bits >> 18];
        out[n++] = digits[bits >> 12 & 63];
        out[n++] = i + 1 < s.len ? digits[bits >> 6 & 63] : '=';
        out[n++] = i + 2 < s.len ? digits[bits & 63] : '=';
    }
    out[n] = '\0';
}

/* ---- Packet */

static inline struct key *find_material(struct model *m, int material)
{
    for (unsigned i = 0; i < m->n_keys; i++)
        if (m->keys[i].alive && m->keys[i].material == material)
            return &m->keys[i];
    return NULL;
}

static inline struct key *find_id(struct model *m, struct span id)
{
    for (unsigned i = 0; i < m->n_keys; i++)
        if (m->keys[i].alive && span_is(id, m->keys[i].id))
            return &m->keys[i];
    return NULL;
}

/* Key material is unique in the project. */
static inline struct key *post(struct model *m, int material)
{
    if (find_material(m, material) != NULL)
        return NULL;
    assert_true(m->n_keys < KEYS_MAX);
    struct key *key = &m->keys[m->n_keys++];
    *key = (struct key){.material = material, .label = true, .alive = true, .owner = OWNER_US};
    snprintf(key->id, sizeof key->id, "00000000-0000-4000-8000-%012u", m->n_keys);
    return key;
}

static inline void arrive_late(struct model *m)
{
    for (unsigned i = m->n_late; i-- > 0;) {
        if (m->late[i].at_ms > m->d.now.boot_ms)
            continue;
        if (m->late[i].key < 0)
            post(m, m->late[i].material);
        else if (m->keys[m->late[i].key].alive && find_material(m, m->late[i].material) == NULL)
            m->keys[m->late[i].key].material = m->late[i].material;
        m->late[i] = m->late[--m->n_late];
    }
}

static inline int material_of(struct model *m, struct span line)
{
    for (int i = 0; i < MATERIALS; i++)
        if (span_is(line, lines[i]))
            return i;
    fail_msg("seed %llu: a key that nobody wants", (unsigned long long)m->seed);
    return -1;
}

static inline json_t *status_of(struct model *m)
{
    return json_object_get(m->d.object, "status");
}

static inline void check(struct model *m, bool holds, const char *what)
{
    if (!holds)
        fail_msg("seed %llu: %s", (unsigned long long)m->seed, what);
}

/* What must hold when a mutation leaves (design 12.1, 12.2). */
static inline void check_mutation(struct model *m, int material)
{
    json_t *finalizers = json_object_get(json_object_get(m->d.object, "metadata"), "finalizers");
    json_t *attempts = json_object_get(json_object_get(status_of(m), "state"), "attempts");
    const char *name;
    json_t *when;

    check(m, m->processing, "an effect before the run's own Processing patch");
    check(m, json_array_size(finalizers) == 2, "an effect without the finalizer");
    if (material < 0)
        return;
    check(m, json_object_get(attempts, m->wanted[material].fingerprint) != NULL,
          "a key is sent without an intent");
    json_object_foreach(attempts, name, when)
    {
        check(m, strcmp(name, m->wanted[material].fingerprint) == 0, "sent while another attempt is open");
    }
}

static inline void answer_search(struct model *m, const struct msg_search *search)
{
    static const unsigned bad[] = {OUTCOME_TRANSIENT, OUTCOME_LATER, OUTCOME_FENCED, OUTCOME_UNAUTHENTICATED};
    int wanted = search->key.len > 0 ? material_of(m, search->key) : -1;
    char list[KEYS_MAX * 300] = "";
    size_t n = 0;

    for (unsigned i = 0; i < m->n_keys; i++) {
        struct key *k = &m->keys[i];
        if (!k->alive || !(k->label || k->material == wanted || k->owner == OWNER_US))
            continue;
        n += (size_t)snprintf(list + n, sizeof list - n,
                              "%s{'id':'%s','label':%s,'blob':%s,'owner':%u,'recorded':false,'created':'2026'"
                              ",'fingerprint':'%s'}",
                              n > 0 ? "," : "", k->id, k->label ? "true" : "false",
                              k->material == wanted ? "true" : "false", k->owner,
                              m->wanted[k->material].fingerprint);
    }
    answer_found(&m->d, search->seq, fault(m) ? bad[draw(m, 4)] : OUTCOME_OK, list);
}

/* Takes effect within the two minutes that a network or a proxy may hold it. */
static inline void send_late(struct model *m, int material, int key)
{
    if (m->n_late < LATE_MAX)
        m->late[m->n_late++] = (struct late){.material = material,
                                             .key = key,
                                             .at_ms = m->d.now.boot_ms + (int64_t)draw(m, 120000),
                                             .run = m->runs};
}

static inline bool floats(const struct model *m)
{
    for (unsigned i = 0; i < m->n_late; i++)
        if (m->late[i].run == m->runs)
            return true;
    return false;
}

static inline void answer_create(struct model *m, const struct msg_create *create)
{
    static const unsigned not_sent[] = {OUTCOME_TRANSIENT, OUTCOME_LATER, OUTCOME_FENCED,
                                        OUTCOME_UNAUTHORIZED};
    int material = material_of(m, create->key);
    struct key *there = find_material(m, material);

    check_mutation(m, material);
    m->d.seq = create->seq;
    m->d.unsure = floats(m);
    if (fault(m) && draw(m, 2) == 0) {
        answer_outcome(&m->d, not_sent[draw(m, 4)], NULL);
    } else if (there != NULL) {
        bool ours = there->owner != OWNER_OTHER && there->label;
        m->d.adopted = ours;
        answer_outcome(&m->d, ours ? OUTCOME_OK : OUTCOME_REFUSED, ours ? there->id : NULL);
        m->d.adopted = false;
    } else if (fault(m)) { /* it may have been sent: now, late or never */
        unsigned fate = draw(m, 3);
        if (fate == 0)
            post(m, material);
        else if (fate == 1)
            send_late(m, material, -1);
        answer_outcome(&m->d, OUTCOME_UNKNOWN, NULL);
    } else {
        answer_outcome(&m->d, OUTCOME_OK, post(m, material)->id);
    }
}

static inline void answer_update(struct model *m, const struct msg_update *update)
{
    int material = update->key.len > 0 ? material_of(m, update->key) : -1;
    struct key *key = find_id(m, update->id);

    check_mutation(m, material);
    check(m, key == NULL || key->owner != OWNER_OTHER, "a foreign key is changed");
    m->d.seq = update->seq;
    m->d.unsure = floats(m);
    if (key == NULL) {
        answer_outcome(&m->d, OUTCOME_GONE, NULL);
    } else if (material >= 0 && (find_material(m, material) != NULL || draw(m, 4) == 0)) {
        answer_outcome(&m->d, OUTCOME_REFUSED, NULL);
    } else if (fault(m) && draw(m, 2) == 0) {
        answer_outcome(&m->d, OUTCOME_TRANSIENT, NULL);
    } else if (material >= 0 && fault(m)) {
        send_late(m, material, (int)(key - m->keys));
        answer_outcome(&m->d, OUTCOME_UNKNOWN, NULL);
    } else {
        key->material = material >= 0 ? material : key->material;
        key->label = true;
        key->owner = OWNER_US;
        answer_outcome(&m->d, fault(m) ? OUTCOME_UNKNOWN : OUTCOME_OK, NULL);
    }
}

static inline void answer_remove(struct model *m, const struct msg_remove *remove)
{
    struct key *key = find_id(m, remove->id);

    check_mutation(m, -1);
    check(m, key == NULL || key->owner != OWNER_OTHER, "a foreign key is removed");
    m->d.seq = remove->seq;
    if (fault(m)) {
        answer_outcome(&m->d, OUTCOME_TRANSIENT, NULL);
        return;
    }
    if (key != NULL)
        key->alive = false;
    answer_outcome(&m->d, key != NULL ? OUTCOME_OK : OUTCOME_GONE, NULL);
}

/* ---- the API server */

static inline void answer_patch(struct model *m, const struct msg_patch *patch)
{
    struct driver *d = &m->d;
    json_t *body = json_of_value(patch->body);

    free(d->last_body);
    d->last_body = json_dumps(body, JSON_SORT_KEYS);
    d->seq = patch->seq;
    json_decref(body);
    if (fault(m) && draw(m, 3) == 0) {
        reply(d, 500);
        return;
    }
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)d->version);
    if (!span_is(patch->resource_version, version)) {
        reply(d, 409);
        return;
    }
    if (fault(m)) {
        driver_changes(
            d, draw(m, 2) == 0
                   ? "{'metadata':{'labels':{'a':'b'}}}"
                   : "{'metadata':{'annotations':{'gardener.cloud/timestamp':'2026-08-21T17:56:00Z'}}}");
        reply(d, 409);
        return;
    }
    merge_last_body(d);
    if (patch->target == PATCH_STATUS)
        m->processing = true;
    if (fault(m) && draw(m, 3) == 0)
        reply(d, 0); /* done, and the answer lost */
    else
        reply(d, 200);
}

static inline void answer_fetch(struct model *m, const struct msg_fetch *fetch)
{
    m->d.seq = fetch->seq;
    reply(&m->d, 200);
}

#endif
