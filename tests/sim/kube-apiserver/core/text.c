/* tests/sim/kube-apiserver/core/text.c -- growing text, percent escapes, the query string, numbers and uids.
 * Owns no state but what callers hand in; the random numbers come from the seed alone. Called by every file
 * of the core. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

static void text_room(struct ks_text *text, size_t more)
{
    size_t need = text->len + more + 1;

    if (need <= text->cap)
        return;
    text->cap = need < 2 * text->cap ? 2 * text->cap : need;
    if (text->cap < 256)
        text->cap = 256;
    text->data = x_realloc(text->data, text->cap);
}

void ks_text_add(struct ks_text *text, const char *data, size_t len)
{
    text_room(text, len);
    if (len > 0)
        memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void ks_text_str(struct ks_text *text, const char *str)
{
    ks_text_add(text, str, strlen(str));
}

void ks_text_fmt(struct ks_text *text, const char *format, ...)
{
    va_list args;
    va_list again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len > 0) {
        text_room(text, (size_t)len);
        (void)vsnprintf(text->data + text->len, (size_t)len + 1, format, again);
        text->len += (size_t)len;
    }
    va_end(again);
}

/* Writes the escape of c at out and returns what follows it. */
static char *put_escape(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    *out++ = '\\';
    if (c == '"' || c == '\\' || c == '\n') {
        *out++ = c == '\n' ? 'n' : (char)c;
        return out;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[c >> 4];
    out[4] = hex[c & 15];
    return out + 5;
}

/* Whether eight bytes need no escape: none is below 0x20, a quote or a backslash. Looks at all of them at
 * once. */
static bool plain_eight(const unsigned char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t highs = ones * 0x80;
    uint64_t word;
    uint64_t quote;
    uint64_t slash;

    memcpy(&word, at, sizeof word);
    quote = word ^ (ones * '"');
    slash = word ^ (ones * '\\');
    return ((((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
            highs) == 0;
}

static void text_string(struct ks_text *text, const char *str, size_t len)
{
    const unsigned char *at = (const unsigned char *)str;
    const unsigned char *end = at + len;
    char *out;

    text_room(text, 6 * len + 2); /* the longest escape has six bytes */
    out = text->data + text->len;
    *out++ = '"';
    for (; at < end; at++) {
        for (; end - at > 8 && plain_eight(at); at += 8, out += 8)
            memcpy(out, at, 8);
        if (*at >= 0x20 && *at != '"' && *at != '\\')
            *out++ = (char)*at;
        else
            out = put_escape(out, *at);
    }
    *out++ = '"';
    *out = '\0';
    text->len = (size_t)(out - text->data);
}

static void text_integer(struct ks_text *text, long long number)
{
    char digits[24];
    size_t at = sizeof digits;
    unsigned long long rest = number < 0 ? 0ull - (unsigned long long)number : (unsigned long long)number;

    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        digits[--at] = '-';
    ks_text_add(text, digits + at, sizeof digits - at);
}

static void text_number(struct ks_text *text, const json_t *value)
{
    char buf[40];

    if (json_is_integer(value)) {
        text_integer(text, (long long)json_integer_value(value));
        return;
    }
    (void)snprintf(buf, sizeof buf, "%.17g", json_real_value(value));
    ks_text_str(text, buf);
    if (strpbrk(buf, ".eE") == NULL)
        ks_text_str(text, ".0");
}

static void text_object(struct ks_text *text, const json_t *value)
{
    json_t *object = (json_t *)(uintptr_t)value; /* the iterator's signature; nothing is written */
    const char *key;
    json_t *member;
    const char *comma = "{";

    json_object_foreach(object, key, member)
    {
        ks_text_add(text, comma, 1);
        text_string(text, key, json_object_iter_key_len(json_object_key_to_iter(key)));
        ks_text_add(text, ":", 1);
        ks_text_json(text, member);
        comma = ",";
    }
    ks_text_str(text, *comma == '{' ? "{}" : "}");
}

void ks_text_json(struct ks_text *text, const json_t *value)
{
    size_t n;

    switch (json_typeof(value)) {
    case JSON_OBJECT: text_object(text, value); break;
    case JSON_ARRAY:
        n = json_array_size(value);
        ks_text_add(text, "[", 1);
        for (size_t i = 0; i < n; i++) {
            if (i > 0)
                ks_text_add(text, ",", 1);
            ks_text_json(text, json_array_get(value, i));
        }
        ks_text_add(text, "]", 1);
        break;
    case JSON_STRING: text_string(text, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER:
    case JSON_REAL: text_number(text, value); break;
    case JSON_TRUE: ks_text_str(text, "true"); break;
    case JSON_FALSE: ks_text_str(text, "false"); break;
    case JSON_NULL: ks_text_str(text, "null"); break;
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int ks_unescape(const char *text, size_t len, bool plus, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            if (i + 2 >= len || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
                return -1;
            c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (used + 1 >= size || c == '\0')
            return -1;
        out[used++] = c;
    }
    out[used] = '\0';
    return 0;
}

void ks_query_parse(struct ks_query *query, const char *text)
{
    size_t size = strlen(text) + 2 * KS_QUERY_MAX + 2;
    char *out = x_malloc(size);
    const char *part = text;

    query->n = 0;
    query->buf = out;
    while (*part != '\0' && query->n < KS_QUERY_MAX) {
        size_t len = strcspn(part, "&");
        const char *eq = memchr(part, '=', len);
        size_t name_len = eq ? (size_t)(eq - part) : len;
        char *name = out;
        char *value = name + name_len + 1;
        size_t value_len = eq ? len - name_len - 1 : 0;

        if (len > 0 && ks_unescape(part, name_len, true, name, name_len + 1) == 0 &&
            ks_unescape(eq ? eq + 1 : "", value_len, true, value, value_len + 1) == 0) {
            query->items[query->n].name = name;
            query->items[query->n++].value = value;
            out = value + value_len + 1;
        }
        part += len + (part[len] == '&');
    }
}

void ks_query_free(struct ks_query *query)
{
    free(query->buf);
    query->buf = NULL;
    query->n = 0;
}

const char *ks_query_get(const struct ks_query *query, const char *name)
{
    for (size_t i = 0; i < query->n; i++)
        if (strcmp(query->items[i].name, name) == 0)
            return query->items[i].value;
    return "";
}

int ks_number(const char *text, uint64_t *value)
{
    uint64_t sum = 0;

    if (*text == '\0')
        return -1;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return 0;
}

uint64_t ks_random(struct kube_sim *sim)
{
    uint64_t z = (sim->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void ks_uuid(struct kube_sim *sim, char out[37])
{
    uint64_t a = ks_random(sim);
    uint64_t b = ks_random(sim);

    (void)snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
                   (unsigned)(a >> 16) & 0xffffu, (unsigned)a & 0xfffu,
                   ((unsigned)(b >> 48) & 0x3fffu) | 0x8000u, (unsigned long long)(b & 0xffffffffffffu));
}
