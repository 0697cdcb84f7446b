/* packet-gateway/core/answer.c -- reads the bodies of answers, whichever API gives them: their JSON, their
 * words, a key that concerns us. Takes nothing on trust: size, depth and number of values are bounded before
 * the parser sees a byte, unknown members and nulls are fine (packet C-11). Called by classify.c, tasks.c,
 * list.c and create.c. */
#include <stdio.h>
#include <string.h>

#include "packet-gateway/core/answer.h"

/* The quote that ends the string, or NULL. Most of a list is text: looked through by memchr(), once. */
static const char *string_end(const char *at, const char *end)
{
    const char *quote = memchr(at, '"', (size_t)(end - at)), *escape;

    while (quote && (escape = memchr(at, '\\', (size_t)(quote - at)))) {
        at = escape + 2;
        if (at > quote)
            quote = memchr(at, '"', (size_t)(end - at));
    }
    return quote;
}

/* jansson allocates some hundred bytes for each value and recurses: both are bounded here. */
static bool bounded(const char *body, size_t len)
{
    const char *end = body + len;
    unsigned depth = 0, values = 0;

    for (const char *at = body; at < end; at++) {
        char c = *at;

        if (c == '"') {
            at = string_end(at + 1, end);
            if (!at)
                return false;
        } else if (c == '[' || c == '{')
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

/* The API's own words, joined with "; " (packet C-30). */
static void append_words(char out[DETAIL_TEXT], const struct answer *answer)
{
    const char *separator = ": ", *word;

    for (size_t i = 0; (word = answer->api->word(answer->root, i)); i++) {
        if (*word) {
            append(out, separator);
            append(out, word);
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
        append(out, r->detail && r->detail[0] ? r->detail : "no answer from ");
        append(out, r->detail && r->detail[0] ? "" : answer->api->title);
    } else {
        snprintf(out, DETAIL_TEXT, "HTTP %d", r->status);
        if (!repeats(r, token))
            append_words(out, answer);
        if (answer->class == CLASS_NOT_API) {
            append(out, ": this is not ");
            append(out, answer->api->title);
        }
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

const char *json_text(const json_t *member)
{
    const char *text = json_string_value(member);

    return text && strlen(text) == json_string_length(member) ? text : NULL;
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

void answer_key_whole(const struct listed_key *key, struct found_key *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->id, key->id, sizeof out->id);
    out->readable = key->line && material_read(key->line, key->line_len, &out->material);
    read_created(key->created, out);
}
