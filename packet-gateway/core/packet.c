/* packet-gateway/core/packet.c -- all that is Packet's own: header names, paths, bodies, tags, the shape of
 * its answers and what its errors mean (packet 5.2). By status, content type and shape only, never by text
 * (packet C-31). Another bare-metal API would be another file like this one. Pure. Called through
 * packet_provider. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/provider.h"

#define TAG_OWNER "gardener.cloud/infrastructure="
#define TAG_SHOOT "gardener.cloud/shoot-uid="

/* ---- requests ---- */

static char *list_path(const char *project)
{
    return x_asprintf("/projects/%s/ssh-keys", project);
}

static char *item_path(const char *id)
{
    return x_asprintf("/ssh-keys/%s", id);
}

static void add_tag(json_t *tags, const char *name, const char *value)
{
    char *text = x_asprintf("%s%s", name, value);

    json_array_append_new(tags, json_string(text));
    free(text);
}

static char *body(const char *label, const char *key, const char *owner, const char *shoot_uid)
{
    json_t *root = json_object();
    int bad = 0;

    if (label)
        bad |= json_object_set_new(root, "label", json_string(label));
    if (key)
        bad |= json_object_set_new(root, "key", json_string(key));
    if (owner) {
        json_t *tags = json_array();

        add_tag(tags, TAG_OWNER, owner);
        if (shoot_uid)
            add_tag(tags, TAG_SHOOT, shoot_uid);
        json_object_set_new(root, "tags", tags);
    }
    char *text = bad ? NULL : json_dumps(root, JSON_COMPACT);

    json_decref(root);
    return text;
}

/* ---- keys ---- */

static bool read_id(const json_t *item, char id[UUID_TEXT])
{
    const json_t *member = json_object_get(item, "id");

    return uuid_copy(json_string_value(member), json_string_length(member), id);
}

static bool read_key(const json_t *item, struct listed_key *key)
{
    const json_t *line = json_object_get(item, "key");

    if (!read_id(item, key->id))
        return false;
    key->label = json_text(json_object_get(item, "label"));
    key->tags = json_object_get(item, "tags");
    key->line = json_string_value(line);
    key->line_len = json_string_length(line);
    key->created = json_object_get(item, "created_at");
    return true;
}

static enum key_owner owner_of(const json_t *tags, const char *owner)
{
    enum key_owner found = OWNER_UNTAGGED;
    const json_t *item;
    size_t i;

    json_array_foreach(tags, i, item)
    {
        const char *tag = json_text(item);

        if (!tag || strncmp(tag, TAG_OWNER, strlen(TAG_OWNER)) != 0)
            continue;
        if (strcmp(tag + strlen(TAG_OWNER), owner) == 0)
            return OWNER_US;
        found = OWNER_OTHER;
    }
    return found;
}

static const json_t *keys(const json_t *root)
{
    return json_object_get(root, "ssh_keys");
}

/* The href of meta.next. */
static const char *next(const json_t *root)
{
    return json_text(json_object_get(json_object_get(json_object_get(root, "meta"), "next"), "href"));
}

/* ---- what an answer means ---- */

static bool is_error(const json_t *root)
{
    return json_is_string(json_object_get(root, "error")) || json_is_array(json_object_get(root, "errors"));
}

/* From "error" or a lone string in "errors", then from the array "errors" (packet C-30). */
static const char *word(const json_t *root, size_t i)
{
    const json_t *errors = json_object_get(root, "errors"), *item;
    const char *one = json_string_value(json_object_get(root, "error"));

    if (!one)
        one = json_string_value(errors);
    if (one && i-- == 0)
        return one;
    item = json_array_get(errors, i);
    if (!item)
        return NULL;
    return json_is_string(item) ? json_string_value(item) : "";
}

static bool has_request_id(const struct gateway_result *r)
{
    return r->request_id && r->request_id[0];
}

/* DELETE: 204 is enough; 200 and 202 may have a body or none, but must be the API's (packet C-26, C-40). */
static enum answer_class classify_removed(const struct gateway_result *r)
{
    if (r->status == 204)
        return CLASS_OK;
    if (r->status != 200 && r->status != 202)
        return CLASS_BROKEN;
    if (r->body_len && !r->json)
        return CLASS_NOT_API;
    return has_request_id(r) ? CLASS_OK : CLASS_BROKEN;
}

static enum answer_class classify_success(const struct answer *answer, const char *method)
{
    const struct gateway_result *r = answer->result;
    char id[UUID_TEXT];

    if (strcmp(method, "DELETE") == 0)
        return classify_removed(r);
    if (!r->json)
        return r->body_len ? CLASS_NOT_API : CLASS_BROKEN;
    if (strcmp(method, "GET") == 0)
        return r->status == 200 && json_is_array(keys(answer->root)) ? CLASS_OK : CLASS_BROKEN;
    if (strcmp(method, "POST") == 0 && r->status != 201)
        return CLASS_BROKEN;
    return read_id(answer->root, id) ? CLASS_OK : CLASS_BROKEN;
}

static enum answer_class classify(const struct answer *answer, const char *method)
{
    const struct gateway_result *r = answer->result;
    bool named = r->json && has_request_id(r);

    if (r->status >= 200 && r->status < 300)
        return classify_success(answer, method);
    if (r->status == 403)
        return named ? CLASS_FORBIDDEN : CLASS_FRONT;
    if (r->status == 404 || r->status == 410)
        return named && is_error(answer->root) ? CLASS_NOT_FOUND : CLASS_FRONT;
    return class_of_status(r->status);
}

const struct provider packet_provider = {
    .title = "the Packet API",
    .token_field = "X-Auth-Token: ",
    .consumer_field = "X-Consumer-Token: ",
    .request_id_field = "X-Request-Id",
    .remaining_field = "X-RateLimit-Remaining",
    .limit_field = "X-RateLimit-Limit",
    .reset_field = "X-RateLimit-Reset",
    .update_method = "PUT",
    .list_path = list_path,
    .item_path = item_path,
    .body = body,
    .classify = classify,
    .word = word,
    .keys = keys,
    .next = next,
    .page_name = "page=",
    .read_key = read_key,
    .read_made = read_key,
    .owner = owner_of,
};
