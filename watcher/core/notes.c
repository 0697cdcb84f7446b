/* watcher/core/notes.c -- makes a worker's NOTE an Event about the job's Infrastructure (kubernetes 7.1, 60,
 * 61). No job ever waits for an Event or fails because of one: its request belongs to no job and its answer
 * is only counted. Called by watcher.c and requests.c. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

#define NOTES_OPEN_MAX 8u               /* under way at once; what comes beyond is dropped */
#define NOTE_QUIET_MS  (10 * 60 * 1000) /* the same words about one object are posted once in it */
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
static char *event_name(struct watcher_core *core, struct span object)
{
    size_t len = object.len < LIMIT_NAME - TAIL_LEN ? object.len : LIMIT_NAME - TAIL_LEN;

    while (len && (object.p[len - 1] == '.' || object.p[len - 1] == '-'))
        len--;
    return x_asprintf("%.*s.%016llx", (int)len, object.p, (unsigned long long)next_number(core));
}

/* ---- the Event ---- */

static json_t *text_of(struct span s)
{
    return json_stringn(s.p ? s.p : "", s.p ? s.len : 0);
}

/* What kubectl describe looks for: uid and namespace are always there (kubernetes 61). */
static json_t *reference(const struct object *object)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "kind",
                     text_of(value_text(value_get(object->whole, "kind"))), "apiVersion",
                     text_of(value_text(value_get(object->whole, "apiVersion"))), "namespace",
                     text_of(object->ns), "name", text_of(object->name), "uid", text_of(object->uid),
                     "resourceVersion", text_of(object->version));
}

/* eventTime stays away: it would switch on the rules of the newer API. Caller frees; NULL when it cannot be
 * said in JSON. */
static char *event_body(struct watcher_core *core, const struct object *object, const struct words *words)
{
    char *name = event_name(core, object->name), now[CLOCK_TEXT_MAX], *text = NULL;

    clock_text_seconds(core->now.wall_ms, now);
    json_t *json = json_pack(
        "{s:s,s:s,s:{s:s,s:o},s:o,s:s,s:s,s:s,s:{s:s},s:s,s:s,s:s,s:i}", "apiVersion", "v1", "kind", "Event",
        "metadata", "name", name, "namespace", text_of(object->ns), "involvedObject", reference(object),
        "reason", words->reason, "message", words->message, "type", words->type, "source", "component",
        COMPONENT, "reportingComponent", COMPONENT, "firstTimestamp", now, "lastTimestamp", now, "count", 1);
    if (json)
        text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    free(name);
    return text;
}

/* ---- which are posted ---- */

static uint64_t note_hash(const struct watcher_core *core, const struct object *object,
                          const struct words *words)
{
    uint64_t h = hash_span(&core->hash, 7, object->uid);

    h = hash_span(&core->hash, h, span_of(words->reason));
    return hash_span(&core->hash, h, span_of(words->message));
}

static bool is_repeated(const struct watcher_core *core, uint64_t hash)
{
    for (unsigned i = 0; i < NOTES_KEPT; i++)
        if (core->notes.recent[i].hash == hash && core->notes.recent[i].until_ms > core->now.boot_ms)
            return true;
    return false;
}

/* In the place of the oldest. */
static void remember(struct watcher_core *core, uint64_t hash)
{
    unsigned oldest = 0;

    for (unsigned i = 1; i < NOTES_KEPT; i++)
        if (core->notes.recent[i].until_ms < core->notes.recent[oldest].until_ms)
            oldest = i;
    core->notes.recent[oldest].hash = hash;
    core->notes.recent[oldest].until_ms = core->now.boot_ms + NOTE_QUIET_MS;
}

static unsigned under_way(const struct watcher_core *core)
{
    unsigned n = 0;

    for (const struct call *call = core->requests; call; call = call->next)
        n += call->kind == CALL_NOTE;
    return n;
}

static void drop(struct watcher_core *core, const struct job *job, const char *why)
{
    core->notes.dropped++;
    log_debug("an Event is dropped", F_STR("key", job->work->key), F_STR("why", why),
              F_INT("dropped", core->notes.dropped));
}

static void post(struct watcher_core *core, const struct job *job, const struct object *object,
                 const struct words *words, uint64_t deadline_ms)
{
    uint64_t hash = note_hash(core, object, words);
    char *body;

    if (is_repeated(core, hash)) {
        core->notes.repeated++;
        return;
    }
    log_write(*words->type == 'W' ? LEVEL_WARN : LEVEL_INFO, "worker's note",
              log_fields_(F_STR("key", job->work->key), F_STR("reason", words->reason),
                          F_STR("message", words->message)),
              3);
    if (under_way(core) >= NOTES_OPEN_MAX) {
        drop(core, job, "too many are under way");
        return;
    }
    body = event_body(core, object, words);
    if (!body) {
        drop(core, job, "it cannot be said in JSON");
        return;
    }
    remember(core, hash);
    core->notes.posted++;
    requests_start(core, CALL_NOTE, NULL,
                   x_asprintf("/api/v1/namespaces/%.*s/events", (int)object->ns.len, object->ns.p), body,
                   deadline_ms ? (int64_t)deadline_ms : INT64_MAX);
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
        drop(core, job, "its epoch or its deadline is over");
        return;
    }
    if (object_read(pack_result(&job->object), &object)) {
        drop(core, job, "its object cannot be read");
        return;
    }
    clean(note->reason, words.reason, sizeof words.reason);
    clean(note->message, words.message, sizeof words.message);
    post(core, job, &object, &words, message->envelope.deadline_ms);
}

void notes_answer(struct watcher_core *core, const struct watcher_result *result)
{
    if (result->fate == KUBE_ANSWERED && result->status / 100 == 2)
        return;
    core->notes.failed++;
    log_debug("an Event was not taken", F_INT("status", result->status),
              F_STR("error", result->detail ? result->detail : ""), F_INT("failed", core->notes.failed));
}
