/* packetctl/command_line.c -- what was typed, and where the supervisor's runtime directory is. The words of
 * each command are commands.c's. Opens nothing. Called by main.c. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packetctl/packetctl.h"

#define DIR_NAME "gardener-extension-provider-packet"

static int set_dir(struct command_line *line, const char *dir, size_t len, const char *why, char *error,
                   size_t size)
{
    if (len == 0 || len >= sizeof line->dir) {
        snprintf(error, size,
                 len == 0 ? "--runtime-dir needs a directory"
                          : "the path of the runtime directory is too long");
        return -1;
    }
    memcpy(line->dir, dir, len);
    line->dir[len] = '\0';
    line->why_there = why;
    return 0;
}

/* The records of crashes lie beside the socket, so it has to be one that a supervisor made, by its name. */
static int set_socket(struct command_line *line, const char *path, const char *why, char *error, size_t size)
{
    const char *slash = strrchr(path, '/');

    if (!slash || strcmp(slash + 1, ENDPOINT_CONTROL) != 0) {
        snprintf(error, size,
                 "the path of a control socket ends in /" ENDPOINT_CONTROL ", \"%.200s\" does not", path);
        return -1;
    }
    return set_dir(line, slash == path ? "/" : path, slash == path ? 1 : (size_t)(slash - path), why, error,
                   size);
}

/* But for the socket the supervisor chooses by the same rules, in the same order (its --runtime-dir). */
static int find_dir(struct command_line *line, char *error, size_t size)
{
    const char *socket = getenv("PACKETCTL_SOCKET"), *systemd = getenv("RUNTIME_DIRECTORY");
    const char *user = getenv("XDG_RUNTIME_DIR");
    char dir[PACKETCTL_PATH_MAX + sizeof DIR_NAME];

    if (line->dir[0] != '\0')
        return 0;
    if (socket && *socket)
        return set_socket(line, socket, "from $PACKETCTL_SOCKET", error, size);
    if (systemd && *systemd)
        return set_dir(line, systemd, strcspn(systemd, ":"), "from $RUNTIME_DIRECTORY", error, size);
    if (!user || !*user)
        return set_dir(line, "/run/" DIR_NAME, strlen("/run/" DIR_NAME), "the default", error, size);
    int n = snprintf(dir, sizeof dir, "%s/" DIR_NAME, user);
    return set_dir(line, dir, (size_t)n, "from $XDG_RUNTIME_DIR", error, size);
}

/* Is the word that option, alone or as OPTION=VALUE? Then *value is what it was given, "" when nothing. */
static bool is_option(const char *option, int argc, char *const *argv, int *at, const char **value)
{
    const char *word = argv[*at];
    size_t len = strlen(option);

    if (strcmp(word, option) == 0) {
        *value = *at + 1 < argc ? argv[++*at] : "";
        return true;
    }
    *value = word + len + 1;
    return strncmp(word, option, len) == 0 && word[len] == '=';
}

static int read_word(struct command_line *line, int argc, char *const *argv, int *at, char *error,
                     size_t size)
{
    const char *word = argv[*at], *value;

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        line->command = COMMAND_HELP;
    else if (strcmp(word, "--version") == 0)
        line->command = COMMAND_VERSION;
    else if (strcmp(word, "--json") == 0 || strcmp(word, "--json=true") == 0)
        line->json = true;
    else if (strcmp(word, "--rolling") == 0)
        line->rolling = true;
    else if (strcmp(word, "--all") == 0)
        line->all = true;
    else if (is_option("--runtime-dir", argc, argv, at, &value))
        return set_dir(line, value, strlen(value), "from --runtime-dir", error, size);
    else if (is_option("--socket", argc, argv, at, &value))
        return set_socket(line, value, "from --socket", error, size);
    else if (word[0] == '-') {
        snprintf(error, size,
                 "unknown option \"%s\"; there are --runtime-dir, --socket, --json, --rolling, --all, --help "
                 "and --version",
                 word);
        return -1;
    } else
        return commands_word(line, word, error, size);
    return 0;
}

int command_line_read(struct command_line *line, int argc, char *const *argv, char *error, size_t size)
{
    *line = (struct command_line){0};
    for (int at = 1; at < argc; at++) {
        if (read_word(line, argc, argv, &at, error, size) != 0)
            return -1;
        if (line->command == COMMAND_HELP || line->command == COMMAND_VERSION)
            return 0;
    }
    if (commands_complete(line, error, size) != 0)
        return -1;
    return find_dir(line, error, size);
}
