/* tests/fuzz/fuzz_packet_answer.c -- any answers of the Packet API, header lines and body, to a search, a
 * create, an update and a removal, each alone and one after the other: never a crash, never a request outside
 * the project and id at hand, never the token in a message, never a POST without a list that was answered,
 * never two of them for one question unless the first was refused for its rate. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet-gateway/core/gateway.h"
#include "packet-gateway/headers.h"
#include "proto/codec.h"
#include "proto/pack.h"

#define PROJECT             "6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define ID                  "3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c44"
#define LIST                "/projects/" PROJECT "/ssh-keys"
#define KEY                 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t"
#define TOKEN               "tokentokentoken"
#define WATCHER_INCARNATION 5u
#define WORKER_INCARNATION  11u
#define STEPS_MAX           60
#define RECORD_END          0x1e /* between the answers of an input; the last one is given over and over */
#define KEY2                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scene {
    struct gateway_core *core;
    struct instant now;
    const uint8_t *data, *end; /* answers that are left */
    uint64_t request;
    bool asked;       /* a request waits for its answer */
    char method[8];   /* of that request */
    bool listed;      /* the latest list was answered */
    unsigned posts;   /* of this question */
    unsigned limited; /* of them answered with 429 */
    unsigned answers;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void on_request(void *ctx, const struct gateway_request *r)
{
    struct scene *s = ctx;

    must(strncmp(r->path, LIST, strlen(LIST)) == 0 || strcmp(r->path, "/ssh-keys/" ID) == 0);
    must(strlen(r->path) < 4096);
    for (const char *c = r->path; *c; c++)
        must((unsigned char)*c > 0x20 && (unsigned char)*c < 0x7f);
    snprintf(s->method, sizeof s->method, "%s", r->method);
    if (strcmp(r->method, "POST") == 0) {
        must(s->listed);
        must(++s->posts <= 1 + s->limited);
    }
    s->request = r->id;
    s->asked = true;
}

static void on_send(void *ctx, uint64_t to, enum msg_id id, const void *body, const struct envelope *envelope)
{
    struct scene *s = ctx;
    msgpack_sbuffer frame;

    must(to == WORKER_INCARNATION || to == WATCHER_INCARNATION);
    msgpack_sbuffer_init(&frame);
    must(msg_encode(envelope, id, body, &frame) == 0);
    must(!frame.data || !memmem(frame.data, frame.size, TOKEN, strlen(TOKEN)));
    msgpack_sbuffer_destroy(&frame);
    s->answers += id == MSG_OUTCOME || id == MSG_FOUND;
}

static void tell(struct scene *s, unsigned role, uint64_t from, enum msg_id id, union msg_body body)
{
    struct message m = {.spec = msg_find(id), .body = body};

    m.envelope.epoch = WATCHER_INCARNATION;
    gateway_core_message(s->core, role, from, &m, s->now);
}

static void grant(struct scene *s)
{
    struct pack ids;

    pack_open(&ids);
    pack_array(&ids, 1);
    pack_text(&ids, ID);
    tell(s, WATCHER, WATCHER_INCARNATION, MSG_GRANT,
         (union msg_body){.grant = {.handle = 1,
                                    .worker = WORKER_INCARNATION,
                                    .token = span_of(TOKEN),
                                    .project = span_of(PROJECT),
                                    .label = span_of("ns-ssh-publickey"),
                                    .owner = span_of("ns/infra"),
                                    .ids = pack_result(&ids)}});
    pack_close(&ids);
}

/* An answer is: one byte for the status, one for flags, header lines up to an empty line, the body. */
static struct gateway_result result_of(const uint8_t *data, size_t size, struct headers *headers, char **copy)
{
    static const int statuses[] = {200, 201, 204, 301, 401, 403, 404, 422, 429, 500, 503, 202};
    const char *at = (const char *)data, *end = at + size;
    unsigned char status = size > 0 ? data[0] : 0, flags = size > 1 ? data[1] : 0;

    headers_clear(headers, NULL);
    at = size > 2 ? at + 2 : end;
    for (const char *line_end; (line_end = memchr(at, '\n', (size_t)(end - at))); at = line_end + 1) {
        if (line_end == at) {
            at++;
            break;
        }
        headers_read(headers, at, (size_t)(line_end - at) + 1, 1700000000000);
    }
    *copy = calloc(1, (size_t)(end - at) + 1);
    must(*copy != NULL);
    memcpy(*copy, at, (size_t)(end - at));
    return (struct gateway_result){
        .fate = flags & 1 ? FATE_LOST : FATE_ANSWERED,
        .status = statuses[status % (sizeof statuses / sizeof statuses[0])],
        .json = headers->json || (flags & 2),
        .request_id = headers->request_id[0] || !(flags & 4) ? headers->request_id : "rid",
        .body = *copy,
        .body_len = (size_t)(end - at),
        .retry_after_ms = headers->retry_after_ms,
        .limit_remaining = headers->limit_remaining,
        .limit_reset_s = headers->limit_reset_s,
        .limit = headers->limit,
        .date_s = headers->date_s,
        .detail = "",
    };
}

/* The next answer, or the last one again. */
static void answer(struct scene *s)
{
    const uint8_t *at = s->data, *end = memchr(at, RECORD_END, (size_t)(s->end - at));
    struct headers headers;
    char *body;
    struct gateway_result result = result_of(at, (size_t)((end ? end : s->end) - at), &headers, &body);

    if (end)
        s->data = end + 1;
    if (strcmp(s->method, "GET") == 0)
        s->listed = result.fate == FATE_ANSWERED && result.status == 200;
    else if (strcmp(s->method, "POST") == 0)
        s->limited += result.fate == FATE_ANSWERED && result.status == 429;
    result.id = s->request;
    s->asked = false;
    gateway_core_result(s->core, &result, s->now);
    free(body);
}

/* Answers every request until the question is answered. */
static void play(struct scene *s, enum msg_id id, union msg_body question)
{
    unsigned before = s->answers;

    s->posts = s->limited = 0;
    tell(s, WORKER, WORKER_INCARNATION, id, question);
    for (int i = 0; i < STEPS_MAX && s->answers == before; i++) {
        if (s->asked) {
            answer(s);
            continue;
        }
        s->now.boot_ms = gateway_core_next_ms(s->core);
        must(s->now.boot_ms != INT64_MAX);
        gateway_core_tick(s->core, s->now);
    }
}

/* The questions from `first` on, `n` of them, to one gateway. */
static void scene(const uint8_t *data, size_t size, size_t first, size_t n)
{
    struct scene s = {.now = {.boot_ms = 1000, .wall_ms = 1700000000000}, .data = data, .end = data + size};
    struct gateway_config config = {.seed = 1, .base_path = "/metal/v1", .burst = 10};
    struct gateway_ops ops = {.ctx = &s, .send = on_send, .request = on_request};
    const union msg_body questions[] = {
        {.search = {.handle = 1, .seq = 1, .key = span_of(KEY)}},
        {.create = {.handle = 1, .seq = 2, .key = span_of(KEY), .shoot_uid = span_of("uid")}},
        {.update = {.handle = 1,
                    .seq = 3,
                    .id = span_of(ID),
                    .key = span_of(KEY2),
                    .relabel = true,
                    .retag = true}},
        {.remove = {.handle = 1, .seq = 4, .id = span_of(ID)}},
    };
    const enum msg_id ids[] = {MSG_SEARCH, MSG_CREATE, MSG_UPDATE, MSG_REMOVE};

    s.core = gateway_core_new(&config, &ops, s.now);
    grant(&s);
    for (size_t i = first; i < first + n; i++)
        play(&s, ids[i], questions[i]);
    gateway_core_free(s.core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < 4; i++)
        scene(data, size, i, 1);
    scene(data, size, 0, 4);
    return 0;
}
