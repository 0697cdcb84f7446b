/* worker/core/pubkey.c -- reads one authorized_keys line: type, blob, comment; options, CRLF, blanks and
 * comment lines do no harm. Refuses what Packet could only refuse as well, or what is no public key at all.
 * Never trusts the type's name: the blob must say the same. Called by job.c and config.c. */
#include "worker/core/pubkey.h"

#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "worker/core/base64.h"

/* Every public-key type that OpenSSH knows, and of how many strings its blob consists after the name. */
static const struct key_type {
    const char *name;
    unsigned fields;
} key_types[] = {
    {"ssh-rsa", 2},
    {"ssh-ed25519", 1},
    {"ecdsa-sha2-nistp256", 2},
    {"ecdsa-sha2-nistp384", 2},
    {"ecdsa-sha2-nistp521", 2},
    {"ssh-dss", 4},
    {"sk-ssh-ed25519@openssh.com", 2},
    {"sk-ecdsa-sha2-nistp256@openssh.com", 3},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_trimmed(char c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
    while (s.len > 0 && is_trimmed(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_trimmed(s.p[s.len - 1]))
        s.len--;
    return s;
}

static bool contains(struct span s, const char *word)
{
    return s.len > 0 && memmem(s.p, s.len, word, strlen(word)) != NULL;
}

/* Cuts the first token off *rest. Blanks inside double quotes do not end it: options may hold commands. */
static struct span cut_token(struct span *rest)
{
    struct span token = {.p = rest->p};
    bool quoted = false;

    while (token.len < rest->len && (quoted || !is_blank(token.p[token.len]))) {
        if (token.p[token.len] == '"' && (token.len == 0 || token.p[token.len - 1] != '\\'))
            quoted = !quoted;
        token.len++;
    }
    rest->p += token.len;
    rest->len -= token.len;
    *rest = trim(*rest);
    return token;
}

static const struct key_type *find_type(struct span name)
{
    for (size_t i = 0; i < sizeof key_types / sizeof key_types[0]; i++)
        if (span_is(name, key_types[i].name))
            return &key_types[i];
    return NULL;
}

/* The only line that says something. Returns CAUSE_NONE with *line empty when there is none. */
static enum cause find_line(struct span text, struct span *line)
{
    *line = (struct span){.p = text.p};
    while (text.len > 0) {
        const char *end = memchr(text.p, '\n', text.len);
        uint32_t len = end == NULL ? text.len : (uint32_t)(end - text.p);
        struct span one = trim((struct span){.p = text.p, .len = len});

        if (one.len > 0 && one.p[0] != '#') {
            if (line->len > 0)
                return CAUSE_KEY_SEVERAL;
            *line = one;
        }
        if (end == NULL)
            break;
        text.p += len + 1;
        text.len -= len + 1;
    }
    return CAUSE_NONE;
}

static bool next_string(const uint8_t **at, size_t *left, size_t *len)
{
    if (*left < 4)
        return false;
    *len = (size_t)(*at)[0] << 24 | (size_t)(*at)[1] << 16 | (size_t)(*at)[2] << 8 | (*at)[3];
    if (*len > *left - 4)
        return false;
    *at += 4 + *len;
    *left -= 4 + *len;
    return true;
}

/* RFC 4253, 6.6: the blob names its type again and holds a fixed number of strings and nothing else. */
static bool blob_fits(const struct key_type *type, const uint8_t *blob, size_t left)
{
    const uint8_t *at = blob;
    size_t len;

    if (!next_string(&at, &left, &len) || len != strlen(type->name) || memcmp(at - len, type->name, len) != 0)
        return false;
    for (unsigned i = 0; i < type->fields; i++)
        if (!next_string(&at, &left, &len) || len == 0)
            return false;
    return left == 0;
}

static void set_fingerprint(struct pubkey *out, const uint8_t *blob, size_t len)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX sha;

    SHA256Init(&sha);
    SHA256Update(&sha, blob, len);
    SHA256Final(digest, &sha);
    memcpy(out->fingerprint, "SHA256:", 7);
    pubkey_base64_encode(digest, sizeof digest, out->fingerprint + 7, sizeof out->fingerprint - 7);
}

/* A comment goes along when it is plain text; what is not would only make the request invalid JSON. */
static bool is_plain(struct span s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    return s.len > 0;
}

/* What a text is that starts with no key type, as exactly as can be said. */
static enum cause name_stranger(struct span line)
{
    if (contains(line, "PRIVATE KEY"))
        return CAUSE_KEY_PRIVATE;
    if (contains(line, "-cert-v0"))
        return CAUSE_KEY_CERTIFICATE;
    return CAUSE_KEY_FORMAT;
}

static enum cause parse_line(struct span line, struct pubkey *out)
{
    uint8_t blob[LIMIT_KEY];
    size_t blob_len;
    struct span rest = line, first = cut_token(&rest), name = first;
    const struct key_type *type = find_type(name);

    if (type == NULL && rest.len > 0) { /* options stand before the type */
        name = cut_token(&rest);
        type = find_type(name);
        if (type != NULL && contains(first, "cert-authority"))
            return CAUSE_KEY_CERTIFICATE;
    }
    if (type == NULL)
        return name_stranger(line);
    struct span text = cut_token(&rest);
    if (!pubkey_base64_decode(text.p, text.len, false, blob, sizeof blob, &blob_len) ||
        !blob_fits(type, blob, blob_len))
        return CAUSE_KEY_FORMAT;
    bool comment = is_plain(rest);
    int len = snprintf(out->line, sizeof out->line, "%s %.*s%s%.*s", type->name, (int)text.len, text.p,
                       comment ? " " : "", comment ? (int)rest.len : 0, comment ? rest.p : "");
    if (len < 0 || (size_t)len >= sizeof out->line)
        return CAUSE_KEY_LONG;
    set_fingerprint(out, blob, blob_len);
    out->present = true;
    return CAUSE_NONE;
}

enum cause pubkey_parse(struct span text, struct pubkey *out)
{
    struct span line;

    out->present = false;
    out->line[0] = out->fingerprint[0] = '\0';
    if (text.len > LIMIT_KEY)
        return CAUSE_KEY_LONG;
    if (text.len == 0)
        return CAUSE_NONE;
    if (contains(text, "PRIVATE KEY"))
        return CAUSE_KEY_PRIVATE;
    if (contains(text, "BEGIN SSH2 PUBLIC KEY") || memchr(text.p, '\0', text.len) != NULL)
        return CAUSE_KEY_FORMAT;
    enum cause cause = find_line(text, &line);
    if (cause != CAUSE_NONE || line.len == 0)
        return cause;
    return parse_line(line, out);
}

enum cause pubkey_read(struct span base64, struct pubkey *out)
{
    uint8_t text[LIMIT_KEY];
    size_t len;

    out->present = false;
    out->line[0] = out->fingerprint[0] = '\0';
    base64 = trim(base64);
    if (base64.len == 0)
        return CAUSE_NONE;
    if (base64.len / 4 * 3 > sizeof text + 1024)
        return CAUSE_KEY_LONG;
    if (!pubkey_base64_decode(base64.p, base64.len, true, text, sizeof text, &len))
        return CAUSE_KEY_BASE64;
    return pubkey_parse((struct span){.p = (const char *)text, .len = (uint32_t)len}, out);
}
