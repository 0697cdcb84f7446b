/* tests/unit/test_worker_random.c -- the worker's core against a model of the API server and of Packet that
 * loses answers, delays POSTs, refuses and conflicts, from a seed. After every step: nothing is sent before
 * it is intended, no foreign key is touched. At the end, without faults: exactly what is desired, and after
 * the deletion nothing. */
#include "tests/unit/worker_model.h"

#define SEEDS 400

/* ---- runs */

static void new_core(struct model *m)
{
    struct worker_ops ops = {.ctx = &m->d, .send = driver_takes};
    struct msg_go go = {.epoch = 9};

    worker_core_free(m->d.core);
    for (unsigned i = 0; i < m->d.n_sent; i++)
        msgpack_sbuffer_destroy(&m->d.sent[i].frame);
    m->d.n_sent = m->d.next = 0;
    m->d.core = worker_core_new(&ops, 7);
    driver_says(&m->d, SUPERVISOR, MSG_GO, &go);
}

/* Forgets frames that have been read, so that a run may be of any length. */
static void forget_read(struct driver *d)
{
    if (d->next < d->n_sent)
        return;
    for (unsigned i = 0; i < d->n_sent; i++)
        msgpack_sbuffer_destroy(&d->sent[i].frame);
    d->n_sent = d->next = 0;
}

/* Answers one message; returns false when the job has ended. */
static bool step(struct model *m)
{
    struct driver *d = &m->d;

    forget_read(d);
    if (d->next == d->n_sent) {
        check(m, worker_core_next_ms(d->core) != INT64_MAX, "it waits for nothing");
        driver_advance(d, worker_core_next_ms(d->core) - d->now.boot_ms);
        arrive_late(m);
        return true;
    }
    struct message *message = &d->sent[d->next++].message;
    driver_advance(d, draw(m, 200));
    arrive_late(m);
    switch (message->spec->id) {
    case MSG_SEARCH: answer_search(m, &message->body.search); break;
    case MSG_CREATE: answer_create(m, &message->body.create); break;
    case MSG_UPDATE: answer_update(m, &message->body.update); break;
    case MSG_REMOVE: answer_remove(m, &message->body.remove); break;
    case MSG_PATCH: answer_patch(m, &message->body.patch); break;
    case MSG_FETCH: answer_fetch(m, &message->body.fetch); break;
    case MSG_DONE: d->done = message->body.done; return false;
    default: break;
    }
    return true;
}

/* One job, perhaps cut short by the worker's death. */
static void run(struct model *m)
{
    struct driver *d = &m->d;

    m->processing = false;
    m->runs++;
    new_core(m);
    d->done = (struct msg_done){.result = JOB_AGAIN};
    d->next = d->n_sent;
    driver_job(d);
    for (int i = 0; step(m); i++) {
        check(m, i < 1000, "a job without end");
        if (m->faults > 0 && draw(m, 60) == 0)
            break; /* killed */
    }
    d->job.absent_since = d->done.absent_since;
    if (d->done.result == JOB_LATER)
        driver_advance(d, (int64_t)d->done.after_ms);
    d->now.boot_ms += 50;
    d->now.wall_ms += 50;
    d->now.steady_ms += 50;
    arrive_late(m);
}

static void user_acts(struct model *m)
{
    unsigned what = draw(m, MATERIALS + 3);
    char *patch = NULL;

    if (what < MATERIALS)
        patch = x_asprintf("{'metadata':{'generation':%u},'spec':{'sshPublicKey':'%s'}}",
                           3 + draw(m, 1000000), m->base64[what]);
    else if (what == MATERIALS)
        patch =
            x_asprintf("{'metadata':{'generation':%u},'spec':{'sshPublicKey':null}}", 3 + draw(m, 1000000));
    else
        patch = x_asprintf("{'metadata':{'annotations':{'gardener.cloud/operation':'reconcile'}}}");
    driver_changes(&m->d, patch);
    free(patch);
}

static void check_end(struct model *m)
{
    json_t *spec = json_object_get(m->d.object, "spec"), *key = json_object_get(spec, "sshPublicKey");
    json_t *id = json_object_get(json_object_get(status_of(m), "providerStatus"), "sshKeyID");
    unsigned alive = 0;

    for (unsigned i = 0; i < m->n_keys; i++) {
        const struct key *k = &m->keys[i];
        if (!k->alive || k->owner == OWNER_OTHER)
            continue;
        alive++;
        check(m, key != NULL && strcmp(m->base64[k->material], json_string_value(key)) == 0,
              "another key is left");
        check(m, strcmp(k->id, json_string_value(id)) == 0, "another id is shown");
    }
    check(m, alive == (key != NULL), "not exactly the key that is wanted");
    check(m, json_object_get(status_of(m), "lastError") == NULL, "a stale error");
}

static void settle(struct model *m)
{
    m->faults = 0;
    for (int i = 0; i < 60; i++) {
        run(m);
        if (m->d.done.result == JOB_DONE)
            return;
    }
    check(m, false, "never settles");
}

static void play(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->seed = seed;
    m->random = seed * 2654435761u + 1;
    for (int i = 0; i < MATERIALS; i++) {
        write_base64(lines[i], m->base64[i], sizeof m->base64[i]);
        assert_int_equal(pubkey_read(span_of(m->base64[i]), &m->wanted[i]), CAUSE_NONE);
    }
    driver_open_object(&m->d, "'finalizers':['a/b']", m->base64[0], NULL, "");
    m->keys[m->n_keys++] = (struct key){.id = "ffffffff-0000-4000-8000-000000000000",
                                        .material = 2,
                                        .alive = draw(m, 4) == 0,
                                        .label = true,
                                        .owner = OWNER_OTHER};
    m->faults = 5 + draw(m, 40);
    for (int i = 0; i < 12; i++) {
        user_acts(m);
        run(m);
    }
    m->keys[0].alive = false;
    driver_changes(&m->d, "{'metadata':{'annotations':{'gardener.cloud/operation':'reconcile'}}}");
    settle(m);
    check_end(m);
    m->faults = 20;
    driver_changes(&m->d, "{'metadata':{'deletionTimestamp':'2026-08-21T18:00:00Z'}}");
    for (int i = 0; i < 5; i++) {
        run(m);
        if (json_array_size(json_object_get(json_object_get(m->d.object, "metadata"), "finalizers")) == 1)
            break;
    }
    if (json_array_size(json_object_get(json_object_get(m->d.object, "metadata"), "finalizers")) == 2)
        settle(m);
    driver_advance(&m->d, 1000000);
    arrive_late(m);
    for (unsigned i = 0; i < m->n_keys; i++)
        check(m, !m->keys[i].alive, "a key is left after the deletion");
    m->d.next = m->d.n_sent;
    driver_close(&m->d);
}

static void safe_at_every_step_and_stable_at_the_end(void **state)
{
    static struct model m;
    const char *only = getenv("SEED");
    (void)state;

    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        if (only == NULL || strtoull(only, NULL, 10) == seed)
            play(&m, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(safe_at_every_step_and_stable_at_the_end)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
