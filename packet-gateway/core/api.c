/* packet-gateway/core/api.c -- what is Packet's own on the way out: paths, bodies, tags. Another bare-metal
 * API would bring its own version of this file, answer.c and classify.c. Pure. Called by list.c, create.c
 * and change.c. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "packet-gateway/core/packet.h"

/* project, id: checked by uuid_copy(), so they need no encoding (packet C-6). */
char *api_list_path(const char *project)
{
    return x_asprintf("/projects/%s/ssh-keys", project);
}

char *api_item_path(const char *id)
{
    return x_asprintf("/ssh-keys/%s", id);
}

char *api_next_path(const char *base_path, const char *list_path, const char *href)
{
    size_t base = strlen(base_path), list = strlen(list_path);

    if (href[0] != '/' || href[1] == '/' || strlen(href) > 2048)
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

long api_page(const char *path)
{
    const char *query = strchr(path, '?');

    for (const char *at = query; at; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, "page=", 5) == 0) {
            char *end;
            long n = strtol(at + 5, &end, 10);

            return end != at + 5 && n >= 0 ? n : -1;
        }
    }
    return -1;
}

static void add_tag(json_t *tags, const char *name, const char *value)
{
    char *text = x_asprintf("gardener.cloud/%s=%s", name, value);

    json_array_append_new(tags, json_string(text));
    free(text);
}

char *api_body(const char *label, const char *key, const char *owner, const char *shoot_uid)
{
    json_t *root = json_object();
    int bad = 0;

    if (label)
        bad |= json_object_set_new(root, "label", json_string(label));
    if (key)
        bad |= json_object_set_new(root, "key", json_string(key));
    if (owner) {
        json_t *tags = json_array();

        add_tag(tags, "infrastructure", owner);
        if (shoot_uid)
            add_tag(tags, "shoot-uid", shoot_uid);
        json_object_set_new(root, "tags", tags);
    }
    char *text = bad ? NULL : json_dumps(root, JSON_COMPACT);

    json_decref(root);
    return text;
}
