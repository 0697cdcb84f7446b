/* packetctl/main.c -- packetctl: reads the command line, asks the supervisor one question, shows the answer.
 * Holds no state; everything true is in the supervisor. */
#include "packetctl/packetctl.h"

static int ask_status(const struct command_line *line,
                      int (*show)(const struct message *, const struct command_line *))
{
    return ask(line, MSG_ASK_STATUS, &(struct msg_ask_status){0}, MSG_STATUS, show);
}

static int ask_restart(const struct command_line *line, unsigned role)
{
    struct command_line as = *line;

    as.role = role;
    return ask(&as, MSG_ASK_RESTART, &(struct msg_ask_restart){.role = role, .rolling = line->rolling},
               MSG_RESTARTING, show_restarting);
}

static int ask_quarantine(const struct command_line *line)
{
    if (!line->release)
        return ask(line, MSG_ASK_QUARANTINE, &(struct msg_ask_quarantine){0}, MSG_QUARANTINE,
                   show_quarantine);
    return ask(line, MSG_ASK_RELEASE, &(struct msg_ask_release){.key = span_of(line->key)}, MSG_RELEASED,
               show_released);
}

static int order(const struct command_line *line, enum msg_id id, const void *body)
{
    return ask(line, id, body, MSG_AGREED, show_agreed);
}

int main(int argc, char **argv)
{
    struct command_line line;
    char error[256];

    if (command_line_read(&line, argc, argv, error, sizeof error) != 0) {
        fprintf(stderr, "packetctl: %s\nTry: packetctl --help\n", error);
        return PACKETCTL_USAGE;
    }
    switch (line.command) {
    case COMMAND_VERSION: printf("packetctl %s\n", PROVIDER_PACKET_VERSION); return PACKETCTL_OK;
    case COMMAND_STATUS: return ask_status(&line, show_status);
    case COMMAND_TOP: return top(&line);
    case COMMAND_JOBS: return ask_status(&line, show_jobs);
    case COMMAND_LIMITS: return ask_status(&line, show_limits);
    case COMMAND_CRASHES: return crashes_show(&line);
    case COMMAND_BUNDLE: return bundle_show(&line);
    case COMMAND_QUARANTINE: return ask_quarantine(&line);
    case COMMAND_EXPLAIN:
    case COMMAND_EVENTS:
        return ask(&line, MSG_ASK_EXPLAIN, &(struct msg_ask_explain){.key = span_of(line.key)},
                   MSG_EXPLANATION, line.command == COMMAND_EVENTS ? show_events : show_explanation);
    case COMMAND_RETRY: return order(&line, MSG_ASK_RETRY, &(struct msg_ask_retry){.key = span_of(line.key)});
    case COMMAND_SCALE: return order(&line, MSG_ASK_SCALE, &(struct msg_ask_scale){.workers = line.number});
    case COMMAND_DRAIN: return order(&line, MSG_ASK_HOLD, &(struct msg_ask_hold){.on = 1});
    case COMMAND_RESUME: return order(&line, MSG_ASK_HOLD, &(struct msg_ask_hold){.on = 0});
    case COMMAND_RESTART: return ask_restart(&line, line.role);
    case COMMAND_RELOAD: return ask_restart(&line, SUPERVISOR);
    case COMMAND_LOGLEVEL:
        return order(&line, MSG_ASK_LOGLEVEL, &(struct msg_ask_loglevel){.level = line.number});
    case COMMAND_STOP:
        return ask(&line, MSG_ASK_STOP, &(struct msg_ask_stop){.reason = SPAN("packetctl stop")},
                   MSG_STOPPING, show_stopping);
    default: command_line_help(stdout); return PACKETCTL_OK;
    }
}
