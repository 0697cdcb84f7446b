/* base/escape.c -- JSON strings, one character at a time. Pure. Called by log.c and supervisor/crash.c. */
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

/* The length of the UTF-8 sequence at p, or 0 when it is none: overlong, a surrogate, over U+10FFFF, cut. */
static size_t utf8_length(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || (p[1] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xe0)
        return 2;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[2] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xf0)
        return 3;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) || (p[3] & 0xc0) != 0x80)
        return 0;
    return 4;
}

size_t escape_one(const unsigned char *p, size_t *used, char out[static ESCAPE_MAX])
{
    static const char pairs[] = "\"\"\\\\\nn\tt\rr";
    size_t n = utf8_length(p);

    *used = n ? n : 1;
    for (size_t i = 0; i + 1 < sizeof(pairs); i += 2) {
        if (*p == (unsigned char)pairs[i]) {
            out[0] = '\\';
            out[1] = pairs[i + 1];
            return 2;
        }
    }
    if (n == 0)
        return (size_t)snprintf(out, ESCAPE_MAX, "\\ufffd");
    if (*p < 0x20 || *p == 0x7f)
        return (size_t)snprintf(out, ESCAPE_MAX, "\\u%04x", *p);
    memcpy(out, p, n);
    return n;
}
