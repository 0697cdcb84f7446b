/* watcher/core/version.c -- compares resource versions as text: never as a number of 64 bits. Owns nothing.
 */
#include "watcher/core/version.h"

#include <string.h>

static bool is_number(struct span s)
{
    if (!s.p || !s.len || s.p[0] == '0')
        return false;
    for (uint32_t i = 0; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

enum version_order version_compare(struct span a, struct span b)
{
    if (span_same(a, b))
        return VERSION_SAME;
    if (!is_number(a) || !is_number(b))
        return VERSION_UNKNOWN;
    if (a.len != b.len)
        return a.len < b.len ? VERSION_OLDER : VERSION_NEWER;
    return memcmp(a.p, b.p, a.len) < 0 ? VERSION_OLDER : VERSION_NEWER;
}
