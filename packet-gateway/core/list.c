/* packet-gateway/core/list.c -- one complete list of a project's keys, page by page, reduced to the keys that
 * concern one object and corrected by what we did in the last moments (packet 6, C-18, C-19, C-28). Never
 * decides what follows. One list may serve many tasks. Called by calls.c; begun by search.c, create.c and
 * change.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

void list_clear(struct list *list)
{
    free(list->keys);
    memset(list, 0, sizeof *list);
}

void list_begin(struct gateway_core *core, struct task *task, enum task_step step)
{
    list_clear(&task->list);
    task->step = step;
    call_ask_list(core, task, core->api->list_path(task->grant->project));
}

static bool listed(const struct list *list, const char *id)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (strcmp(list->keys[i].id, id) == 0)
            return true;
    }
    return false;
}

/* When full, a key with the wanted material displaces one without: it is what a POST depends on. */
static void keep(struct list *list, const struct found_key *key)
{
    if (listed(list, key->id))
        return;
    if (list->n == LIST_KEYS_MAX) {
        for (unsigned i = 0; key->blob && i < list->n; i++) {
            if (!list->keys[i].blob) {
                list->keys[i] = *key;
                return;
            }
        }
        return;
    }
    if (list->n == list->room) {
        list->room = list->room ? 2 * list->room : 4;
        list->keys = x_realloc(list->keys, list->room * sizeof *list->keys);
    }
    list->keys[list->n++] = *key;
}

static void take_key(struct gateway_core *core, struct task *task, const struct listed_key *seen)
{
    const struct grant *grant = task->grant;
    struct found_key key;

    if (place_is_gone(task->place, seen->id, task->list.sent_ms))
        return;
    if (strcmp(seen->id, task->id) == 0)
        task->list.watched_there = true;
    bool label = seen->label && strcmp(seen->label, grant->label) == 0;
    bool recorded = grant_has_id(grant, seen->id, false);
    bool alike = seen->line && task->has_want &&
                 material_alike(seen->line, seen->line_len, task->key, strlen(task->key));
    enum key_owner owner = core->api->owner(seen->tags, grant->owner);

    if (!label && !recorded && !alike && owner != OWNER_US)
        return;
    answer_key_whole(seen, &key);
    key.label = label;
    key.recorded = recorded;
    key.owner = owner;
    key.blob = alike && key.readable && material_same(&key.material, &task->want);
    if (key.label || key.blob || key.recorded || key.owner == OWNER_US)
        keep(&task->list, &key);
}

/* A key we hold a 201 for is there, whatever the list says (packet C-28). */
static void add_made(struct task *task)
{
    const struct trace *t;

    EACH_TRACE(t, &task->place->traces)
    {
        struct found_key key = {.readable = true, .label = true, .owner = OWNER_US};

        if (t->gone || !trace_counts(t, task->list.sent_ms))
            continue;
        memcpy(key.id, t->id, sizeof key.id);
        memcpy(key.created, t->created, sizeof key.created);
        key.material = t->material;
        if (clock_parse(key.created, strlen(key.created), &key.created_ms) != 0)
            key.created_ms = INT64_MAX;
        key.blob = task->has_want && material_same(&key.material, &task->want);
        key.recorded = grant_has_id(task->grant, key.id, false);
        if (strcmp(key.id, task->id) == 0)
            task->list.watched_until_ms = t->at_ms + GRACE_MS;
        keep(&task->list, &key);
    }
}

/* packet C-23: recorded, then oldest, then smallest id. */
static int in_order(const void *a_, const void *b_)
{
    const struct found_key *a = a_, *b = b_;

    if (a->recorded != b->recorded)
        return a->recorded ? -1 : 1;
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void complete(struct task *task)
{
    struct list *list = &task->list;

    add_made(task);
    if (list->n)
        qsort(list->keys, list->n, sizeof *list->keys, in_order);
    for (unsigned i = 0; i < list->n; i++) {
        const struct found_key *k = &list->keys[i];

        if (k->owner == OWNER_US || (k->label && k->blob && k->owner != OWNER_OTHER))
            grant_learn_id(task->grant, k->id);
    }
}

/* The task's list could not be had. */
static void fail(struct gateway_core *core, struct task *task, const struct answer *answer,
                 enum answer_class class)
{
    task_note(task, answer);
    if (answer->class == CLASS_OK && !task->maybe)
        snprintf(task->detail, sizeof task->detail, "%s",
                 class == CLASS_NOT_API ? "the list of keys goes on at another place"
                                        : "the list of keys has no end");
    if (class == CLASS_NOT_FOUND && !task->maybe)
        task_finish(core, task, OUTCOME_NO_PROJECT);
    else
        task_fail(core, task, class);
}

/* packet 6: only what the answer calls next counts; no next, an empty page or a page seen before end the
 * list. Says whether another page was asked for; *class is no longer OK when there is one that cannot be. */
static bool turn_page(struct gateway_core *core, struct call *call, const char *href,
                      enum answer_class *class)
{
    char *list_path = core->api->list_path(TAILQ_FIRST(&call->tasks)->grant->project);
    char *path = href_path(core->base_path, list_path, href);
    long page = path ? href_page(path, core->api->page_name) : -1;
    bool last = path && (page >= 0 ? page <= call->page : strcmp(path, call->path) == 0);

    free(list_path);
    if (!path)
        *class = CLASS_NOT_API;
    else if (!last && call->pages >= PAGES_MAX)
        *class = CLASS_BROKEN;
    if (last || *class != CLASS_OK) {
        free(path);
        return false;
    }
    if (page >= 0)
        call->page = page;
    call_turn(core, call, path);
    return true;
}

/* Every task takes from the page what concerns it. Says whether the list goes on. */
static bool read_page(struct gateway_core *core, struct call *call, const struct answer *answer,
                      enum answer_class *class)
{
    const json_t *keys = core->api->keys(answer->root), *item;
    struct listed_key seen;
    struct task *t;
    size_t i;

    call->pages++;
    json_array_foreach(keys, i, item)
    {
        if (!core->api->read_key(item, &seen))
            continue;
        EACH_WAITER(t, call)
        {
            take_key(core, t, &seen);
        }
    }
    const char *href = core->api->next(answer->root);

    return href && json_array_size(keys) && turn_page(core, call, href, class);
}

void list_answer(struct gateway_core *core, struct call *call, const struct answer *answer)
{
    enum answer_class class = answer->class;
    bool goes_on = class == CLASS_OK ? read_page(core, call, answer, &class) : retry_call(core, call, class);
    struct task *t;

    while (!goes_on && (t = TAILQ_FIRST(&call->tasks))) {
        call_abandon(core, t);
        if (class == CLASS_OK) {
            complete(t);
            task_listed(core, t, answer);
        } else {
            fail(core, t, answer, class);
        }
    }
}
