/* watcher/core/ahead.c -- versions that answers of the API server showed us before the watch does: an older
 * event of that object is no news (kubernetes 9.4). Owns the few entries. Called by events.c, prepare.c,
 * writes.c, reflector.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "watcher/core/core.h"

static bool key_is(const char *key, struct span ns, struct span name)
{
    return !strncmp(key, ns.p, ns.len) && key[ns.len] == '/' &&
           !strncmp(key + ns.len + 1, name.p, name.len) && !key[ns.len + 1 + name.len];
}

static struct ahead_entry *find(const struct ahead *ahead, struct span ns, struct span name)
{
    for (size_t i = 0; i < ahead->count; i++)
        if (key_is(ahead->entries[i].key, ns, name))
            return &ahead->entries[i];
    return NULL;
}

static struct ahead_entry *append(struct ahead *ahead, const char *key)
{
    if (ahead->count == ahead->room) {
        ahead->room = ahead->room ? ahead->room * 2 : 16;
        ahead->entries = x_realloc(ahead->entries, ahead->room * sizeof *ahead->entries);
    }
    struct ahead_entry *entry = &ahead->entries[ahead->count++];
    *entry = (struct ahead_entry){.key = x_strdup(key)};
    return entry;
}

void ahead_note(struct watcher_core *core, const char *key, struct span version)
{
    const char *slash = strchr(key, '/');
    struct span ns = {.p = key, .len = (uint32_t)(slash - key)}, name = span_of(slash + 1);
    struct known *known = cache_find(&core->cache, ns, name);
    enum version_order shown = version_compare(version, span_of(core->reflector.version));

    if (!known || shown == VERSION_SAME || shown == VERSION_OLDER)
        return;
    struct ahead_entry *entry = known->flags & KNOWN_AHEAD ? find(&core->ahead, ns, name) : NULL;
    if (entry && version_compare(version, span_of(entry->version)) == VERSION_OLDER)
        return;
    if (!entry)
        entry = append(&core->ahead, key);
    known->flags |= KNOWN_AHEAD;
    span_copy(version, entry->version, sizeof entry->version);
}

enum version_order ahead_order(const struct watcher_core *core, struct span ns, struct span name,
                               struct span version)
{
    const struct ahead_entry *entry = find(&core->ahead, ns, name);

    return entry ? version_compare(version, span_of(entry->version)) : VERSION_NEWER;
}

static void drop(struct watcher_core *core, struct ahead_entry *entry)
{
    const char *slash = strchr(entry->key, '/');
    struct span ns = {.p = entry->key, .len = (uint32_t)(slash - entry->key)};
    struct known *known = cache_find(&core->cache, ns, span_of(slash + 1));

    if (known)
        known->flags &= (uint8_t)~KNOWN_AHEAD;
    free(entry->key);
    *entry = core->ahead.entries[--core->ahead.count];
}

void ahead_reached(struct watcher_core *core, struct span version)
{
    for (size_t i = core->ahead.count; i-- > 0;) {
        struct ahead_entry *entry = &core->ahead.entries[i];
        enum version_order order = version_compare(version, span_of(entry->version));

        if (order == VERSION_SAME || order == VERSION_NEWER)
            drop(core, entry);
    }
}

void ahead_forget(struct watcher_core *core, struct span ns, struct span name)
{
    struct ahead_entry *entry = find(&core->ahead, ns, name);

    if (entry)
        drop(core, entry);
}

void ahead_close(struct watcher_core *core)
{
    while (core->ahead.count)
        free(core->ahead.entries[--core->ahead.count].key);
    free(core->ahead.entries);
}
