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

static void take_leadership(struct state *s, struct value leadership)
{
    struct span lease = value_text(value_get(leadership, "lease"));
    const char *name = lease.len ? memchr(lease.p, '/', lease.len) : NULL;
    int64_t transitions = 0;

    s->elected = name != NULL;
    s->leading = false;
    s->held = value_text(value_get(leadership, "holder")).len > 0;
    value_bool(value_get(leadership, "leading"), &s->leading);
    value_int(value_get(leadership, "transitions"), &transitions);
    s->transitions = (uint64_t)transitions;
    if (!name || !span_copy((struct span){.p = name + 1, .len = (uint32_t)(lease.p + lease.len - name - 1)},
                            s->lease, sizeof s->lease))
        s->lease[0] = '\0';
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
    take_leadership(s, status->leadership);
    s->got_ms = clock_now().boot_ms;
    s->known = true;
    e->asking = false;
}

void state_free(struct exporter *e)
{
    free(e->state.processes);
    e->state = (struct state){0};
}
