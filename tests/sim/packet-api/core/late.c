/* tests/sim/packet-api/core/late.c -- requests that take effect long after they were sent (design 10, 12.1).
 * Owns the copies of such requests, ordered by the time of their commit. Called by sim.c. */
#include "tests/sim/packet-api/core/internal.h"

struct psim_late {
    struct psim_late *next;
    int64_t due_ms;
    uint64_t connection;
    struct sim_request request; /* all texts owned */
};

static const char *copy(const char *text)
{
    return psim_strdup(text);
}

void psim_late_add(struct psim_call *call, int64_t due_ms)
{
    const struct sim_request *from = call->request;
    struct psim_late *late = psim_alloc(sizeof *late), **place = &call->sim->late;
    char *body = psim_alloc(from->body_len + 1);
    if (from->body_len > 0)
        memcpy(body, from->body, from->body_len);
    late->due_ms = due_ms;
    late->connection = call->peer->connection;
    late->request = (struct sim_request){copy(from->method),
                                         copy(from->path),
                                         copy(from->query),
                                         copy(from->token),
                                         copy(from->content_type),
                                         copy(from->accept),
                                         copy(from->user_agent),
                                         body,
                                         from->body_len};
    while (*place != NULL && (*place)->due_ms <= due_ms)
        place = &(*place)->next;
    late->next = *place;
    *place = late;
}

static void drop(struct psim_late *late)
{
    free((void *)(uintptr_t)late->request.method);
    free((void *)(uintptr_t)late->request.path);
    free((void *)(uintptr_t)late->request.query);
    free((void *)(uintptr_t)late->request.token);
    free((void *)(uintptr_t)late->request.content_type);
    free((void *)(uintptr_t)late->request.accept);
    free((void *)(uintptr_t)late->request.user_agent);
    free((void *)(uintptr_t)late->request.body);
    free(late);
}

void psim_late_free(struct packet_sim *sim)
{
    while (sim->late != NULL) {
        struct psim_late *late = sim->late;
        sim->late = late->next;
        drop(late);
    }
}

int64_t packet_sim_next_due(const struct packet_sim *sim)
{
    return sim->late != NULL ? sim->late->due_ms : -1;
}

/* Nobody waits for this answer any more: only the effect and the ledger remain. */
static void run(struct packet_sim *sim, const struct psim_late *late)
{
    struct sim_answer answer = {0};
    struct packet_sim_peer peer = {late->connection, 0, NULL, 0};
    struct psim_call call = {.sim = sim,
                             .request = &late->request,
                             .peer = &peer,
                             .now_ms = late->due_ms,
                             .answer = &answer,
                             .late = true,
                             .close_after_ms = -1};
    psim_call_begin(&call);
    psim_operate(&call);
    answer.fate = SIM_RESET;
    psim_ledger_write(&call);
    sim_answer_clear(&answer);
}

void packet_sim_settle(struct packet_sim *sim, int64_t now_ms)
{
    while (sim->late != NULL && sim->late->due_ms <= now_ms) {
        struct psim_late *late = sim->late;
        sim->late = late->next;
        run(sim, late);
        drop(late);
    }
}
