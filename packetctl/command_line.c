/* packetctl/command_line.c -- what was typed, and where the supervisor's runtime directory is. The words of
 * each command are commands.c's. Opens nothing. Called by main.c. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packetctl/packetctl.h"

#define DIR_NAME "gardener-extension-provider-packet"

/* The supervisor chooses by the same rules, in the same order (its --runtime-dir). */
static int find_dir(struct command_line *line, char *error, size_t size)
{
    const char *systemd = getenv("RUNTIME_DIRECTORY"), *user = getenv("XDG_RUNTIME_DIR");
    int n;

    if (line->dir[0] != '\0')
        return 0;
    if (systemd && *systemd) {
        line->why_there = "from $RUNTIME_DIRECTORY";
        n = snprintf(line->dir, sizeof line->dir, "%.*s", (int)strcspn(systemd, ":"), systemd);
    } else if (user && *user) {
        line->why_there = "from $XDG_RUNTIME_DIR";
        n = snprintf(line->dir, sizeof line->dir, "%s/" DIR_NAME, user);
    } else {
        line->why_there = "the default";
        n = snprintf(line->dir, sizeof line->dir, "/run/" DIR_NAME);
    }
    if (n >= 0 && (size_t)n < sizeof line->dir)
        return 0;
    snprintf(error, size, "the path of the runtime directory is too long");
    return -1;
}

static int set_dir(struct command_line *line, const char *dir, char *error, size_t size)
{
    if (dir == NULL || *dir == '\0') {
        snprintf(error, size, "--runtime-dir needs a directory");
        return -1;
    }
    if (strlen(dir) >= sizeof line->dir) {
        snprintf(error, size, "the path of the runtime directory is too long");
        return -1;
    }
    strcpy(line->dir, dir);
    line->why_there = "from --runtime-dir";
    return 0;
}

static int read_word(struct command_line *line, int argc, char *const *argv, int *at, char *error,
                     size_t size)
{
    static const char dir[] = "--runtime-dir";
    const char *word = argv[*at];

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
    else if (strcmp(word, dir) == 0)
        return set_dir(line, *at + 1 < argc ? argv[++*at] : NULL, error, size);
    else if (strncmp(word, dir, strlen(dir)) == 0 && word[strlen(dir)] == '=')
        return set_dir(line, word + strlen(dir) + 1, error, size);
    else if (word[0] == '-') {
        snprintf(
            error, size,
            "unknown option \"%s\"; there are --runtime-dir, --json, --rolling, --all, --help and --version",
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
