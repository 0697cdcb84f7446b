/* packet-gateway/core/href.c -- where a list goes on: an href taken from an answer leads to the same list of
 * the same host, or nowhere (packet C-2). The token would go with it. Pure. Called by list.c. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "packet-gateway/core/answer.h"

#define HREF_MAX 2048

char *href_path(const char *base_path, const char *list_path, const char *href)
{
    size_t base = strlen(base_path), list = strlen(list_path);

    if (href[0] != '/' || href[1] == '/' || strlen(href) > HREF_MAX)
        return NULL;
    for (const char *c = href; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f)
            return NULL;
    if (strncmp(href, base_path, base) != 0 || strncasecmp(href + base, list_path, list) != 0)
        return NULL;
    if (href[base + list] != '?' && href[base + list] != '\0')
        return NULL;
    /* Our own spelling, its query: ids may come back in another case (packet 1.1). */
    return x_asprintf("%s%s", list_path, href + base + list);
}

long href_page(const char *path, const char *name)
{
    const char *query = strchr(path, '?');
    size_t len = name ? strlen(name) : 0;

    for (const char *at = name ? query : NULL; at; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, name, len) == 0) {
            char *end;
            long n = strtol(at + len, &end, 10);

            return end != at + len && n >= 0 ? n : -1;
        }
    }
    return -1;
}
