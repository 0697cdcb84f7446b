/* packet-gateway/core/change.c -- UPDATE and REMOVE of one key. Both may be repeated: the same PUT and the
 * same DELETE change nothing more (packet 4.4). "Gone" only by proof: the API's own 404 and a complete list
 * without the id (packet 5.3, C-27). Called by tasks.c. */
#include <stdio.h>
#include <string.h>

#include "packet-gateway/core/internal.h"

static void act(struct gateway_core *core, struct task *task)
{
    const struct grant *g = task->grant;
    char *body = NULL;

    task->step = STEP_ACT;
    if (task->kind == TASK_REMOVE) {
        call_ask(core, task, "DELETE", core->api->item_path(task->id), NULL);
        return;
    }
    body = core->api->body(task->relabel ? g->label : NULL, task->key, task->retag ? g->owner : NULL,
                           task->retag ? task->shoot_uid : NULL);
    if (!body) {
        snprintf(task->detail, sizeof task->detail, "the public key or its label is not UTF-8");
        task_refuse(core, task, OUTCOME_REFUSED, 0);
        return;
    }
    call_ask(core, task, core->api->update_method, core->api->item_path(task->id), body);
}

void change_begin(struct gateway_core *core, struct task *task)
{
    act(core, task);
}

/* A 200 for another key than the one changed proves nothing. */
static enum answer_class class_of(const struct task *task, const struct answer *answer)
{
    struct listed_key made;

    if (answer->class != CLASS_OK || task->kind == TASK_REMOVE)
        return answer->class;
    return answer->api->read_made(answer->root, &made) && strcmp(made.id, task->id) == 0 ? CLASS_OK
                                                                                         : CLASS_BROKEN;
}

void change_acted(struct gateway_core *core, struct task *task, const struct answer *answer)
{
    enum answer_class class = class_of(task, answer);

    task_note(task, answer);
    if (class == CLASS_OK) {
        if (task->kind == TASK_REMOVE)
            place_gone(core, task->place, task->id);
        else if (task->has_want)
            place_changed(task->place, task->id, &task->want);
        task_finish_id(core, task, task->id, false);
        return;
    }
    if (class == CLASS_NOT_FOUND) {
        list_begin(core, task, STEP_LIST_PROOF);
        return;
    }
    if (class_row(class)->maybe) {
        task->maybe = true;
        if (task->kind != TASK_REMOVE)
            place_floats(core, task->place);
    }
    if (!retry_call(core, task->call, class))
        task_fail(core, task, class);
}

/* 404 for the key alone, and a complete list: gone, or a view that lags behind. A key that we made a moment
 * ago gets its short grace in the queue (packet C-28). */
void change_listed(struct gateway_core *core, struct task *task, const struct answer *answer)
{
    (void)answer;
    if (!task->list.watched_there && task->list.watched_until_ms) {
        int64_t rest = task->list.watched_until_ms - core->now.boot_ms;

        /* None is left when the list was slow; it is no proof all the same. */
        task_refuse(core, task, OUTCOME_LATER, rest > 0 ? rest : PAUSE_FIRST_MS);
        return;
    }
    if (!task->list.watched_there) {
        place_gone(core, task->place, task->id);
        task_finish(core, task, OUTCOME_GONE);
        return;
    }
    if (++task->rounds >= TRIES_MAX) {
        task_fail(core, task, CLASS_NOT_FOUND);
        return;
    }
    act(core, task);
    if (task->call)
        task->call->ready_ms += retry_delay_ms(core, task->rounds + 1);
}
