/* tests/sim/packet-api/core/query.c -- query strings and pages (packet 6).
 * Owns nothing. Called by the list operations and by admin.c. */
#include <stdio.h>

#include "tests/sim/packet-api/core/internal.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char *decode(const char *text, size_t len)
{
    char *out = psim_alloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            out[n++] = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out[n++] = text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

static bool names(const char *pair, size_t len, const char *name)
{
    size_t n = strlen(name);
    return len >= n && memcmp(pair, name, n) == 0 && (len == n || pair[n] == '=');
}

char *psim_query(const char *query, const char *name)
{
    for (const char *pair = query; *pair != '\0';) {
        size_t len = strcspn(pair, "&");
        if (names(pair, len, name)) {
            size_t skip = strlen(name) + 1;
            return len >= skip ? decode(pair + skip, len - skip) : psim_strdup("");
        }
        pair += len + (pair[len] == '&');
    }
    return NULL;
}

int psim_query_int(const char *query, const char *name, int fallback, int min, int max)
{
    char *text = psim_query(query, name);
    if (text == NULL)
        return fallback;
    char *end;
    long value = strtol(text, &end, 10);
    bool ok = end != text && *end == '\0';
    free(text);
    if (!ok)
        return fallback;
    return value < min ? min : value > max ? max : (int)value;
}

char *psim_query_without(const char *query, const char *name)
{
    struct psim_buf out = {0};
    psim_adds(&out, "");
    for (const char *pair = query; *pair != '\0';) {
        size_t len = strcspn(pair, "&");
        if (!names(pair, len, name)) {
            if (out.len > 0)
                psim_adds(&out, "&");
            psim_add(&out, pair, len);
        }
        pair += len + (pair[len] == '&');
    }
    return out.data;
}

struct psim_page psim_page(size_t total, int number, int size)
{
    struct psim_page page = {.number = number, .size = size, .total = total};
    page.last = total == 0 ? 1 : (int)((total + (size_t)size - 1) / (size_t)size);
    page.first = (size_t)(number - 1) * (size_t)size;
    if (page.first > total)
        page.first = total;
    page.count = total - page.first < (size_t)size ? total - page.first : (size_t)size;
    return page;
}

static json_t *link_to(const struct packet_sim *sim, const char *path, const char *keep, int page)
{
    return json_pack("{s:o}", "href",
                     json_sprintf("%s%s?%s%spage=%d", sim->prefix, path, keep, *keep ? "&" : "", page));
}

static void set_link(json_t *meta, const char *name, json_t *link, enum packet_sim_next form)
{
    if (form == PACKET_SIM_NEXT_OBJECT)
        json_object_set(meta, name, link);
    else if (form == PACKET_SIM_NEXT_NULL)
        json_object_set_new(meta, name, json_null());
    json_decref(link);
}

json_t *psim_meta(const struct packet_sim *sim, const struct psim_page *page, const char *path,
                  const char *keep, enum packet_sim_next next, enum packet_sim_next end)
{
    json_t *meta = json_object();
    bool more = page->number < page->last;
    json_object_set_new(meta, "first", link_to(sim, path, keep, 1));
    set_link(meta, "previous", link_to(sim, path, keep, page->number - 1),
             page->number > 1 ? PACKET_SIM_NEXT_OBJECT : end);
    json_object_set_new(meta, "self", link_to(sim, path, keep, page->number));
    set_link(meta, "next", link_to(sim, path, keep, page->number + 1), more ? next : end);
    json_object_set_new(meta, "last", link_to(sim, path, keep, page->last));
    json_object_set_new(meta, "total", json_integer((json_int_t)page->total));
    json_object_set_new(meta, "current_page", json_integer(page->number));
    json_object_set_new(meta, "last_page", json_integer(page->last));
    return meta;
}
