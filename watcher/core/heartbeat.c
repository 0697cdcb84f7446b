/* watcher/core/heartbeat.c -- the Lease by which Gardener sees that this extension works (gardener 8.1). It
 * is honest: each beat is written only when the list is complete and watched on, and the supervisor has just
 * said that gateway and workers answer. The leader's alone. Called by election.c, requests.c, watcher.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"
#include "watcher/core/lease_record.h"

#define LEASES      "/apis/coordination.k8s.io/v1/namespaces/%s/leases"
#define NAME        "gardener-extension-heartbeat"
#define HOLDER      "provider-packet"
#define ANSWER_MS   1000 /* the supervisor answers at once, or is no sign of health itself */
#define AGAIN_MS    1000 /* after a beat that was left out or failed */
#define SECONDS(ms) ((long long)((ms) / 1000))

static void wait_for(struct watcher_core *core, int64_t ms)
{
    core->heartbeat.state = BEAT_WAITING;
    core->heartbeat.wake_ms =
        core->now.boot_ms + (ms < core->config.heartbeat_ms ? ms : core->config.heartbeat_ms);
}

void heartbeat_start(struct watcher_core *core)
{
    if (core->config.heartbeat_ns && *core->config.heartbeat_ns)
        wait_for(core, 0);
}

void heartbeat_stop(struct watcher_core *core)
{
    core->heartbeat.state = BEAT_OFF;
}

/* Each change is told once. */
static void left_out(struct watcher_core *core, const char *why)
{
    if (!core->heartbeat.sick)
        log_warn("no heartbeat for now", F_STR("why", why));
    core->heartbeat.sick = true;
    wait_for(core, AGAIN_MS);
}

static void send_call(struct watcher_core *core, enum call_kind kind, char *body)
{
    char *path = kind == CALL_BEAT_CREATE ? x_asprintf(LEASES, core->config.heartbeat_ns)
                                          : x_asprintf(LEASES "/" NAME, core->config.heartbeat_ns);

    core->heartbeat.state = BEAT_SENT;
    requests_start(core, kind, NULL, path, body, INT64_MAX);
}

/* acquireTime and leaseTransitions are not the heartbeat's; the patch is locked like every other
 * (design 12.1). */
static void send_patch(struct watcher_core *core)
{
    char now[CLOCK_TEXT_MAX];

    clock_text_micro(core->now.wall_ms * 1000, now);
    send_call(core, CALL_BEAT_PATCH,
              x_asprintf("{\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":{\"holderIdentity\":\"" HOLDER
                         "\",\"leaseDurationSeconds\":%lld,\"renewTime\":\"%s\",\"acquireTime\":null,"
                         "\"leaseTransitions\":null}}",
                         core->heartbeat.version, SECONDS(core->config.heartbeat_ms), now));
}

static void send_create(struct watcher_core *core)
{
    char now[CLOCK_TEXT_MAX];

    clock_text_micro(core->now.wall_ms * 1000, now);
    send_call(
        core, CALL_BEAT_CREATE,
        x_asprintf(
            "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"" NAME
            "\",\"namespace\":\"%s\"},\"spec\":{\"holderIdentity\":\"" HOLDER
            "\",\"leaseDurationSeconds\":%lld,\"renewTime\":\"%s\"}}",
            core->config.heartbeat_ns, SECONDS(core->config.heartbeat_ms), now));
}

static bool remember_version(struct watcher_core *core, const struct watcher_result *result)
{
    json_t *lease = lease_record_parse(result->body, result->body_len);

    core->heartbeat.version[0] = '\0';
    if (lease)
        snprintf(core->heartbeat.version, sizeof core->heartbeat.version, "%s", lease_record_version(lease));
    json_decref(lease);
    return core->heartbeat.version[0] != '\0';
}

static void beat(struct watcher_core *core)
{
    if (core->heartbeat.version[0])
        send_patch(core);
    else
        send_call(core, CALL_BEAT_READ, NULL);
}

void heartbeat_health(struct watcher_core *core, const struct msg_health *health)
{
    if (core->heartbeat.state != BEAT_ASKED || health->seq != core->heartbeat.asked)
        return;
    if (!health->gateway)
        left_out(core, "the packet-gateway does not answer");
    else if (!health->workers)
        left_out(core, "no worker answers");
    else
        beat(core);
}

void heartbeat_answer(struct watcher_core *core, const struct call *call, const struct watcher_result *result)
{
    bool good = result->fate == KUBE_ANSWERED && result->status / 100 == 2;

    if (core->heartbeat.state != BEAT_SENT)
        return;
    if (call->kind == CALL_BEAT_READ && result->fate == KUBE_ANSWERED && result->status == 404) {
        send_create(core);
    } else if (good && call->kind == CALL_BEAT_READ && remember_version(core, result)) {
        send_patch(core);
    } else if (good && call->kind != CALL_BEAT_READ) {
        remember_version(core, result);
        if (core->heartbeat.sick)
            log_info("heartbeats again", F_INT("beats", core->heartbeat.beats));
        core->heartbeat.sick = false;
        core->heartbeat.beats++;
        wait_for(core, INT64_MAX);
    } else {
        bool conflict = result->fate == KUBE_ANSWERED && result->status == 409 && core->heartbeat.version[0];

        core->heartbeat.version[0] = '\0';
        if (conflict) /* somebody else wrote to it: read, then the same again */
            send_call(core, CALL_BEAT_READ, NULL);
        else
            left_out(core, "the API server did not take it");
    }
}

static void ask(struct watcher_core *core)
{
    const struct reflector *r = &core->reflector;

    if (!r->synced) {
        wait_for(core, AGAIN_MS);
        return;
    }
    if (r->state != REFLECTOR_WATCHING) {
        left_out(core, "the objects are not being watched");
        return;
    }
    core->heartbeat.state = BEAT_ASKED;
    core->heartbeat.wake_ms = core->now.boot_ms + ANSWER_MS;
    core->heartbeat.asked = (core->heartbeat.asked + 1) & UINT32_MAX;
    core_send(core, SUPERVISOR, SUPERVISOR_INCARNATION, MSG_ASK_HEALTH,
              &(struct msg_ask_health){.seq = core->heartbeat.asked}, 0);
}

void heartbeat_tick(struct watcher_core *core)
{
    struct heartbeat *h = &core->heartbeat;

    if (h->wake_ms > core->now.boot_ms)
        return;
    if (h->state == BEAT_WAITING)
        ask(core);
    else if (h->state == BEAT_ASKED)
        left_out(core, "the supervisor does not answer");
}

int64_t heartbeat_next_ms(const struct watcher_core *core)
{
    enum beat_state state = core->heartbeat.state;

    return state == BEAT_WAITING || state == BEAT_ASKED ? core->heartbeat.wake_ms : INT64_MAX;
}
