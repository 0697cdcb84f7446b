/* proto/tally.c -- see tally.h. Owns nothing. */
#include "proto/tally.h"

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
    if (i == tally->count && i >= TALLY_ROWS - 1) { /* the last row is for all that have none */
        snprintf(text, sizeof text, "<other> <other>");
        i = TALLY_ROWS - 1;
    }
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
