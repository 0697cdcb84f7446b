/* watcher/core/secret.c -- from a Secret's JSON to two words. Wipes every copy it makes, jansson's too.
 * Called by jobs.c. */
#include "watcher/core/secret.h"

#include <ctype.h>
#include <string.h>

#include "watcher/core/convert.h"

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '/')
        return c == '+' ? 62 : 63;
    return -1;
}

long secret_base64(const char *text, size_t len, unsigned char *out, size_t size)
{
    uint32_t bits = 0;
    unsigned n = 0, padding = 0;
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        int six = sextet(text[i]);

        if (text[i] == '\r' || text[i] == '\n')
            continue;
        if (text[i] == '=' && n >= 2)
            six = 0, padding++;
        else if (padding || six < 0)
            return -1;
        bits = bits << 6 | (uint32_t)six;
        if (++n < 4)
            continue;
        for (unsigned k = 0; k < 3 - padding; k++) {
            if (used == size)
                return -1;
            out[used++] = (unsigned char)(bits >> (16 - 8 * k));
        }
        n = 0;
        bits = 0;
        if (padding && i + 1 < len && strspn(text + i + 1, "\r\n") < len - i - 1)
            return -1;
    }
    return n ? -1 : (long)used;
}

bool secret_uuid_ok(struct span text)
{
    if (!text.p || text.len != 36)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text.p[i] != '-' : !isxdigit((unsigned char)text.p[i]))
            return false;
    }
    return true;
}

/* One entry of `data`, decoded, without white space around it. Returns its length, 0 when absent or empty, -1
 * when it is not base64, too long, or holds control characters. */
static long read_word(json_t *data, const char *name, char *out, size_t size)
{
    unsigned char raw[LIMIT_TOKEN + 256] = {0};
    json_t *entry = json_object_get(data, name);
    long len = 0, from = 0;

    if (json_is_string(entry))
        len = secret_base64(json_string_value(entry), json_string_length(entry), raw, sizeof raw);
    while (len > 0 && isspace(raw[len - 1]))
        len--;
    while (from < len && isspace(raw[from]))
        from++;
    len -= from;
    if (len >= (long)size)
        len = -1;
    for (long i = 0; i < len; i++)
        if (raw[from + i] < 0x20 || raw[from + i] == 0x7f) {
            len = -1;
            break;
        }
    if (len > 0) {
        memcpy(out, raw + from, (size_t)len);
        out[len] = '\0';
    }
    explicit_bzero(raw, sizeof raw);
    return len;
}

static int read_data(json_t *data, struct credentials *out)
{
    if (!json_object_size(data))
        return SECRET_EMPTY;
    if (!json_object_get(data, "apiToken") && json_object_get(data, "config") &&
        json_object_get(data, "token"))
        return SECRET_WORKLOAD;
    long token = read_word(data, "apiToken", out->token, sizeof out->token);
    long project = read_word(data, "projectID", out->project, sizeof out->project);
    if (!token)
        return SECRET_NO_TOKEN;
    if (token < 0)
        return SECRET_BAD_TOKEN;
    if (!project)
        return SECRET_NO_PROJECT;
    if (project < 0 || !secret_uuid_ok(span_of(out->project)))
        return SECRET_BAD_PROJECT;
    return SECRET_USABLE;
}

/* jansson keeps its strings on the heap and frees them as they are. */
static void wipe_strings(json_t *data)
{
    const char *name;
    json_t *entry;

    json_object_foreach(data, name, entry)
    {
        if (json_is_string(entry))
            explicit_bzero((void *)(uintptr_t)json_string_value(entry), json_string_length(entry));
    }
}

int secret_read(struct text body, struct credentials *out)
{
    struct span kind = scan_string(scan_member(body, "kind"));
    struct text part = scan_member(body, "data");
    json_t *data = part.p ? convert_parse(part) : NULL;
    int state = -1;

    *out = (struct credentials){0};
    if (span_is(kind, "Secret") && (!part.p || json_is_object(data) || json_is_null(data)))
        state = read_data(data, out);
    if (json_is_object(data))
        wipe_strings(data);
    json_decref(data);
    if (state != SECRET_USABLE)
        secret_wipe(out);
    return state;
}

void secret_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof *credentials);
}
