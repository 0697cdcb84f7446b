/* packet-gateway/core/answer.c -- reads the bodies of Packet's answers: errors, one key, a list's members.
 * Takes nothing on trust: size, depth and number of values are bounded before the parser sees a byte, unknown
 * members and nulls are fine (packet C-11). Called by classify.c, list.c, create.c and change.c. */
#include <stdio.h>
#include <string.h>

#include "packet-gateway/core/packet.h"

#define TAG_OWNER "gardener.cloud/infrastructure="

/* jansson allocates some hundred bytes for each value and recurses: both are bounded here. */
static bool bounded(const char *body, size_t len)
{
    unsigned depth = 0, values = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = body[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && depth)
            depth--;
        if (c == '[' || c == '{' || c == ',')
            values++;
        if (depth > JSON_DEPTH_MAX || values > JSON_VALUES_MAX)
            return false;
    }
    return true;
}

json_t *answer_json(const char *body, size_t len)
{
    if (!body || !len || len > BODY_MAX || !bounded(body, len))
        return NULL;
    /* A NUL in somebody else's label must not cost us the list; text with one never equals ours. */
    return json_loadb(body, len, JSON_ALLOW_NUL, NULL);
}

bool answer_is_error(const json_t *root)
{
    return json_is_string(json_object_get(root, "error")) || json_is_array(json_object_get(root, "errors"));
}

/* Appends text to out, control characters as blanks, cut at a character's border. */
static void append(char out[DETAIL_TEXT], const char *text)
{
    size_t n = strlen(out);

    for (; *text && n < DETAIL_TEXT - 1; text++)
        out[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text;
    if (*text)
        while (n && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
            n--;
    if (*text && n && (unsigned char)out[n - 1] >= 0xc0)
        n--;
    out[n] = '\0';
}

/* The API's own words from "error", "errors" or a lone string, joined with "; " (packet C-30). */
static void append_words(char out[DETAIL_TEXT], const json_t *root)
{
    const json_t *errors = json_object_get(root, "errors");
    const char *one = json_string_value(json_object_get(root, "error"));
    const char *separator = ": ";
    const json_t *item;
    size_t i;

    if (!one)
        one = json_string_value(errors);
    if (one && *one) {
        append(out, separator);
        append(out, one);
        separator = "; ";
    }
    json_array_foreach(errors, i, item)
    {
        const char *text = json_string_value(item);

        if (text && *text) {
            append(out, separator);
            append(out, text);
            separator = "; ";
        }
    }
}

/* A server that echoes the token must not bring it into a status (packet C-7). */
static bool repeats(const struct gateway_result *r, const char *token)
{
    return token && *token && r->body && memmem(r->body, r->body_len, token, strlen(token));
}

void answer_sentence(const struct answer *answer, const char *token, char out[DETAIL_TEXT])
{
    const struct gateway_result *r = answer->result;
    bool named = r->request_id && r->request_id[0];

    out[0] = '\0';
    if (r->fate != FATE_ANSWERED) {
        append(out, r->detail && r->detail[0] ? r->detail : "no answer from the Packet API");
    } else {
        snprintf(out, DETAIL_TEXT, "HTTP %d", r->status);
        if (!repeats(r, token))
            append_words(out, answer->root);
        if (answer->class == CLASS_NOT_API)
            append(out, ": this is not the Packet API");
        if (named && strlen(out) + strlen(r->request_id) + 16 < DETAIL_TEXT) {
            append(out, " (request ");
            append(out, r->request_id);
            append(out, ")");
        }
    }
    /* The same with escapes in the body. */
    if (token && *token && strstr(out, token))
        snprintf(out, DETAIL_TEXT, "HTTP %d: the answer repeats the token", r->status);
}

/* The text of a string without NULs, else NULL. */
static const char *clean_text(const json_t *member)
{
    const char *text = json_string_value(member);

    return text && strlen(text) == json_string_length(member) ? text : NULL;
}

bool answer_id(const json_t *root, char id[UUID_TEXT])
{
    const json_t *member = json_object_get(root, "id");

    return uuid_copy(json_string_value(member), json_string_length(member), id);
}

/* RFC 3339, or Unix seconds as packngo's reader accepts them (packet 1.4). */
static void read_created(const json_t *member, struct found_key *key)
{
    key->created_ms = INT64_MAX;
    if (json_is_integer(member)) {
        json_int_t s = json_integer_value(member);

        if (s < 0 || s > (json_int_t)LIMIT_TIME)
            return;
        key->created_ms = s * 1000;
    } else if (!json_is_string(member) ||
               clock_parse(json_string_value(member), json_string_length(member), &key->created_ms) != 0) {
        key->created_ms = INT64_MAX;
        return;
    }
    clock_text_seconds(key->created_ms, key->created);
}

bool answer_key(const json_t *item, struct listed_key *key)
{
    const json_t *line = json_object_get(item, "key");

    if (!answer_id(item, key->id))
        return false;
    key->label = clean_text(json_object_get(item, "label"));
    key->tags = json_object_get(item, "tags");
    key->line = json_string_value(line);
    key->line_len = json_string_length(line);
    return true;
}

void answer_key_whole(const json_t *item, const struct listed_key *key, struct found_key *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->id, key->id, sizeof out->id);
    out->readable = key->line && material_read(key->line, key->line_len, &out->material);
    read_created(json_object_get(item, "created_at"), out);
}

enum key_owner answer_owner(const json_t *tags, const char *owner)
{
    enum key_owner found = OWNER_UNTAGGED;
    const json_t *item;
    size_t i;

    json_array_foreach(tags, i, item)
    {
        const char *tag = clean_text(item);

        if (!tag || strncmp(tag, TAG_OWNER, strlen(TAG_OWNER)) != 0)
            continue;
        if (strcmp(tag + strlen(TAG_OWNER), owner) == 0)
            return OWNER_US;
        found = OWNER_OTHER;
    }
    return found;
}

const char *answer_next(const json_t *root)
{
    const json_t *next = json_object_get(json_object_get(root, "meta"), "next");

    return clean_text(json_object_get(next, "href"));
}
