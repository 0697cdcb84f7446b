/* packet-gateway/core/answer.h -- what the core does with an answer of any API: bounds it, has it classified,
 * says what follows, puts it into words, copies the keys that concern us. Pure functions of answer.c,
 * classify.c and href.c; used by list.c, calls.c, create.c, change.c and tasks.c. */
#ifndef PACKET_GATEWAY_CORE_ANSWER_H
#define PACKET_GATEWAY_CORE_ANSWER_H

#include "packet-gateway/core/provider.h"

#define PAGES_MAX       1000u /* of one list (packet 6) */
#define BODY_MAX        GATEWAY_ANSWER_MAX
#define JSON_DEPTH_MAX  32u
#define JSON_VALUES_MAX 262144u /* commas and brackets of an answer */
#define DETAIL_TEXT     512u

/* ---- what an answer means: classify.c ---- */
struct class_row {
    enum outcome outcome; /* when nothing else is known */
    bool repeat;          /* GET, PUT and DELETE are worth another try */
    bool maybe;           /* a mutation may have been carried out */
};

const struct class_row *class_row(enum answer_class class);
/* Parses and classifies. answer_free() afterwards; result must live as long. */
void answer_read(struct answer *answer, const struct provider *api, const char *method,
                 const struct gateway_result *result);
void answer_free(struct answer *answer);

/* ---- what it holds: answer.c ---- */
struct found_key {
    char id[UUID_TEXT];
    struct material material;
    bool readable; /* material is filled in */
    char created[CLOCK_TEXT_MAX];
    int64_t created_ms; /* INT64_MAX when unreadable: sorts last */
    bool label, blob, recorded;
    enum key_owner owner;
};

/* The body as JSON, or NULL: over BODY_MAX, too deep, too many values, no JSON. Caller: json_decref. */
json_t *answer_json(const char *body, size_t len);
/* A sentence, never empty, without control characters and without token (packet C-30, C-7). */
void answer_sentence(const struct answer *answer, const char *token, char out[DETAIL_TEXT]);
/* For those that concern us: id, material, creation. The rest of out is empty. */
void answer_key_whole(const struct listed_key *key, struct found_key *out);

/* ---- where a list goes on: href.c ---- */
/* The path below the base of a root-relative href of the same list; NULL when it leads elsewhere (packet
 * C-2). Caller frees. */
char *href_path(const char *base_path, const char *list_path, const char *href);
/* The page number in a path's query, or -1. name: "page="; NULL: pages have no numbers. */
long href_page(const char *path, const char *name);

#endif
