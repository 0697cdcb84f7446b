/* tests/sim/kube-apiserver/core/selector.c -- label and field selectors.
 * Owns their grammar and which fields each resource offers (kubernetes 2.1). Called by list, watch and
 * deletecollection. */
#include <ctype.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

/* Appends text[0..len) to the list of values that ends with an empty one. */
static void value_add(struct ks_requirement *req, const char *text, size_t len)
{
    size_t used = 0;

    if (req->values != NULL)
        while (req->values[used] != '\0')
            used += strlen(req->values + used) + 1;
    req->values = x_realloc(req->values, used + len + 2);
    memcpy(req->values + used, text, len);
    req->values[used + len] = '\0';
    req->values[used + len + 1] = '\0';
}

static const char *skip_blank(const char *at)
{
    while (*at == ' ')
        at++;
    return at;
}

static size_t word_len(const char *at)
{
    return strcspn(at, " ,=!()");
}

/* "(a,b)"; returns what follows, NULL when it is broken. */
static const char *read_set(const char *at, struct ks_requirement *req)
{
    at = skip_blank(at);
    if (*at != '(')
        return NULL;
    do {
        size_t len;

        at = skip_blank(at + 1);
        len = word_len(at);
        value_add(req, at, len);
        at = skip_blank(at + len);
    } while (*at == ',');
    return *at == ')' ? at + 1 : NULL;
}

/* What stands behind the key. */
static const char *read_operator(const char *at, struct ks_requirement *req)
{
    at = skip_blank(at);
    if (*at == '\0' || *at == ',') {
        req->op = 'e';
        return at;
    }
    if (strncmp(at, "in ", 3) == 0 || strncmp(at, "in(", 3) == 0) {
        req->op = 'i';
        return read_set(at + 2, req);
    }
    if (strncmp(at, "notin ", 6) == 0 || strncmp(at, "notin(", 6) == 0) {
        req->op = 'n';
        return read_set(at + 5, req);
    }
    if (*at != '=' && (at[0] != '!' || at[1] != '='))
        return NULL;
    req->op = *at == '=' ? '=' : '!';
    at += at[1] == '=' ? 2 : 1;
    at = skip_blank(at);
    value_add(req, at, word_len(at));
    return at + word_len(at); /* what is no end of a requirement is refused by who called */
}

/* 0, or -1 when text is no selector. */
static int parse_list(const char *text, struct ks_requirement *list, size_t *n, bool fields)
{
    const char *at = skip_blank(text);

    while (*at != '\0') {
        struct ks_requirement *req = &list[*n];
        bool negated = *at == '!' && !fields;
        size_t len;

        if (*n == KS_SELECT_MAX)
            return -1;
        at = skip_blank(at + negated);
        len = word_len(at);
        if (len == 0)
            return -1;
        req->key = x_strndup(at, len);
        req->op = 'x';
        (*n)++;
        at = negated ? at + len : read_operator(at + len, req);
        if (at == NULL || (fields && req->op != '=' && req->op != '!'))
            return -1;
        at = skip_blank(at);
        if (*at == ',')
            at = skip_blank(at + 1);
        else if (*at != '\0')
            return -1;
    }
    return 0;
}

static bool field_known(const struct ks_resource *res, const char *key)
{
    if (strcmp(key, "metadata.name") == 0 || strcmp(key, "metadata.namespace") == 0)
        return true;
    if (res->custom || *res->group)
        return false;
    if (strcmp(res->plural, "events") == 0)
        return strncmp(key, "involvedObject.", 15) == 0 || strcmp(key, "reason") == 0 ||
               strcmp(key, "type") == 0 || strcmp(key, "reportingComponent") == 0;
    if (strcmp(res->plural, "secrets") == 0)
        return strcmp(key, "type") == 0;
    return strcmp(res->plural, "namespaces") == 0 && strcmp(key, "status.phase") == 0;
}

int ks_selector_parse(struct ks_call *call, struct ks_selector *selector)
{
    const char *labels = ks_query_get(&call->query, "labelSelector");
    const char *fields = ks_query_get(&call->query, "fieldSelector");

    memset(selector, 0, sizeof *selector);
    if (parse_list(labels, selector->labels, &selector->n_labels, false) != 0) {
        ks_fail(call, 400, "BadRequest", "unable to parse requirement: %s", labels);
        ks_selector_free(selector);
        return -1;
    }
    if (parse_list(fields, selector->fields, &selector->n_fields, true) != 0) {
        ks_fail(call, 400, "BadRequest", "invalid selector: '%s'; can't understand '%s'", fields, fields);
        ks_selector_free(selector);
        return -1;
    }
    for (size_t i = 0; i < selector->n_fields; i++) {
        if (field_known(call->res, selector->fields[i].key))
            continue;
        ks_fail(call, 400, "BadRequest", "field label not supported: %s", selector->fields[i].key);
        ks_selector_free(selector);
        return -1;
    }
    return 0;
}

void ks_selector_free(struct ks_selector *selector)
{
    for (size_t i = 0; i < selector->n_labels; i++) {
        free(selector->labels[i].key);
        free(selector->labels[i].values);
    }
    for (size_t i = 0; i < selector->n_fields; i++) {
        free(selector->fields[i].key);
        free(selector->fields[i].values);
    }
    memset(selector, 0, sizeof *selector);
}

static bool has_value(const struct ks_requirement *req, const char *value)
{
    const char *at = req->values;

    do {
        if (strcmp(at, value) == 0)
            return true;
        at += strlen(at) + 1;
    } while (*at != '\0');
    return false;
}

/* value NULL: the key is not there. */
static bool requirement_match(const struct ks_requirement *req, const char *value)
{
    switch (req->op) {
    case 'e': return value != NULL;
    case 'x': return value == NULL;
    case '=':
    case 'i': return value != NULL && has_value(req, value);
    default: return value == NULL || !has_value(req, value);
    }
}

bool ks_selector_match(const struct ks_selector *selector, const json_t *object)
{
    const json_t *labels;

    for (size_t i = 0; i < selector->n_fields; i++)
        if (!requirement_match(&selector->fields[i], ks_str(object, selector->fields[i].key)))
            return false;
    if (selector->n_labels == 0)
        return true;
    labels = ks_at(object, "metadata.labels");
    for (size_t i = 0; i < selector->n_labels; i++)
        if (!requirement_match(&selector->labels[i],
                               json_string_value(json_object_get(labels, selector->labels[i].key))))
            return false;
    return true;
}
