/* tests/sim/packet-api/core/util.c -- memory, text, pseudo-random ids, digests and dates of the core.
 * Owns no state: random streams are passed in. Never reads a clock. Called by every file of the core. */
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>

#include "tests/sim/packet-api/core/internal.h"

void *psim_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (memory == NULL)
        abort();
    return memory;
}

void *psim_grow(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);
    if (memory == NULL)
        abort();
    return memory;
}

char *psim_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = psim_alloc(size);
    memcpy(copy, text, size);
    return copy;
}

void psim_add(struct psim_buf *buf, const char *data, size_t len)
{
    if (buf->len + len + 1 > buf->cap) {
        buf->cap = (buf->len + len + 1) * 2;
        buf->data = psim_grow(buf->data, buf->cap);
    }
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void psim_adds(struct psim_buf *buf, const char *text)
{
    psim_add(buf, text, strlen(text));
}

/* splitmix64: tiny, and any seed is a good one. */
uint64_t psim_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void psim_uuid(uint64_t *state, char *out)
{
    uint64_t a = psim_random(state), b = psim_random(state);
    a = (a & 0xffffffffffff0fffu) | 0x4000u;
    b = (b & 0x3fffffffffffffffu) | 0x8000000000000000u;
    snprintf(out, PACKET_SIM_ID_LEN + 1, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16) & 0xffffu, (unsigned)a & 0xffffu, (unsigned)(b >> 48),
             (unsigned long long)(b & 0xffffffffffffu));
}

bool psim_is_uuid(const char *text)
{
    for (size_t i = 0; i < PACKET_SIM_ID_LEN; i++) {
        char c = text[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return text[PACKET_SIM_ID_LEN] == '\0';
}

void psim_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

void psim_sha256(const void *data, size_t len, unsigned char *out)
{
    if (EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1)
        abort();
}

void psim_date(int64_t ms, char *out)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL || strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        memcpy(out, "1970-01-01T00:00:00Z", 21);
}

/* Written out because strftime's names follow the locale. */
void psim_http_date(int64_t ms, char *out)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    if (gmtime_r(&seconds, &t) == NULL)
        memset(&t, 0, sizeof t);
    snprintf(out, 32, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days[(unsigned)t.tm_wday % 7],
             (unsigned)t.tm_mday % 32, months[(unsigned)t.tm_mon % 12], (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)t.tm_hour % 24, (unsigned)t.tm_min % 60, (unsigned)t.tm_sec % 61);
}

json_t *psim_text(const char *text, size_t len)
{
    json_t *string = json_stringn(text, len);
    return string != NULL ? string : json_string("[not UTF-8]");
}
