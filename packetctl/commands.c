/* packetctl/commands.c -- the one table of commands: the words that each takes, and what they mean; --help is
 * made from it. Asks nobody. Called by command_line.c and main.c. */
#include <stdlib.h>
#include <string.h>

#include "packetctl/packetctl.h"

#define DIR_NAME   "gardener-extension-provider-packet"
#define N_COMMANDS (sizeof commands / sizeof commands[0])

/* Takes the word after the command. Returns 0; or -1 with a sentence. */
typedef int take_word(struct command_line *line, const char *word, char *error, size_t size);

static take_word take_role, take_scale, take_level, take_key, take_quarantine;

static const struct {
    const char *name;
    enum command command;
    const char *words; /* that follow it */
    unsigned least, most;
    take_word *take;
    const char *help;
} commands[] = {
    {"status", COMMAND_STATUS, "", 0, 0, NULL,
     "all processes: state, uptime, restarts, and what each does now"},
    {"top", COMMAND_TOP, "", 0, 0, NULL, "the same on a live screen, with the latest runs; q ends it"},
    {"jobs", COMMAND_JOBS, "", 0, 0, NULL, "which object each worker works on, and at which step"},
    {"limits", COMMAND_LIMITS, "", 0, 0, NULL, "what Packet's API allows, and what waits for it"},
    {"crashes", COMMAND_CRASHES, "", 0, 0, NULL,
     "the latest deaths that nobody asked for: how, at which object, where in the program"},
    {"bundle", COMMAND_BUNDLE, "", 0, 0, NULL,
     "status, quarantine, events and crashes as one JSON object, to hand to others: it names objects, and\n"
     "        holds no credential"},
    {"quarantine", COMMAND_QUARANTINE, "list | release NS/NAME | release --all", 1, 2, take_quarantine,
     "objects at which workers died again and again; release tries one at once"},
    {"explain", COMMAND_EXPLAIN, "NS/NAME", 1, 1, take_key,
     "what is with this object: what it waits for, when it goes on, how its last runs ended"},
    {"events", COMMAND_EVENTS, "", 0, 0, NULL, "how the latest runs ended, of all objects, newest first"},
    {"retry", COMMAND_RETRY, "NS/NAME", 1, 1, take_key, "reconcile this object now, whatever it waits for"},
    {"scale", COMMAND_SCALE, "workers N", 2, 2, take_scale,
     "run N workers (1 to 64); those that are too many leave when their job ends"},
    {"drain", COMMAND_DRAIN, "", 0, 0, NULL,
     "begin no more jobs; those that run end. Leadership and watch stay"},
    {"resume", COMMAND_RESUME, "", 0, 0, NULL, "begin jobs again after drain"},
    {"restart", COMMAND_RESTART, "ROLE [--rolling]", 1, 1, take_role,
     "replace the processes of a role (worker, watcher, packet-gateway, exporter), jobs end first; with\n"
     "        --rolling one after the other"},
    {"reload", COMMAND_RELOAD, "", 0, 0, NULL,
     "replace all processes but the supervisor, jobs end first: files and programs are read again"},
    {"loglevel", COMMAND_LOGLEVEL, "debug|info|error", 1, 1, take_level,
     "the least level that everybody logs, until the next start of the supervisor"},
    {"stop", COMMAND_STOP, "", 0, 0, NULL, "stop in order: running jobs end first; returns at once"},
};

/* ---- words */

static int take_role(struct command_line *line, const char *word, char *error, size_t size)
{
    static const unsigned roles[] = {WORKER, WATCHER, GATEWAY, EXPORTER};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(word, role_name(roles[i])) == 0)
            line->role = roles[i];
    if (line->role != 0)
        return 0;
    snprintf(error, size, "unknown role \"%s\"; there are worker, watcher, packet-gateway and exporter",
             word);
    return -1;
}

static int take_scale(struct command_line *line, const char *word, char *error, size_t size)
{
    char *end;

    if (line->words == 0) {
        if (strcmp(word, "workers") == 0)
            return 0;
        snprintf(error, size, "only workers can be scaled, not \"%s\"", word);
        return -1;
    }
    line->number = *word >= '0' && *word <= '9' ? strtoul(word, &end, 10) : 0;
    if (line->number >= 1 && line->number <= 64 && *end == '\0')
        return 0;
    snprintf(error, size, "\"%s\" is no number of workers; there may be 1 to 64", word);
    return -1;
}

static int take_level(struct command_line *line, const char *word, char *error, size_t size)
{
    enum log_level level;

    if (log_level_parse(word, &level) == 0) {
        line->number = (unsigned long)level;
        return 0;
    }
    snprintf(error, size, "unknown level \"%s\"; there are debug, info and error", word);
    return -1;
}

static int take_key(struct command_line *line, const char *word, char *error, size_t size)
{
    const char *slash = strchr(word, '/');

    if (slash != NULL && slash != word && slash[1] != '\0' && strlen(word) < sizeof line->key) {
        strcpy(line->key, word);
        return 0;
    }
    snprintf(error, size, "\"%s\" is no object; give its namespace and its name as NS/NAME", word);
    return -1;
}

static int take_quarantine(struct command_line *line, const char *word, char *error, size_t size)
{
    if (line->words == 0 && strcmp(word, "list") == 0)
        return 0;
    if (line->words == 0 && strcmp(word, "release") == 0) {
        line->release = true;
        return 0;
    }
    if (line->words == 1 && line->release)
        return take_key(line, word, error, size);
    snprintf(error, size,
             line->words ? "\"quarantine list\" takes no \"%s\""
                         : "quarantine has list and release, not \"%s\"",
             word);
    return -1;
}

/* ---- commands */

static void all_names(char *buf, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < N_COMMANDS && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s%s",
                                 i == 0               ? ""
                                 : i + 1 < N_COMMANDS ? ", "
                                                      : " and ",
                                 commands[i].name);
}

int commands_word(struct command_line *line, const char *word, char *error, size_t size)
{
    char names[200];

    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (line->command == COMMAND_NONE && strcmp(word, commands[i].name) == 0) {
            line->command = commands[i].command;
            return 0;
        }
        if (line->command != commands[i].command)
            continue;
        if (line->words >= commands[i].most) {
            snprintf(error, size, "one command at a time; \"%s\" is too much", word);
            return -1;
        }
        int wrong = commands[i].take(line, word, error, size);
        line->words++;
        return wrong;
    }
    all_names(names, sizeof names);
    snprintf(error, size, "unknown command \"%s\"; there are %s", word, names);
    return -1;
}

int commands_complete(const struct command_line *line, char *error, size_t size)
{
    char names[200];

    all_names(names, sizeof names);
    if (line->command == COMMAND_NONE) {
        snprintf(error, size, "no command given; there are %s", names);
        return -1;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (line->command == commands[i].command && line->words < commands[i].least) {
            snprintf(error, size, "%s what? It is: packetctl %s %s", commands[i].name, commands[i].name,
                     commands[i].words);
            return -1;
        }
    if (line->rolling && line->command != COMMAND_RESTART) {
        snprintf(error, size, "--rolling belongs to restart");
        return -1;
    }
    if (line->all && !line->release) {
        snprintf(error, size, "--all belongs to quarantine release");
        return -1;
    }
    if (line->release && line->all == (line->key[0] != '\0')) {
        snprintf(error, size, "release what? An object as NS/NAME, or --all");
        return -1;
    }
    return 0;
}

void command_line_help(FILE *to)
{
    fprintf(to,
            "packetctl %s -- look at and steer a running gardener-extension-provider-packet\n\n"
            "Usage: packetctl [--runtime-dir DIR | --socket PATH] [--json] COMMAND\n\nCommands:\n",
            PROVIDER_PACKET_VERSION);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %s%s%s\n        %s\n", commands[i].name, *commands[i].words ? " " : "",
                commands[i].words, commands[i].help);
    fprintf(
        to,
        "\nOptions:\n"
        "  --runtime-dir DIR  the supervisor's --runtime-dir. Without it: that of $PACKETCTL_SOCKET, else\n"
        "                     $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/" DIR_NAME ",\n"
        "                     else /run/" DIR_NAME "\n"
        "  --socket PATH      the control socket in that directory, DIR/" ENDPOINT_CONTROL "\n"
        "  --json             the answer as JSON, for programs\n"
        "  --help, --version\n"
        "\nExamples:\n"
        "  packetctl status\n"
        "  packetctl quarantine list\n"
        "  packetctl bundle > bundle.json\n"
        "  packetctl --json status | jq -r '.processes[] | select(.state != \"ready\") | .role'\n"
        "  kubectl exec -n NAMESPACE DEPLOYMENT-POD -- packetctl status\n"
        "\nExit codes:\n"
        "  0  done; also when status shows that something is not ready (see \"ready\" in --json)\n"
        "  1  the supervisor did not give a good answer\n"
        "  2  the command line is wrong\n"
        "  3  no supervisor is there\n");
}
