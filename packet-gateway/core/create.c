/* packet-gateway/core/create.c -- CREATE, "make sure that a key with this label and material exists": a POST
 * only after a complete list without it, and a list after every POST that did not end in a valid 201 (packet
 * C-20 to C-22, 2.7; design 12.2, 12.4). Never posts twice for one question. Called by tasks.c. */
#include <stdio.h>
#include <string.h>

#include "packet-gateway/core/internal.h"

/* Ours: the material, not somebody else's tag, and our label or our tag or our record (packet C-23, 12.9).
 * The list is in order of preference. */
static const struct found_key *ours(const struct list *list)
{
    for (unsigned i = 0; i < list->n; i++) {
        const struct found_key *k = &list->keys[i];

        if (k->blob && k->owner != OWNER_OTHER && (k->label || k->recorded || k->owner == OWNER_US))
            return k;
    }
    return NULL;
}

static const struct found_key *foreign(const struct list *list)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (list->keys[i].blob)
            return &list->keys[i];
    }
    return NULL;
}

static void adopt(struct gateway_core *core, struct task *task, const char *id)
{
    if (place_is_open(core, task->place, &task->want)) {
        task->place->open = false;
        place_landed(task->place);
    }
    grant_learn_id(task->grant, id);
    task_finish_id(core, task, id, true);
}

/* packet C-25: the same material under another label is left alone and reported. */
static void refuse_foreign(struct gateway_core *core, struct task *task, const struct found_key *key)
{
    snprintf(task->detail, sizeof task->detail,
             "key %s in the project holds the same material under another %s", key->id,
             key->owner == OWNER_OTHER ? "owner's tag" : "label");
    task->maybe = false;
    task_finish(core, task, OUTCOME_REFUSED);
}

static void post(struct gateway_core *core, struct task *task)
{
    const struct grant *g = task->grant;
    char *body = core->api->body(g->label, task->key, g->owner, task->shoot_uid);

    if (!body) {
        snprintf(task->detail, sizeof task->detail, "the public key or its label is not UTF-8");
        task_finish(core, task, OUTCOME_REFUSED);
        return;
    }
    task->place->absent_known = false;
    task->step = STEP_ACT;
    call_ask(core, task, "POST", core->api->list_path(g->project), body);
}

void create_begin(struct gateway_core *core, struct task *task)
{
    const struct trace *t;

    /* Made by another question while this one waited for the lock: its answer is newer than the question. */
    EACH_TRACE(t, &task->place->traces)
    {
        if (!t->gone && t->at_ms >= task->asked_ms && material_same(&t->material, &task->want)) {
            adopt(core, task, t->id);
            return;
        }
    }
    if (place_absent(core, task))
        post(core, task);
    else
        list_begin(core, task, STEP_LIST);
}

void create_acted(struct gateway_core *core, struct task *task, const struct answer *answer)
{
    struct listed_key seen;
    struct found_key made;

    task_note(task, answer);
    if (answer->class == CLASS_OK && core->api->read_made(answer->root, &seen)) {
        answer_key_whole(&seen, &made);
        place_made(core, task->place, made.id, &task->want, made.created);
        if (place_is_open(core, task->place, &task->want))
            task->place->open = false;
        grant_learn_id(task->grant, made.id);
        task_finish_id(core, task, made.id, false);
    } else if (answer->class == CLASS_REFUSED) {
        list_begin(core, task, STEP_LIST_REFUSED);
    } else if (class_row(answer->class)->maybe) {
        task->maybe = true;
        place_open(core, task->place, &task->want);
        place_floats(core, task->place);
        list_begin(core, task, STEP_LIST_AFTER);
    } else if (answer->class == CLASS_LIMITED && task->rounds++ < TRIES_MAX &&
               budget_wait_ms(core, task->grant->credential, LANE_CREATE) <= BUDGET_WAIT_MS) {
        list_begin(core, task, STEP_LIST);
    } else {
        task_fail(core, task, answer->class);
    }
}

/* A complete list is there. What its silence means depends on what came before. */
void create_listed(struct gateway_core *core, struct task *task, const struct answer *answer)
{
    const struct found_key *found = ours(&task->list);

    (void)answer;
    if (found) {
        adopt(core, task, found->id);
        return;
    }
    found = foreign(&task->list);
    if (task->step == STEP_LIST_AFTER) {
        task_finish(core, task, OUTCOME_UNKNOWN);
    } else if (found) {
        refuse_foreign(core, task, found);
    } else if (task->step == STEP_LIST) {
        post(core, task);
    } else if (place_is_open(core, task->place, &task->want)) {
        /* The refusal may come from our own earlier POST that no list shows yet (packet C-22). */
        task_finish(core, task, OUTCOME_UNKNOWN);
    } else {
        task_finish(core, task, OUTCOME_REFUSED);
    }
}
