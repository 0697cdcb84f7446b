/* supervisor/orders.c -- what packetctl wants to be done, each told in the log with the client's pid, done or
 * refused with a sentence, and answered. Called by control.c; reload also by a signal. */
#include <string.h>

#include "base/log.h"
#include "supervisor/core/policy.h"
#include "supervisor/supervisor.h"

#define STOPS "a stop is under way"

static void agree(struct supervisor *s, struct inbound *to, uint64_t number, const char *refused)
{
    control_answer(s, to, MSG_AGREED, &(struct msg_agreed){.number = number, .refused = span_of(refused)});
}

static void on_ask_stop(struct supervisor *s, struct inbound *in)
{
    char reason[LIMIT_TEXT + 1] = "";

    span_copy(in->message.body.ask_stop.reason, reason, sizeof reason);
    log_info("asked to stop through the control socket", F_INT("clientPid", in->from.pid),
             F_STR("reason", reason));
    control_answer(s, in, MSG_STOPPING, &(struct msg_stopping){.within_ms = STOP_ALL_MS});
    if (s->stop_requests == 0)
        loop_stop(s, "packetctl");
}

/* Who restarts the supervisor's children is as well known as who stops them. */
static void on_ask_restart(struct supervisor *s, struct inbound *in)
{
    const struct msg_ask_restart *asked = &in->message.body.ask_restart;
    unsigned role = (unsigned)asked->role;

    if (role == SUPERVISOR) { /* everybody below it */
        orders_reload(s, "packetctl");
        control_answer(s, in, MSG_RESTARTING, &(struct msg_restarting){.processes = tree_count(s->tree)});
        return;
    }
    bool known = policy_of(role) != NULL;
    unsigned n = known ? tree_restart(s->tree, role, asked->rolling != 0, clock_now()) : 0;

    log_info("asked to restart through the control socket", F_INT("clientPid", in->from.pid),
             F_STR("role", known ? role_name(role) : "unknown"),
             F_STR("how", asked->rolling ? "one after the other" : "all at once"), F_INT("processes", n));
    control_answer(s, in, MSG_RESTARTING, &(struct msg_restarting){.processes = n});
}

static void on_ask_scale(struct supervisor *s, struct inbound *in)
{
    uint64_t n = in->message.body.ask_scale.workers;
    bool possible = n >= 1 && n <= POLICY_WORKERS_MAX;
    bool done = possible && tree_scale(s->tree, (unsigned)n, clock_now());

    log_info("asked through the control socket for another number of workers",
             F_INT("clientPid", in->from.pid), F_INT("workers", n), F_STR("done", done ? "yes" : "no"));
    agree(s, in, n, done ? "" : possible ? STOPS : "there may be 1 to 64 workers");
}

static void on_ask_hold(struct supervisor *s, struct inbound *in)
{
    bool on = in->message.body.ask_hold.on != 0;
    unsigned busy = 0;
    struct tree_row row;

    for (unsigned i = 0; tree_row(s->tree, i, clock_now(), &row); i++)
        busy += row.role == WORKER && row.key[0] != '\0';
    tree_hold(s->tree, on);
    log_info(on ? "asked through the control socket to begin no more jobs"
                : "asked through the control socket to begin jobs again",
             F_INT("clientPid", in->from.pid), F_INT("running", busy));
    agree(s, in, busy, "");
}

static void on_ask_loglevel(struct supervisor *s, struct inbound *in)
{
    static const char *const names[] = {
        [LEVEL_DEBUG] = "debug", [LEVEL_INFO] = "info", [LEVEL_ERROR] = "error"};
    uint64_t level = in->message.body.ask_loglevel.level;
    const char *name = level < sizeof names / sizeof names[0] ? names[level] : NULL;

    if (name == NULL) {
        agree(s, in, 0, "there are debug, info and error");
        return;
    }
    log_info("asked through the control socket for another log level", F_INT("clientPid", in->from.pid),
             F_STR("level", name));
    options_set(&s->options, "log-level", name); /* of those that start later */
    log_set_level((enum log_level)level);
    tree_tell_all(s->tree, MSG_LOGLEVEL, &(struct msg_loglevel){.level = level});
    agree(s, in, level, "");
}

static void on_ask_retry(struct supervisor *s, struct inbound *in)
{
    struct span key = in->message.body.ask_retry.key;
    char text[2 * LIMIT_NAME + 2];
    bool told = tree_tell_watcher(s->tree, MSG_RETRY, &(struct msg_retry){.key = key});

    span_copy(key, text, sizeof text);
    log_info("asked through the control socket to try an object", F_INT("clientPid", in->from.pid),
             F_STR("key", text), F_STR("told", told ? "yes" : "no"));
    agree(s, in, 0, told ? "" : "no watcher is at work");
}

static void on_ask_release(struct supervisor *s, struct inbound *in)
{
    char key[2 * LIMIT_NAME + 2] = "";

    span_copy(in->message.body.ask_release.key, key, sizeof key);
    unsigned n = tree_release(s->tree, key);
    log_info("asked through the control socket to let objects out of quarantine",
             F_INT("clientPid", in->from.pid), F_STR("key", key[0] ? key : "all"), F_INT("objects", n));
    control_answer(s, in, MSG_RELEASED, &(struct msg_released){.objects = n});
}

void orders_reload(struct supervisor *s, const char *who)
{
    bool done = tree_reload(s->tree, clock_now());

    log_info("replacing all processes, so that files are read again", F_STR("asked", who),
             F_STR("done", done ? "yes" : "no, " STOPS));
}

void orders_take(struct supervisor *s, struct inbound *in)
{
    switch (in->message.spec->id) {
    case MSG_ASK_STOP: on_ask_stop(s, in); break;
    case MSG_ASK_RESTART: on_ask_restart(s, in); break;
    case MSG_ASK_SCALE: on_ask_scale(s, in); break;
    case MSG_ASK_HOLD: on_ask_hold(s, in); break;
    case MSG_ASK_LOGLEVEL: on_ask_loglevel(s, in); break;
    case MSG_ASK_RETRY: on_ask_retry(s, in); break;
    case MSG_ASK_RELEASE: on_ask_release(s, in); break;
    default: break;
    }
}
