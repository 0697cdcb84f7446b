/* supervisor/options.h -- the command line: THE table of options (options.c) and what is read from it. Names,
 * defaults, help and the child that gets each stand in one row. Read by the supervisor's shell only. */
#ifndef SUPERVISOR_OPTIONS_H
#define SUPERVISOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/contract.h"

enum option_type {
    OPTION_TEXT,
    OPTION_BOOL,  /* as pflag: --name, --name=true; never "--name true" */
    OPTION_COUNT, /* a whole number from least to most */
    OPTION_LIST   /* comma separated, CSV quotes; given again: appended; empty: an empty list */
};

enum option_group { GROUP_OURS, GROUP_GARDENER, GROUP_IGNORED };

struct option_row {
    const char *name;
    enum option_type type;
    enum option_group group;
    unsigned children;    /* set of roles that get it in their environment */
    const char *fallback; /* the default */
    const char *env;      /* environment variable that replaces the default, or NULL */
    const char *choices;  /* comma separated allowed values, or NULL */
    long least, most;     /* of OPTION_COUNT */
    const char *help;     /* one sentence */
};

const struct option_row *options_table(size_t *count);

struct options {
    char **values; /* by row; never NULL after options_read() */
    bool *given;   /* on the command line */
};

#define OPTIONS_ERROR_MAX 512u

/* Defaults, environment, then argv. Returns 0; or -1 with a sentence in error (OPTIONS_ERROR_MAX bytes).
 * options_free() in both cases. */
int options_read(struct options *options, int argc, char *const *argv, char *error);
void options_free(struct options *options);

/* name must be in the table. The text is the options' own. */
const char *options_text(const struct options *options, const char *name);
bool options_true(const struct options *options, const char *name);
long options_number(const struct options *options, const char *name);
bool options_given(const struct options *options, const char *name);
void options_set(struct options *options, const char *name, const char *value);

/* ---- options_check.c: the rules beyond one option's type (gardener 62). Same results as options_read(). It
 * also makes --workers and --infrastructure-max-concurrent-reconciles the same. */
int options_check(struct options *options, char *error);
/* The list holds this item. */
bool options_list_has(const char *list, const char *item);

/* ---- options_help.c */
void options_print_help(void);
/* The table's name that is nearest to what was typed, or NULL when none is near. */
const char *options_nearest(const char *typed);

#endif
