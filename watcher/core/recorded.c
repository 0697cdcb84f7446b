/* watcher/core/recorded.c -- collects recorded ids, and reads Terraform's state since no worker parses JSON.
 * Owns nothing. Called by jobs.c. */
#include "watcher/core/recorded.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "watcher/core/convert.h"
#include "watcher/core/secret.h"

#define TERRAFORM_MAX (1024u * 1024u)

/* outputs.key_pair_id.value, or that of modules[0] (gardener 7.3: versions 2, 3 and 4). */
static void read_tfstate(struct text state, char *id)
{
    struct text modules = scan_member(state, "modules"), from = state, value;
    size_t at = 0;

    if (modules.p && !scan_item(modules, &at, &from))
        return;
    value = scan_path(from, "outputs", "key_pair_id", "value", NULL);
    if (!secret_uuid_ok(scan_string(value)) || !span_copy(scan_string(value), id, LIMIT_UUID + 1))
        id[0] = '\0';
}

void recorded_terraform(struct value status, char *id)
{
    struct value state = value_get(status, "state");
    struct span data = value_text(value_get(state, "data"));
    struct value encoding = value_get(state, "encoding");

    id[0] = '\0';
    if (!data.p || data.len > TERRAFORM_MAX)
        return;
    if (value_is_text(encoding, "none")) {
        read_tfstate((struct text){.p = data.p, .len = data.len}, id);
    } else if (value_is_text(encoding, "base64")) {
        char *text = x_malloc(data.len + 1);
        long len = secret_base64(data.p, data.len, (unsigned char *)text, data.len);

        if (len > 0)
            read_tfstate((struct text){.p = text, .len = (size_t)len}, id);
        free(text);
    }
}

struct id_set {
    struct span ids[RECORDED_MAX];
    uint32_t count;
};

static void remember(struct id_set *set, struct span id)
{
    if (!secret_uuid_ok(id) || set->count == RECORDED_MAX)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        if (span_same(set->ids[i], id))
            return;
    set->ids[set->count++] = id;
}

void recorded_ids(struct value status, const char *terraform, struct pack *out)
{
    struct id_set set = {.count = 0};
    struct value obsolete = value_at(status, "state", "obsolete", NULL);
    struct value_iter it = value_each(obsolete);

    remember(&set, value_text(value_at(status, "state", "id", NULL)));
    remember(&set, value_text(value_at(status, "providerStatus", "sshKeyID", NULL)));
    remember(&set, span_of(terraform));
    while (value_kind(obsolete) == VALUE_ARRAY && value_next(&it))
        remember(&set, value_text(it.item));
    pack_array(out, set.count);
    for (uint32_t i = 0; i < set.count; i++)
        pack_span(out, set.ids[i]);
}
