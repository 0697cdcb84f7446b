/* tests/unit/test_gateway_rig.h -- a gateway core between a scripted worker, a scripted watcher and scripted
 * HTTP answers. Records every request and every message; time moves only when a test says so. Included by the
 * test_gateway_*.c programs. */
#ifndef TESTS_UNIT_TEST_GATEWAY_RIG_H
#define TESTS_UNIT_TEST_GATEWAY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "packet-gateway/core/gateway.h"
#include "proto/codec.h"
#include "proto/pack.h"

#define RIG_WATCHER 5u
#define RIG_WORKER  11u
#define RIG_TOKEN   "token-of-the-test"
#define RIG_PROJECT "6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define RIG_LABEL   "shoot--foo--bar-ssh-publickey"
#define RIG_OWNER   "shoot--foo--bar/infra"
#define RIG_LIST    "/projects/" RIG_PROJECT "/ssh-keys"
#define RIG_ID      "3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c44"
#define RIG_ID2     "11111111-54d1-4a0e-8f0a-2b6a5a1d9c44"
#define RIG_KEY                                                                                              \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t node@example.invalid"
/* The same key as the service may give it back. */
#define RIG_KEY_BARE  "ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t\\n"
#define RIG_KEY2      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA other"
#define RIG_TAGS      "[\"gardener.cloud/infrastructure=" RIG_OWNER "\"]"
#define RIG_EMPTY     "{\"ssh_keys\":[]}"
#define RIG_NOT_FOUND "{\"errors\":[\"Not found\"]}"

struct rig_request {
    struct gateway_request r; /* strings are copies */
};

/* One message of the core, whichever it was. */
struct rig_message {
    uint64_t to;
    unsigned id;
    uint64_t correlation, seq, handle, epoch, outcome, http, wait_ms, adopted, unsure, maybe, sure_since;
    char key_id[65], detail[1025], request_id[129], owner[2 * LIMIT_NAME + 2];
    uint8_t *keys;
    struct value found; /* FOUND's keys */
};

struct rig {
    struct gateway_core *core;
    struct instant now;
    struct rig_request requests[512];
    unsigned n_requests, n_answered;
    struct rig_message messages[512];
    unsigned n_messages;
    uint64_t next_seq;
};

static inline void rig_on_request(void *ctx, const struct gateway_request *request)
{
    struct rig *rig = ctx;
    struct gateway_request *r = &rig->requests[rig->n_requests++].r;

    *r = *request;
    r->method = x_strdup(request->method);
    r->path = x_strdup(request->path);
    r->token = x_strdup(request->token);
    r->body = request->body ? x_strdup(request->body) : NULL;
}

static inline void rig_on_send(void *ctx, uint64_t to, enum msg_id id, const void *body,
                               const struct envelope *envelope)
{
    struct rig *rig = ctx;
    struct rig_message *m = &rig->messages[rig->n_messages++];
    msgpack_sbuffer frame;

    /* What breaks the protocol's own limits is a failure here too. */
    msgpack_sbuffer_init(&frame);
    assert_int_equal(msg_encode(envelope, id, body, &frame), 0);
    msgpack_sbuffer_destroy(&frame);
    *m = (struct rig_message){.to = to, .id = id, .correlation = envelope->correlation};
    if (id == MSG_OUTCOME) {
        const struct msg_outcome *b = body;

        m->seq = b->seq;
        m->outcome = b->outcome;
        m->http = b->http;
        m->wait_ms = b->wait_ms;
        m->adopted = b->adopted;
        m->maybe = b->maybe;
        m->unsure = b->unsure;
        span_copy(b->id, m->key_id, sizeof m->key_id);
        span_copy(b->detail, m->detail, sizeof m->detail);
        span_copy(b->request_id, m->request_id, sizeof m->request_id);
    } else if (id == MSG_FOUND) {
        const struct msg_found *b = body;

        m->seq = b->seq;
        m->outcome = b->outcome;
        m->http = b->http;
        m->wait_ms = b->wait_ms;
        m->sure_since = b->sure_since;
        span_copy(b->detail, m->detail, sizeof m->detail);
        if (b->keys.at) {
            m->keys = x_malloc(b->keys.len);
            memcpy(m->keys, b->keys.at, b->keys.len);
            m->found = (struct value){.at = m->keys, .len = b->keys.len};
        }
    } else if (id == MSG_GRANTED) {
        const struct msg_granted *b = body;

        m->handle = b->handle;
        m->outcome = b->outcome;
        m->wait_ms = b->wait_ms;
    } else if (id == MSG_REVOKED) {
        m->handle = ((const struct msg_revoked *)body)->handle;
    } else if (id == MSG_COME) {
        span_copy(((const struct msg_come *)body)->owner, m->owner, sizeof m->owner);
    } else if (id == MSG_EPOCH_CLOSED) {
        m->epoch = ((const struct msg_epoch_closed *)body)->epoch;
    }
}

static inline struct rig *rig_new_config(const struct gateway_config *config)
{
    struct rig *rig = x_calloc(1, sizeof *rig);
    struct gateway_ops ops = {.ctx = rig, .send = rig_on_send, .request = rig_on_request};

    rig->now = (struct instant){.boot_ms = 1000000, .wall_ms = 1700000000000, .steady_ms = 1700000000000};
    rig->core = gateway_core_new(config, &ops, rig->now);
    return rig;
}

static inline struct rig *rig_new_with(double rate, unsigned burst, unsigned parallel, const char *base_path)
{
    struct gateway_config config = {.seed = 7,
                                    .incarnation = 3,
                                    .base_path = base_path,
                                    .rate = rate,
                                    .burst = burst,
                                    .parallel = parallel};

    return rig_new_config(&config);
}

/* No limit of its own: calls start at once. */
static inline struct rig *rig_new(void)
{
    return rig_new_with(0, 10, 32, "");
}

static inline void rig_free(struct rig *rig)
{
    gateway_core_free(rig->core);
    for (unsigned i = 0; i < rig->n_requests; i++) {
        free((char *)rig->requests[i].r.method);
        free((char *)rig->requests[i].r.path);
        free((char *)rig->requests[i].r.token);
        free((char *)rig->requests[i].r.body);
    }
    for (unsigned i = 0; i < rig->n_messages; i++)
        free(rig->messages[i].keys);
    free(rig);
}

static inline void rig_wait(struct rig *rig, int64_t ms)
{
    rig->now.boot_ms += ms;
    rig->now.wall_ms += ms;
    rig->now.steady_ms += ms;
    gateway_core_tick(rig->core, rig->now);
}

/* Moves to the core's next own event; fails when it has none within a minute. */
static inline void rig_next(struct rig *rig)
{
    int64_t next = gateway_core_next_ms(rig->core);

    assert_true(next < rig->now.boot_ms + 60000);
    rig_wait(rig, next > rig->now.boot_ms ? next - rig->now.boot_ms : 0);
}

static inline void rig_message(struct rig *rig, unsigned role, uint64_t from, struct message *message,
                               enum msg_id id)
{
    message->spec = msg_find(id);
    if (!message->envelope.correlation)
        message->envelope.correlation = from << 32 | ++rig->next_seq;
    gateway_core_message(rig->core, role, from, message, rig->now);
}

struct rig_grant {
    uint64_t handle, worker, watcher, write_until, end_until, patience_ms;
    uint64_t calls; /* 0: admitted whatever the budget says, as a job that calls nobody */
    enum lane lane;
    const char *token, *project, *label, *owner, *id, *id2;
};

#define RIG_OR(given, otherwise) ((given) ? (given) : (otherwise))
#define RIG_NO_EPOCH             UINT64_MAX

/* Returns the outcome in GRANTED. */
static inline enum outcome rig_grant_with(struct rig *rig, const struct rig_grant *g)
{
    uint64_t watcher = RIG_OR(g->watcher, RIG_WATCHER), handle = RIG_OR(g->handle, 1);
    struct message m = {.envelope.epoch = watcher};
    struct pack ids;

    pack_open(&ids);
    pack_array(&ids, (g->id != NULL) + (g->id2 != NULL));
    if (g->id)
        pack_text(&ids, g->id);
    if (g->id2)
        pack_text(&ids, g->id2);
    m.body.grant = (struct msg_grant){
        .handle = handle,
        .worker = RIG_OR(g->worker, RIG_WORKER),
        .token = span_of(RIG_OR(g->token, RIG_TOKEN)),
        .project = span_of(RIG_OR(g->project, RIG_PROJECT)),
        .label = span_of(RIG_OR(g->label, RIG_LABEL)),
        .owner = span_of(RIG_OR(g->owner, RIG_OWNER)),
        .ids = pack_result(&ids),
        .write_until = g->write_until,
        .lane = g->lane,
        .calls = g->calls,
        .patience_ms = g->patience_ms,
        .end_until = g->end_until,
    };
    rig_message(rig, WATCHER, watcher, &m, MSG_GRANT);
    pack_close(&ids);
    const struct rig_message *last = &rig->messages[rig->n_messages - 1];

    while (last->id == MSG_COME && last > rig->messages) /* an event may call others in */
        last--;
    assert_int_equal(last->id, MSG_GRANTED);
    assert_int_equal(last->to, watcher);
    assert_int_equal(last->handle, handle);
    return (enum outcome)last->outcome;
}

#define rig_grant(rig, ...) rig_grant_with(rig, &(struct rig_grant){__VA_ARGS__})

struct rig_ask {
    uint64_t worker, handle, epoch, deadline_ms;
    const char *key, *id, *shoot_uid;
    bool relabel, retag;
};

static inline struct span rig_span(const char *text)
{
    return text ? span_of(text) : (struct span){0};
}

/* Returns seq, which the answer carries. */
static inline uint64_t rig_ask_with(struct rig *rig, enum msg_id id, const struct rig_ask *a)
{
    uint64_t epoch = a->epoch == RIG_NO_EPOCH ? 0 : RIG_OR(a->epoch, RIG_WATCHER);
    struct message m = {.envelope = {.epoch = epoch, .deadline_ms = a->deadline_ms}};
    uint64_t seq = ++rig->next_seq, handle = RIG_OR(a->handle, 1);

    if (id == MSG_SEARCH)
        m.body.search = (struct msg_search){.handle = handle, .seq = seq, .key = rig_span(a->key)};
    else if (id == MSG_CREATE)
        m.body.create = (struct msg_create){.handle = handle,
                                            .seq = seq,
                                            .key = rig_span(a->key ? a->key : RIG_KEY),
                                            .shoot_uid = rig_span(a->shoot_uid)};
    else if (id == MSG_UPDATE)
        m.body.update = (struct msg_update){.handle = handle,
                                            .seq = seq,
                                            .id = rig_span(a->id),
                                            .key = rig_span(a->key),
                                            .relabel = a->relabel,
                                            .retag = a->retag,
                                            .shoot_uid = rig_span(a->shoot_uid)};
    else
        m.body.remove = (struct msg_remove){.handle = handle, .seq = seq, .id = rig_span(a->id)};
    rig_message(rig, WORKER, RIG_OR(a->worker, RIG_WORKER), &m, id);
    return seq;
}

#define rig_search(rig, ...) rig_ask_with(rig, MSG_SEARCH, &(struct rig_ask){__VA_ARGS__})
#define rig_create(rig, ...) rig_ask_with(rig, MSG_CREATE, &(struct rig_ask){__VA_ARGS__})
#define rig_update(rig, ...) rig_ask_with(rig, MSG_UPDATE, &(struct rig_ask){__VA_ARGS__})
#define rig_remove(rig, ...) rig_ask_with(rig, MSG_REMOVE, &(struct rig_ask){__VA_ARGS__})

static inline void rig_revoke(struct rig *rig, uint64_t handle)
{
    struct message m = {.body.revoke.handle = handle};

    rig_message(rig, WATCHER, RIG_WATCHER, &m, MSG_REVOKE);
}

static inline void rig_worker_gone(struct rig *rig, uint64_t worker)
{
    struct message m = {.body.peer_gone.incarnation = worker};

    rig_message(rig, SUPERVISOR, 0, &m, MSG_PEER_GONE);
}

static inline void rig_epoch_over(struct rig *rig, uint64_t epoch)
{
    struct message m = {.body.epoch_over.epoch = epoch};

    rig_message(rig, SUPERVISOR, 0, &m, MSG_EPOCH_OVER);
}

#endif
