/* tests/sim/packet-api/core/packet_sim.h -- the Packet SSH-key API as a plain state machine.
 * Owns projects, tokens, keys, fault rules, rate buckets and the ledger of one simulated service; never
 * touches sockets, clocks, files or static state, so many can live in one program and a seed repeats a run
 * exactly. Called by the server beside it (tests/sim/packet-api) and by tests/world; not safe for concurrent
 * calls. */
#ifndef TESTS_SIM_PACKET_API_CORE_PACKET_SIM_H
#define TESTS_SIM_PACKET_API_CORE_PACKET_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/packet-api/core/switches.h"
#include "tests/sim/sim.h"

struct packet_sim;

#define PACKET_SIM_ID_LEN   36u
#define PACKET_SIM_HASH_LEN 12u        /* hex digits of SHA-256 by which the ledger names a token */
#define PACKET_SIM_BODY_MAX (1u << 20) /* a larger request body is answered 413 */

enum packet_sim_kind {
    PACKET_SIM_OUTSIDE, /* not below the prefix, or no known path */
    PACKET_SIM_PROJECT_KEYS,
    PACKET_SIM_USER_KEYS,
    PACKET_SIM_KEY,
    PACKET_SIM_PROJECTS,
    PACKET_SIM_PROJECT,
    PACKET_SIM_USER,
    PACKET_SIM_METROS,
    PACKET_SIM_METRO,
    PACKET_SIM_KINDS
};

enum packet_sim_token_kind {
    PACKET_SIM_TOKEN_USER,
    PACKET_SIM_TOKEN_PROJECT,
    PACKET_SIM_TOKEN_READ_ONLY, /* of the project when one is given, else of the account's user */
    PACKET_SIM_TOKEN_REVOKED
};

/* One request as the ledger records it (S-36). Strings live until the callback returns; times are the
 * caller's milliseconds. */
struct packet_sim_event {
    uint64_t seq; /* 1, 2, ... in the order of execution */
    int64_t received_ms;
    int64_t committed_ms; /* -1: nothing was changed */
    int64_t answer_ms;    /* when the answer is due; -1: never */
    enum packet_sim_kind kind;
    enum sim_fate fate;
    int status; /* of the answer that was formed, even if the fate keeps it from arriving */
    bool committed;
    bool late; /* second record of a request whose commit was put off (fault member commitAfterMs) */
    const char *method;
    const char *path;
    const char *token_hash; /* "" without a token */
    const char *key_id;     /* key read or changed, "" if none */
    const char *project_id; /* project of the key, list or path; "" for a user's */
    const char *request_id;
    uint64_t connection;
};

typedef void packet_sim_ledger_fn(void *arg, const char *line, size_t len);
typedef void packet_sim_event_fn(void *arg, const struct packet_sim_event *event);

struct packet_sim_config {
    uint64_t seed;
    const char *prefix; /* "/metal/v1", "" or any other path without a final slash; NULL: "/metal/v1" (S-1) */
    struct packet_sim_switches switches;
    size_t ledger_keep;            /* lines kept for GET /_sim/ledger; 0: none */
    packet_sim_ledger_fn *on_line; /* may be NULL; one JSON object a request, with its final newline */
    packet_sim_event_fn *on_event; /* may be NULL; the same as a struct, without the cost of JSON */
    void *arg;                     /* of both */
};

/* A configuration with the faithful defaults: seed 1, /metal/v1, no latency, no limit, no callbacks. */
struct packet_sim_config packet_sim_config_default(void);

/* The caller owns the result; config is copied, prefix too. */
struct packet_sim *packet_sim_new(const struct packet_sim_config *config);
void packet_sim_free(struct packet_sim *sim);

struct packet_sim_header {
    const char *name, *value;
};

/* Who sent a request, for the ledger and the faults of kept-alive connections (S-28). */
struct packet_sim_peer {
    uint64_t connection; /* any number that names the connection; 0: unknown */
    unsigned served;     /* requests answered on it before */
    const struct packet_sim_header
        *headers; /* all of the request; NULL: those that struct sim_request knows */
    size_t n_headers;
};

/* Carries out one request of the API or of the administrative path at once and fills *answer, which the
 * caller clears with sim_answer_clear(). now_ms are milliseconds since 1970 and should not go back. */
void packet_sim_handle(struct packet_sim *sim, const struct sim_request *request, int64_t now_ms,
                       struct sim_answer *answer);
/* The same for a caller with connections. Returns after how many ms of idleness the connection must be closed
 * once the answer is out, or -1 (S-28). */
int64_t packet_sim_handle_from(struct packet_sim *sim, const struct packet_sim_peer *peer,
                               const struct sim_request *request, int64_t now_ms, struct sim_answer *answer);
/* True for a path of the administrative space, /_sim/..., which is never below the API's prefix. */
bool packet_sim_is_admin_path(const char *path);

/* Commits put off by commitAfterMs: packet_sim_next_due() is the time of the first, -1 if there is none;
 * packet_sim_settle() carries out all that are due. Every packet_sim_handle() settles first. */
int64_t packet_sim_next_due(const struct packet_sim *sim);
void packet_sim_settle(struct packet_sim *sim, int64_t now_ms);

/* -- direct access, for tests/world and flags
 * ---------------------------------------------------------------- */

/* The switches; may be written at any time. */
struct packet_sim_switches *packet_sim_switches(struct packet_sim *sim);
/* Sets switches from a JSON object with the names of POST /_sim/config. 0, or -1 and *why (static or owned by
 * sim until its next call); nothing is changed then. */
int packet_sim_configure(struct packet_sim *sim, const char *json, const char **why);

/* account names the user to whom the project belongs; NULL or "": "main". id NULL: drawn from the seed.
 * Returns the id (owned by sim) or NULL when it is no UUID or taken. */
const char *packet_sim_add_project(struct packet_sim *sim, const char *id, const char *name,
                                   const char *account, int64_t now_ms);
/* project: id of an added project, or NULL. Adding a known token again changes it. 0 or -1. */
int packet_sim_add_token(struct packet_sim *sim, const char *token, enum packet_sim_token_kind kind,
                         const char *project, const char *account);
/* Writes PACKET_SIM_HASH_LEN + 1 bytes: the name of a token in ledger and state. */
void packet_sim_token_hash(const char *token, char *out);

struct packet_sim_key {
    const char *id; /* strings owned by sim, valid until its next call */
    const char *label;
    const char *key; /* as it was sent */
    const char *fingerprint;
    const char *tags;       /* JSON array */
    const char *project_id; /* "" for a user's key */
    int64_t created_ms;
    int64_t changed_ms; /* of the last change, = created_ms before it */
};

/* The keys that exist now in a project (project NULL: all), in order of creation, whatever lists would show.
 * Start with *cursor = 0; false at the end. */
bool packet_sim_key_next(struct packet_sim *sim, const char *project, size_t *cursor,
                         struct packet_sim_key *key);
size_t packet_sim_key_count(struct packet_sim *sim, const char *project);
bool packet_sim_key_get(struct packet_sim *sim, const char *id, struct packet_sim_key *key);

/* Changes behind the client's back (S-31): no token, no check for duplicates, no ledger. tags is a JSON array
 * or NULL. put: project NULL makes a key of the user of account "main"; id may be NULL, id_out (37 bytes)
 * too. alter: NULL keeps a member. 0 or -1 (unknown project or key, unparsable line or tags, id taken). */
int packet_sim_put_key(struct packet_sim *sim, const char *project, const char *id, const char *label,
                       const char *line, const char *tags, int64_t now_ms, char *id_out);
int packet_sim_alter_key(struct packet_sim *sim, const char *id, const char *label, const char *line,
                         const char *tags, int64_t now_ms);
int packet_sim_delete_key(struct packet_sim *sim, const char *id, int64_t now_ms);
/* Forgets all keys and what lists still showed of deleted ones; commits that are put off stay. */
void packet_sim_forget_keys(struct packet_sim *sim);

/* Adds a fault rule given as the JSON of POST /_sim/faults. Its number, or -1 and *why as above. */
int packet_sim_add_fault(struct packet_sim *sim, const char *json, const char **why);
void packet_sim_clear_faults(struct packet_sim *sim);

enum packet_sim_method {
    PACKET_SIM_GET,
    PACKET_SIM_POST,
    PACKET_SIM_PUT,
    PACKET_SIM_PATCH,
    PACKET_SIM_DELETE,
    PACKET_SIM_OTHER,
    PACKET_SIM_METHODS
};

struct packet_sim_counters {
    uint64_t requests;
    uint64_t by_kind[PACKET_SIM_METHODS][PACKET_SIM_KINDS];
    uint64_t by_status[600];
    uint64_t commits;
    uint64_t faults;
    /* violations: things that a well-behaved client never does */
    uint64_t rate;         /* requests beyond the bucket, answered 429 */
    uint64_t during_pause; /* requests while a Retry-After that has arrived is running (50 ms of grace) */
    uint64_t instances_ids;
    uint64_t bad_id;       /* an item path without an id or with one that is no UUID */
    uint64_t content_type; /* body without a JSON content type, or content type without a body */
    uint64_t user_agent;   /* none sent */
    uint64_t no_token;
};

const struct packet_sim_counters *packet_sim_counters(const struct packet_sim *sim);

/* Fingerprint of a public key line as the API shows it: MD5 of the blob as 16 hex pairs with colons
 * (packet 2.3). out holds 48 bytes. False for a line that is no public key. */
bool packet_sim_fingerprint(const char *line, char *out);

#endif
