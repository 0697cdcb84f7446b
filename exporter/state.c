/* exporter/state.c -- the one question that the exporter asks, and the last answer. Never waits. Called by
 * http.c and main.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "exporter/exporter.h"

void state_ask(struct exporter *e)
{
    const struct msg_ask_status question = {0};

    if (e->asking)
        return;
    e->asking = true;
    e->asked_ms = clock_now().boot_ms;
    /* When it cannot be sent no answer comes, and the waiting requests say so. */
    bus_send(&e->proc.bus, SUPERVISOR_INCARNATION, MSG_ASK_STATUS, &question, NULL);
}

bool state_is_fresh(const struct exporter *e)
{
    return e->state.known && clock_now().boot_ms - e->state.got_ms <= FRESH_MS;
}

bool state_is_overdue(const struct exporter *e)
{
    return e->asking && clock_now().boot_ms - e->asked_ms >= ASK_WAIT_MS;
}

void state_take(struct exporter *e, const struct msg_status *status)
{
    struct state *s = &e->state;

    s->processes = x_realloc(s->processes, status->processes.len);
    memcpy(s->processes, status->processes.at, status->processes.len);
    s->processes_len = status->processes.len;
    span_copy(status->version, s->version, sizeof s->version);
    s->uptime_ms = status->uptime_ms;
    s->ready = status->ready != 0;
    s->got_ms = clock_now().boot_ms;
    s->known = true;
    e->asking = false;
}

void state_free(struct exporter *e)
{
    free(e->state.processes);
    e->state = (struct state){0};
}
