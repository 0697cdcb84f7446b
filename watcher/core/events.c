/* watcher/core/events.c -- takes in one object as a list or the watch showed it: remembers its hashes and
 * queues its key if that is work. Never keeps the object itself, but as the body of a queued key. Called by
 * reflector.c. */
#include <stdio.h>
#include <string.h>

#include "base/blackbox.h"
#include "base/log.h"
#include "watcher/core/convert.h"
#include "watcher/core/core.h"

/* Whose it is, before anything of it is decoded. */
static void names_of(struct text object, struct span *ns, struct span *name)
{
    struct text metadata = scan_member(object, "metadata");

    *ns = scan_string(scan_member(metadata, "namespace"));
    *name = scan_string(scan_member(metadata, "name"));
}

/* An object that cannot be read is left alone and must not stop the others. It still counts as there. */
static void unreadable(struct watcher_core *core, struct text object)
{
    struct span ns, name;
    char ns_text[LIMIT_NAME + 1] = "", name_text[LIMIT_NAME + 1] = "";

    names_of(object, &ns, &name);
    core->reflector.unreadable++;
    span_copy(ns, ns_text, sizeof ns_text);
    span_copy(name, name_text, sizeof name_text);
    log_warn("skipped an object that cannot be read", F_STR("namespace", ns_text), F_STR("name", name_text));
    struct known *known = ns.p && name.p ? cache_find(&core->cache, ns, name) : NULL;
    if (known)
        cache_round_saw(&core->cache, known);
}

static void forget_key(struct watcher_core *core, struct span ns, struct span name)
{
    struct work *work = queue_find(&core->queue, ns, name);

    if (work)
        queue_drop(&core->queue, work);
    ahead_forget(core, ns, name);
}

/* The same name with another uid is another object (kubernetes 28). Returns the entry to go on with, or NULL
 * for an object seen for the first time. */
static struct known *same_object(struct watcher_core *core, const struct object *object)
{
    struct known *known = cache_find(&core->cache, object->ns, object->name);

    if (!known || known->uid == object_uid_hash(&core->hash, object))
        return known;
    forget_key(core, object->ns, object->name);
    cache_remove(&core->cache, known);
    return NULL;
}

static void remember(struct watcher_core *core, struct known *known, const struct object *object,
                     uint64_t rule, uint64_t status)
{
    if (rule != known->rule)
        known->flags &= (uint8_t)~KNOWN_ACTED;
    known->rule = rule;
    known->status = status;
    known->generation = (uint32_t)object->generation;
    known->uid = object_uid_hash(&core->hash, object);
    cache_round_saw(&core->cache, known);
}

/* Returns whether the version is work. */
static bool take_in(struct watcher_core *core, struct known *known, const struct object *object)
{
    uint64_t rule = object_rule_hash(&core->hash, object);
    uint64_t status = object_status_hash(&core->hash, object);
    bool echo = false, work;

    if (!known) {
        work = admit_new(&core->rules, object);
        remember(core, cache_put(&core->cache, object->ns, object->name), object, rule, status);
        return work;
    }
    if (known->flags & KNOWN_AHEAD)
        echo = ahead_order(core, object->ns, object->name, object->version) == VERSION_SAME;
    if (!echo && rule != known->rule && jobs_expect(core, object->ns, object->name, rule)) {
        known->rule = rule;
        echo = true;
    }
    work =
        !echo && (admit_change(&core->rules, known, object, rule, status) ||
                  (admit_orphan(known, object, status) && !jobs_under_way(core, object->ns, object->name)));
    remember(core, known, object, rule, status);
    return work;
}

static bool older_than_known(struct watcher_core *core, struct known *known, const struct object *object)
{
    return known && known->flags & KNOWN_AHEAD &&
           ahead_order(core, object->ns, object->name, object->version) == VERSION_OLDER;
}

static void not_ours(struct watcher_core *core, const struct object *object)
{
    struct known *known = cache_find(&core->cache, object->ns, object->name);

    if (!known)
        return;
    forget_key(core, object->ns, object->name);
    cache_remove(&core->cache, known);
}

/* Left for later, when it may be read again; then by a GET. */
static void leave_unread(struct watcher_core *core, struct span ns, struct span name)
{
    struct known *known = cache_find(&core->cache, ns, name);

    if (known)
        cache_round_saw(&core->cache, known);
    queue_add(&core->queue, ns, name, PRIORITY_INITIAL, (struct value){0}, core->now.boot_ms);
}

/* The box says at which object we are before anything of it is decoded: should that end us, the supervisor
 * holds it against the object. Returns whether it may be decoded. */
static bool may_read(struct watcher_core *core, struct text text)
{
    struct span ns, name;
    char key[KEY_MAX];

    names_of(text, &ns, &name);
    if (!object_name_ok(ns) || !object_name_ok(name))
        return true;
    snprintf(key, sizeof key, "%.*s/%.*s", (int)ns.len, ns.p, (int)name.len, name.p);
    blackbox_about(key, "reading an event");
    if (!quarantine_unread(core, key))
        return true;
    leave_unread(core, ns, name);
    return false;
}

static void take_event(struct watcher_core *core, enum sighting how, struct text text)
{
    struct object object;
    struct known *known;

    if (convert_object(text, &core->scratch) || object_read(pack_result(&core->scratch), &object)) {
        unreadable(core, text);
        return;
    }
    if (!admit_ours(&core->rules, &object)) {
        not_ours(core, &object);
        return;
    }
    core->reflector.listed += how != SEEN_EVENT;
    known = same_object(core, &object);
    if (older_than_known(core, known, &object)) {
        cache_round_saw(&core->cache, known);
        return;
    }
    bool work = take_in(core, known, &object);
    bool read_later = jobs_news(core, object.ns, object.name);
    struct work *queued = queue_find(&core->queue, object.ns, object.name);
    if (queued)
        queue_stale(&core->queue, queued);
    if (work && !read_later)
        queue_add(&core->queue, object.ns, object.name,
                  how == SEEN_FIRST_LIST ? PRIORITY_INITIAL
                  : object.deletion.len  ? PRIORITY_DELETE
                                         : PRIORITY_LIVE,
                  object.whole, core->now.boot_ms);
}

void events_seen(struct watcher_core *core, enum sighting how, struct text text)
{
    if (may_read(core, text))
        take_event(core, how, text);
    blackbox_about("", "");
}

void events_deleted(struct watcher_core *core, struct text text)
{
    struct span ns, name;

    names_of(text, &ns, &name);
    struct known *known =
        object_name_ok(ns) && object_name_ok(name) ? cache_find(&core->cache, ns, name) : NULL;

    if (!known)
        return;
    jobs_news(core, ns, name);
    forget_key(core, ns, name);
    cache_remove(&core->cache, known);
}

static void missing(void *ctx, const struct known *known)
{
    jobs_news(ctx, known_ns(known), known_name(known));
    forget_key(ctx, known_ns(known), known_name(known));
}

void events_list_complete(struct watcher_core *core)
{
    cache_round_end(&core->cache, missing, core);
}
