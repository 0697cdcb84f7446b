/* supervisor/orders.c -- what packetctl wants to be done, each told in the log with the client's pid, done or
 * refused with a sentence, and answered. Called by control.c; reload also by a signal. */
#include <string.h>

#include "base/log.h"
#include "supervisor/core/policy.h"
#include "supervisor/supervisor.h"

#define STOPS       "a stop is under way"
#define WHO(client) F_INT("clientPid", (client)->pid), F_INT("clientUid", (client)->uid)

static void agree(struct client *to, uint64_t number, const char *refused)
{
    clients_answer(to, MSG_AGREED, &(struct msg_agreed){.number = number, .refused = span_of(refused)});
}

static void on_ask_stop(struct supervisor *s, struct client *client, const struct message *message)
{
    char reason[LIMIT_TEXT + 1] = "";

    span_copy(message->body.ask_stop.reason, reason, sizeof reason);
    log_info("asked to stop through the control socket", WHO(client), F_STR("reason", reason));
    clients_answer(client, MSG_STOPPING, &(struct msg_stopping){.within_ms = STOP_ALL_MS});
    if (s->stop_requests == 0)
        loop_stop(s, "packetctl");
}

/* Who restarts the supervisor's children is as well known as who stops them. */
static void on_ask_restart(struct supervisor *s, struct client *client, const struct message *message)
{
    const struct msg_ask_restart *asked = &message->body.ask_restart;
    unsigned role = (unsigned)asked->role;

    if (role == SUPERVISOR) { /* everybody below it */
        orders_reload(s, "packetctl");
        clients_answer(client, MSG_RESTARTING, &(struct msg_restarting){.processes = tree_count(s->tree)});
        return;
    }
    bool known = policy_of(role) != NULL;
    unsigned n = known ? tree_restart(s->tree, role, asked->rolling != 0, clock_now()) : 0;

    log_info("asked to restart through the control socket", WHO(client),
             F_STR("role", known ? role_name(role) : "unknown"),
             F_STR("how", asked->rolling ? "one after the other" : "all at once"), F_INT("processes", n));
    clients_answer(client, MSG_RESTARTING, &(struct msg_restarting){.processes = n});
}

static void on_ask_scale(struct supervisor *s, struct client *client, const struct message *message)
{
    uint64_t n = message->body.ask_scale.workers;
    bool possible = n >= 1 && n <= POLICY_WORKERS_MAX;
    bool done = possible && tree_scale(s->tree, (unsigned)n, clock_now());

    log_info("asked through the control socket for another number of workers", WHO(client),
             F_INT("workers", n), F_STR("done", done ? "yes" : "no"));
    agree(client, n, done ? "" : possible ? STOPS : "there may be 1 to 64 workers");
}

static void on_ask_hold(struct supervisor *s, struct client *client, const struct message *message)
{
    bool on = message->body.ask_hold.on != 0;
    unsigned busy = 0;
    struct tree_row row;

    for (unsigned i = 0; tree_row(s->tree, i, clock_now(), &row); i++)
        busy += row.role == WORKER && row.key[0] != '\0';
    tree_hold(s->tree, on);
    log_info(on ? "asked through the control socket to begin no more jobs"
                : "asked through the control socket to begin jobs again",
             WHO(client), F_INT("running", busy));
    agree(client, busy, "");
}

static void on_ask_loglevel(struct supervisor *s, struct client *client, const struct message *message)
{
    static const char *const names[] = {
        [LEVEL_DEBUG] = "debug", [LEVEL_INFO] = "info", [LEVEL_ERROR] = "error"};
    uint64_t level = message->body.ask_loglevel.level;
    const char *name = level < sizeof names / sizeof names[0] ? names[level] : NULL;

    if (name == NULL) {
        agree(client, 0, "there are debug, info and error");
        return;
    }
    log_info("asked through the control socket for another log level", WHO(client), F_STR("level", name));
    options_set(&s->options, "log-level", name); /* of those that start later */
    log_set_level((enum log_level)level);
    tree_tell_all(s->tree, MSG_LOGLEVEL, &(struct msg_loglevel){.level = level});
    agree(client, level, "");
}

static void on_ask_retry(struct supervisor *s, struct client *client, const struct message *message)
{
    struct span key = message->body.ask_retry.key;
    char text[2 * LIMIT_NAME + 2];
    bool told = tree_tell_watcher(s->tree, MSG_RETRY, &(struct msg_retry){.key = key});

    span_copy(key, text, sizeof text);
    log_info("asked through the control socket to try an object", WHO(client), F_STR("key", text),
             F_STR("told", told ? "yes" : "no"));
    agree(client, 0, told ? "" : "no watcher is at work");
}

static void on_ask_release(struct supervisor *s, struct client *client, const struct message *message)
{
    char key[2 * LIMIT_NAME + 2] = "";

    span_copy(message->body.ask_release.key, key, sizeof key);
    unsigned n = tree_release(s->tree, key);
    log_info("asked through the control socket to let objects out of quarantine", WHO(client),
             F_STR("key", key[0] ? key : "all"), F_INT("objects", n));
    clients_answer(client, MSG_RELEASED, &(struct msg_released){.objects = n});
}

void orders_reload(struct supervisor *s, const char *who)
{
    bool done = tree_reload(s->tree, clock_now());

    log_info("replacing all processes, so that files are read again", F_STR("asked", who),
             F_STR("done", done ? "yes" : "no, " STOPS));
}

void orders_take(struct supervisor *s, struct client *client, const struct message *message)
{
    switch (message->spec->id) {
    case MSG_ASK_STOP: on_ask_stop(s, client, message); break;
    case MSG_ASK_RESTART: on_ask_restart(s, client, message); break;
    case MSG_ASK_SCALE: on_ask_scale(s, client, message); break;
    case MSG_ASK_HOLD: on_ask_hold(s, client, message); break;
    case MSG_ASK_LOGLEVEL: on_ask_loglevel(s, client, message); break;
    case MSG_ASK_RETRY: on_ask_retry(s, client, message); break;
    case MSG_ASK_RELEASE: on_ask_release(s, client, message); break;
    default: break;
    }
}
