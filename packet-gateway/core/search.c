/* packet-gateway/core/search.c -- SEARCH: one complete list, sent after the question came and never during a
 * mutation on its label (the lock sees to that; design 12.11). Called by tasks.c. */
#include "packet-gateway/core/internal.h"

void search_begin(struct gateway_core *core, struct task *task)
{
    list_begin(core, task, STEP_LIST);
}

void search_listed(struct gateway_core *core, struct task *task, const struct answer *answer)
{
    bool there = false;

    task_note(task, answer);
    for (unsigned i = 0; i < task->list.n; i++)
        there |= task->list.keys[i].blob;
    if (task->has_want && !there)
        place_note_absent(task);
    else
        task->place->absent_known = false;
    task_finish(core, task, OUTCOME_OK);
}
