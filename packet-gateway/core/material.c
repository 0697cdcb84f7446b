/* packet-gateway/core/material.c -- public key lines and ids as text: which two lines are the same key, what
 * is a UUID. Pure; OpenSSL only for SHA-256. Never fails a list because of a key it cannot read (packet
 * C-29). Called by answer.c, tasks.c and grants.c. */
#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "packet-gateway/core/material.h"
#include "proto/messages.h"

void digest_of(const void *data, size_t len, unsigned char out[DIGEST_LEN])
{
    unsigned n = 0;

    /* Fails only when libcrypto cannot find SHA-256 at all: nothing here could go on. */
    if (EVP_Digest(data, len, out, &n, EVP_sha256(), NULL) != 1 || n != DIGEST_LEN) {
        log_error("SHA-256 is not available", F_INT("length", n));
        abort();
    }
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes len characters, padding optional, into out (at least len bytes). Returns the length, 0 when it is
 * no base64. */
static size_t base64_read(const char *text, size_t len, unsigned char *out)
{
    size_t n = 0;
    unsigned bits = 0;
    uint32_t have = 0;

    while (len && text[len - 1] == '=')
        len--;
    if (len % 4 == 1)
        return 0;
    for (size_t i = 0; i < len; i++) {
        int six = sextet(text[i]);

        if (six < 0)
            return 0;
        have = (have << 6 | (uint32_t)six) & 0xffffffu;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (unsigned char)(have >> bits);
        }
    }
    return n;
}

static void fingerprint_write(const unsigned char *blob, size_t len, char out[FINGERPRINT_TEXT])
{
    unsigned char digest[DIGEST_LEN];
    unsigned char text[48]; /* 44 characters with one '=' at the end */

    digest_of(blob, len, digest);
    EVP_EncodeBlock(text, digest, DIGEST_LEN);
    memcpy(out, "SHA256:", 7);
    memcpy(out + 7, text, 43);
    out[50] = '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(const char **at, const char *end)
{
    while (*at < end && is_blank(**at))
        (*at)++;
}

/* The next word of *at, before end. */
static struct span word(const char **at, const char *end)
{
    struct span w;

    skip_blanks(at, end);
    w.p = *at;
    while (*at < end && !is_blank(**at))
        (*at)++;
    w.len = (uint32_t)(*at - w.p);
    return w;
}

bool material_read(const char *line, size_t len, struct material *out)
{
    const char *at = line, *end = line + len;
    struct span type = word(&at, end), text = word(&at, end);

    memset(out, 0, sizeof *out);
    if (!type.len || !text.len)
        return false;
    unsigned char *both = x_malloc((size_t)type.len + 1 + text.len);
    unsigned char *blob = both + type.len + 1;
    size_t n = base64_read(text.p, text.len, blob);

    memcpy(both, type.p, type.len);
    both[type.len] = '\0';
    if (n) {
        fingerprint_write(blob, n, out->fingerprint);
    } else {
        memcpy(blob, text.p, text.len);
        n = text.len;
    }
    digest_of(both, type.len + 1 + n, out->digest);
    free(both);
    return true;
}

bool material_same(const struct material *a, const struct material *b)
{
    return memcmp(a->digest, b->digest, DIGEST_LEN) == 0;
}

/* Characters left of a word, padding aside; 2 stands for more. */
static unsigned left_of(const char *at, const char *end)
{
    unsigned n = 0;

    for (const char *c = at; c < end && !is_blank(*c) && n < 2; c++)
        if (*c != '=')
            n = c == at ? 1 : 2;
    return n;
}

/* Equal blobs have texts of equal length that differ in the unused bits of the last character at most. Stops
 * where the texts part: of two keys of a kind that is soon. */
bool material_alike(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *at_a = a, *end_a = a + a_len, *at_b = b, *end_b = b + b_len, *text;

    if (!span_same(word(&at_a, end_a), word(&at_b, end_b)))
        return false;
    skip_blanks(&at_a, end_a);
    skip_blanks(&at_b, end_b);
    text = at_a;
    while (at_a < end_a && at_b < end_b && *at_a == *at_b && !is_blank(*at_a)) {
        at_a++;
        at_b++;
    }
    unsigned left = left_of(at_a, end_a);

    return left < 2 && left == left_of(at_b, end_b) && (left || at_a > text);
}

bool uuid_copy(const char *text, size_t len, char out[UUID_TEXT])
{
    out[0] = '\0';
    if (!text || len != UUID_TEXT - 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) {
            out[0] = '\0';
            return false;
        }
        out[i] = (char)tolower((unsigned char)text[i]);
    }
    out[len] = '\0';
    return true;
}
