/* packetctl/main.c -- packetctl: reads the command line, asks the supervisor one question, shows the answer.
 * Holds no state; everything true is in the supervisor. */
#include "packetctl/packetctl.h"

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
    case COMMAND_STATUS:
        return ask(&line, MSG_ASK_STATUS, &(struct msg_ask_status){0}, MSG_STATUS, show_status);
    case COMMAND_STOP:
        return ask(&line, MSG_ASK_STOP, &(struct msg_ask_stop){.reason = SPAN("packetctl stop")},
                   MSG_STOPPING, show_stopping);
    default: command_line_help(stdout); return PACKETCTL_OK;
    }
}
