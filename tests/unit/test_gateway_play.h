/* tests/unit/test_gateway_play.h -- the other side of the rig: what the core must ask for next, how it is
 * answered, what the worker must hear. Every look fails the test when it does not find what it is told.
 * Included by the test_gateway_*.c programs. */
#ifndef TESTS_UNIT_TEST_GATEWAY_PLAY_H
#define TESTS_UNIT_TEST_GATEWAY_PLAY_H

#include "tests/unit/test_gateway_rig.h"

/* ---- requests and answers, in order */

/* The request the test is at: fails unless it is this one. */
static inline const struct gateway_request *rig_expect(struct rig *rig, const char *method, const char *path)
{
    if (rig->n_requests <= rig->n_answered)
        fail_msg("no request; expected %s %s", method, path);
    const struct gateway_request *r = &rig->requests[rig->n_answered].r;

    assert_string_equal(r->method, method);
    assert_string_equal(r->path, path);
    return r;
}

static inline void rig_no_request(struct rig *rig)
{
    if (rig->n_requests > rig->n_answered)
        fail_msg("unexpected %s %s", rig->requests[rig->n_answered].r.method,
                 rig->requests[rig->n_answered].r.path);
}

static inline void rig_result(struct rig *rig, struct gateway_result result)
{
    assert_true(rig->n_answered < rig->n_requests);
    result.id = rig->requests[rig->n_answered++].r.id;
    gateway_core_result(rig->core, &result, rig->now);
}

static inline struct gateway_result rig_json(int status, const char *body)
{
    return (struct gateway_result){.fate = FATE_ANSWERED,
                                   .status = status,
                                   .json = true,
                                   .request_id = "0f6c2f0f4b0d4c3b9a7e5d1c2b3a4f5e",
                                   .body = body,
                                   .body_len = strlen(body),
                                   .retry_after_ms = -1,
                                   .limit_remaining = -1,
                                   .limit_reset_s = -1,
                                   .detail = ""};
}

static inline struct gateway_result rig_html(int status)
{
    struct gateway_result r = rig_json(status, "<html><body>nginx</body></html>");

    r.json = false;
    r.request_id = "";
    return r;
}

static inline struct gateway_result rig_fate(enum gateway_fate fate)
{
    struct gateway_result r = rig_json(0, "");

    r.fate = fate;
    r.json = false;
    r.request_id = "";
    r.detail = "connection reset by peer";
    return r;
}

static inline void rig_answer(struct rig *rig, int status, const char *body)
{
    rig_result(rig, rig_json(status, body));
}

/* One key of a list. */
static inline const char *rig_key_json(char *buf, size_t size, const char *id, const char *label,
                                       const char *key, const char *created, const char *tags)
{
    snprintf(
        buf, size,
        "{\"id\":\"%s\",\"label\":\"%s\",\"key\":\"%s\",\"created_at\":\"%s\",\"tags\":%s,\"owner\":null}",
        id, label, key, created, tags);
    return buf;
}

/* Answers the list that is asked for with these members. */
static inline void rig_list(struct rig *rig, const char *members)
{
    char *body = x_asprintf("{\"ssh_keys\":[%s]}", members);

    rig_expect(rig, "GET", RIG_LIST);
    rig_answer(rig, 200, body);
    free(body);
}

static inline const char *rig_our_key(char *buf, size_t size)
{
    return rig_key_json(buf, size, RIG_ID, RIG_LABEL, RIG_KEY_BARE, "2021-03-04T05:06:07Z", RIG_TAGS);
}

/* CREATE of RIG_KEY up to its POST, which ends so. Returns seq. */
static inline uint64_t rig_post(struct rig *rig, struct gateway_result result)
{
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_result(rig, result);
    return seq;
}

/* The answer to this question: fails unless it is the last message, and there is exactly one. */
static inline const struct rig_message *rig_reply(struct rig *rig, uint64_t seq, enum outcome outcome)
{
    const struct rig_message *found = NULL;

    for (unsigned i = 0; i < rig->n_messages; i++) {
        const struct rig_message *m = &rig->messages[i];

        if ((m->id != MSG_OUTCOME && m->id != MSG_FOUND) || m->seq != seq)
            continue;
        assert_null(found);
        found = m;
    }
    if (!found)
        fail_msg("question %lu has no answer; expected %s", (unsigned long)seq, outcome_name(outcome));
    assert_string_equal(outcome_name((unsigned)found->outcome), outcome_name(outcome));
    return found;
}

static inline void rig_no_reply(struct rig *rig, uint64_t seq)
{
    for (unsigned i = 0; i < rig->n_messages; i++) {
        const struct rig_message *m = &rig->messages[i];

        if ((m->id == MSG_OUTCOME || m->id == MSG_FOUND) && m->seq == seq)
            fail_msg("question %lu was answered with %s", (unsigned long)seq,
                     outcome_name((unsigned)m->outcome));
    }
}

static inline unsigned rig_count(const struct rig *rig, const char *method)
{
    unsigned n = 0;

    for (unsigned i = 0; i < rig->n_requests; i++)
        n += strcmp(rig->requests[i].r.method, method) == 0;
    return n;
}

static inline unsigned rig_messages(const struct rig *rig, unsigned id)
{
    unsigned n = 0;

    for (unsigned i = 0; i < rig->n_messages; i++)
        n += rig->messages[i].id == id;
    return n;
}

/* The i-th key of FOUND. */
static inline struct value rig_found(const struct rig_message *m, unsigned i)
{
    for (struct value_iter it = value_each(m->found); value_next(&it);) {
        if (i-- == 0)
            return it.item;
    }
    fail_msg("FOUND has fewer keys");
    return (struct value){0};
}

static inline bool rig_flag(struct value key, const char *name)
{
    bool b = false;

    assert_true(value_bool(value_get(key, name), &b));
    return b;
}

#endif
