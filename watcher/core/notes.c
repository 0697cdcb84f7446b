/* watcher/core/notes.c -- makes a worker's NOTE an Event about the job's Infrastructure (kubernetes 7.1, 60,
 * 61). No job ever waits for an Event or fails because of one: its request belongs to no job and its answer
 * is only counted. Called by watcher.c and requests.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

#define NOTES_OPEN_MAX 32u   /* under way, or waiting to be sent again; what comes beyond is dropped */
#define NOTE_TRIES_MAX 12u   /* without an answer (kubernetes 7.2) */
#define NOTE_AGAIN_MS  10000 /* between two of them; before the first any part of it */
#define COMBINED       "(combined from similar events): "
#define REASON_MAX     128u
#define TAIL_LEN       17u /* of an Event's name: a dot and 16 hex digits */
#define COMPONENT      "provider-packet"

_Static_assert(LIMIT_TEXT <= 1024, "the API server takes no longer message");

/* A note as it is shown: one line of valid UTF-8. */
struct words {
    const char *type;
    char reason[REASON_MAX + 1], message[LIMIT_TEXT + 1];
};

/* ---- words and names ---- */

static bool is_utf8(const char *text)
{
    json_t *json = json_string(text);

    json_decref(json);
    return json != NULL;
}

/* C0, DEL, and C1 (two bytes in UTF-8, also taken for commands by terminals) become blanks; text that is no
 * UTF-8 loses what is beyond ASCII. size is more than the longest span that the codec lets through. */
static void clean(struct span from, char *to, size_t size)
{
    size_t n = from.len < size - 1 ? from.len : size - 1;

    memcpy(to, from.p ? from.p : "", from.p ? n : 0);
    to[from.p ? n : 0] = '\0';
    for (size_t i = 0; from.p && i < n; i++) {
        unsigned char c = (unsigned char)to[i], next = (unsigned char)to[i + 1];

        if (c < 0x20 || c == 0x7f)
            to[i] = ' ';
        else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
            to[i] = to[i + 1] = ' ';
    }
    if (is_utf8(to))
        return;
    for (char *at = to; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
}

/* Nanoseconds as far as they are known, and below them chance, so that neither this process nor one before it
 * has used the number. Never goes back with the clock. */
static uint64_t next_number(struct watcher_core *core)
{
    uint64_t wall_ms = core->now.wall_ms > 0 ? (uint64_t)core->now.wall_ms : 0;
    uint64_t number = wall_ms * 1000000 + hash_random_below(&core->random, 1000000);

    if (number <= core->notes.last_number)
        number = core->notes.last_number + 1;
    core->notes.last_number = number;
    return number;
}

/* <object name>.<hex>, cut so that it stays a DNS subdomain (kubernetes 7.1). Caller frees. */
static char *event_name(struct span object, uint64_t number)
{
    size_t len = object.len < LIMIT_NAME - TAIL_LEN ? object.len : LIMIT_NAME - TAIL_LEN;

    while (len && (object.p[len - 1] == '.' || object.p[len - 1] == '-'))
        len--;
    return x_asprintf("%.*s.%016llx", (int)len, object.p, (unsigned long long)number);
}

/* ---- the Event ---- */

static json_t *text_of(struct span s)
{
    return json_stringn(s.p ? s.p : "", s.p ? s.len : 0);
}

/* Whom an Event is about. kubectl describe looks for uid and namespace (kubernetes 61). */
struct subject {
    struct span kind, api_version, ns, name, uid, version;
};

static json_t *reference(const struct subject *about)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "kind", text_of(about->kind), "apiVersion",
                     text_of(about->api_version), "namespace", text_of(about->ns), "name",
                     text_of(about->name), "uid", text_of(about->uid), "resourceVersion",
                     text_of(about->version));
}

/* eventTime stays away: it would switch on the rules of the newer API. Caller frees; NULL when it cannot be
 * said in JSON. */
static char *event_body(const struct watcher_core *core, const struct subject *about,
                        const struct words *words, uint64_t number)
{
    char *name = event_name(about->name, number), now[CLOCK_TEXT_MAX], *text = NULL;

    clock_text_seconds(core->now.wall_ms, now);
    json_t *json = json_pack(
        "{s:s,s:s,s:{s:s,s:o},s:o,s:s,s:s,s:s,s:{s:s},s:s,s:s,s:s,s:i}", "apiVersion", "v1", "kind", "Event",
        "metadata", "name", name, "namespace", text_of(about->ns), "involvedObject", reference(about),
        "reason", words->reason, "message", words->message, "type", words->type, "source", "component",
        COMPONENT, "reportingComponent", COMPONENT, "firstTimestamp", now, "lastTimestamp", now, "count", 1);
    if (json)
        text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    free(name);
    return text;
}

/* One more of the same: the newest of similar messages is shown. Caller frees. */
static char *again_body(const struct watcher_core *core, const struct words *words, unsigned count)
{
    char now[CLOCK_TEXT_MAX], *text = NULL;

    clock_text_seconds(core->now.wall_ms, now);
    json_t *json =
        json_pack("{s:i,s:s,s:s}", "count", (int)count, "lastTimestamp", now, "message", words->message);
    if (json)
        text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* ---- which are told ---- */

unsigned notes_under_way(const struct watcher_core *core)
{
    unsigned n = 0;

    for (const struct call *call = core->requests; call; call = call->next)
        n += call->kind == CALL_NOTE || call->kind == CALL_NOTE_AGAIN;
    return n;
}

static void drop(struct watcher_core *core, struct span name, const char *why)
{
    core->notes.dropped++;
    log_debug("an Event is dropped", F_STR("object", name.p ? name.p : ""), F_STR("why", why),
              F_INT("dropped", core->notes.dropped));
}

static void combine(struct words *words)
{
    char longer[sizeof words->message + sizeof COMBINED];

    snprintf(longer, sizeof longer, COMBINED "%s", words->message);
    while (strlen(longer) >= sizeof words->message || !is_utf8(longer))
        longer[strlen(longer) - 1] = '\0';
    memcpy(words->message, longer, strlen(longer) + 1);
}

static uint64_t key_of(uint64_t hash)
{
    return hash ? hash : 1;
}

static struct told *choose(struct watcher_core *core, const struct subject *about, struct words *words)
{
    uint64_t object = hash_span(&core->hash, 7, about->uid.len ? about->uid : about->name);
    uint64_t group = hash_span(&core->hash, object, span_of(words->type));
    bool combined;

    group = hash_span(&core->hash, group, span_of(words->reason));
    uint64_t message = hash_span(&core->hash, group, span_of(words->message));
    struct told *told = correlate(&core->notes.correlator, key_of(object), key_of(group), key_of(message),
                                  core->now.boot_ms, &combined);

    if (told && combined)
        combine(words);
    return told;
}

static void tell(struct watcher_core *core, const struct subject *about, struct words *words,
                 int64_t start_before)
{
    if (notes_under_way(core) >= NOTES_OPEN_MAX) {
        drop(core, about->name, "too many are under way");
        return;
    }
    struct told *told = choose(core, about, words);
    if (!told) {
        core->notes.limited++;
        return;
    }
    bool again = told->count > 1;
    if (!again)
        told->number = next_number(core);
    char *body = again ? again_body(core, words, told->count) : event_body(core, about, words, told->number);
    if (!body) {
        correlate_forget(&core->notes.correlator, told->number);
        drop(core, about->name, "it cannot be said in JSON");
        return;
    }
    char *name = again ? event_name(about->name, told->number) : NULL;
    char *path = x_asprintf("/api/v1/namespaces/%.*s/events%s%s", (int)about->ns.len, about->ns.p,
                            again ? "/" : "", again ? name : "");

    *(again ? &core->notes.repeated : &core->notes.posted) += 1;
    free(name);
    requests_start(core, again ? CALL_NOTE_AGAIN : CALL_NOTE, NULL, path, body, start_before);
}

void notes_election(struct watcher_core *core, const char *did)
{
    const struct watcher_election *e = &core->config.election;
    struct subject about = {.kind = SPAN("Lease"),
                            .api_version = SPAN("coordination.k8s.io/v1"),
                            .ns = span_of(e->ns),
                            .name = span_of(e->name)};
    struct words words = {.type = "Normal", .reason = "LeaderElection"};

    snprintf(words.message, sizeof words.message, "%s %s", e->identity, did);
    tell(core, &about, &words, INT64_MAX);
}

static struct subject subject_of(const struct object *object)
{
    return (struct subject){.kind = value_text(value_get(object->whole, "kind")),
                            .api_version = value_text(value_get(object->whole, "apiVersion")),
                            .ns = object->ns,
                            .name = object->name,
                            .uid = object->uid,
                            .version = object->version};
}

void notes_take(struct watcher_core *core, uint64_t worker, const struct message *message)
{
    const struct msg_note *note = &message->body.note;
    struct job *job = jobs_find(core, worker, note->job);
    struct words words = {.type = note->warning ? "Warning" : "Normal"};
    struct object object;

    if (!job || (job->phase != PHASE_SENT && job->phase != PHASE_RUNNING))
        return;
    if (writes_fenced(core, message)) {
        core->refused++;
        drop(core, work_name(job->work), "its epoch or its deadline is over");
        return;
    }
    if (object_read(pack_result(&job->object), &object)) {
        drop(core, work_name(job->work), "its object cannot be read");
        return;
    }
    clean(note->reason, words.reason, sizeof words.reason);
    clean(note->message, words.message, sizeof words.message);
    log_write(note->warning ? LEVEL_WARN : LEVEL_INFO, "worker's note",
              log_fields_(F_STR("key", job->work->key), F_STR("reason", words.reason),
                          F_STR("message", words.message)),
              3);
    struct subject about = subject_of(&object);
    uint64_t deadline_ms = message->envelope.deadline_ms;
    tell(core, &about, &words, deadline_ms ? (int64_t)deadline_ms : INT64_MAX);
}

void notes_object(struct watcher_core *core, const struct object *object, bool warning, const char *reason,
                  const char *message)
{
    struct subject about = subject_of(object);
    struct words words = {.type = warning ? "Warning" : "Normal"};

    clean(span_of(reason), words.reason, sizeof words.reason);
    clean(span_of(message), words.message, sizeof words.message);
    tell(core, &about, &words, INT64_MAX);
}

int64_t notes_again_in(struct watcher_core *core, const struct call *call,
                       const struct watcher_result *result)
{
    bool unanswered = result->fate == KUBE_NOT_SENT || result->fate == KUBE_LOST;

    if (!unanswered || call->tries >= NOTE_TRIES_MAX)
        return -1;
    return call->tries == 1 ? (int64_t)hash_random_below(&core->random, NOTE_AGAIN_MS) : NOTE_AGAIN_MS;
}

/* Its number is at the end of the path. */
static void forget(struct watcher_core *core, const struct call *call)
{
    correlate_forget(&core->notes.correlator, strtoull(strrchr(call->path, '.') + 1, NULL, 16));
}

/* Whatever the server says, that was it; one that it has forgotten is told anew the next time. */
void notes_answer(struct watcher_core *core, const struct call *call, const struct watcher_result *result)
{
    if (result->fate == KUBE_ANSWERED && result->status / 100 == 2)
        return;
    if (call->kind == CALL_NOTE_AGAIN && result->status == 404)
        forget(core, call);
    core->notes.failed++;
    log_debug("an Event was not taken", F_INT("status", result->status),
              F_STR("error", result->detail ? result->detail : ""), F_INT("failed", core->notes.failed));
}
