/* packetctl/packetctl.h -- what the files of packetctl do for main.c: command line, one question to the
 * supervisor, showing the answer. Nothing outside this folder includes it. */
#ifndef PACKETCTL_PACKETCTL_H
#define PACKETCTL_PACKETCTL_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "proto/messages.h"

/* Exit codes of packetctl, also in packetctl(1). */
enum packetctl_exit {
    PACKETCTL_OK = 0,
    PACKETCTL_FAILED = 1,   /* asked, and the answer is no good */
    PACKETCTL_USAGE = 2,    /* the command line is wrong */
    PACKETCTL_NOT_THERE = 3 /* no supervisor listens */
};

enum command { COMMAND_NONE, COMMAND_STATUS, COMMAND_STOP, COMMAND_HELP, COMMAND_VERSION };

#define PACKETCTL_PATH_MAX 108u

struct command_line {
    enum command command;
    bool json;
    char dir[PACKETCTL_PATH_MAX]; /* where the control socket is looked for */
    const char *why_there;        /* how that directory was found, for the error message */
};

/* ---- command_line.c */
/* Returns 0; or -1 with a sentence in error (size bytes). */
int command_line_read(struct command_line *line, int argc, char *const *argv, char *error, size_t size);
void command_line_help(FILE *to);

/* ---- ask.c */
/* Sends one message to the supervisor's control socket and calls with_answer while the answer lives. Returns
 * what with_answer returned, or PACKETCTL_NOT_THERE or _FAILED after a sentence on stderr. */
int ask(const struct command_line *line, enum msg_id question, const void *body, enum msg_id wanted,
        int (*with_answer)(const struct message *answer, const struct command_line *line));

/* ---- to_json.c */
/* A msgpack value as JSON; bytes that are no text become "". The caller owns the reference. */
json_t *to_json(struct value v);

/* ---- show.c: answers as text or JSON on stdout; return exit codes */
int show_status(const struct message *answer, const struct command_line *line);
int show_stopping(const struct message *answer, const struct command_line *line);
/* The supervisor ended while it was asked to. */
int show_stopped(const struct command_line *line);

#endif
