/* watcher/core/explain.c -- answers an operator's question: what is with this object, why does nothing
 * happen, when does it go on; and the latest ends of jobs, of which a few are kept. Decides nothing. Called
 * by jobs.c, job_end.c, prepare.c, requests.c and watcher.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "watcher/core/convert.h"
#include "watcher/core/core.h"

#define EPISODES_MAX    128u /* of all objects together */
#define TEXT_MAX        256u
#define EXPLAIN_READ_MS 3000 /* packetctl waits longer */

/* How a job ended. */
struct episode {
    char *key, *text;
    const char *result; /* static */
    int64_t wall_ms, took_ms;
    uint64_t worker, job; /* together the log's reconcileID */
};

struct explain {
    struct episode episodes[EPISODES_MAX]; /* a ring */
    uint64_t n;                            /* ever */
};

/* Caller frees. */
static char *beginning(const char *text)
{
    struct span shown = span_begin(span_of(text), TEXT_MAX);

    return x_asprintf("%.*s%s", (int)shown.len, shown.p, text[shown.len] ? "..." : "");
}

void explain_note(struct watcher_core *core, const struct job *job, uint64_t worker, const char *result,
                  const char *text)
{
    if (!core->explain)
        core->explain = x_calloc(1, sizeof *core->explain);
    struct episode *e = &core->explain->episodes[core->explain->n++ % EPISODES_MAX];

    free(e->key);
    free(e->text);
    *e = (struct episode){.key = x_strdup(job->work->key),
                          .text = beginning(text ? text : ""),
                          .result = result,
                          .wall_ms = core->now.wall_ms,
                          .took_ms = core->now.boot_ms - job->began_ms,
                          .worker = worker,
                          .job = job->id};
}

void explain_close(struct watcher_core *core)
{
    for (unsigned i = 0; core->explain && i < EPISODES_MAX; i++) {
        free(core->explain->episodes[i].key);
        free(core->explain->episodes[i].text);
    }
    free(core->explain);
    core->explain = NULL;
}

/* ---- the answer */

static void pack_episode(struct pack *p, const struct episode *e)
{
    char when[CLOCK_TEXT_MAX], id[48] = "";

    clock_text_millis(e->wall_ms, when);
    if (e->worker)
        snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, e->worker, e->job);
    pack_map(p, 6);
    pack_member(p, "time", when);
    pack_member(p, "object", e->key);
    pack_member(p, "reconcileID", id);
    pack_member(p, "result", e->result);
    pack_member_int(p, "tookMs", e->took_ms);
    pack_member(p, "text", e->text);
}

/* key "": of all objects. Newest first. */
static void pack_episodes(struct pack *p, const struct explain *x, const char *key)
{
    uint64_t kept = !x ? 0 : x->n < EPISODES_MAX ? x->n : EPISODES_MAX;
    uint32_t found = 0;

    for (uint64_t i = 0; i < kept; i++)
        found += !*key || strcmp(x->episodes[(x->n - 1 - i) % EPISODES_MAX].key, key) == 0;
    pack_array(p, found);
    for (uint64_t i = 0; i < kept; i++) {
        const struct episode *e = &x->episodes[(x->n - 1 - i) % EPISODES_MAX];

        if (!*key || strcmp(e->key, key) == 0)
            pack_episode(p, e);
    }
}

/* What can be said of one object. */
struct picture {
    const char *state; /* one word */
    char why[640];
    int64_t next_ms; /* from now; -1: nothing is planned */
    uint64_t failures;
};

static void picture_job(const struct job *job, struct picture *pic)
{
    static const char *const phases[] = {
        [PHASE_PREPARING] = "its Secret, its Cluster and perhaps the object are being read",
        [PHASE_GRANTING] = "the packet-gateway is asked for budget",
        [PHASE_SENT] = "a worker is to take it",
        [PHASE_RUNNING] = "a worker is at it; packetctl jobs shows the step",
        [PHASE_ENDING] = "it has ended, and a write is still under way",
        [PHASE_ORPHANED] = "its worker ended, and what it had sent is still under way",
    };

    pic->state = "running";
    snprintf(pic->why, sizeof pic->why, "%s", phases[job->phase]);
}

static void picture_work(const struct watcher_core *core, const struct work *work, struct picture *pic)
{
    int64_t left = work->order - core->now.boot_ms;

    pic->failures = work->failures;
    if (work->place == WORK_DELAYED) {
        pic->state = "waiting";
        pic->next_ms = left > 0 ? left : 0;
        if (work->for_budget)
            snprintf(pic->why, sizeof pic->why,
                     "for its turn in the budget of Packet's API (packetctl limits); at the latest then it "
                     "asks again");
        else if (work->failures)
            snprintf(pic->why, sizeof pic->why, "it has failed %u times in a row", work->failures);
        else
            snprintf(pic->why, sizeof pic->why, "it is to be looked at again then");
    } else if (work->place == WORK_READY) {
        pic->state = "ready";
        pic->next_ms = 0;
        snprintf(pic->why, sizeof pic->why, "%s",
                 core->held ? "no job is begun, as packetctl drain asked for it: packetctl resume"
                            : "for a worker that has nothing to do");
    }
}

/* From the general to the particular: what comes later says more. */
static void look(struct watcher_core *core, const char *key, struct span ns, struct span name,
                 struct picture *pic)
{
    struct work *work = queue_find(&core->queue, ns, name);
    const struct suspect *s = quarantine_find(core, key);
    bool known = cache_find(&core->cache, ns, name) != NULL;

    *pic = (struct picture){.state = known ? "settled" : "unknown", .next_ms = -1};
    snprintf(pic->why, sizeof pic->why, "%s",
             known ? "nothing asks for work: no annotation, no change, and its key is compared with Packet "
                     "now and then"
             : core->reflector.synced ? "there is no such object, or its type or class is not ours"
                                      : "the first list of the objects is not complete");
    if (work)
        picture_work(core, work, pic);
    for (const struct job *job = core->jobs; job; job = job->next)
        if (job->work == work)
            picture_job(job, pic);
    if (s && s->until_ms > core->now.boot_ms) {
        pic->state = "quarantined";
        pic->next_ms = s->until_ms - core->now.boot_ms;
        snprintf(pic->why, sizeof pic->why,
                 "%" PRIu64 " processes ended at it, the last because %s (packetctl crashes); it is tried "
                 "earlier when it changes, or after packetctl quarantine release %s",
                 s->strikes, s->cause, key);
    }
    if (!core->leading)
        snprintf(pic->why, sizeof pic->why, "another one holds the leader Lease; ask there");
}

/* object: as it was just read, or NULL; unread: then why. */
static void pack_answer(struct watcher_core *core, const char *key, const struct object *object,
                        const char *unread, struct pack *p)
{
    const char *slash = strchr(key, '/');
    struct picture pic;

    look(core, key, (struct span){.p = key, .len = (uint32_t)(slash - key)}, span_of(slash + 1), &pic);
    pack_map(p, object ? 8 : 7);
    pack_member(p, "object", key);
    pack_member(p, "state", pic.state);
    pack_member(p, "why", pic.why);
    pack_member_int(p, "nextMs", pic.next_ms);
    pack_member_int(p, "failures", (int64_t)pic.failures);
    if (object) {
        pack_text(p, "desired");
        explain_pack_desired(p, object);
        pack_text(p, "actual");
        explain_pack_actual(p, object);
    } else {
        pack_member(p, "unread", unread);
    }
    pack_text(p, "runs");
    pack_episodes(p, core->explain, key);
}

static void answer(struct watcher_core *core, uint64_t question, const char *key, const struct object *object,
                   const char *unread)
{
    struct pack p;

    pack_open(&p);
    if (strchr(key, '/')) {
        pack_answer(core, key, object, unread, &p);
    } else { /* of all */
        pack_map(&p, 1);
        pack_text(&p, "runs");
        pack_episodes(&p, core->explain, "");
    }
    const struct msg_explained body = {.question = question, .answer = pack_result(&p)};
    core_send(core, SUPERVISOR, SUPERVISOR_INCARNATION, MSG_EXPLAINED, &body, 0);
    pack_close(&p);
}

/* The path of the key's object; NULL when it cannot be one's. Caller frees. */
static char *path_of(const char *key)
{
    const char *slash = strchr(key, '/');
    struct span ns = {.p = key, .len = slash ? (uint32_t)(slash - key) : 0};

    if (!slash || !object_name_ok(ns) || !object_name_ok(span_of(slash + 1)))
        return NULL;
    return prepare_path(ns, span_of(slash + 1), "");
}

void explain_take(struct watcher_core *core, const struct msg_explain *asked)
{
    char key[KEY_MAX] = "";

    span_copy(asked->key, key, sizeof key);
    char *path = path_of(key);
    if (!path || quarantine_unread(core, key)) {
        answer(core, asked->question, key, NULL,
               path ? "watchers ended while they read it, so it is left alone for now"
                    : "no object can have this name");
        free(path);
        return;
    }
    struct call *call =
        requests_start_until(core, CALL_EXPLAIN, path, NULL, core->now.boot_ms + EXPLAIN_READ_MS, false);
    call->question = asked->question;
    call->about = x_strdup(key);
}

void explain_read(struct watcher_core *core, const struct call *call, const struct watcher_result *result)
{
    struct text body = {.p = result->body, .len = result->body_len};
    bool ok = result->fate == KUBE_ANSWERED && result->status == 200;
    struct kube_status status;
    struct object object;
    struct pack whole;

    pack_open(&whole);
    if (!ok)
        answer(core, call->question, call->about, NULL, requests_error(result, &status));
    else if (convert_object(body, &whole) || object_read(pack_result(&whole), &object))
        answer(core, call->question, call->about, NULL, "what the API server sent is no Infrastructure");
    else
        answer(core, call->question, call->about, &object, NULL);
    pack_close(&whole);
}
