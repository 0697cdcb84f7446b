/* tests/unit/test_gateway_lab_server.h -- the server's side of the rate lab: the simulator's own bucket, or
 * fixed windows, with latency and a clock that may be wrong. Part of test_gateway_lab.h. */
#ifndef TESTS_UNIT_TEST_GATEWAY_LAB_SERVER_H
#define TESTS_UNIT_TEST_GATEWAY_LAB_SERVER_H

#include "tests/sim/packet-api/core/packet_sim.h"
#include "tests/unit/test_gateway_rig.h"

#define LAB_OBJECTS     1200u
#define LAB_FLIGHTS     300u
#define LAB_WINDOW_MS   2000
#define LAB_UNCALLED_MS 60000 /* the watcher's patience ... */
#define LAB_SLOW_MS     5000
#define LAB_COMING_MS   15 /* ... and its reads before it asks */

/* How the experiment is set up; 0 is the usual. */
struct lab_setup {
    int rate, burst; /* of the server's bucket */
    bool headers;    /* X-RateLimit-* */
    bool no_retry_after;
    int window;         /* instead of the bucket: so many calls in each LAB_WINDOW_MS */
    int64_t latency_ms; /* half of it on the way there */
    int64_t skew_ms;    /* the server's clock is so much ahead */
    int64_t other_ms;   /* a second client makes a call with our token each so often */
    unsigned slow;      /* each so many answers one is LAB_SLOW_MS late */
    unsigned objects, workers;
    unsigned others;             /* of the objects, these have a second credential */
    unsigned parallel;           /* --packet-parallel */
    const double *own_rate;      /* --packet-rate */
    const struct instant *begin; /* when; else the usual moment */
};

struct flight {
    int64_t at_ms; /* boot time of the next thing that happens to it */
    bool served;
    uint64_t id;
    char *method, *path, *token, *body;
    struct sim_answer answer;
    int64_t date_s;
};

enum lab_state { LAB_WAITS, LAB_RUNS, LAB_DONE };

struct lab_object {
    enum lab_state state;
    int64_t wake_ms, done_ms;
    uint64_t seq;
    bool removes;
};

struct lab {
    struct lab_setup setup;
    struct gateway_core *core;
    struct packet_sim *sim;
    struct instant now;
    int64_t begin_ms, first_ms, last_ms, other_at_ms;
    struct flight flights[LAB_FLIGHTS];
    unsigned n_flights;
    struct lab_object objects[LAB_OBJECTS];
    unsigned running, done, errors, served;
    unsigned calls, good, refused; /* sent; answered otherwise than 429; 429 */
    unsigned other_refused;
    int64_t window_at; /* number of the window being counted */
    int window_used;
    char last_method[8];
};

#define LAB_TOKEN "lab-token"
#define LAB_OTHER "lab-other-token"

static inline void lab_project(unsigned i, char out[40])
{
    snprintf(out, 40, "%08x-8b0f-4d2a-9a53-0c8d1f9a7b10", i + 1);
}

static inline const char *lab_token(const struct lab *lab, unsigned i)
{
    return i < lab->setup.others ? LAB_OTHER : LAB_TOKEN;
}

static inline void lab_on_request(void *ctx, const struct gateway_request *request)
{
    struct lab *lab = ctx;

    assert_true(lab->n_flights < LAB_FLIGHTS);
    struct flight *f = &lab->flights[lab->n_flights++];

    *f = (struct flight){.at_ms = lab->now.boot_ms + lab->setup.latency_ms / 2,
                         .id = request->id,
                         .method = x_strdup(request->method),
                         .path = x_asprintf("/metal/v1%s", request->path),
                         .token = x_strdup(request->token),
                         .body = x_strdup(request->body ? request->body : "")};
    snprintf(lab->last_method, sizeof lab->last_method, "%s", request->method);
    if (strcmp(request->token, LAB_TOKEN) != 0)
        return;
    lab->calls++;
    if (!lab->first_ms)
        lab->first_ms = lab->now.boot_ms;
    lab->last_ms = lab->now.boot_ms;
}

/* Answers are noted and handled when the core has returned. */
static inline void lab_on_send(void *ctx, uint64_t to, enum msg_id id, const void *body,
                               const struct envelope *envelope)
{
    struct lab *lab = ctx;

    (void)to;
    (void)envelope;
    if (id == MSG_GRANTED) {
        const struct msg_granted *b = body;

        lab->objects[b->handle - 1].seq = b->outcome;
        lab->objects[b->handle - 1].wake_ms = lab->now.boot_ms + LAB_UNCALLED_MS;
    } else if (id == MSG_COME) {
        struct lab_object *o = &lab->objects[atoi(((const struct msg_come *)body)->owner.p + strlen("lab/"))];

        if (o->state == LAB_WAITS)
            o->wake_ms = lab->now.boot_ms + LAB_COMING_MS;
    } else if (id == MSG_OUTCOME) {
        const struct msg_outcome *b = body;
        struct lab_object *o = &lab->objects[b->seq - 1];

        o->seq = b->outcome;
        o->wake_ms = (int64_t)b->wait_ms;
        o->done_ms = -1;
    }
}

/* ---- the server */

static inline int64_t lab_server_ms(const struct lab *lab)
{
    return lab->now.wall_ms + lab->setup.skew_ms;
}

static inline void lab_header(struct sim_answer *answer, const char *name, int64_t value)
{
    struct sim_header *h = &answer->headers[answer->n_headers++];

    snprintf(h->name, sizeof h->name, "%s", name);
    snprintf(h->value, sizeof h->value, "%lld", (long long)value);
}

static inline void lab_serve_window(struct lab *lab, struct flight *f)
{
    int64_t window = lab_server_ms(lab) / LAB_WINDOW_MS;

    if (window != lab->window_at)
        lab->window_used = 0;
    lab->window_at = window;
    bool admitted = lab->window_used < lab->setup.window;
    lab->window_used += admitted;
    f->answer.content_type = "application/json";
    f->answer.status = !admitted ? 429 : strcmp(f->method, "POST") == 0 ? 201 : 200;
    f->answer.body = !admitted ? x_strdup("{\"errors\":[\"Too many requests\"]}")
                     : f->answer.status == 201
                         ? x_asprintf("{\"id\":\"%08x-54d1-4a0e-8f0a-2b6a5a1d9c44\"}", lab->calls)
                         : x_strdup("{\"ssh_keys\":[]}");
    f->answer.body_len = strlen(f->answer.body);
    if (!lab->setup.headers)
        return;
    lab_header(&f->answer, "X-RateLimit-Limit", lab->setup.window);
    lab_header(&f->answer, "X-RateLimit-Remaining", lab->setup.window - lab->window_used);
    lab_header(&f->answer, "X-RateLimit-Reset", (window + 1) * LAB_WINDOW_MS / 1000);
}

static inline void lab_serve_bucket(struct lab *lab, struct flight *f)
{
    struct sim_request request = {.method = f->method,
                                  .path = f->path,
                                  .query = "",
                                  .token = f->token,
                                  .content_type = *f->body ? "application/json" : "",
                                  .accept = "application/json",
                                  .user_agent = "lab",
                                  .body = f->body,
                                  .body_len = strlen(f->body)};

    packet_sim_handle(lab->sim, &request, lab_server_ms(lab), &f->answer);
}

static inline int64_t lab_header_of(const struct sim_answer *answer, const char *name)
{
    for (unsigned i = 0; i < answer->n_headers; i++)
        if (strcasecmp(answer->headers[i].name, name) == 0)
            return strtoll(answer->headers[i].value, NULL, 10);
    return -1;
}

static inline void lab_arrive(struct lab *lab, unsigned i)
{
    struct flight f = lab->flights[i];
    struct gateway_result r = {.id = f.id,
                               .fate = FATE_ANSWERED,
                               .status = f.answer.status,
                               .json = f.answer.content_type != NULL,
                               .request_id = "0f6c2f0f4b0d4c3b9a7e5d1c2b3a4f5e",
                               .body = f.answer.body ? f.answer.body : "",
                               .body_len = f.answer.body_len,
                               .retry_after_ms = lab_header_of(&f.answer, "Retry-After"),
                               .limit = lab_header_of(&f.answer, "X-RateLimit-Limit"),
                               .limit_remaining = lab_header_of(&f.answer, "X-RateLimit-Remaining"),
                               .limit_reset_s = lab_header_of(&f.answer, "X-RateLimit-Reset"),
                               .date_s = f.date_s,
                               .detail = ""};

    if (r.retry_after_ms > 0)
        r.retry_after_ms *= 1000;
    if (strcmp(f.token, LAB_TOKEN) == 0) {
        lab->good += r.status != 429;
        lab->refused += r.status == 429;
    }
    lab->flights[i] = lab->flights[--lab->n_flights];
    gateway_core_result(lab->core, &r, lab->now);
    sim_answer_clear(&f.answer);
    free(f.method);
    free(f.path);
    free(f.token);
    free(f.body);
}

static inline void lab_second_client(struct lab *lab)
{
    char project[40], path[96];

    if (!lab->setup.other_ms || lab->now.boot_ms < lab->other_at_ms)
        return;
    lab->other_at_ms += lab->setup.other_ms;
    lab_project(0, project);
    snprintf(path, sizeof path, "/metal/v1/projects/%s/ssh-keys", project);
    struct flight f = {.method = (char *)"GET", .path = path, .token = (char *)LAB_TOKEN, .body = (char *)""};

    lab_serve_bucket(lab, &f);
    lab->other_refused += f.answer.status == 429;
    sim_answer_clear(&f.answer);
}

static inline void lab_make_sim(struct lab *lab)
{
    struct packet_sim_config config = packet_sim_config_default();
    char project[40];

    config.switches.rate_per_s = lab->setup.rate;
    config.switches.rate_burst = lab->setup.burst;
    config.switches.rate_headers = lab->setup.headers;
    config.switches.rate_retry_after =
        lab->setup.no_retry_after ? PACKET_SIM_RETRY_AFTER_NONE : PACKET_SIM_RETRY_AFTER_SECONDS;
    config.switches.dup_check = PACKET_SIM_DUP_OFF;
    config.switches.latency_ms = (int)lab->setup.latency_ms;
    lab->sim = packet_sim_new(&config);
    for (unsigned i = 0; i < lab->setup.objects; i++) {
        lab_project(i, project);
        assert_non_null(packet_sim_add_project(lab->sim, project, "lab", "main", lab_server_ms(lab)));
    }
    packet_sim_add_token(lab->sim, LAB_TOKEN, PACKET_SIM_TOKEN_USER, NULL, "main");
    packet_sim_add_token(lab->sim, LAB_OTHER, PACKET_SIM_TOKEN_USER, NULL, "main");
}

#endif
