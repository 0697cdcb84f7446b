/* tests/unit/worker_driver.h -- plays supervisor, watcher and gateway for one worker core, message by
 * message. The object is JSON here: a patch is merged into it and the answer carries the result, as the API
 * server would do it. Every message passes through the real codec in both directions, so one that breaks a
 * limit fails the test. Text in single quotes is read as JSON. For tests/unit/test_worker_*.c only. */
#ifndef TESTS_UNIT_WORKER_DRIVER_H
#define HELD_WORDS "It is tried again when the Infrastructure changes."
#define TESTS_UNIT_WORKER_DRIVER_H

#include <stdio.h>
#include <string.h>

#include "proto/codec.h"
#include "tests/unit/worker_fixtures.h"
#include "tests/unit/worker_json.h"
#include "worker/core/worker.h"

#define MAX_SENT 32

struct sent {
    unsigned to;
    msgpack_sbuffer frame;
    struct message message;
};

struct driver {
    struct worker_core *core;
    struct sent sent[MAX_SENT];
    unsigned n_sent, next;
    json_t *object; /* as the API server has it */
    int64_t version;
    struct instant now;
    struct msg_job job;  /* what tests set: secret, project, handle, force_delete ... */
    uint64_t seq;        /* of the message expected last */
    uint64_t sure_since; /* of FOUND */
    bool adopted;        /* OUTCOME_OK says that the key was there */
    bool unsure;         /* OUTCOME says that a request for the label has no known end */
    bool maybe;          /* or one of this very question */
    struct envelope envelope;
    char *last_body; /* the last patch as JSON */
    char *note;
    struct msg_done done;
};

/* ---- the wires */

static inline void driver_takes(void *ctx, unsigned to, enum msg_id id, const void *body,
                                const struct envelope *envelope)
{
    struct driver *d = ctx;
    struct envelope e = envelope != NULL ? *envelope : (struct envelope){0};

    assert_true(d->n_sent < MAX_SENT);
    struct sent *sent = &d->sent[d->n_sent++];
    e.from = 7;
    e.to = to == WATCHER ? 3 : 4;
    sent->to = to;
    msgpack_sbuffer_init(&sent->frame);
    assert_int_equal(msg_encode(&e, id, body, &sent->frame), 0);
    enum verdict verdict = msg_decode(sent->frame.data, sent->frame.size, WORKER, to, &sent->message);
    if (verdict != FRAME_OK)
        fail_msg("the worker sent a bad frame: %s", verdict_name(verdict));
}

static inline void driver_says(struct driver *d, unsigned from, enum msg_id id, const void *body)
{
    struct envelope e = {.from = from == WATCHER   ? 3
                                 : from == GATEWAY ? 4
                                                   : 1,
                         .to = 7,
                         .correlation = 1,
                         .epoch = 9};
    msgpack_sbuffer frame;
    struct message message;

    msgpack_sbuffer_init(&frame);
    assert_int_equal(msg_encode(&e, id, body, &frame), 0);
    assert_int_equal(msg_decode(frame.data, frame.size, from, WORKER, &message), FRAME_OK);
    worker_core_message(d->core, from, &message, d->now);
    msgpack_sbuffer_destroy(&frame);
}

/* The next message, which must be this one. */
static inline struct message *expect(struct driver *d, enum msg_id id)
{
    if (d->next == d->n_sent)
        fail_msg("expected %s, but nothing more was sent; it is %s", msg_find(id)->name,
                 worker_core_doing(d->core));
    struct message *message = &d->sent[d->next++].message;
    if (message->spec->id != id)
        fail_msg("expected %s, got %s", msg_find(id)->name, message->spec->name);
    d->envelope = message->envelope;
    return message;
}

static inline void expect_nothing(const struct driver *d)
{
    if (d->next < d->n_sent)
        fail_msg("unexpected %s", d->sent[d->next].message.spec->name);
}

/* ---- set up and tear down */

/* GO has been said and IDLE has come. The object's resourceVersion is 1. */
static inline void driver_open(struct driver *d, const char *object)
{
    struct worker_ops ops = {.ctx = d, .send = driver_takes};
    struct msg_go go = {.epoch = 9};

    memset(d, 0, sizeof *d);
    d->core = worker_core_new(&ops, 7);
    d->now = (struct instant){.boot_ms = 1000000, .wall_ms = STARTED_MS, .steady_ms = STARTED_MS};
    d->object = object != NULL ? json_of(object) : NULL;
    d->version = 1;
    d->job = (struct msg_job){.job = 5,
                              .ns = SPAN("shoot--foo--bar"),
                              .name = SPAN("infrastructure"),
                              .handle = 11,
                              .secret = SECRET_USABLE,
                              .secret_name = SPAN("shoot--foo--bar/cloudprovider"),
                              .project = SPAN(PROJECT),
                              .shoot_uid = SPAN(SHOOT_UID)};
    driver_says(d, SUPERVISOR, MSG_GO, &go);
    expect(d, MSG_IDLE);
}

/* meta and status are members, without braces: "'finalizers':[]". key: base64 or NULL. */
static inline void driver_open_object(struct driver *d, const char *meta, const char *key, const char *config,
                                      const char *status)
{
    char *object =
        x_asprintf("{'apiVersion':'extensions.gardener.cloud/"
                   "v1alpha1','kind':'Infrastructure','metadata':{'name':'infrastructure',"
                   "'namespace':'shoot--foo--bar','uid':'11111111-2222-4333-8444-555555555555','generation':"
                   "2,'resourceVersion':'1'%s%s},"
                   "'spec':{'type':'packet','region':'ewr1','secretRef':{'name':'cloudprovider','namespace':'"
                   "shoot--foo--bar'}%s%s%s%s%s},"
                   "'status':{%s}}",
                   meta[0] != '\0' ? "," : "", meta, key != NULL ? ",'sshPublicKey':'" : "",
                   key != NULL ? key : "", key != NULL ? "'" : "", config != NULL ? ",'providerConfig':" : "",
                   config != NULL ? config : "", status);

    driver_open(d, object);
    free(object);
}

static inline void driver_close(struct driver *d)
{
    expect_nothing(d);
    worker_core_free(d->core);
    for (unsigned i = 0; i < d->n_sent; i++)
        msgpack_sbuffer_destroy(&d->sent[i].frame);
    json_decref(d->object);
    free(d->last_body);
    free(d->note);
}

static inline void set_version(struct driver *d)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)d->version);
    json_object_set_new(json_object_get(d->object, "metadata"), "resourceVersion", json_string(text));
}

/* Hands the object over as a JOB. */
static inline void driver_job(struct driver *d)
{
    struct pack p;

    pack_open(&p);
    pack_json(&p, d->object);
    d->job.object = pack_result(&p);
    driver_says(d, WATCHER, MSG_JOB, &d->job);
    pack_close(&p);
    assert_int_equal(expect(d, MSG_STARTED)->body.started.job, d->job.job);
}

static inline void driver_advance(struct driver *d, int64_t ms)
{
    d->now.boot_ms += ms;
    d->now.wall_ms += ms;
    d->now.steady_ms += ms;
    if (worker_core_next_ms(d->core) <= d->now.boot_ms)
        worker_core_tick(d->core, d->now);
}

/* ---- the watcher's part */

static inline void reply(struct driver *d, unsigned code)
{
    struct msg_reply body = {.job = d->job.job, .seq = d->seq, .code = code};
    struct pack p;

    pack_open(&p);
    if (code == 200) {
        pack_json(&p, d->object);
        body.object = pack_result(&p);
    }
    driver_says(d, WATCHER, MSG_REPLY, &body);
    pack_close(&p);
}

/* The next message is a patch of the target with this body; it is not answered yet. */
static inline void expect_patch_sent(struct driver *d, enum patch_target target, const char *body)
{
    struct message *message = expect(d, MSG_PATCH);
    const struct msg_patch *patch = &message->body.patch;
    json_t *json = json_of_value(patch->body);
    char version[24];

    free(d->last_body);
    d->last_body = json_dumps(json, JSON_SORT_KEYS);
    json_decref(json);
    d->seq = patch->seq;
    assert_int_equal(patch->target, target);
    assert_int_equal(patch->job, d->job.job);
    assert_int_equal(message->envelope.epoch, 9);
    snprintf(version, sizeof version, "%lld", (long long)d->version);
    assert_true(span_is(patch->resource_version, version));
    if (body != NULL)
        assert_json(d->last_body, body);
}

static inline void merge_last_body(struct driver *d)
{
    json_t *patch = json_of(d->last_body), *merged = merge_patch(d->object, patch);

    json_decref(d->object);
    json_decref(patch);
    d->object = merged;
    d->version++;
    set_version(d);
}

static inline void expect_patch(struct driver *d, enum patch_target target, const char *body)
{
    expect_patch_sent(d, target, body);
    merge_last_body(d);
    reply(d, 200);
}

#define expect_meta(d, body)   expect_patch((d), PATCH_META, "{'metadata':{" body "}}")
#define expect_status(d, body) expect_patch((d), PATCH_STATUS, "{'status':{" body "}}")

/* Somebody else changes the object: it gets a new version and this merged into it. */
static inline void driver_changes(struct driver *d, const char *patch)
{
    json_t *json = json_of(patch), *merged = merge_patch(d->object, json);

    json_decref(json);
    json_decref(d->object);
    d->object = merged;
    d->version++;
    set_version(d);
}

static inline void expect_fetch(struct driver *d)
{
    d->seq = expect(d, MSG_FETCH)->body.fetch.seq;
}

static inline void expect_note(struct driver *d, const char *words)
{
    struct span text = expect(d, MSG_NOTE)->body.note.message;

    free(d->note);
    d->note = x_strndup(text.p, text.len);
    if (strstr(d->note, words) == NULL)
        fail_msg("no \"%s\" in the Event \"%s\"", words, d->note);
}

/* The job has ended so, and the next is asked for. */
static inline void expect_done(struct driver *d, enum job_result result)
{
    const struct msg_done *done = &expect(d, MSG_DONE)->body.done;

    if (done->result != result)
        fail_msg("the job ended with %llu (%.*s)", (unsigned long long)done->result, (int)done->summary.len,
                 done->summary.p);
    d->done = *done;
    expect(d, MSG_IDLE);
    assert_false(worker_core_busy(d->core));
}

/* The Error patch with this code ("" = none) whose text begins with phrase and holds words; then RETRY. */
static inline void expect_error(struct driver *d, const char *type, const char *phrase, const char *code,
                                const char *words)
{
    expect_patch(d, PATCH_STATUS, NULL);
    json_t *status = json_object_get(d->object, "status"), *last = json_object_get(status, "lastOperation"),
           *error = json_object_get(status, "lastError"), *codes = json_object_get(error, "codes");
    const char *text = json_string_value(json_object_get(last, "description"));

    assert_string_equal(json_string_value(json_object_get(last, "state")), "Error");
    assert_string_equal(json_string_value(json_object_get(last, "type")), type);
    assert_int_equal(json_integer_value(json_object_get(last, "progress")), 50);
    assert_int_equal(json_integer_value(json_object_get(status, "observedGeneration")), 2);
    assert_string_equal(text, json_string_value(json_object_get(error, "description")));
    if (strncmp(text, phrase, strlen(phrase)) != 0 || text[strlen(phrase)] != ':' ||
        strstr(text, words) == NULL)
        fail_msg("not \"%s: ...%s...\" but \"%s\"", phrase, words, text);
    if (code[0] == '\0')
        assert_null(codes); /* left out, also when an older error had some (gardener 24) */
    else
        assert_int_equal(json_array_size(codes), 1);
    if (code[0] != '\0')
        assert_string_equal(json_string_value(json_array_get(codes, 0)), code);
    expect_done(d, strstr(text, HELD_WORDS) ? JOB_HELD : JOB_RETRY);
}

/* ---- the gateway's part */

static inline struct msg_search expect_search(struct driver *d)
{
    struct msg_search search = expect(d, MSG_SEARCH)->body.search;

    assert_int_equal(search.handle, 11);
    d->seq = search.seq;
    return search;
}

/* keys: the items of the list, "" for none. */
static inline void answer_found(struct driver *d, uint64_t seq, unsigned outcome, const char *keys)
{
    struct msg_found found = {.seq = seq, .outcome = outcome, .sure_since = d->sure_since};
    char *text = x_asprintf("[%s]", keys);
    json_t *json = json_of(text);
    struct pack p;

    pack_open(&p);
    pack_json(&p, json);
    found.keys = pack_result(&p);
    if (outcome == OUTCOME_LATER)
        found.wait_ms = 3000;
    if (outcome != OUTCOME_OK)
        found.http = 500;
    driver_says(d, GATEWAY, MSG_FOUND, &found);
    pack_close(&p);
    json_decref(json);
    free(text);
}

static inline void expect_create(struct driver *d)
{
    struct message *message = expect(d, MSG_CREATE);
    const struct msg_create *create = &message->body.create;

    assert_int_equal(create->handle, 11);
    assert_true(span_is(create->key, KEY_LINE));
    assert_true(span_is(create->shoot_uid, SHOOT_UID));
    assert_int_equal(message->envelope.epoch, 9);
    assert_true(message->envelope.deadline_ms > (uint64_t)d->now.boot_ms);
    assert_true(message->envelope.deadline_ms <= (uint64_t)d->now.boot_ms + ATTEMPT_SEND_S * 1000);
    d->seq = create->seq;
}

static inline void expect_update(struct driver *d, const char *id, bool key, bool relabel, bool retag)
{
    const struct msg_update *update = &expect(d, MSG_UPDATE)->body.update;

    assert_true(span_is(update->id, id));
    assert_int_equal(update->key.len > 0, key);
    assert_int_equal(update->relabel, relabel);
    assert_int_equal(update->retag, retag);
    d->seq = update->seq;
}

static inline void expect_remove(struct driver *d, const char *id)
{
    const struct msg_remove *remove = &expect(d, MSG_REMOVE)->body.remove;

    if (!span_is(remove->id, id))
        fail_msg("REMOVE of %.*s instead of %s", (int)remove->id.len, remove->id.p, id);
    d->seq = remove->seq;
}

static inline void answer_outcome(struct driver *d, unsigned outcome, const char *id)
{
    struct msg_outcome body = {
        .seq = d->seq, .outcome = outcome, .adopted = d->adopted, .unsure = d->unsure, .maybe = d->maybe};

    if (id != NULL)
        body.id = span_of(id);
    if (outcome == OUTCOME_LATER)
        body.wait_ms = 3000;
    if (outcome != OUTCOME_OK) {
        body.http = 422;
        body.request_id = SPAN("req-1");
    }
    driver_says(d, GATEWAY, MSG_OUTCOME, &body);
}

#endif
