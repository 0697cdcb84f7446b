/* packetctl/packetctl.h -- what the files of packetctl do for main.c: command line, one question to the
 * supervisor, showing the answer. Nothing outside this folder includes it. */
#ifndef PACKETCTL_PACKETCTL_H
#define PACKETCTL_PACKETCTL_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "base/log.h"
#include "proto/messages.h"

/* Exit codes of packetctl, also in packetctl(1). */
enum packetctl_exit {
    PACKETCTL_OK = 0,
    PACKETCTL_FAILED = 1,   /* asked, and the answer is no good */
    PACKETCTL_USAGE = 2,    /* the command line is wrong */
    PACKETCTL_NOT_THERE = 3 /* no supervisor listens */
};

enum command {
    COMMAND_NONE,
    COMMAND_STATUS,
    COMMAND_JOBS,
    COMMAND_LIMITS,
    COMMAND_CRASHES,
    COMMAND_BUNDLE,
    COMMAND_QUARANTINE,
    COMMAND_RETRY,
    COMMAND_EXPLAIN,
    COMMAND_EVENTS,
    COMMAND_TOP,
    COMMAND_SCALE,
    COMMAND_DRAIN,
    COMMAND_RESUME,
    COMMAND_RESTART,
    COMMAND_RELOAD,
    COMMAND_LOGLEVEL,
    COMMAND_STOP,
    COMMAND_HELP,
    COMMAND_VERSION
};

#define PACKETCTL_PATH_MAX 108u

struct command_line {
    enum command command;
    bool json;
    unsigned words; /* after the command, so far */
    unsigned role;  /* of restart; 0: none given */
    bool rolling;
    bool release, all;            /* of quarantine */
    unsigned long number;         /* of scale; the level of loglevel */
    char key[2 * LIMIT_NAME + 2]; /* "namespace/name" */
    char dir[PACKETCTL_PATH_MAX]; /* where the control socket is looked for */
    const char *why_there;        /* how that directory was found, for the error message */
};

/* ---- command_line.c */
/* Returns 0; or -1 with a sentence in error (size bytes). */
int command_line_read(struct command_line *line, int argc, char *const *argv, char *error, size_t size);

/* ---- commands.c: the same results */
/* A word that is no option: the command, or what follows it. */
int commands_word(struct command_line *line, const char *word, char *error, size_t size);
/* All has been read: is anything missing, or too much? */
int commands_complete(const struct command_line *line, char *error, size_t size);
void command_line_help(FILE *to);

/* ---- ask.c */
/* Sends one message to the supervisor's control socket and calls with_answer while the answer lives. Returns
 * what with_answer returned, or PACKETCTL_NOT_THERE or _FAILED after a sentence on stderr. */
int ask(const struct command_line *line, enum msg_id question, const void *body, enum msg_id wanted,
        int (*with_answer)(const struct message *answer, const struct command_line *line));

/* An answer that only has to be there. */
int show_nothing(const struct message *answer, const struct command_line *line);

/* ---- to_json.c */
/* A msgpack value as JSON; bytes that are no text become "". The caller owns the reference. */
json_t *to_json(struct value v);

/* ---- cells.c: parts of a table */
/* Text cut to size and safe for a terminal. Returns buf. */
const char *clean_span(struct span text, char *buf, size_t size);
/* Text of a row likewise. */
const char *cell(struct value row, const char *key, char *buf, size_t size);
/* Does NO_COLOR say so (no-color.org: set, and not empty)? */
bool colour_refused(void);
/* How a process' state looks: as it should, on its way, or in trouble. */
enum look { LOOK_GOOD, LOOK_WAITS, LOOK_BAD };
enum look look_of(const char *state);
int64_t cell_number(struct value row, const char *key);
/* "3s", "12m05s", "7h30m", "4d06h". Returns buf. */
const char *cell_duration(int64_t seconds, char *buf, size_t size);
int print_json(json_t *json);

/* ---- crashes.c: the records are files beside the socket, so this works without a supervisor, too */
int crashes_show(const struct command_line *line);
/* All of them, the newest first; the caller owns the reference. NULL after a sentence on stderr. */
json_t *crashes_read(const struct command_line *line);

/* ---- bundle.c: status, quarantine, events and crashes as one JSON object */
int bundle_show(const struct command_line *line);

/* ---- top.c: until q is typed or nobody answers any more; for terminals */
int top(const struct command_line *line);

/* ---- show_explain.c */
int show_explanation(const struct message *answer, const struct command_line *line);
int show_events(const struct message *answer, const struct command_line *line);

/* ---- show_work.c: answers about jobs, limits and objects, and to orders */
int show_jobs(const struct message *answer, const struct command_line *line);
int show_limits(const struct message *answer, const struct command_line *line);
int show_quarantine(const struct message *answer, const struct command_line *line);
int show_released(const struct message *answer, const struct command_line *line);
int show_agreed(const struct message *answer, const struct command_line *line);
/* What the gateway's calls to Packet wait for; row: the gateway's. */
void show_calls(struct value row);

/* ---- show.c: answers as text or JSON on stdout; return exit codes */
json_t *status_json(const struct msg_status *status);
int show_status(const struct message *answer, const struct command_line *line);
int show_stopping(const struct message *answer, const struct command_line *line);
int show_restarting(const struct message *answer, const struct command_line *line);
/* The supervisor ended while it was asked to. */
int show_stopped(const struct command_line *line);

#endif
