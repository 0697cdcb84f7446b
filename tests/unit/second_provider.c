/* tests/unit/second_provider.c -- another bare-metal API as a module of the gateway. As unlike Packet as such
 * an API can be: keys belong to the account, ids are numbers, a single key is wrapped, tags are an object, an
 * update is a PATCH, the token is a bearer token, no limit is announced. Pure. Called through
 * second_provider. */
#include "tests/unit/second_provider.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define UUID_OF_NUMBER "00000000-0000-0000-0000-%012lld"

static char *list_path(const char *project)
{
    (void)project;
    return x_strdup("/v2/account/keys");
}

static char *item_path(const char *id)
{
    return x_asprintf("/v2/account/keys/%lld", strtoll(id + UUID_TEXT - 1 - 12, NULL, 10));
}

static char *body(const char *label, const char *key, const char *owner, const char *shoot_uid)
{
    json_t *root = json_pack("{s:s*, s:s*}", "name", label, "public_key", key);

    if (root && owner)
        json_object_set_new(root, "labels", json_pack("{s:s, s:s*}", "owner", owner, "shoot", shoot_uid));
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    return text;
}

static bool read_key(const json_t *item, struct listed_key *key)
{
    const json_t *line = json_object_get(item, "public_key");
    json_int_t id = json_integer_value(json_object_get(item, "id"));

    if (id <= 0 || id > 999999999999)
        return false;
    snprintf(key->id, sizeof key->id, UUID_OF_NUMBER, id);
    key->label = json_text(json_object_get(item, "name"));
    key->tags = json_object_get(item, "labels");
    key->line = json_string_value(line);
    key->line_len = json_string_length(line);
    key->created = json_object_get(item, "made_at");
    return true;
}

static bool read_made(const json_t *root, struct listed_key *key)
{
    return read_key(json_object_get(root, "ssh_key"), key);
}

static enum key_owner owner_of(const json_t *tags, const char *owner)
{
    const char *found = json_text(json_object_get(tags, "owner"));

    return !found ? OWNER_UNTAGGED : strcmp(found, owner) == 0 ? OWNER_US : OWNER_OTHER;
}

static const json_t *keys(const json_t *root)
{
    return json_object_get(root, "ssh_keys");
}

static const char *next(const json_t *root)
{
    return json_text(json_object_get(json_object_get(json_object_get(root, "links"), "pages"), "next"));
}

static const char *word(const json_t *root, size_t i)
{
    return i == 0 ? json_string_value(json_object_get(root, "message")) : NULL;
}

static enum answer_class classify(const struct answer *answer, const char *method)
{
    const char *error = json_text(json_object_get(answer->root, "id"));
    struct listed_key made;

    if (answer->status == 404 && error && strcmp(error, "not_found") == 0)
        return CLASS_NOT_FOUND;
    if (strcmp(method, "DELETE") == 0 ? answer->status == 204
        : strcmp(method, "GET") == 0  ? answer->status == 200 && json_is_array(keys(answer->root))
                                      : answer->status / 100 == 2 && read_made(answer->root, &made))
        return CLASS_OK;
    return class_of_status(answer->status);
}

const struct provider second_provider = {
    .title = "the second API",
    .token_field = "Authorization: Bearer ",
    .request_id_field = "Trace-Id",
    .update_method = "PATCH",
    .list_path = list_path,
    .item_path = item_path,
    .body = body,
    .classify = classify,
    .word = word,
    .keys = keys,
    .next = next,
    .read_key = read_key,
    .read_made = read_made,
    .owner = owner_of,
};
