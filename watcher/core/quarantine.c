/* watcher/core/quarantine.c -- objects at which workers die: a death is a strike, some strikes in a row put
 * the object into quarantine, where it is left alone for a time that grows, and its status and an Event say
 * so (design 2, 12.7). What is held against an object outlives this process: the supervisor keeps it. Called
 * by prepare.c, job_end.c, requests.c, watcher.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

static struct suspect *find(struct watcher_core *core, struct span key)
{
    for (unsigned i = 0; core->suspects && i < SUSPECTS_MAX; i++)
        if (core->suspects[i].key[0] && span_is(key, core->suspects[i].key))
            return &core->suspects[i];
    return NULL;
}

/* A new one's place: a free one, or that of who has been quiet for longest. */
static struct suspect *find_or_make(struct watcher_core *core, struct span key)
{
    struct suspect *place = find(core, key);

    if (place)
        return place;
    if (!core->suspects)
        core->suspects = x_calloc(SUSPECTS_MAX, sizeof *core->suspects);
    for (unsigned i = 0; i < SUSPECTS_MAX; i++) {
        struct suspect *s = &core->suspects[i];

        if (!place || (place->key[0] && (!s->key[0] || s->struck_s < place->struck_s)))
            place = s;
    }
    *place = (struct suspect){0};
    span_copy(key, place->key, sizeof place->key);
    return place;
}

/* What makes it another object, or the same one for which somebody wants something else. */
static void version_of(const struct object *object, char version[static LIMIT_VERSION + 1])
{
    snprintf(version, LIMIT_VERSION + 1, "%.*s %" PRId64 " %.*s %.*s %.*s", (int)object->uid.len,
             object->uid.p, object->generation, (int)object->deletion.len,
             object->deletion.p ? object->deletion.p : "", (int)object->operation.len,
             object->operation.p ? object->operation.p : "", (int)object->timestamp.len,
             object->timestamp.p ? object->timestamp.p : "");
    for (char *c = version; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
}

static void report(struct watcher_core *core, const struct suspect *s)
{
    const struct msg_suspect body = {
        .key = span_of(s->key),
        .version = span_of(s->version),
        .strikes = s->strikes,
        .terms = s->terms,
        .until = s->until_ms > 0 ? (uint64_t)s->until_ms : 0,
        .told = s->told,
        .cause = span_of(s->cause),
        .struck = s->struck_s > 0 ? (uint64_t)s->struck_s : 0,
        .unread = s->unread,
    };

    core_send(core, SUPERVISOR, SUPERVISOR_INCARNATION, MSG_SUSPECT, &body, 0);
}

static void forget(struct watcher_core *core, struct suspect *s)
{
    s->strikes = 0;
    report(core, s);
    *s = (struct suspect){0};
}

void quarantine_strike(struct watcher_core *core, const struct job *job, const char *cause)
{
    struct suspect *s = find_or_make(core, span_of(job->work->key));
    struct object object;

    s->strikes++;
    s->struck_s = core->now.wall_ms / 1000;
    snprintf(s->cause, sizeof s->cause, "%s", cause);
    if (!object_read(pack_result(&job->object), &object))
        version_of(&object, s->version);
    if (core->config.quarantine_after && s->strikes >= core->config.quarantine_after) {
        s->terms++;
        s->until_ms = core->now.boot_ms + quarantine_term_ms(s->terms);
        s->told = false;
        core->quarantines++;
        log_warn("an object is put into quarantine", F_STR("key", s->key), F_INT("strikes", s->strikes),
                 F_STR("cause", s->cause), F_INT("term", s->terms),
                 F_INT("forMs", quarantine_term_ms(s->terms)),
                 F_STR("advice", "`packetctl quarantine list`; a change of the object, or `packetctl "
                                 "quarantine release`, tries it again"));
    }
    report(core, s);
}

void quarantine_passed(struct watcher_core *core, const struct work *work)
{
    struct suspect *s = find(core, span_of(work->key));

    if (s)
        forget(core, s);
}

/* One more trial; the next strike puts it back, for longer. */
static void try_once(struct watcher_core *core, struct suspect *s, const char *why)
{
    log_info("an object in quarantine is tried again", F_STR("key", s->key), F_STR("why", why),
             F_STR("cause", s->cause));
    s->until_ms = 0;
    s->unread = false;
    s->strikes = core->config.quarantine_after ? core->config.quarantine_after - 1 : 0;
    report(core, s);
}

/* ---- what its status says */

static void sentence(const struct suspect *s, int64_t now_ms, char *text, size_t size)
{
    int64_t left_s = (s->until_ms - now_ms + 999) / 1000;

    snprintf(text, size,
             "The extension has put this object into quarantine: %" PRIu64
             " of its worker processes ended at it, the last because %s. Nothing was wrong with the other "
             "objects. An operator of the seed should look at `packetctl crashes` and the extension's log. "
             "It is tried again in %" PRId64 " s, at once after a change of the object or "
             "`packetctl quarantine release %s`.",
             s->strikes, s->cause, left_s > 0 ? left_s : 0, s->key);
}

static const char *type_of(const struct object *object)
{
    static const char *const types[] = {"Create", "Reconcile", "Delete", "Migrate", "Restore"};

    if (object->deletion.len)
        return "Delete";
    if (span_is(object->operation, "migrate"))
        return "Migrate";
    if (span_is(object->operation, "restore"))
        return "Restore";
    if (span_is(object->op_state, "Succeeded"))
        return "Reconcile";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (span_is(object->op_type, types[i]))
            return types[i];
    return "Create";
}

/* Caller frees; NULL when it cannot be said in JSON. */
static char *patch_body(const struct watcher_core *core, const struct object *object, const char *text)
{
    char now[CLOCK_TEXT_MAX], *body = NULL;

    clock_text_seconds(core->now.wall_ms, now);
    json_t *json =
        json_pack("{s:{s:s%},s:{s:{s:s,s:s,s:i,s:s,s:s},s:{s:s,s:s,s:n},s:I}}", "metadata", "resourceVersion",
                  object->version.p, (size_t)object->version.len, "status", "lastOperation", "type",
                  type_of(object), "state", "Error", "progress", 50, "description", text, "lastUpdateTime",
                  now, "lastError", "description", text, "lastUpdateTime", now, "codes", "observedGeneration",
                  (json_int_t)object->generation);
    if (json)
        body = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return body;
}

/* Locked by the version that was read, like every write (design 12.1). */
static bool write_status(struct watcher_core *core, struct job *job, const struct suspect *s,
                         const struct object *object)
{
    char text[LIMIT_TEXT + 1];

    sentence(s, core->now.boot_ms, text, sizeof text);
    char *body = patch_body(core, object, text);
    if (!body)
        return false;
    char *path = prepare_object_path(job, "/status?fieldManager=");
    char *whole = x_asprintf("%s%s", path, core->field_manager);
    free(path);
    requests_start(core, CALL_QUARANTINE, job, whole, body, INT64_MAX);
    return true;
}

/* Not before its time. */
static void leave_alone(struct watcher_core *core, struct job *job, const struct suspect *s)
{
    jobs_give_back(core, job, jobs_later(s->until_ms - core->now.boot_ms));
}

bool quarantine_holds(struct watcher_core *core, struct job *job, const struct object *object)
{
    struct suspect *s = find(core, span_of(job->work->key));
    char version[LIMIT_VERSION + 1];

    if (!s || !s->until_ms)
        return false;
    version_of(object, version);
    if (strcmp(version, s->version) != 0) {
        try_once(core, s, "it has changed");
        return false;
    }
    if (core->now.boot_ms >= s->until_ms) {
        try_once(core, s, "its time is over");
        return false;
    }
    if (s->told || !write_status(core, job, s, object))
        leave_alone(core, job, s);
    return true;
}

/* The status is told once for each term; until then each run tries. */
void quarantine_answer(struct watcher_core *core, const struct call *call,
                       const struct watcher_result *result)
{
    struct job *job = call->job;
    struct suspect *s = job ? find(core, span_of(job->work->key)) : NULL;
    bool ok = result->fate == KUBE_ANSWERED && result->status / 100 == 2;
    struct object object;
    char text[LIMIT_TEXT + 1];

    if (!job)
        return;
    if (!s || !s->until_ms || result->status == 409) {
        jobs_give_back(core, job, jobs_later(0));
    } else if (!ok) {
        jobs_give_back(core, job, -1);
    } else {
        writes_own(core, job, (struct text){.p = result->body, .len = result->body_len});
        s->told = true;
        report(core, s);
        sentence(s, core->now.boot_ms, text, sizeof text);
        if (!object_read(pack_result(&job->object), &object))
            notes_object(core, &object, true, "Quarantined", text);
        leave_alone(core, job, s);
    }
}

/* ---- bodies at which watchers died (design 12.13) */

/* Until its term is over; then it is tried. */
static bool still_unread(struct watcher_core *core, struct suspect *s)
{
    if (!s || !s->unread)
        return false;
    if (core->now.boot_ms < s->until_ms)
        return true;
    try_once(core, s, "its time is over");
    return false;
}

bool quarantine_unread(struct watcher_core *core, const char *key)
{
    return still_unread(core, find(core, span_of(key)));
}

bool quarantine_keeps_unread(struct watcher_core *core, struct job *job)
{
    struct suspect *s = find(core, span_of(job->work->key));
    bool unread = still_unread(core, s);

    if (unread)
        leave_alone(core, job, s);
    return unread;
}

/* ---- what the supervisor says */

void quarantine_known(struct watcher_core *core, const struct msg_suspected *said)
{
    struct suspect *s = find_or_make(core, said->key);

    s->strikes = said->strikes;
    s->terms = said->terms;
    s->until_ms = (int64_t)said->until;
    s->told = said->told != 0;
    s->unread = said->unread != 0;
    s->struck_s = (int64_t)said->struck;
    span_copy(said->version, s->version, sizeof s->version);
    span_copy(said->cause, s->cause, sizeof s->cause);
}

void quarantine_release(struct watcher_core *core, struct span key)
{
    struct suspect *s = find(core, key);
    struct work *work;
    const char *slash = s ? strchr(s->key, '/') : NULL;

    if (!s || !s->until_ms || !slash)
        return;
    try_once(core, s, "an operator asked for it");
    work = queue_find(&core->queue, (struct span){.p = s->key, .len = (uint32_t)(slash - s->key)},
                      span_of(slash + 1));
    if (work)
        queue_add_after(&core->queue, work, 0, core->now.boot_ms);
}

const struct suspect *quarantine_find(struct watcher_core *core, const char *key)
{
    return find(core, span_of(key));
}

unsigned quarantine_count(const struct watcher_core *core)
{
    unsigned n = 0;

    for (unsigned i = 0; core->suspects && i < SUSPECTS_MAX; i++)
        n += core->suspects[i].key[0] && core->suspects[i].until_ms;
    return n;
}
