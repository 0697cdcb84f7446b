/* watcher/core/scan.c -- walks over JSON text by its braces, brackets and quotes. Owns nothing, allocates
 * nothing, never recurses. Called by events.c, reflector.c, cluster.c, convert.c. */
#include "watcher/core/scan.h"

#include <stdarg.h>
#include <string.h>

static size_t skip_space(struct text t, size_t at)
{
    while (at < t.len && (t.p[at] == ' ' || t.p[at] == '\n' || t.p[at] == '\r' || t.p[at] == '\t'))
        at++;
    return at;
}

/* at stands on the opening quote. Returns the place after the closing one, or 0 when it is cut off. */
static size_t skip_string(struct text t, size_t at)
{
    for (at++; at < t.len; at++) {
        if (t.p[at] == '\\')
            at++;
        else if (t.p[at] == '"')
            return at + 1;
    }
    return 0;
}

/* Returns the place after the value that begins at `at`, or 0 when there is none. */
static size_t skip_value(struct text t, size_t at)
{
    size_t begin = at, depth = 0;

    while (at < t.len) {
        char c = t.p[at];

        if (c == '"') {
            at = skip_string(t, at);
            if (!at || !depth)
                return at;
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            if (!depth)
                break;
            at++;
            if (!--depth)
                return at;
        } else if (!depth && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
            break;
        } else {
            at++;
        }
    }
    return depth || at == begin ? 0 : at;
}

/* One member or item behind *at, which then stands behind it and its comma. Returns false at the end. */
static bool next_value(struct text t, size_t *at, struct text *value)
{
    size_t begin = skip_space(t, *at);
    size_t end = skip_value(t, begin);

    if (!end)
        return false;
    *value = (struct text){.p = t.p + begin, .len = end - begin};
    *at = skip_space(t, end);
    if (*at < t.len && t.p[*at] == ',')
        ++*at;
    return true;
}

static bool name_is(struct text t, size_t quote, size_t end, const char *name)
{
    size_t len = strlen(name);

    return end - quote - 2 == len && !memcmp(t.p + quote + 1, name, len);
}

struct text scan_member(struct text object, const char *name)
{
    struct text found = {0}, value;
    size_t at = object.p ? skip_space(object, 0) : 0;

    if (!object.p || at >= object.len || object.p[at] != '{')
        return found;
    for (at = skip_space(object, at + 1); at < object.len && object.p[at] == '"';
         at = skip_space(object, at)) {
        size_t quote = at, end = skip_string(object, at);

        if (!end)
            break;
        at = skip_space(object, end);
        if (at >= object.len || object.p[at] != ':')
            break;
        at++;
        if (!next_value(object, &at, &value))
            break;
        if (name_is(object, quote, end, name))
            found = value;
    }
    return found;
}

struct text scan_path(struct text object, ...)
{
    va_list names;

    va_start(names, object);
    for (const char *name = va_arg(names, const char *); name && object.p; name = va_arg(names, const char *))
        object = scan_member(object, name);
    va_end(names);
    return object;
}

bool scan_item(struct text array, size_t *at, struct text *item)
{
    if (!*at) {
        *at = array.p ? skip_space(array, 0) : 0;
        if (!array.p || *at >= array.len || array.p[*at] != '[')
            return false;
        ++*at;
    }
    return next_value(array, at, item);
}

struct span scan_string(struct text value)
{
    if (!value.p || value.len < 2 || value.len > UINT32_MAX || value.p[0] != '"' ||
        memchr(value.p, '\\', value.len))
        return (struct span){0};
    for (size_t i = 1; i < value.len - 1; i++)
        if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
            return (struct span){0};
    return (struct span){.p = value.p + 1, .len = (uint32_t)(value.len - 2)};
}

bool scan_shallow(struct text value, unsigned most)
{
    size_t depth = 0;

    for (size_t at = 0; at < value.len; at++) {
        char c = value.p[at];

        if (c == '"') {
            at = skip_string(value, at);
            if (!at)
                return false;
            at--;
        } else if (c == '{' || c == '[') {
            if (++depth > most)
                return false;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return true;
}
