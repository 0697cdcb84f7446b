/* watcher/impersonate.c -- turns as, as-uid, as-groups and as-user-extra into header lines once; a control
 * character in them would be another header. Owns the lines. Called by kubeconfig.c. */
#include "watcher/impersonate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static bool printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

/* What may stand in a header's name (RFC 9110, 5.6.2); all else is percent-encoded, '%' too. */
static char *token(const char *text)
{
    char *out = x_malloc(strlen(text) * 3 + 1), *at = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("!#$&'*+-.^_`|~", c))
            *at++ = (char)c;
        else
            at += sprintf(at, "%%%02X", c);
    }
    *at = '\0';
    return out;
}

static int add(struct impersonate *out, const char *name, const char *extra, const char *value, char *error,
               size_t error_size)
{
    if (!printable(value)) {
        snprintf(error, error_size, "a value for impersonation (as...) holds control characters");
        return -1;
    }
    if (out->count == IMPERSONATE_MAX) {
        snprintf(error, error_size, "more than %d groups and extra values for impersonation",
                 IMPERSONATE_MAX);
        return -1;
    }
    out->lines[out->count++] = x_asprintf("Impersonate-%s%s: %s", name, extra, value);
    return 0;
}

static int add_all(struct impersonate *out, const char *name, const char *extra, struct yaml_file *yaml,
                   const yaml_node_t *list, char *error, size_t error_size)
{
    const yaml_node_t *item;

    for (size_t i = 0; (item = yaml_item(yaml, list, i)); i++)
        if (add(out, name, extra, yaml_text(item), error, error_size))
            return -1;
    return 0;
}

static int add_extra(struct impersonate *out, struct yaml_file *yaml, const yaml_node_t *extra, char *error,
                     size_t error_size)
{
    const yaml_node_t *values;
    const char *key;

    for (size_t i = 0; (key = yaml_key(yaml, extra, i, &values)); i++) {
        char *name = token(key);
        int rc = add_all(out, "Extra-", name, yaml, values, error, error_size);

        free(name);
        if (rc)
            return -1;
    }
    return 0;
}

int impersonate_read(struct impersonate *out, struct yaml_file *yaml, const yaml_node_t *user, char *error,
                     size_t error_size)
{
    const char *as = yaml_text(yaml_get(yaml, user, "as")), *uid = yaml_text(yaml_get(yaml, user, "as-uid"));
    const yaml_node_t *groups = yaml_get(yaml, user, "as-groups");
    const yaml_node_t *extra = yaml_get(yaml, user, "as-user-extra");

    *out = (struct impersonate){.count = 0};
    if (!*as && (*uid || yaml_item(yaml, groups, 0) || yaml_key(yaml, extra, 0, NULL))) {
        snprintf(error, error_size, "as-uid, as-groups and as-user-extra need as");
        return -1;
    }
    if (!*as)
        return 0;
    if (add(out, "User", "", as, error, error_size) ||
        (*uid && add(out, "Uid", "", uid, error, error_size)) ||
        add_all(out, "Group", "", yaml, groups, error, error_size))
        return -1;
    return add_extra(out, yaml, extra, error, error_size);
}

void impersonate_free(struct impersonate *impersonate)
{
    for (size_t i = 0; i < impersonate->count; i++)
        free(impersonate->lines[i]);
    *impersonate = (struct impersonate){.count = 0};
}
