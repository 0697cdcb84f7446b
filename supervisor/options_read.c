/* supervisor/options_read.c -- argv to values, by the rules of pflag that Gardener's charts rely on:
 * --name=value and --name value, booleans need '=', unknown names are errors, of repeated flags the last one
 * wins (lists grow). Knows no option by name. Called by main.c through options.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "supervisor/options.h"

static size_t index_of(const char *name, size_t len)
{
    size_t n;
    const struct option_row *rows = options_table(&n);

    for (size_t i = 0; i < n; i++)
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
            return i;
    return n;
}

static void set(struct options *options, size_t i, char *owned)
{
    free(options->values[i]);
    options->values[i] = owned;
}

static void set_defaults(struct options *options)
{
    size_t n;
    const struct option_row *rows = options_table(&n);

    options->values = x_calloc(n, sizeof *options->values);
    options->given = x_calloc(n, sizeof *options->given);
    for (size_t i = 0; i < n; i++) {
        const char *env = rows[i].env ? getenv(rows[i].env) : NULL;
        options->values[i] = x_strdup(env && *env ? env : rows[i].fallback);
    }
}

/* As Go's strconv.ParseBool. */
static const char *as_bool(const char *text)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0)
            return "true";
        if (strcmp(text, no[i]) == 0)
            return "false";
    }
    return NULL;
}

static bool is_count(const struct option_row *row, const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text >= '0' && *text <= '9' && *end == '\0' && strlen(text) < 12 && n >= row->least &&
           n <= row->most;
}

/* One CSV line without its quotes: our lists hold names only, so a comma inside quotes separates as well. */
static char *without_quotes(const char *text)
{
    char *out = x_strdup(text), *to = out;

    for (const char *c = text; *c; c++)
        if (*c != '"')
            *to++ = *c;
    *to = '\0';
    return out;
}

static int set_list(struct options *options, size_t i, const char *text)
{
    char *items = without_quotes(text);

    if (options->given[i] && options->values[i][0] != '\0' && items[0] != '\0') {
        char *longer = x_asprintf("%s,%s", options->values[i], items);
        free(items);
        items = longer;
    } else if (options->given[i] && items[0] == '\0') { /* adds nothing */
        free(items);
        return 0;
    }
    set(options, i, items);
    return 0;
}

static int set_value(struct options *options, size_t i, const char *text, char *error)
{
    size_t n;
    const struct option_row *row = &options_table(&n)[i];
    const char *value = row->type == OPTION_BOOL ? as_bool(text) : text;

    if (row->type == OPTION_BOOL && value == NULL) {
        snprintf(error, OPTIONS_ERROR_MAX, "--%s=%s: must be true or false", row->name, text);
        return -1;
    }
    if (row->type == OPTION_COUNT && !is_count(row, text)) {
        snprintf(error, OPTIONS_ERROR_MAX, "--%s=%s: must be a whole number from %ld to %ld", row->name, text,
                 row->least, row->most);
        return -1;
    }
    if (row->type == OPTION_LIST)
        set_list(options, i, value);
    else
        set(options, i, x_strdup(value));
    options->given[i] = true;
    return 0;
}

static int unknown(const char *name, size_t len, char *error)
{
    char typed[64];

    snprintf(typed, sizeof typed, "%.*s", (int)len, name);
    const char *nearest = options_nearest(typed);
    if (nearest)
        snprintf(error, OPTIONS_ERROR_MAX, "unknown flag: --%s; did you mean --%s?", typed, nearest);
    else
        snprintf(error, OPTIONS_ERROR_MAX, "unknown flag: --%s; --help lists all", typed);
    return -1;
}

/* Reads argv[*at] and, when its value is the next argument, that one too. */
static int read_flag(struct options *options, int argc, char *const *argv, int *at, char *error)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name), n;
    const struct option_row *rows = options_table(&n);
    size_t i = index_of(name, len);

    if (i == n)
        return unknown(name, len, error);
    if (equals)
        return set_value(options, i, equals + 1, error);
    if (rows[i].type == OPTION_BOOL)
        return set_value(options, i, "true", error);
    if (*at + 1 >= argc) {
        snprintf(error, OPTIONS_ERROR_MAX, "--%s needs a value", rows[i].name);
        return -1;
    }
    return set_value(options, i, argv[++*at], error);
}

int options_read(struct options *options, int argc, char *const *argv, char *error)
{
    set_defaults(options);
    for (int at = 1; at < argc; at++) {
        const char *arg = argv[at];

        if (strcmp(arg, "-h") == 0)
            options_set(options, "help", "true");
        else if (strncmp(arg, "--", 2) == 0 && arg[2] != '\0') {
            if (read_flag(options, argc, argv, &at, error))
                return -1;
        } else {
            const char *hint = strcmp(arg, "true") == 0 || strcmp(arg, "false") == 0
                                   ? "; booleans need '=', as in --leader-election=false"
                                   : "; every option begins with --";
            snprintf(error, OPTIONS_ERROR_MAX, "unexpected argument \"%s\"%s", arg, hint);
            return -1;
        }
    }
    return 0;
}

void options_free(struct options *options)
{
    size_t n;

    options_table(&n);
    for (size_t i = 0; options->values && i < n; i++)
        free(options->values[i]);
    free(options->values);
    free(options->given);
    *options = (struct options){0};
}

const char *options_text(const struct options *options, const char *name)
{
    return options->values[index_of(name, strlen(name))];
}

bool options_true(const struct options *options, const char *name)
{
    return strcmp(options_text(options, name), "true") == 0;
}

long options_number(const struct options *options, const char *name)
{
    return strtol(options_text(options, name), NULL, 10);
}

bool options_given(const struct options *options, const char *name)
{
    return options->given[index_of(name, strlen(name))];
}

void options_set(struct options *options, const char *name, const char *value)
{
    set(options, index_of(name, strlen(name)), x_strdup(value));
}
