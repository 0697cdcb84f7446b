/* tests/sim/packet-api/core/pubkey.c -- reads an OpenSSH public key line and computes its fingerprints.
 * Owns nothing; never changes the line. Called by store.c when a key is made or changed. */
#include <openssl/evp.h>

#include "tests/sim/packet-api/core/internal.h"

static const char *const key_types[] = {"ssh-rsa",
                                        "ssh-ed25519",
                                        "ssh-dss",
                                        "ecdsa-sha2-nistp256",
                                        "ecdsa-sha2-nistp384",
                                        "ecdsa-sha2-nistp521",
                                        "sk-ssh-ed25519@openssh.com",
                                        "sk-ecdsa-sha2-nistp256@openssh.com"};

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict base64 with padding. Returns the number of bytes or -1; out holds at least 3 * (len / 4) bytes. */
static int decode(const char *text, size_t len, unsigned char *out)
{
    size_t n = 0;
    if (len == 0 || len % 4 != 0)
        return -1;
    for (size_t i = 0; i < len; i += 4) {
        unsigned group = 0, pad = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = base64_value(text[i + k]);
            if (text[i + k] == '=' && i + 4 == len && k >= 2)
                pad++, value = 0;
            else if (value < 0 || pad > 0)
                return -1;
            group = group << 6 | (unsigned)value;
        }
        out[n++] = (unsigned char)(group >> 16);
        if (pad < 2)
            out[n++] = (unsigned char)(group >> 8 & 255);
        if (pad < 1)
            out[n++] = (unsigned char)(group & 255);
    }
    return (int)n;
}

/* A blob is a row of strings, each behind its length (RFC 4253 6.6), and the first one is the type. */
static bool well_formed(const unsigned char *blob, size_t len, const char *type, size_t type_len)
{
    size_t at = 0, strings = 0;
    while (at < len) {
        if (len - at < 4)
            return false;
        size_t n =
            (size_t)blob[at] << 24 | (size_t)blob[at + 1] << 16 | (size_t)blob[at + 2] << 8 | blob[at + 3];
        at += 4;
        if (n > len - at)
            return false;
        if (strings == 0 && (n != type_len || memcmp(blob + at, type, n) != 0))
            return false;
        if (strings == 1 && type_len == 11 && memcmp(type, "ssh-ed25519", 11) == 0 && n != 32)
            return false;
        at += n;
        strings++;
    }
    return strings >= 2;
}

static bool known_type(const char *type, size_t len)
{
    for (size_t i = 0; i < sizeof key_types / sizeof *key_types; i++)
        if (strlen(key_types[i]) == len && memcmp(key_types[i], type, len) == 0)
            return true;
    return false;
}

static void digest(const unsigned char *blob, size_t len, struct psim_pubkey *out)
{
    unsigned char md5[16];
    if (EVP_Digest(blob, len, md5, NULL, EVP_md5(), NULL) != 1)
        abort();
    for (size_t i = 0; i < 16; i++) {
        psim_hex(md5 + i, 1, out->fingerprint + 3 * i);
        out->fingerprint[3 * i + 2] = i == 15 ? '\0' : ':';
    }
    psim_sha256(blob, len, out->digest);
}

bool psim_pubkey_parse(const char *line, struct psim_pubkey *out)
{
    unsigned char blob[PSIM_LINE_MAX];
    if (strlen(line) > PSIM_LINE_MAX)
        return false;
    line += strspn(line, " \t\r\n");
    size_t type_len = strcspn(line, " \t\r\n");
    const char *data = line + type_len + strspn(line + type_len, " \t");
    size_t data_len = strcspn(data, " \t\r\n");
    const char *rest = data + data_len;
    rest += strcspn(rest, "\r\n");
    if (rest[strspn(rest, " \t\r\n")] != '\0') /* a second line */
        return false;
    if (!known_type(line, type_len))
        return false;
    int len = decode(data, data_len, blob);
    if (len <= 0 || !well_formed(blob, (size_t)len, line, type_len))
        return false;
    digest(blob, (size_t)len, out);
    return true;
}

bool packet_sim_fingerprint(const char *line, char *out)
{
    struct psim_pubkey pub;
    if (!psim_pubkey_parse(line, &pub))
        return false;
    memcpy(out, pub.fingerprint, sizeof pub.fingerprint);
    return true;
}
