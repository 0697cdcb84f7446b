/* watcher/core/prepare.c -- the reads before a job: Secret, Cluster, and the object when its event is not
 * held any more. Decides whether there is a job at all. Never writes. Called by jobs.c, requests.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/convert.h"
#include "watcher/core/core.h"
#include "watcher/core/recorded.h"

char *prepare_path(struct span ns, struct span name, const char *suffix)
{
    return x_asprintf(API_GROUP "/namespaces/%.*s/infrastructures/%.*s%s", (int)ns.len, ns.p, (int)name.len,
                      name.p, suffix);
}

char *prepare_object_path(const struct job *job, const char *suffix)
{
    return prepare_path(work_ns(job->work), work_name(job->work), suffix);
}

/* Nothing is written, the key is tried again (gardener 26, 80). */
static void failed(struct watcher_core *core, struct job *job, const char *what, const char *why)
{
    bool checked = job->check && !job->stale;
    char ns[LIMIT_NAME + 1];

    span_copy(work_ns(job->work), ns, sizeof ns);
    if (core_worth_a_line(job->work->failures + 1))
        log_warn(checked ? "cannot check the key; the next check comes by itself"
                         : "cannot prepare the job; it is tried again",
                 F_STR("namespace", ns), F_STR("name", work_name(job->work).p), F_STR("reading", what),
                 F_STR("error", why), F_INT("failures", job->work->failures + 1));
    char text[LIMIT_TEXT + 1];

    snprintf(text, sizeof text, "cannot read the %s: %s", what, why);
    explain_note(core, job, 0, "unprepared", text);
    if (checked) {
        core->measures.checks[CHECK_FAILED]++;
        jobs_give_up(core, job); /* the next check comes by itself */
    } else {
        jobs_give_back(core, job, -1);
    }
}

static void read_object(struct watcher_core *core, struct job *job)
{
    job->stale = false;
    pack_again(&job->object);
    requests_start(core, CALL_OBJECT, job, prepare_object_path(job, ""), NULL, INT64_MAX);
}

static void read_secret(struct watcher_core *core, struct job *job, const struct object *object)
{
    int ns_len = (int)object->secret_ns.len, name_len = (int)object->secret_name.len;

    job->have_secret = false;
    if (!object_name_ok(object->secret_name) || !object_name_ok(object->secret_ns)) {
        snprintf(job->secret_name, sizeof job->secret_name, "%s", "(none named)");
        job->secret = SECRET_MISSING;
        job->have_secret = true;
        return;
    }
    snprintf(job->secret_name, sizeof job->secret_name, "%.*s/%.*s", ns_len, object->secret_ns.p, name_len,
             object->secret_name.p);
    requests_start(core, CALL_SECRET, job,
                   x_asprintf("/api/v1/namespaces/%.*s/secrets/%.*s", ns_len, object->secret_ns.p, name_len,
                              object->secret_name.p),
                   NULL, INT64_MAX);
}

/* The object is there. Returns false when the job is over. */
static bool object_there(struct watcher_core *core, struct job *job)
{
    struct object object;

    if (object_read(pack_result(&job->object), &object)) {
        failed(core, job, "object", "it cannot be read");
        return false;
    }
    if (!admit_ours(&core->rules, &object) || admit_nothing(&object)) {
        jobs_give_up(core, job);
        return false;
    }
    if (quarantine_holds(core, job, &object))
        return false;
    if (job->check && !admit_check(&object)) {
        if (!admit_new(&core->rules, &object)) {
            jobs_give_up(core, job);
            return false;
        }
        job->check = false; /* work that its event has not brought yet, and now will not */
    }
    read_secret(core, job, &object);
    return true;
}

static void ready(struct watcher_core *core, struct job *job)
{
    struct object object;

    if (!job->have_cluster || !job->have_secret || !job->object.out.size)
        return;
    if (job->stale) {
        secret_wipe(&job->credentials);
        job->have_secret = false;
        read_object(core, job);
        return;
    }
    if (object_read(pack_result(&job->object), &object)) {
        failed(core, job, "object", "it cannot be read");
        return;
    }
    recorded_terraform(object.status, job->terraform);
    if (job->secret == SECRET_USABLE)
        grants_ask(core, job);
    else
        jobs_send(core, job);
}

/* An object whose body is not held is read first, as it names the Secret; the Cluster is read beside it. */
void prepare_start(struct watcher_core *core, struct job *job)
{
    struct span ns = work_ns(job->work);
    bool held = job->object.out.size > 0;

    if (quarantine_keeps_unread(core, job))
        return;
    if (held && !object_there(core, job))
        return;
    requests_start(core, CALL_CLUSTER, job, x_asprintf(API_GROUP "/clusters/%.*s", (int)ns.len, ns.p), NULL,
                   INT64_MAX);
    if (!held)
        read_object(core, job);
}

static void took_object(struct watcher_core *core, struct job *job, struct text body)
{
    struct object object;

    if (convert_object(body, &job->object) || object_read(pack_result(&job->object), &object)) {
        failed(core, job, "object", "it cannot be read");
        return;
    }
    ahead_note(core, job->work->key, object.version);
    if (object_there(core, job))
        ready(core, job);
}

static void took_cluster(struct watcher_core *core, struct job *job, struct text body)
{
    struct known *known;

    if (cluster_read(body, &job->cluster)) {
        failed(core, job, "Cluster", "it holds no Shoot");
        return;
    }
    if (job->cluster.failed) {
        /* nothing until the next event, which is not taken for an echo (gardener 14) */
        known = cache_find(&core->cache, work_ns(job->work), work_name(job->work));
        if (known)
            known->flags &= (uint8_t)~KNOWN_ACTED;
        jobs_give_up(core, job);
        return;
    }
    job->have_cluster = true;
    ready(core, job);
}

static void took_secret(struct watcher_core *core, struct job *job, struct text body)
{
    job->secret = secret_read(body, &job->credentials);
    if (job->secret < 0) {
        failed(core, job, "Secret", "the answer is no Secret");
        return;
    }
    job->have_secret = true;
    ready(core, job);
}

void prepare_read(struct watcher_core *core, const struct call *call, const struct watcher_result *result)
{
    struct job *job = call->job;
    struct text body = {.p = result->body, .len = result->body_len};
    bool ok = result->fate == KUBE_ANSWERED && result->status == 200;
    bool absent = result->fate == KUBE_ANSWERED && result->status == 404;
    struct kube_status status;

    if (call->kind == CALL_OBJECT && ok) {
        took_object(core, job, body);
    } else if (call->kind == CALL_OBJECT && absent) {
        jobs_give_up(core, job);
    } else if (call->kind == CALL_CLUSTER && ok) {
        took_cluster(core, job, body);
    } else if (call->kind == CALL_SECRET && ok) {
        took_secret(core, job, body);
    } else if (call->kind == CALL_SECRET && absent) {
        job->secret = SECRET_MISSING;
        job->have_secret = true;
        ready(core, job);
    } else {
        failed(core, job,
               call->kind == CALL_SECRET    ? "Secret"
               : call->kind == CALL_CLUSTER ? "Cluster"
                                            : "object",
               requests_error(result, &status));
    }
}
