/* tests/sim/packet-api/core/sim.c -- life of a simulation and the way of one request through it.
 * Owns the order of things: settle late commits, sunset, rate, fault, operation, fault's answer, ledger.
 * Called by the server's shell and by tests/world. */
#include <stdio.h>

#include "tests/sim/packet-api/core/internal.h"

struct packet_sim_config packet_sim_config_default(void)
{
    return (struct packet_sim_config){
        .seed = 1, .prefix = "/metal/v1", .switches = packet_sim_switches_default()};
}

struct packet_sim *packet_sim_new(const struct packet_sim_config *config)
{
    struct packet_sim *sim = psim_alloc(sizeof *sim);
    sim->config = *config;
    sim->prefix = psim_strdup(config->prefix != NULL ? config->prefix : "/metal/v1");
    sim->config.prefix = sim->prefix;
    sim->switches = config->switches;
    /* Streams of their own: a client that asks once more must not change the ids of later keys. */
    sim->random_ids = config->seed * 3 + 1;
    sim->random_requests = config->seed * 5 + 0x5245515545535453u;
    sim->random_faults = config->seed * 7 + 0x4641554c54530000u;
    sim->rate_all.level_ms = INT64_MIN;
    if (config->ledger_keep > 0)
        sim->lines = psim_alloc(config->ledger_keep * sizeof *sim->lines);
    return sim;
}

void packet_sim_free(struct packet_sim *sim)
{
    if (sim == NULL)
        return;
    packet_sim_clear_faults(sim);
    psim_late_free(sim);
    psim_ledger_clear(sim);
    psim_store_free(sim);
    for (size_t i = 0; i < sim->n_interned; i++)
        free(sim->interned[i]);
    free(sim->interned);
    free(sim->lines);
    free(sim->scratch);
    free(sim->prefix);
    free(sim);
}

struct packet_sim_switches *packet_sim_switches(struct packet_sim *sim)
{
    return &sim->switches;
}

const struct packet_sim_counters *packet_sim_counters(const struct packet_sim *sim)
{
    return &sim->counters;
}

bool packet_sim_is_admin_path(const char *path)
{
    return strncmp(path, "/_sim", 5) == 0 && (path[5] == '/' || path[5] == '\0');
}

void psim_call_begin(struct psim_call *call)
{
    struct packet_sim *sim = call->sim;
    uint64_t high = psim_random(&sim->random_requests), low = psim_random(&sim->random_requests);
    snprintf(call->request_id, sizeof call->request_id, "%016llx%016llx", (unsigned long long)high,
             (unsigned long long)low);
    psim_route(call);
    call->token = *call->request->token != '\0' ? psim_token(sim, call->request->token) : NULL;
    if (call->token != NULL && (call->token->kind == PACKET_SIM_TOKEN_REVOKED ||
                                (call->token->project != NULL && call->token->project->deleted)))
        call->token = NULL;
}

unsigned psim_latency(struct psim_call *call)
{
    const struct packet_sim_switches *switches = &call->sim->switches;
    int own = -1;
    switch (call->method) {
    case PACKET_SIM_GET: own = switches->latency_get_ms; break;
    case PACKET_SIM_POST: own = switches->latency_post_ms; break;
    case PACKET_SIM_PUT:
    case PACKET_SIM_PATCH: own = switches->latency_put_ms; break;
    case PACKET_SIM_DELETE: own = switches->latency_delete_ms; break;
    default: break;
    }
    int ms = own >= 0 ? own : switches->latency_ms;
    return ms > 0 ? (unsigned)ms : 0;
}

static void operate_with_fault(struct psim_call *call)
{
    int64_t late_ms = psim_fault_late_ms(call->fault);
    if (json_is_true(json_object_get(call->fault->fault, "closeOnReuse"))) {
        call->answer->fate = SIM_RESET;
        return;
    }
    call->dry = late_ms >= 0 || psim_fault_is_dry(call->fault);
    psim_operate(call);
    if (late_ms >= 0)
        psim_late_add(call, call->now_ms + late_ms);
    psim_fault_apply(call);
}

static void execute(struct psim_call *call)
{
    struct packet_sim *sim = call->sim;
    int jitter = sim->switches.latency_jitter_ms;
    call->answer->delay_ms = psim_latency(call);
    if (jitter > 0)
        call->answer->delay_ms += (unsigned)(psim_random(&sim->random_faults) % ((unsigned)jitter + 1));
    psim_count(call);
    if (sim->switches.sunset != PACKET_SIM_SUNSET_OFF) {
        psim_sunset(call);
        return;
    }
    if (call->token != NULL && !psim_rate_admit(call))
        return;
    call->fault = psim_fault_pick(call);
    if (call->fault != NULL)
        operate_with_fault(call);
    else if (call->path == NULL)
        psim_shape(call, "html", 404, NULL); /* the front end knows only the prefix */
    else
        psim_operate(call);
}

int64_t packet_sim_handle_from(struct packet_sim *sim, const struct packet_sim_peer *peer,
                               const struct sim_request *request, int64_t now_ms, struct sim_answer *answer)
{
    struct psim_call call = {.sim = sim,
                             .request = request,
                             .peer = peer,
                             .now_ms = now_ms,
                             .answer = answer,
                             .close_after_ms = -1};
    memset(answer, 0, sizeof *answer);
    packet_sim_settle(sim, now_ms);
    if (packet_sim_is_admin_path(request->path)) {
        psim_admin(&call);
        return -1;
    }
    psim_call_begin(&call);
    execute(&call);
    if (call.request_id[0] != '\0')
        psim_header(&call, "X-Request-Id", "%s", call.request_id);
    psim_ledger_write(&call);
    return call.close_after_ms;
}

void packet_sim_handle(struct packet_sim *sim, const struct sim_request *request, int64_t now_ms,
                       struct sim_answer *answer)
{
    const struct packet_sim_peer nobody = {0, 0, NULL, 0};
    (void)packet_sim_handle_from(sim, &nobody, request, now_ms, answer);
}
