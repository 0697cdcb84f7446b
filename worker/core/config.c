/* worker/core/config.c -- the rules for spec.providerConfig (gardener 15, 77): absent is fine, a wrong kind
 * is a configuration problem, unknown fields are told in an Event. Called by job.c. */
#include <stdio.h>
#include <string.h>

#include "worker/core/job.h"

#define CONFIG_API_VERSION "packet.provider.extensions.gardener.cloud/v1alpha1"
#define CONFIG_KIND        "InfrastructureConfig"

/* Names the first member that InfrastructureConfig does not have. */
static void warn_unknown(struct value config, char *warning, size_t size)
{
    for (struct value_iter it = value_each(config); value_next(&it);) {
        struct span name = value_text(it.key);
        bool plain = name.len <= 64;

        if (span_is(name, "apiVersion") || span_is(name, "kind") || span_is(name, "sshPublicKey"))
            continue;
        for (uint32_t i = 0; i < name.len && plain; i++)
            plain = name.p[i] > 0x20 && name.p[i] < 0x7f;
        snprintf(warning, size,
                 "spec.providerConfig has fields that InfrastructureConfig does not know%s%.*s%s.",
                 plain ? " (\"" : "", plain ? (int)name.len : 0, plain && name.len > 0 ? name.p : "",
                 plain ? "\")" : "");
        return;
    }
}

/* Some read the README so that the key belongs here: as the line itself, or base64 as in the spec. */
static enum cause read_key(struct value member, struct pubkey *key)
{
    struct span text = value_text(member);

    if (value_kind(member) == VALUE_NONE || value_kind(member) == VALUE_NIL)
        return CAUSE_NONE;
    if (text.p == NULL)
        return CAUSE_CONFIG_KEY;
    if (pubkey_parse(text, key) == CAUSE_NONE)
        return CAUSE_NONE;
    return pubkey_read(text, key) == CAUSE_NONE ? CAUSE_NONE : CAUSE_CONFIG_KEY;
}

enum cause config_check(struct value spec, struct pubkey *key, char *warning, size_t size)
{
    struct value config = value_get(spec, "providerConfig");
    enum value_kind kind = value_kind(config);

    warning[0] = '\0';
    if (kind == VALUE_NONE || kind == VALUE_NIL)
        return CAUSE_NONE;
    if (kind != VALUE_MAP)
        return CAUSE_CONFIG_SHAPE;
    if (!value_is_text(value_get(config, "apiVersion"), CONFIG_API_VERSION) ||
        !value_is_text(value_get(config, "kind"), CONFIG_KIND))
        return CAUSE_CONFIG_KIND;
    warn_unknown(config, warning, size);
    if (key->present || value_text(value_get(spec, "sshPublicKey")).len > 0)
        return CAUSE_NONE;
    enum cause cause = read_key(value_get(config, "sshPublicKey"), key);
    if (cause == CAUSE_NONE && key->present)
        snprintf(
            warning, size,
            "sshPublicKey was taken from spec.providerConfig, since spec.sshPublicKey is absent; it belongs "
            "into the spec.");
    return cause;
}
