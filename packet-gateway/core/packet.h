/* packet-gateway/core/packet.h -- all that is Packet's own: what a public key is, what an answer means, which
 * members and paths there are. Another bare-metal API would bring its own files behind this header
 * (material.c, classify.c, answer.c, api.c); the rest of the core knows only what stands here. Pure
 * functions. */
#ifndef PACKET_GATEWAY_CORE_PACKET_H
#define PACKET_GATEWAY_CORE_PACKET_H

#include <jansson.h>

#include "packet-gateway/core/gateway.h"

#define PAGES_MAX        1000u /* of one list (packet 6) */
#define BODY_MAX         GATEWAY_ANSWER_MAX
#define JSON_DEPTH_MAX   32u
#define JSON_VALUES_MAX  262144u /* commas and brackets of an answer */
#define UUID_TEXT        37u     /* 36 and the NUL */
#define DIGEST_LEN       32u
#define FINGERPRINT_TEXT 52u /* "SHA256:", 43 characters, NUL */
#define DETAIL_TEXT      512u

/* ---- a public key: material.c ---- */
struct material {
    unsigned char digest[DIGEST_LEN];   /* of type, NUL, blob: equal means the same key (packet C-15) */
    char fingerprint[FINGERPRINT_TEXT]; /* as OpenSSH prints it; "" when the blob is no base64 */
};

/* Reads "type base64 [comment]" with any white space around. Returns false when there are no two words. */
bool material_read(const char *line, size_t len, struct material *out);
bool material_same(const struct material *a, const struct material *b);
/* Can these two lines hold the same key? Without decoding or hashing: a list may have a thousand keys. */
bool material_alike(const char *a, size_t a_len, const char *b, size_t b_len);
/* SHA-256 by OpenSSL. */
void digest_of(const void *data, size_t len, unsigned char out[DIGEST_LEN]);
/* Copies in lower case. Returns false, and *out is "", for anything but 8-4-4-4-12 hex digits (packet C-6).
 */
bool uuid_copy(const char *text, size_t len, char out[UUID_TEXT]);

/* ---- an answer, understood: classify.c, answer.c ---- */
enum answer_class {
    CLASS_OK,       /* 2xx with what a 2xx of this method must hold */
    CLASS_NOT_SENT, /* no byte left */
    CLASS_TLS,      /* somebody else is there */
    CLASS_FENCED,   /* too late to start */
    CLASS_LOST,     /* no whole answer */
    CLASS_BROKEN,   /* 2xx, but not what it must hold (packet C-41) */
    CLASS_NOT_API,  /* 3xx, or 2xx that is no JSON: another host lives there now (packet C-40) */
    CLASS_FAULT,    /* 400, 405, 501 ...: ours */
    CLASS_UNAUTHENTICATED,
    CLASS_FORBIDDEN,
    CLASS_NOT_FOUND, /* 404 or 410 from the API itself (packet 5.2) */
    CLASS_REFUSED,   /* 422, 409 */
    CLASS_LIMITED,   /* 429 */
    CLASS_FRONT,     /* balancer, overload, time-out said by the server; any 404 that is not the API's */
    CLASS_SERVER,    /* 500 and what nobody foresaw */
    CLASSES
};

struct answer {
    enum answer_class class;
    int status;
    json_t *root; /* the body when it is JSON, else NULL */
    const struct gateway_result *result;
};

struct class_row {
    enum outcome outcome; /* when nothing else is known */
    bool repeat;          /* GET, PUT and DELETE are worth another try */
    bool maybe;           /* a mutation may have been carried out */
};

const struct class_row *class_row(enum answer_class class);
/* Parses and classifies. answer_free() afterwards; result must live as long. */
void answer_read(struct answer *answer, const char *method, const struct gateway_result *result);
void answer_free(struct answer *answer);
/* The body as JSON, or NULL: over BODY_MAX, too deep, too many values, no JSON. Caller: json_decref. */
json_t *answer_json(const char *body, size_t len);
/* Is root an object with a string "error" or an array "errors"? */
bool answer_is_error(const json_t *root);
/* A sentence, never empty, without control characters and without token (packet C-30, C-7). */
void answer_sentence(const struct answer *answer, const char *token, char out[DETAIL_TEXT]);

/* ---- keys of a list: list.c reads them through answer.c ---- */
struct found_key {
    char id[UUID_TEXT];
    struct material material;
    bool readable; /* material is filled in */
    char created[CLOCK_TEXT_MAX];
    int64_t created_ms; /* INT64_MAX when unreadable: sorts last */
    bool label, blob, recorded;
    enum key_owner owner;
};

/* One member of "ssh_keys", as far as it must be read to know whether it concerns us. Points into the JSON.
 */
struct listed_key {
    char id[UUID_TEXT];
    const char *label; /* or NULL */
    const json_t *tags;
    const char *line; /* of the public key, line_len bytes; or NULL */
    size_t line_len;
};

/* Returns false when item has no usable id: such a key cannot concern us (packet C-29). */
bool answer_key(const json_t *item, struct listed_key *key);
/* The rest, for those that do: id, material, creation. */
void answer_key_whole(const json_t *item, const struct listed_key *key, struct found_key *out);
enum key_owner answer_owner(const json_t *tags, const char *owner);
/* The id of a single key, lower case. Returns false without a valid one. */
bool answer_id(const json_t *root, char id[UUID_TEXT]);
/* The href of meta.next, or NULL. */
const char *answer_next(const json_t *root);

/* ---- all that is Packet's own on the way out: api.c ---- */
char *api_list_path(const char *project);
char *api_item_path(const char *id);
/* The path below the base of a root-relative href of the same list; NULL when it leads elsewhere (packet
 * C-2). */
char *api_next_path(const char *base_path, const char *list_path, const char *href);
/* The page number in a path's query, or -1. */
long api_page(const char *path);
/* Members that are NULL are left out (packet C-13, C-24). Tags when owner is not NULL. NULL when a text
 * is no UTF-8. Caller frees. */
char *api_body(const char *label, const char *key, const char *owner, const char *shoot_uid);

#endif
