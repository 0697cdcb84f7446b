/* supervisor/options_check.c -- what must hold between and beyond single options before anything is started
 * (gardener 62). Says one sentence about the first thing that is wrong. Called by main.c. */
#include <stdio.h>
#include <string.h>

#include "supervisor/options.h"

/* The next item of a comma-separated list; NULL at its end. */
static const char *next_item(const char **list, size_t *len)
{
    const char *item = *list;

    if (item == NULL)
        return NULL;
    const char *comma = strchr(item, ',');
    *len = comma ? (size_t)(comma - item) : strlen(item);
    *list = comma ? comma + 1 : NULL;
    return item;
}

static bool has(const char *list, const char *wanted, size_t wanted_len)
{
    size_t len;

    for (const char *item; (item = next_item(&list, &len)) != NULL;)
        if (len == wanted_len && memcmp(item, wanted, len) == 0)
            return true;
    return false;
}

bool options_list_has(const char *list, const char *item)
{
    return has(list, item, strlen(item));
}

/* Every value, or every item of a list, is among the row's choices. */
static int check_choices(const struct option_row *row, const char *value, char *error)
{
    const char *rest = row->type == OPTION_LIST && *value == '\0' ? NULL : value;
    size_t len = 0;

    for (const char *item; (item = next_item(&rest, &len)) != NULL;) {
        if (row->type != OPTION_LIST) {
            len = strlen(value);
            rest = NULL;
        }
        if (!has(row->choices, item, len)) {
            snprintf(error, OPTIONS_ERROR_MAX, "--%s: \"%.*s\" is not one of %s", row->name,
                     (int)(len < 64 ? len : 64), item, row->choices);
            return -1;
        }
    }
    return 0;
}

/* One number by two names: given by either, or by both and equal. */
static int check_workers(struct options *o, char *error)
{
    static const char ours[] = "workers", gardeners[] = "infrastructure-max-concurrent-reconciles";
    long a = options_number(o, ours), b = options_number(o, gardeners);

    if (options_given(o, ours) && options_given(o, gardeners) && a != b) {
        snprintf(error, OPTIONS_ERROR_MAX, "--%s=%ld and --%s=%ld mean the same; give one", ours, a,
                 gardeners, b);
        return -1;
    }
    if (options_given(o, gardeners))
        options_set(o, ours, options_text(o, gardeners));
    else
        options_set(o, gardeners, options_text(o, ours));
    return 0;
}

/* Older names of today's options. */
static int take_older_names(struct options *o, char *error)
{
    if (options_given(o, "extension-class")) {
        if (options_given(o, "extension-classes")) {
            snprintf(error, OPTIONS_ERROR_MAX,
                     "--extension-class is the older form of --extension-classes; give one");
            return -1;
        }
        options_set(o, "extension-classes", options_text(o, "extension-class"));
    }
    if (options_true(o, "autonomous-shoot-cluster"))
        options_set(o, "self-hosted-shoot-cluster", "true");
    return 0;
}

/* As client-go wants them: a holder stops before another may begin, and has time for a second try
 * (kubernetes 6.2). */
static int check_election(const struct options *o, char *error)
{
    static const char duration[] = "leader-election-lease-duration-seconds",
                      deadline[] = "leader-election-renew-deadline-seconds",
                      retry[] = "leader-election-retry-period-seconds";
    long a = options_number(o, duration), b = options_number(o, deadline), c = options_number(o, retry);

    if (a <= b) {
        snprintf(error, OPTIONS_ERROR_MAX, "--%s=%ld must be greater than --%s=%ld", duration, a, deadline,
                 b);
        return -1;
    }
    if (5 * b <= 6 * c) {
        snprintf(error, OPTIONS_ERROR_MAX, "--%s=%ld must be greater than 1.2 times --%s=%ld", deadline, b,
                 retry, c);
        return -1;
    }
    return 0;
}

int options_check(struct options *options, char *error)
{
    size_t n;
    const struct option_row *rows = options_table(&n);

    if (take_older_names(options, error))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (rows[i].choices && check_choices(&rows[i], options->values[i], error))
            return -1;
    if (check_workers(options, error) || check_election(options, error))
        return -1;
    if (*options_text(options, "config-file") == '\0') {
        snprintf(error, OPTIONS_ERROR_MAX,
                 "config file path not set; give --config-file, for example example/00-componentconfig.yaml");
        return -1;
    }
    return 0;
}
