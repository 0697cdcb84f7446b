/* tests/sim/kube-apiserver/core/read.c -- GET and LIST.
 * Owns what resourceVersion, limit and continue mean for reads (kubernetes 2.2, 2.3). Never changes an
 * object. Called by the dispatcher; the watch file shares the revision checks. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

static uint64_t lagging(const struct ks_call *call)
{
    uint64_t revision = call->sim->revision;
    uint64_t old = revision > call->lag ? revision - call->lag : 1;

    return old > call->sim->compacted ? old : call->sim->compacted;
}

static int fail_revision(struct ks_call *call, const char *text)
{
    bool list = call->verb == KS_LIST;

    ks_fail(call, list ? 400 : 500, list ? "BadRequest" : "",
            "%sresourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax",
            list ? "invalid resource version: " : "", text, text);
    return -1;
}

void ks_get(struct ks_call *call)
{
    const char *text = ks_query_get(&call->query, "resourceVersion");
    char key[KS_KEY_MAX];
    uint64_t revision = 0;
    struct ks_object *object;

    if (*text && ks_number(text, &revision) != 0) {
        (void)fail_revision(call, text);
        return;
    }
    if (revision > call->sim->revision) {
        ks_fail_too_large(call, revision);
        return;
    }
    ks_key(key, call->ns, call->name);
    if (call->lag > 0 && *text && revision == 0)
        object = ks_object_at(call->sim, call->res, key, lagging(call));
    else
        object = ks_object_ref(ks_find(call->res, key, NULL));
    if (object == NULL)
        ks_fail_not_found(call);
    else
        ks_answer_object(call, 200, object);
    ks_object_unref(object);
}

void ks_prefix(const struct ks_call *call, char out[KS_KEY_MAX])
{
    (void)snprintf(out, KS_KEY_MAX, "%s%s", call->ns, *call->ns ? "/" : "");
}

static int fail_query(struct ks_call *call, const char *field, const char *reason, const char *message)
{
    struct ks_causes causes = {0};

    ks_cause_add(&causes, reason, field, "%s", message);
    ks_fail_invalid_kind(call, "meta.k8s.io", "ListOptions", "", &causes);
    return -1;
}

/* 0, or -1 and a 422; kubernetes 2.2. */
static int check_match(struct ks_call *call, const char *match, bool set, uint64_t revision, bool more)
{
    static const char field[] = "resourceVersionMatch";
    struct ks_causes causes = {0};

    if (*match == '\0')
        return 0;
    if (!set)
        ks_cause_add(&causes, "FieldValueForbidden", field,
                     "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (more)
        ks_cause_add(&causes, "FieldValueForbidden", field,
                     "Forbidden: resourceVersionMatch is forbidden when continue is provided");
    if (strcmp(match, "NotOlderThan") != 0 && strcmp(match, "Exact") != 0)
        ks_cause_add(&causes, "FieldValueNotSupported", field,
                     "Unsupported value: \"%s\": supported values: \"Exact\", \"NotOlderThan\", \"\"", match);
    if (strcmp(match, "Exact") == 0 && set && revision == 0)
        ks_cause_add(&causes, "FieldValueForbidden", field,
                     "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    if (causes.n == 0)
        return 0;
    ks_fail_invalid_kind(call, "meta.k8s.io", "ListOptions", "", &causes);
    return -1;
}

/* Numbers in the query. 0, or -1 and a 400. */
static int check_numbers(struct ks_call *call)
{
    static const char *const names[] = {"limit", "timeoutSeconds"};
    uint64_t value;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = ks_query_get(&call->query, names[i]);

        if (*text == '\0' || ks_number(text, &value) == 0)
            continue;
        ks_fail(call, 400, "BadRequest", "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
        return -1;
    }
    return 0;
}

int ks_list_revision(struct ks_call *call, uint64_t *revision, bool *set)
{
    const char *text = ks_query_get(&call->query, "resourceVersion");
    const char *match = ks_query_get(&call->query, "resourceVersionMatch");
    bool more = *ks_query_get(&call->query, "continue") != '\0';

    *revision = 0;
    *set = *text != '\0';
    if (check_numbers(call) != 0)
        return -1;
    if (*set && ks_number(text, revision) != 0)
        return fail_revision(call, text);
    return call->verb == KS_WATCH ? 0 : check_match(call, match, *set, *revision, more);
}

/* ---- pages ---- */

struct page {
    uint64_t revision;      /* the state to show */
    uint64_t limit;         /* 0: all */
    char after[KS_KEY_MAX]; /* the last key of the page before; "" for the first page */
    struct ks_object **list;
    size_t n;
};

/* The token is opaque to clients: "REVISION KEY" in hexadecimal digits. */
static void token_make(char *out, size_t size, uint64_t revision, const char *key)
{
    char plain[KS_KEY_MAX + 24];
    size_t len;

    (void)snprintf(plain, sizeof plain, "%llu %s", (unsigned long long)revision, key);
    len = strlen(plain);
    for (size_t i = 0; i < len && 2 * i + 2 < size; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", (unsigned char)plain[i]);
}

static int token_read(const char *token, struct page *page)
{
    char plain[KS_KEY_MAX + 24];
    size_t len = strlen(token) / 2;
    char *space;

    if (strlen(token) % 2 != 0 || len + 1 > sizeof plain)
        return -1;
    for (size_t i = 0; i < len; i++) {
        unsigned byte;

        if (sscanf(token + 2 * i, "%2x", &byte) != 1)
            return -1;
        plain[i] = (char)byte;
    }
    plain[len] = '\0';
    space = strchr(plain, ' ');
    if (space == NULL)
        return -1;
    *space = '\0';
    (void)snprintf(page->after, sizeof page->after, "%.*s", (int)KS_KEY_MAX - 1, space + 1);
    return ks_number(plain, &page->revision);
}

static int fail_expired(struct ks_call *call, const struct page *page)
{
    char token[2 * (KS_KEY_MAX + 24)] = "";
    json_t *status = ks_status(410, "Expired",
                               "The provided continue parameter is too old to display a consistent list "
                               "result. You can start a new list without the continue parameter.");

    token_make(token, sizeof token, call->sim->revision, page->after);
    (void)json_object_set_new(json_object_get(status, "metadata"), "continue", json_string(token));
    ks_answer_json(call, 410, status);
    return -1;
}

static int page_of_token(struct ks_call *call, struct page *page, bool revision_set, uint64_t asked)
{
    if (token_read(ks_query_get(&call->query, "continue"), page) != 0) {
        ks_fail(call, 400, "BadRequest", "continue key is not valid");
        return -1;
    }
    if (revision_set && asked != 0) {
        ks_fail(call, 400, "BadRequest", "specifying resource version is not allowed when using continue");
        return -1;
    }
    return page->revision < call->sim->compacted || page->revision > call->sim->revision
               ? fail_expired(call, page)
               : 0;
}

/* Which state and which part of it; kubernetes 2.2. -1 and an answer when it cannot be had. */
static int page_open(struct ks_call *call, struct page *page)
{
    const char *limit = ks_query_get(&call->query, "limit");
    const char *match = ks_query_get(&call->query, "resourceVersionMatch");
    uint64_t asked;
    bool set;

    memset(page, 0, sizeof *page);
    if (ks_list_revision(call, &asked, &set) != 0)
        return -1;
    if (*ks_query_get(&call->query, "sendInitialEvents") != '\0')
        return fail_query(call, "sendInitialEvents", "FieldValueForbidden",
                          "Forbidden: sendInitialEvents is forbidden for list");
    (void)ks_number(limit, &page->limit); /* checked above; 0 when absent */
    if (*ks_query_get(&call->query, "continue"))
        return page_of_token(call, page, set, asked);
    page->revision = call->sim->revision;
    if (asked > call->sim->revision) {
        ks_fail_too_large(call, asked);
        return -1;
    }
    if (set && asked == 0) {
        page->limit = 0;
        page->revision = call->lag ? lagging(call) : page->revision;
    } else if (asked != 0 && (strcmp(match, "Exact") == 0 || (*match == '\0' && page->limit > 0))) {
        page->revision = asked;
        if (asked < call->sim->compacted) {
            ks_fail(call, 410, "Expired", "The resourceVersion for the provided list is too old.");
            return -1;
        }
    }
    return 0;
}

/* Keeps what the selector and the page allow; *cont gets the token of the next page. */
static size_t page_cut(struct ks_call *call, struct page *page, const struct ks_selector *selector,
                       struct ks_object **out, char *cont, size_t size, size_t *left)
{
    size_t used = 0;

    *left = 0;
    for (size_t i = 0; i < page->n; i++) {
        struct ks_object *object = page->list[i];

        if (*page->after && strcmp(object->key, page->after) <= 0)
            continue;
        if (!ks_selector_match(selector, object->json))
            continue;
        if (page->limit > 0 && used == page->limit) {
            if ((*left)++ == 0)
                token_make(cont, size, page->revision, out[used - 1]->key);
            continue;
        }
        out[used++] = object;
    }
    (void)call;
    return used;
}

static void list_body(struct ks_text *text, struct ks_call *call, struct ks_object *const *list, size_t n,
                      const char *meta)
{
    char buf[KS_NAME_MAX + 64];
    const struct ks_resource *res = call->res;
    bool partial = call->form == KS_PARTIAL_LIST;

    if (partial)
        ks_text_str(text, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\"");
    else
        ks_text_fmt(text, "{\"kind\":\"%s\",\"apiVersion\":\"%s\"", res->list_kind,
                    ks_api_version(res, buf, sizeof buf));
    ks_text_fmt(text, ",\"metadata\":{%s},\"items\":[", meta);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            ks_text_add(text, ",", 1);
        if (partial) {
            ks_partial(text, list[i]);
        } else if (res->custom) {
            ks_text_add(text, list[i]->text, list[i]->len);
        } else {
            /* items of built-in lists carry neither kind nor apiVersion (kubernetes 2.1) */
            ks_text_add(text, "{", 1);
            ks_text_add(text, list[i]->text + list[i]->bare, list[i]->len - list[i]->bare);
        }
    }
    ks_text_str(text, "]}");
}

void ks_list(struct ks_call *call)
{
    struct ks_selector selector;
    struct page page;
    char prefix[KS_KEY_MAX];
    char cont[2 * (KS_KEY_MAX + 24)] = "";
    struct ks_object **out;
    struct ks_text text = {0};
    struct ks_text meta = {0};
    size_t n;
    size_t left;

    if (ks_selector_parse(call, &selector) != 0)
        return;
    if (page_open(call, &page) == 0) {
        ks_prefix(call, prefix);
        page.list = ks_snapshot(call->sim, call->res, prefix, page.revision, &page.n);
        out = x_calloc(page.n + 1, sizeof *out);
        n = page_cut(call, &page, &selector, out, cont, sizeof cont, &left);
        ks_text_fmt(&meta, "\"resourceVersion\":\"%llu\"", (unsigned long long)page.revision);
        if (*cont || (call->res->custom && call->form == KS_JSON)) /* unstructured lists show it empty, too */
            ks_text_fmt(&meta, ",\"continue\":\"%s\"", cont);
        if (*cont && selector.n_labels + selector.n_fields == 0)
            ks_text_fmt(&meta, ",\"remainingItemCount\":%zu", left);
        if (call->form == KS_TABLE) {
            char revision[24];

            (void)snprintf(revision, sizeof revision, "%llu", (unsigned long long)page.revision);
            ks_table(&text, call->res, out, n, revision, cont, true,
                     ks_query_get(&call->query, "includeObject"), call->now_ms);
        } else {
            list_body(&text, call, out, n, meta.data);
        }
        ks_answer_text(call, 200, "application/json", text.data, text.len);
        free(out);
        free(meta.data);
        ks_snapshot_free(page.list, page.n);
    }
    ks_selector_free(&selector);
}
