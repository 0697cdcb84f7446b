/* tests/sim/kube-apiserver/core/store.c -- the objects, sorted by key, and the ring of events behind them.
 * Owns both and the one revision counter; a past state is found by walking the ring backward. Never
 * validates; called by the read, write, remove and watch files. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

struct ks_object *ks_object_ref(struct ks_object *object)
{
    if (object)
        object->refs++;
    return object;
}

void ks_object_unref(struct ks_object *object)
{
    if (object == NULL || --object->refs > 0)
        return;
    json_decref(object->json);
    free(object->text);
    free(object);
}

void ks_key(char out[KS_KEY_MAX], const char *ns, const char *name)
{
    size_t ns_len = strnlen(ns, KS_NAME_MAX - 1);
    size_t name_len = strnlen(name, KS_KEY_MAX - KS_NAME_MAX - 1);

    memcpy(out, ns, ns_len);
    if (ns_len > 0)
        out[ns_len++] = '/';
    memcpy(out + ns_len, name, name_len);
    out[ns_len + name_len] = '\0';
}

/* json is stolen; apiVersion and kind are its first members (ks_assemble). guess: how long the text may be.
 */
static struct ks_object *object_new(const char *key, json_t *json, uint64_t revision, size_t guess)
{
    size_t key_len = strlen(key) + 1;
    struct ks_object *object = x_calloc(1, sizeof *object + key_len);
    struct ks_text text = {0};

    object->refs = 1;
    object->revision = revision;
    object->json = json;
    memcpy(object->key, key, key_len);
    text.cap = guess + 512; /* a change is mostly small: no growing step by step */
    text.data = x_malloc(text.cap);
    ks_text_json(&text, json);
    object->text = text.cap > 2 * text.len ? x_realloc(text.data, text.len + 1) : text.data;
    object->len = text.len;
    /* the braces, quotes, colons and commas around the two values */
    object->bare = sizeof "{\"apiVersion\":\"\",\"kind\":\"\"," - 1 + strlen(ks_str(json, "apiVersion")) +
                   strlen(ks_str(json, "kind"));
    return object;
}

struct ks_object *ks_find(const struct ks_resource *res, const char *key, size_t *at)
{
    size_t low = 0;
    size_t high = res->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(res->items[mid]->key, key);

        if (order == 0) {
            low = mid;
            break;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (at)
        *at = low;
    return low < res->n && strcmp(res->items[low]->key, key) == 0 ? res->items[low] : NULL;
}

/* Takes over the references. */
static void ring_append(struct kube_sim *sim, struct ks_event event)
{
    struct ks_event *slot = &sim->ring[sim->next_seq % sim->ring_cap];

    if (sim->next_seq - sim->oldest_seq == sim->ring_cap) {
        sim->compacted = slot->revision;
        sim->oldest_seq++;
    }
    ks_object_unref(slot->now);
    ks_object_unref(slot->before);
    *slot = event;
    sim->next_seq++;
}

/* A fresh copy of json's top and metadata with the next revision in it. */
static json_t *with_revision(struct kube_sim *sim, json_t *json)
{
    char text[24];
    json_t *meta;

    sim->revision++;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)sim->revision);
    meta = ks_with(json_object_get(json, "metadata"), "resourceVersion", json_string(text));
    if (json->refcount == 1) {
        (void)json_object_set_new(json, "metadata", meta);
        return json;
    }
    meta = ks_with(json, "metadata", meta);
    json_decref(json);
    return meta;
}

struct ks_object *ks_store_put(struct kube_sim *sim, struct ks_resource *res, const char *key, json_t *json)
{
    size_t at;
    struct ks_object *before = ks_find(res, key, &at);
    struct ks_object *object;

    json = with_revision(sim, json);
    object = object_new(key, json, sim->revision, before ? before->len : 0);
    if (before == NULL) {
        if (res->n == res->cap) {
            res->cap = res->cap ? 2 * res->cap : 16;
            res->items = x_realloc(res->items, res->cap * sizeof *res->items);
        }
        memmove(res->items + at + 1, res->items + at, (res->n - at) * sizeof *res->items);
        res->n++;
    }
    res->items[at] = object;
    /* the reference that the store held on the old state goes to the event */
    ring_append(sim,
                (struct ks_event){
                    .revision = sim->revision, .res = res, .now = ks_object_ref(object), .before = before});
    return object;
}

struct ks_object *ks_store_remove(struct kube_sim *sim, struct ks_resource *res, const char *key,
                                  json_t *last)
{
    size_t at;
    struct ks_object *before = ks_find(res, key, &at);
    struct ks_object *gone;

    if (before == NULL) {
        json_decref(last);
        return NULL;
    }
    last = with_revision(sim, last ? last : json_incref(before->json));
    gone = object_new(key, last, sim->revision, before->len);
    res->n--;
    memmove(res->items + at, res->items + at + 1, (res->n - at) * sizeof *res->items);
    ring_append(sim,
                (struct ks_event){
                    .revision = sim->revision, .res = res, .now = gone, .before = before, .deleted = true});
    return gone;
}

void kube_sim_compact(struct kube_sim *sim, uint64_t revision)
{
    if (revision > sim->revision)
        revision = sim->revision;
    if (revision > sim->compacted)
        sim->compacted = revision;
    while (sim->oldest_seq < sim->next_seq) {
        struct ks_event *slot = &sim->ring[sim->oldest_seq % sim->ring_cap];

        if (slot->revision > revision)
            break;
        ks_object_unref(slot->now);
        ks_object_unref(slot->before);
        memset(slot, 0, sizeof *slot);
        sim->oldest_seq++;
    }
}

/* ---- past states ---- */

/* Whether the revision lies before the event and the event is about this resource. */
static bool undo(const struct ks_event *event, const struct ks_resource *res, uint64_t revision)
{
    return event->revision > revision && event->res == res;
}

struct ks_object *ks_object_at(struct kube_sim *sim, struct ks_resource *res, const char *key,
                               uint64_t revision)
{
    struct ks_object *found = ks_find(res, key, NULL);

    for (uint64_t seq = sim->next_seq; seq > sim->oldest_seq; seq--) {
        const struct ks_event *event = &sim->ring[(seq - 1) % sim->ring_cap];

        if (event->revision <= revision)
            break;
        if (event->res == res && strcmp(event->now->key, key) == 0)
            found = event->before;
    }
    return ks_object_ref(found);
}

static int by_key(const void *a, const void *b)
{
    const struct ks_object *const *x = a;
    const struct ks_object *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

/* The slow way: past[] maps a key to the index of the object it had, -1 for none. */
static struct ks_object **snapshot_past(struct kube_sim *sim, struct ks_resource *res, const char *prefix,
                                        uint64_t revision, size_t *n)
{
    size_t prefix_len = strlen(prefix);
    json_t *past = json_object();
    struct ks_object **list;
    size_t used = 0;

    for (uint64_t seq = sim->next_seq; seq > sim->oldest_seq; seq--) {
        const struct ks_event *event = &sim->ring[(seq - 1) % sim->ring_cap];

        if (undo(event, res, revision))
            (void)json_object_set_new(past, event->now->key,
                                      json_integer(event->before ? (json_int_t)(seq - 1) : -1));
    }
    list = x_calloc(res->n + json_object_size(past) + 1, sizeof *list);
    for (size_t i = 0; i < res->n; i++)
        if (strncmp(res->items[i]->key, prefix, prefix_len) == 0 &&
            json_object_get(past, res->items[i]->key) == NULL)
            list[used++] = ks_object_ref(res->items[i]);
    for (void *it = json_object_iter(past); it != NULL; it = json_object_iter_next(past, it)) {
        json_int_t seq = json_integer_value(json_object_iter_value(it));

        if (seq >= 0 && strncmp(json_object_iter_key(it), prefix, prefix_len) == 0)
            list[used++] = ks_object_ref(sim->ring[(uint64_t)seq % sim->ring_cap].before);
    }
    json_decref(past);
    qsort(list, used, sizeof *list, by_key);
    *n = used;
    return list;
}

struct ks_object **ks_snapshot(struct kube_sim *sim, struct ks_resource *res, const char *prefix,
                               uint64_t revision, size_t *n)
{
    size_t prefix_len = strlen(prefix);
    struct ks_object **list;
    size_t from;
    size_t to;

    if (revision < sim->revision)
        return snapshot_past(sim, res, prefix, revision, n);
    (void)ks_find(res, prefix, &from);
    for (to = from; to < res->n && strncmp(res->items[to]->key, prefix, prefix_len) == 0; to++)
        continue;
    list = x_calloc(to - from + 1, sizeof *list);
    for (size_t i = from; i < to; i++)
        list[i - from] = ks_object_ref(res->items[i]);
    *n = to - from;
    return list;
}

void ks_snapshot_free(struct ks_object **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ks_object_unref(list[i]);
    free(list);
}
