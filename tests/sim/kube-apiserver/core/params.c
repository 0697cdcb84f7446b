/* tests/sim/kube-apiserver/core/params.c -- the query parameters and DeleteOptions that writes have in
 * common. Owns which values are refused (kubernetes 4.1, 4.9, 11.5); names that nobody knows are ignored.
 * Called by the write and delete paths before anything else. */
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

#define MANAGER_MAX 128u

static bool among(const char *text, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

static void fail_options(struct ks_call *call, struct ks_causes *causes)
{
    static const char *const kinds[] = {[KS_CREATE] = "CreateOptions",
                                        [KS_UPDATE] = "UpdateOptions",
                                        [KS_PATCH] = "PatchOptions",
                                        [KS_DELETE] = "DeleteOptions",
                                        [KS_DELETE_ALL] = "DeleteOptions"};

    ks_fail_invalid_kind(call, "meta.k8s.io", kinds[call->verb], "", causes);
}

int ks_check_options(struct ks_call *call)
{
    static const char *const dry_runs[] = {"", "All"};
    static const char *const validations[] = {"", "Ignore", "Warn", "Strict"};
    const char *dry_run = ks_query_get(&call->query, "dryRun");
    const char *validation = ks_query_get(&call->query, "fieldValidation");
    bool apply = ks_media_is(call, "application/apply-patch+yaml");
    struct ks_causes causes = {0};

    if (call->verb == KS_PATCH && !apply && *ks_query_get(&call->query, "force"))
        ks_cause_add(&causes, "FieldValueForbidden", "force",
                     "Forbidden: may not be specified for non-apply patch");
    if (strlen(ks_query_get(&call->query, "fieldManager")) > MANAGER_MAX)
        ks_cause_add(&causes, "FieldValueTooLong", "fieldManager", "Too long: may not be more than %u bytes",
                     MANAGER_MAX);
    if (!among(dry_run, dry_runs, 2))
        ks_cause_add(&causes, "FieldValueNotSupported", "dryRun",
                     "Unsupported value: [\"%s\"]: supported values: \"All\"", dry_run);
    if (!among(validation, validations, 4))
        ks_cause_add(&causes, "FieldValueNotSupported", "fieldValidation",
                     "Unsupported value: \"%s\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
                     validation);
    if (causes.n == 0)
        return 0;
    fail_options(call, &causes);
    return -1;
}

json_t *ks_delete_options(struct ks_call *call)
{
    static const char *const policies[] = {"", "Foreground", "Background", "Orphan"};
    struct ks_causes causes = {0};
    json_t *options;
    const char *policy;

    if (call->req->body_len == 0)
        return json_object();
    options = json_loadb(call->req->body, call->req->body_len, 0, NULL);
    policy = ks_str(options, "propagationPolicy");
    if (!json_is_object(options)) {
        ks_fail(call, 500, "", "couldn't get version/kind; json parse error");
    } else if (!among(policy, policies, sizeof policies / sizeof *policies)) {
        ks_cause_add(&causes, "FieldValueNotSupported", "propagationPolicy",
                     "Unsupported value: \"%s\": supported values: \"Foreground\", \"Background\", "
                     "\"Orphan\", \"nil\"",
                     policy);
        fail_options(call, &causes);
    } else {
        call->dry_run = call->dry_run || json_array_size(json_object_get(options, "dryRun")) > 0;
        return options;
    }
    json_decref(options);
    return NULL;
}
