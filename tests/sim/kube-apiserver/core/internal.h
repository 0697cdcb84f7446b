/* tests/sim/kube-apiserver/core/internal.h -- what the files of the core share.
 * Owns the structs; nothing outside this folder includes it. A stored json_t is never changed: writers copy
 * the nodes on the way to a change and share the rest. */
#ifndef TESTS_SIM_KUBE_APISERVER_CORE_INTERNAL_H
#define TESTS_SIM_KUBE_APISERVER_CORE_INTERNAL_H

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/core/kube_sim.h"

#define KS_NAME_MAX   254u /* a DNS subdomain and its NUL */
#define KS_SUB_MAX    32u
#define KS_QUERY_MAX  24u
#define KS_BODY_MAX   (3u * 1024u * 1024u) /* kubernetes 8.4 */
#define KS_CAUSES_MAX 8u
#define KS_SHORT_MAX  4u
#define KS_KEY_MAX    (3u * KS_NAME_MAX)
#define KS_SELECT_MAX 12u
#define KS_RULES_SKIPPED                                                                                     \
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct "   \
    "the existing errors to complete validation"

/* ---- text.c ---- */
struct ks_text {
    char *data;
    size_t len;
    size_t cap;
};

void ks_text_add(struct ks_text *text, const char *data, size_t len);
void ks_text_str(struct ks_text *text, const char *str);
void ks_text_fmt(struct ks_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON value, compact. */
void ks_text_json(struct ks_text *text, const json_t *value);

struct ks_query {
    struct {
        const char *name;
        const char *value;
    } items[KS_QUERY_MAX];
    size_t n;
    char *buf; /* holds the decoded names and values */
};

void ks_query_parse(struct ks_query *query, const char *text);
void ks_query_free(struct ks_query *query);
/* The first value of name; "" when absent. */
const char *ks_query_get(const struct ks_query *query, const char *name);
/* Decodes percent escapes (and '+' when plus) into out, which holds size bytes. -1: too long or a bad escape.
 */
int ks_unescape(const char *text, size_t len, bool plus, char *out, size_t size);
/* Decimal without sign that fits; -1 for anything else. */
int ks_number(const char *text, uint64_t *value);
uint64_t ks_random(struct kube_sim *sim);
void ks_uuid(struct kube_sim *sim, char out[37]);

/* ---- jsonutil.c ---- */
/* Looks down the path of keys separated by '.'; NULL when a step is missing. Borrowed. */
json_t *ks_at(const json_t *root, const char *path);
/* The text there, "" when there is none. */
const char *ks_str(const json_t *root, const char *path);
json_t *ks_merge_patch(json_t *target, json_t *patch);
/* Applies an RFC 6902 document. NULL and a message (caller frees) when it cannot be. */
json_t *ks_json_patch(json_t *target, json_t *ops, char **error);
/* copy of object with key set to value (stolen; NULL removes it) */
json_t *ks_with(json_t *object, const char *key, json_t *value);
bool ks_same(const json_t *a, const json_t *b);

/* ---- store.c ---- */
struct ks_object {
    unsigned refs;
    uint64_t revision;
    json_t *json;
    char *text;
    size_t len;
    size_t bare; /* text + bare is the object without apiVersion and kind, but for the opening brace */
    char key[];  /* "namespace/name", or "name" */
};

struct ks_resource {
    char *group;
    char *version;
    char *plural;
    char *singular;
    char *kind;
    char *list_kind;
    char *short_names[KS_SHORT_MAX];
    bool namespaced;
    bool status;              /* has the status subresource */
    bool custom;              /* comes from a CRD */
    bool generation;          /* has metadata.generation */
    bool unconditional;       /* PUT without resourceVersion is allowed */
    bool gone;                /* its CRD was deleted */
    json_t *schema;           /* openAPIV3Schema, or NULL */
    bool rules;               /* the schema has CEL rules */
    json_t *columns;          /* additionalPrinterColumns, or NULL */
    char *warning;            /* of a deprecated version: the text, or NULL */
    struct ks_object **items; /* sorted by key */
    size_t n;
    size_t cap;
};

struct ks_event {
    uint64_t revision;
    struct ks_resource *res;
    struct ks_object *now; /* of a deletion: the last state with the revision of the deletion */
    struct ks_object *before;
    bool deleted;
};

struct ks_fault {
    char verb[20];
    char resource[64];
    char ns[KS_NAME_MAX];
    char name[KS_NAME_MAX];
    char subresource[KS_SUB_MAX];
    char user[128];
    char query[64];
    char method[16];
    char path[256]; /* the beginning of the path, or a glob in which * stays within a segment */
    char action[20];
    char reason[64];
    char body[256];
    int code;
    int retry_after; /* seconds; -1: no header */
    unsigned delay_ms;
    uint64_t lag;
    uint64_t after_events;
    uint64_t skip;
    uint64_t count; /* how often it may still strike; UINT64_MAX: without end */
    int64_t until_ms;
    uint64_t hits;
};

struct kube_sim {
    uint64_t random;
    uint64_t revision;
    uint64_t compacted;
    uint64_t requests;
    struct ks_resource **resources;
    size_t n_resources;
    struct ks_event *ring;
    size_t ring_cap;
    uint64_t oldest_seq;
    uint64_t next_seq;
    uint64_t bookmarks_asked;
    struct ks_fault *faults;
    size_t n_faults;
    struct kube_sim_user *users;
    size_t n_users;
    json_t *applied; /* by object: what each field manager applied last */
    char *git_version;
    kube_audit_fn *audit;
    void *audit_ctx;
    size_t open_watches;
    struct kube_sim_switches switches;
};

struct ks_object *ks_object_ref(struct ks_object *object);
void ks_object_unref(struct ks_object *object);
void ks_key(char out[KS_KEY_MAX], const char *ns, const char *name);
/* The stored object or NULL; borrowed. *at (may be NULL) gets its place or where it would go. */
struct ks_object *ks_find(const struct ks_resource *res, const char *key, size_t *at);
/* Stores json (stolen) under key with the next revision and appends the event. before: what was there.
 * Returns the stored object, borrowed. */
struct ks_object *ks_store_put(struct kube_sim *sim, struct ks_resource *res, const char *key, json_t *json);
/* Removes key; last (stolen, may be NULL) is the state to show in the event. Returns the object of the event,
 * borrowed from the history. */
struct ks_object *ks_store_remove(struct kube_sim *sim, struct ks_resource *res, const char *key,
                                  json_t *last);
/* The objects with the key prefix as they were at revision, each with a reference; *n of them. NULL with *n 0
 * is an empty list. Must not be older than the compaction. */
struct ks_object **ks_snapshot(struct kube_sim *sim, struct ks_resource *res, const char *prefix,
                               uint64_t revision, size_t *n);
void ks_snapshot_free(struct ks_object **list, size_t n);
/* One object as it was at revision, with a reference; NULL when it was not there. */
struct ks_object *ks_object_at(struct kube_sim *sim, struct ks_resource *res, const char *key,
                               uint64_t revision);

/* ---- resources.c ---- */
void ks_resources_init(struct kube_sim *sim);
void ks_resources_free(struct kube_sim *sim);
struct ks_resource *ks_resource_find(const struct kube_sim *sim, const char *group, const char *version,
                                     const char *plural);
struct ks_resource *ks_resource_of_kind(const struct kube_sim *sim, const char *api_version,
                                        const char *kind);
/* Makes the resource of a stored CRD known, or takes in its changes. */
void ks_resource_from_crd(struct kube_sim *sim, json_t *crd);
void ks_resource_drop_crd(struct kube_sim *sim, const json_t *crd);
/* "group/version" or "version" */
const char *ks_api_version(const struct ks_resource *res, char *buf, size_t size);
/* plural, and ".group" when there is one */
const char *ks_qualified(const struct ks_resource *res, char *buf, size_t size);

/* ---- route.c ---- */
enum ks_verb {
    KS_GET,
    KS_LIST,
    KS_WATCH,
    KS_CREATE,
    KS_UPDATE,
    KS_PATCH,
    KS_DELETE,
    KS_DELETE_ALL,
    KS_OTHER
};

enum ks_form { KS_JSON, KS_TABLE, KS_PARTIAL, KS_PARTIAL_LIST, KS_NONE };

struct ks_call {
    struct kube_sim *sim;
    const struct sim_request *req;
    int64_t now_ms;
    struct sim_answer *answer;
    struct ks_query query;
    const char *user;
    enum ks_verb verb;
    enum ks_form form;
    struct ks_resource *res; /* NULL: the path names no known resource */
    char group[KS_NAME_MAX];
    char version[64];
    char plural[64];
    char ns[KS_NAME_MAX];
    char name[KS_NAME_MAX];
    char sub[KS_SUB_MAX];
    bool is_resource; /* the path has the shape of a resource path */
    bool dry_run;
    uint64_t lag; /* of a stale read */
    uint64_t id;
};

/* Fills user, verb, resource and names. 0, or -1 and an answer (401, 404). */
int ks_route(struct ks_call *call);
const char *ks_verb_text(const struct ks_call *call);
void ks_audit(struct ks_call *call, enum kube_audit_stage stage, int code);

/* ---- status.c ---- */
struct ks_cause {
    const char *reason; /* static text */
    char *field;
    char *message;
};

struct ks_causes {
    struct ks_cause list[KS_CAUSES_MAX];
    size_t n;
};

void ks_cause_add(struct ks_causes *causes, const char *reason, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void ks_causes_free(struct ks_causes *causes);
/* The answer's body becomes data (stolen). */
void ks_answer_text(struct ks_call *call, int code, const char *type, char *data, size_t len);
/* value is stolen */
void ks_answer_json(struct ks_call *call, int code, json_t *value);
void ks_answer_object(struct ks_call *call, int code, const struct ks_object *object);
/* Adds the warning that the version is deprecated, if it is. */
void ks_warn_deprecated(struct ks_call *call);
void ks_answer_header(struct sim_answer *answer, const char *name, const char *value);
void ks_fail(struct ks_call *call, int code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The generic ones, of which the real server says nothing more: empty details. */
void ks_fail_bare(struct ks_call *call, int code, const char *reason, const char *message);
void ks_fail_not_found(struct ks_call *call);
void ks_fail_conflict(struct ks_call *call, const char *why);
void ks_fail_too_large(struct ks_call *call, uint64_t asked);
/* 422 with the causes; frees them */
void ks_fail_invalid(struct ks_call *call, const char *name, struct ks_causes *causes);
/* The same about another kind than the call's. */
void ks_fail_invalid_kind(struct ks_call *call, const char *group, const char *kind, const char *name,
                          struct ks_causes *causes);
/* The body's types do not fit: 400, or for a patch 422 (as the real server has it). */
void ks_fail_decode(struct ks_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
json_t *ks_status(int code, const char *reason, const char *message);
json_t *ks_status_too_large(const struct kube_sim *sim, uint64_t asked);
json_t *ks_details(const char *group, const char *name, const char *kind);

/* ---- selector.c ---- */
struct ks_requirement {
    char *key;
    char op;      /* '=' '!' 'i' (in) 'n' (notin) 'e' (exists) 'x' (not there) */
    char *values; /* "a\0b\0\0" */
};

struct ks_selector {
    struct ks_requirement labels[KS_SELECT_MAX];
    size_t n_labels;
    struct ks_requirement fields[KS_SELECT_MAX];
    size_t n_fields;
};

/* Reads labelSelector and fieldSelector. -1 and an answer when one is wrong. */
int ks_selector_parse(struct ks_call *call, struct ks_selector *selector);
void ks_selector_free(struct ks_selector *selector);
bool ks_selector_match(const struct ks_selector *selector, const json_t *object);

/* ---- read.c ---- */
void ks_get(struct ks_call *call);
void ks_list(struct ks_call *call);
/* Checks resourceVersion and resourceVersionMatch of a list or watch. -1 and an answer when wrong. */
int ks_list_revision(struct ks_call *call, uint64_t *revision, bool *set);
/* "ns/" or "" */
void ks_prefix(const struct ks_call *call, char out[KS_KEY_MAX]);

/* ---- params.c ---- */
/* Refuses option values that do not exist (dryRun, fieldValidation, ...). -1 and a 422 then. */
int ks_check_options(struct ks_call *call);
/* DeleteOptions of the body, an empty object when there is none; takes over its dryRun. NULL and an answer
 * when it is wrong. */
json_t *ks_delete_options(struct ks_call *call);

/* ---- table.c ---- */
void ks_accept(struct ks_call *call);
/* A Table of the objects; with_columns false leaves the definitions out. include: None, Metadata or Object */
void ks_table(struct ks_text *text, const struct ks_resource *res, struct ks_object *const *list, size_t n,
              const char *revision, const char *cont, bool with_columns, const char *include, int64_t now_ms);
void ks_partial(struct ks_text *text, const struct ks_object *object);

/* ---- schema.c ---- */
/* Returns proposed (stolen) pruned to the schema, a new reference; parts equal to old are taken as they are
 * and not looked at again (ratcheting, kubernetes 8.4). dropped gets the paths that were pruned, separated by
 * '\n'. */
json_t *ks_schema_apply(const struct ks_call *call, const json_t *old, json_t *proposed,
                        struct ks_causes *causes, struct ks_text *dropped);

/* ---- validate.c ---- */
/* Rules that hold for every object. */
void ks_validate_meta(const json_t *meta, struct ks_causes *causes);
bool ks_name_valid(const char *name);
/* The text as a JSON string in base64. */
json_t *ks_base64(const char *text, size_t len);
/* Fills defaults of built-in kinds and checks them. Returns a new reference, or NULL and an answer. */
json_t *ks_validate_builtin(struct ks_call *call, json_t *old, json_t *object, struct ks_causes *causes);

/* ---- write.c ---- */
/* body and proposed are stolen */
void ks_create(struct ks_call *call, json_t *body);
void ks_update(struct ks_call *call, struct ks_object *before, json_t *proposed);
void ks_write(struct ks_call *call);
bool ks_media_is(const struct ks_call *call, const char *type);
/* The body of a request as JSON, also from protobuf. NULL and an answer when it cannot be read. */
json_t *ks_read_body(struct ks_call *call);
/* ---- protobuf.c ---- */
/* NULL: no protobuf of a kind that is known here. */
json_t *ks_protobuf(const char *data, size_t len);
/* Puts apiVersion, kind and metadata first. Steals meta; borrows body. */
json_t *ks_assemble(const struct ks_resource *res, json_t *meta, json_t *body);
/* The answer to an apply patch; body is borrowed. */
void ks_apply(struct ks_call *call, struct ks_object *before, json_t *body);

/* ---- update.c ---- */
/* Drops the members of metadata that are empty, as Go's omitempty does. */
void ks_meta_tidy(json_t *meta);
/* Prunes, defaults and validates object (stolen). A new reference, or NULL and an answer. */
json_t *ks_check_object(struct ks_call *call, struct ks_object *before, json_t *object);
/* Stores object (stolen) and answers with it; with dryRun only the latter. */
void ks_commit(struct ks_call *call, int code, json_t *object);
/* What follows a stored or removed object: CRDs register resources, empty namespaces go. */
void ks_after_write(struct kube_sim *sim, struct ks_resource *res, struct ks_object *object, bool removed,
                    int64_t now_ms);

/* ---- remove.c ---- */
void ks_delete(struct ks_call *call);
void ks_delete_all(struct ks_call *call);
/* Marks or removes one object as a DELETE does. */
void ks_delete_object(struct kube_sim *sim, struct ks_resource *res, struct ks_object *object,
                      int64_t now_ms);

/* ---- watch.c ---- */
/* fault may be NULL and is copied. NULL and an answer when the watch is refused. */
struct kube_watch *ks_watch_open(struct ks_call *call, const struct ks_fault *fault);

/* ---- discovery.c ---- */
/* Answers every path that is no resource. */
void ks_other(struct ks_call *call);
/* Whether one of the first upto resources is of that group. */
bool ks_group_seen(const struct kube_sim *sim, size_t upto, const char *group);

/* ---- aggregated.c ---- */
bool ks_wants_aggregated(const struct ks_call *call);
/* Answers /api (core) or /apis with everything below. */
void ks_aggregated(struct ks_call *call, bool core);

/* ---- faults.c ---- */
/* The first rule that strikes this call now, counted; NULL for none. */
struct ks_fault *ks_fault_match(struct ks_call *call);
/* Carries out what comes before the request acts. true: the answer is complete. */
bool ks_fault_before(struct ks_call *call, const struct ks_fault *fault);
void ks_fault_after(struct ks_call *call, const struct ks_fault *fault);
void ks_sim_path(struct ks_call *call);

/* ---- config.c ---- */
/* Answers /_sim/config. */
void ks_config_path(struct ks_call *call);

#endif
