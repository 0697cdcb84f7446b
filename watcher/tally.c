/* watcher/tally.c -- see tally.h. Owns nothing. */
#include "watcher/tally.h"

#include <stdio.h>
#include <string.h>

void tally_add(struct tally *tally, const char *method, int code)
{
    char text[sizeof tally->rows[0].text];
    unsigned i = 0;

    if (code)
        snprintf(text, sizeof text, "%.8s %d", method, code);
    else
        snprintf(text, sizeof text, "%.6s <error>", method);
    while (i < tally->count && strcmp(tally->rows[i].text, text) != 0)
        i++;
    if (i == TALLY_ROWS)
        i--;
    if (i == tally->count)
        memcpy(tally->rows[tally->count++].text, text, sizeof text);
    tally->rows[i].n++;
}

void tally_pack(const struct tally *tally, struct pack *out)
{
    pack_map(out, tally->count);
    for (unsigned i = 0; i < tally->count; i++) {
        pack_text(out, tally->rows[i].text);
        pack_uint(out, tally->rows[i].n);
    }
}
