/* packet-gateway/core/provider.h -- the seam to a bare-metal API: all that the gateway must know of one, as a
 * table of names and pure functions. A module fills it in (packet.c is Packet's); core and shell ask the
 * table and know no path, member, header or error of an API by themselves. Used by every file that sends a
 * request or reads an answer. */
#ifndef PACKET_GATEWAY_CORE_PROVIDER_H
#define PACKET_GATEWAY_CORE_PROVIDER_H

#include <jansson.h>

#include "packet-gateway/core/gateway.h"
#include "packet-gateway/core/material.h"

struct provider;

/* What an answer means; classify.c says what follows from it. */
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
    const struct provider *api; /* who should have answered */
};

/* One key of an answer, as far as it must be read to know whether it concerns us. Points into the JSON. */
struct listed_key {
    char id[UUID_TEXT];
    const char *label;     /* or NULL */
    const json_t *tags;    /* what owner() reads */
    const char *line;      /* of the public key, line_len bytes; or NULL */
    size_t line_len;       /* a NUL may be among them */
    const json_t *created; /* RFC 3339, or Unix seconds */
};

struct provider {
    const char *title; /* as sentences name it: "the Packet API" */

    /* Header lines. Of those that are read the name; NULL when the API has none. */
    const char *token_field;    /* all that stands before the token: "X-Auth-Token: " */
    const char *consumer_field; /* the same for --packet-consumer-token, or NULL */
    const char *request_id_field;
    /* Calls left, of how many in all, and until which Unix second. */
    const char *remaining_field, *limit_field, *reset_field;

    /* Requests. Texts are the caller's to free. project and id: checked by uuid_copy(), so they need no
     * encoding (packet C-6). Ids are UUIDs everywhere but in this module: it maps others to them and back. */
    const char *update_method;
    char *(*list_path)(const char *project); /* of GET and POST, below the base URL */
    char *(*item_path)(const char *id);      /* of the update and DELETE */
    /* Members that are NULL are left out (packet C-13, C-24). Ownership when owner is not NULL. NULL when a
     * text is no UTF-8. */
    char *(*body)(const char *label, const char *key, const char *owner, const char *shoot_uid);

    /* Answers: bounded JSON of any shape, or NULL. */
    /* CLASS_OK promises that keys() has an array after GET, that read_made() succeeds after POST and the
     * update. CLASS_NOT_FOUND is for an answer that only the API itself can have given. */
    enum answer_class (*classify)(const struct answer *answer, const char *method);
    /* The API's own words of an error, one after the other; "" is skipped, NULL ends them. */
    const char *(*word)(const json_t *root, size_t i);
    const json_t *(*keys)(const json_t *root);
    /* Where a list goes on: root-relative, or NULL. */
    const char *(*next)(const json_t *root);
    const char *page_name; /* the parameter that numbers its pages, "page="; NULL: they have no numbers */
    /* false when item has no usable id: such a key cannot concern us (packet C-29). */
    bool (*read_key)(const json_t *item, struct listed_key *key);
    /* The key that a POST made or an update changed. */
    bool (*read_made)(const json_t *root, struct listed_key *key);
    enum key_owner (*owner)(const json_t *tags, const char *owner);
};

extern const struct provider packet_provider;

/* The one that is spoken when nothing else was chosen. */
static inline const struct provider *provider_or_packet(const struct provider *chosen)
{
    return chosen ? chosen : &packet_provider;
}

/* ---- for the modules: classify.c, answer.c ---- */
/* What HTTP alone says: for all that the API has no word of its own for. Never OK, never NOT_FOUND: whether
 * the API itself said so is its module's to see. */
enum answer_class class_of_status(int status);
/* The text of a string without NULs, else NULL. */
const char *json_text(const json_t *member);

#endif
