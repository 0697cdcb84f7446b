/* tests/sim/packet-api/core/internal.h -- what the core's files share.
 * Owns the layout of struct packet_sim; never seen outside core/. Order of dependence: util, pubkey, store <-
 * render, query, rate <- keys, places, projects <- fault, ledger <- admin, sim. */
#ifndef TESTS_SIM_PACKET_API_CORE_INTERNAL_H
#define TESTS_SIM_PACKET_API_CORE_INTERNAL_H

#include <jansson.h>

#include "tests/sim/packet-api/core/packet_sim.h"

/* -- util.c
 * ---------------------------------------------------------------------------------------------------- */

struct psim_buf {
    char *data;
    size_t len, cap;
};

void *psim_alloc(size_t size); /* zeroed; ends the program when memory is out */
void *psim_grow(void *old, size_t size);
char *psim_strdup(const char *text);
void psim_add(struct psim_buf *buf, const char *data, size_t len); /* keeps a NUL behind the data */
void psim_adds(struct psim_buf *buf, const char *text);
uint64_t psim_random(uint64_t *state);
void psim_uuid(uint64_t *state, char *out); /* 37 bytes */
bool psim_is_uuid(const char *text);
void psim_hex(const unsigned char *bytes, size_t n, char *out);
void psim_sha256(const void *data, size_t len, unsigned char *out); /* 32 bytes */
void psim_date(int64_t ms, char *out);                              /* 2019-10-20T19:06:27Z, 24 bytes */
void psim_http_date(int64_t ms, char *out);                         /* 32 bytes */
json_t *psim_text(const char *text, size_t len); /* JSON string even for bytes that are no UTF-8 */

/* -- pubkey.c
 * -------------------------------------------------------------------------------------------------- */

#define PSIM_FINGERPRINT_SIZE 48u
#define PSIM_LINE_MAX         16384u

struct psim_pubkey {
    unsigned char digest[32]; /* SHA-256 of the blob: equal keys, whatever the comment */
    char fingerprint[PSIM_FINGERPRINT_SIZE];
};

bool psim_pubkey_parse(const char *line, struct psim_pubkey *out);

/* -- store.c
 * --------------------------------------------------------------------------------------------------- */

struct psim_account {
    char *name;
    char user_id[PACKET_SIM_ID_LEN + 1];
    int64_t created_ms;
};

struct psim_project {
    char id[PACKET_SIM_ID_LEN + 1];
    char *name;
    struct psim_account *account;
    int64_t created_ms, changed_ms;
    bool deleted;
    json_t *members; /* those that a client may set, but the name */
};

struct psim_token {
    char *text;
    char hash[PACKET_SIM_HASH_LEN + 1];
    enum packet_sim_token_kind kind;
    struct psim_project *project; /* NULL: the account's user */
    struct psim_account *account;
    int64_t level; /* thousandths of requests in the bucket */
    int64_t level_ms;
    int64_t pause_from_ms, pause_until_ms; /* of the last Retry-After */
};

/* One state of a key; a key keeps old ones as long as a lagging list may show them. */
struct psim_version {
    uint64_t serial; /* 1, 2, ... within its key */
    int64_t from_ms;
    char *label;
    char *line;
    json_t *tags;
    struct psim_pubkey pub;
};

#define PSIM_VERSIONS_MAX 8u

struct psim_key {
    char id[PACKET_SIM_ID_LEN + 1];
    struct psim_project *project; /* NULL: the account's user */
    struct psim_account *account;
    int64_t created_ms;
    int64_t deleted_ms; /* -1: exists */
    struct psim_version *versions;
    size_t n_versions;
    int hide_lists, hide_items, ghost_lists; /* reads left (S-29) */
    int64_t reads;
    char *text; /* rendered version, valid while text_stamp fits */
    uint64_t text_stamp, text_version;
};

struct psim_late; /* keeps a request until its commit */
struct psim_fault;

struct packet_sim {
    struct packet_sim_config config;
    char *prefix;
    struct packet_sim_switches switches;
    uint64_t random_ids, random_requests, random_faults;
    struct psim_account **accounts;
    size_t n_accounts;
    struct psim_project **projects;
    size_t n_projects;
    struct psim_token **tokens;
    size_t n_tokens;
    struct psim_key **keys; /* in order of creation, tombstones among them */
    size_t n_keys;
    struct psim_fault **faults;
    size_t n_faults;
    int next_fault;
    struct psim_late *late;
    struct psim_token rate_all; /* bucket of PACKET_SIM_RATE_ALL */
    struct packet_sim_counters counters;
    uint64_t seq;
    char **lines; /* ring of ledger_keep */
    size_t n_lines;
    uint64_t first_line_seq;
    uint64_t records; /* lines ever written */
    char **interned;
    size_t n_interned;
    char why[160];
    char *scratch; /* backs struct packet_sim_key.tags */
};

struct psim_account *psim_account(struct packet_sim *sim, const char *name, int64_t now_ms);
struct psim_project *psim_project(const struct packet_sim *sim, const char *id);
void psim_project_delete(struct packet_sim *sim, struct psim_project *project, int64_t now_ms);
bool psim_tags_fit(const json_t *tags); /* an array of strings */
struct psim_token *psim_token(const struct packet_sim *sim, const char *text);
struct psim_key *psim_key_live(const struct packet_sim *sim, const char *id);
struct psim_version *psim_current(const struct psim_key *key);
/* The version a list shows at as_of_ms, NULL if the key did not exist then. */
struct psim_version *psim_version_at(const struct psim_key *key, int64_t as_of_ms);
/* Takes over version's members. owner: project, or NULL for the account's user. */
struct psim_key *psim_key_new(struct packet_sim *sim, struct psim_project *project,
                              struct psim_account *account, struct psim_version *version);
void psim_key_insert(struct packet_sim *sim, struct psim_key *key);
void psim_key_free(struct psim_key *key);
void psim_key_push(struct psim_key *key, struct psim_version *version);
void psim_key_delete(struct packet_sim *sim, struct psim_key *key, int64_t now_ms);
void psim_version_clear(struct psim_version *version);
/* A deep copy in which NULL members are taken from base. False for an unparsable line or tags that are no
 * array of strings; nothing is left to free then. */
bool psim_version_make(struct psim_version *out, const struct psim_version *base, const char *label,
                       const char *line, json_t *tags, int64_t now_ms);
bool psim_duplicate(const struct packet_sim *sim, const struct psim_key *self,
                    const struct psim_project *project, const struct psim_account *account,
                    const struct psim_pubkey *pub);
void psim_store_free(struct packet_sim *sim);

/* -- one call
 * -------------------------------------------------------------------------------------------------- */

struct psim_call {
    struct packet_sim *sim;
    const struct sim_request *request;
    const struct packet_sim_peer *peer;
    int64_t now_ms;
    const char *path; /* behind the prefix */
    enum packet_sim_kind kind;
    enum packet_sim_method method;
    const char *id; /* of the path, "" if none */
    struct psim_token *token;
    struct sim_answer *answer;
    struct psim_fault *fault;
    bool dry; /* form the answer, change nothing */
    bool committed;
    bool late;
    int64_t close_after_ms;
    char id_space[PACKET_SIM_ID_LEN + 1];
    char key_id[PACKET_SIM_ID_LEN + 1];
    char project_id[PACKET_SIM_ID_LEN + 1];
    char request_id[33]; /* "" takes the header away */
};

/* -- render.c
 * -------------------------------------------------------------------------------------------------- */

#define PSIM_JSON "application/json; charset=utf-8"
#define PSIM_HTML "text/html"

/* Each replaces the answer's body. _take functions own what they are given. */
void psim_answer_take(struct psim_call *call, int status, const char *content_type, char *body, size_t len);
void psim_answer_json_take(struct psim_call *call, int status, json_t *json);
void psim_answer_errors(struct psim_call *call, int status, const char *text);
void psim_answer_not_found(struct psim_call *call);
void psim_answer_forbidden(struct psim_call *call, int status);
void psim_header(struct psim_call *call, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
json_t *psim_href(const struct packet_sim *sim, const char *collection, const char *id);
/* Compact JSON of a version of a key, owned by the key; counts as a read for updated_at. */
const char *psim_key_text(struct packet_sim *sim, struct psim_key *key, const struct psim_version *version);
json_t *psim_key_json(struct packet_sim *sim, struct psim_key *key);

/* -- query.c
 * --------------------------------------------------------------------------------------------------- */

/* The decoded value of a query parameter; NULL if absent. Caller frees. */
char *psim_query(const char *query, const char *name);
int psim_query_int(const char *query, const char *name, int fallback, int min, int max);
/* The query without one parameter, undecoded. Caller frees. */
char *psim_query_without(const char *query, const char *name);

struct psim_page {
    size_t first, count; /* of the elements to show */
    int number, last, size;
    size_t total;
};

struct psim_page psim_page(size_t total, int number, int size);
/* The meta object of a page (packet 6); path is the collection's without prefix, keep is put before page=. */
json_t *psim_meta(const struct packet_sim *sim, const struct psim_page *page, const char *path,
                  const char *keep, enum packet_sim_next next, enum packet_sim_next end);

/* -- operations
 * ------------------------------------------------------------------------------------------------ */

void psim_keys_list(struct psim_call *call); /* keys_read.c */
void psim_key_read(struct psim_call *call);
void psim_keys_create(struct psim_call *call); /* keys_write.c */
void psim_key_update(struct psim_call *call);
void psim_key_remove(struct psim_call *call);
void psim_projects_list(struct psim_call *call); /* places.c */
void psim_project_read(struct psim_call *call);
json_t *psim_project_object(struct psim_call *call, const struct psim_project *project);
/* True after answering as a project token's own project does (packet 3.1). */
bool psim_refuse_own_project(struct psim_call *call);

/* -- projects_write.c
 * ------------------------------------------------------------------------------------------ */

void psim_project_update(struct psim_call *call);
void psim_project_remove(struct psim_call *call);
void psim_user_read(struct psim_call *call);
void psim_metros_list(struct psim_call *call); /* metros.c */
void psim_metro_read(struct psim_call *call);
/* The project of the path if this token may see it, else NULL after answering. */
struct psim_project *psim_reach_project(struct psim_call *call);
struct psim_key *psim_reach_key(struct psim_call *call);
bool psim_refuse_write(struct psim_call *call); /* true after answering 403 to a read-only token */

/* -- route.c
 * --------------------------------------------------------------------------------------------------- */

enum packet_sim_method psim_method(const char *name);
const char *psim_kind_name(enum packet_sim_kind kind);
const char *psim_method_name(enum packet_sim_method method);
void psim_route(struct psim_call *call);
void psim_operate(struct psim_call *call); /* token, then the operation of the path */

/* -- rate.c
 * ---------------------------------------------------------------------------------------------------- */

bool psim_rate_admit(struct psim_call *call);  /* false after answering 429 */
void psim_rate_refill(struct packet_sim *sim); /* a new limit starts with full buckets */
void psim_rate_note_pause(struct psim_call *call, int64_t seconds);

/* -- fault.c, shapes.c, presets.c
 * ------------------------------------------------------------------------------ */

struct psim_fault {
    int number;
    char *method, *path, *token; /* NULL: any */
    int kind;                    /* -1: any */
    int64_t count;               /* applications left, -1: no end */
    int64_t skip;
    int percent;
    uint64_t hits;
    json_t *fault; /* with the preset's members filled in */
};

/* Takes the first rule that fits and counts it; NULL if none. */
struct psim_fault *psim_fault_pick(struct psim_call *call);
/* True when the operation must form its answer without changing anything. */
bool psim_fault_is_dry(const struct psim_fault *fault);
int64_t psim_fault_late_ms(const struct psim_fault *fault); /* -1: not put off */
void psim_fault_apply(struct psim_call *call);
json_t *psim_faults_json(const struct packet_sim *sim);
int psim_fault_add_json(struct packet_sim *sim, json_t *rule);
void psim_fault_free(struct psim_fault *fault);
const char *psim_fate_name(enum sim_fate fate);
int psim_fault_check_fate(struct packet_sim *sim, json_t *fault);
const char *psim_intern(struct packet_sim *sim, const char *text);
/* Replaces the body by a named shape; false for an unknown name. */
bool psim_shape(struct psim_call *call, const char *name, int status, json_t *fault);
bool psim_shape_known(const char *name);
json_t *psim_preset(const char *name); /* new reference; NULL if unknown */
json_t *psim_presets_json(void);
void psim_sunset(struct psim_call *call);

/* -- late.c
 * ---------------------------------------------------------------------------------------------------- */

void psim_late_add(struct psim_call *call, int64_t due_ms);
void psim_late_free(struct packet_sim *sim);

/* -- ledger.c
 * -------------------------------------------------------------------------------------------------- */

void psim_ledger_write(struct psim_call *call);
void psim_count(struct psim_call *call);
json_t *psim_ledger_json(const struct packet_sim *sim, uint64_t since, size_t limit);
json_t *psim_counters_json(const struct packet_sim *sim);
void psim_ledger_clear(struct packet_sim *sim);

/* -- config.c
 * -------------------------------------------------------------------------------------------------- */

json_t *psim_switches_json(const struct packet_sim *sim);
int psim_configure_json(struct packet_sim *sim, json_t *object);
int psim_fail(struct packet_sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -- admin.c
 * --------------------------------------------------------------------------------------------------- */

void psim_admin(struct psim_call *call);

/* -- sim.c
 * ----------------------------------------------------------------------------------------------------- */

void psim_call_begin(struct psim_call *call); /* route, request id, token */
unsigned psim_latency(struct psim_call *call);

#endif
