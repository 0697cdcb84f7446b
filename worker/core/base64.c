/* worker/core/base64.c -- standard base64 between caller's buffers.
 * Never allocates, never reads beyond len. Called by pubkey.c. */
#include "worker/core/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool pubkey_base64_decode(const char *text, size_t len, bool blanks, uint8_t *out, size_t cap,
                          size_t *out_len)
{
    uint32_t bits = 0;
    size_t digits = 0, padding = 0, n = 0;

    *out_len = 0;
    for (size_t i = 0; i < len; i++) {
        if (blanks && is_blank(text[i]))
            continue;
        if (text[i] == '=') {
            padding++;
            continue;
        }
        int digit = digit_of(text[i]);
        if (digit < 0 || padding > 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (++digits % 4 == 1)
            continue;
        if (n == cap)
            return false;
        out[n++] = (uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
    }
    if ((digits + padding) % 4 != 0 || padding > 2)
        return false;
    *out_len = n;
    return true;
}

void pubkey_base64_encode(const uint8_t *data, size_t len, char *out, size_t cap)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        for (held += 8; held >= 6 && n + 1 < cap; held -= 6)
            out[n++] = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0 && n + 1 < cap)
        out[n++] = alphabet[bits << (6 - held) & 63];
    out[n] = '\0';
}
