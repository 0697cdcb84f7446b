/* worker/core/plan.c -- operation types, flows and their texts, as tables. Reads nothing but the view;
 * changes nothing. Called by job.c and flow.c. */
#include "worker/core/plan.h"

#include <string.h>

static const struct flow reconcile_flow = {
    .processing = "Reconciling the infrastructure",
    .error = "Error reconciling infrastructure",
    .config_error = "Error checking infrastructure config",
    .success = "Successfully reconciled infrastructure",
    .steps = {{STEP_CHECK, 0, "checking the key"},
              {STEP_META, META_ADD_FINALIZER | META_DROP_RECONCILE, "adding the finalizer"},
              {STEP_PROCESSING, 0, "patching status to Processing"},
              {STEP_MAKE, 0, "making the key"},
              {STEP_SUCCEEDED, 0, "patching status to Succeeded"},
              {STEP_END, 0, "ending the job"}},
};

static const struct flow delete_flow = {
    .processing = "Deleting the Infrastructure",
    .error = "Error deleting Infrastructure",
    .config_error = "Error deleting Infrastructure",
    .success = "Successfully deleted Infrastructure",
    .steps = {{STEP_META, META_DROP_RECONCILE, "removing the operation annotation"},
              {STEP_PROCESSING, 0, "patching status to Processing"},
              {STEP_REMOVE, 0, "removing the key"},
              {STEP_SUCCEEDED, 0, "patching status to Succeeded"},
              {STEP_META, META_DROP_FINALIZER, "removing the finalizer"},
              {STEP_END, 0, "ending the job"}},
};

static const struct flow migrate_flow = {
    .processing = "Starting migration of the Infrastructure",
    .error = "Error migrating Infrastructure",
    .config_error = "Error migrating Infrastructure",
    .success = "Successfully migrated Infrastructure",
    .steps = {{STEP_PROCESSING, 0, "patching status to Processing"},
              {STEP_SUCCEEDED, 0, "patching status to Succeeded"},
              {STEP_META, META_DROP_FINALIZER | META_DROP_OPERATION, "removing finalizer and annotation"},
              {STEP_END, 0, "ending the job"}},
};

static const struct flow restore_flow = {
    .processing = "Restoring the Infrastructure",
    .error = "Error restoring Infrastructure",
    .config_error = "Error checking Infrastructure config",
    .success = "Successfully restored Infrastructure",
    .steps = {{STEP_META, META_ADD_FINALIZER | META_DROP_RECONCILE, "adding the finalizer"},
              {STEP_PROCESSING, 0, "patching status to Processing"},
              {STEP_MAKE, 0, "restoring the key"},
              {STEP_META, META_DROP_OPERATION, "removing the operation annotation"},
              {STEP_SUCCEEDED, 0, "patching status to Succeeded"},
              {STEP_END, 0, "ending the job"}},
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

enum operation plan_operation(const struct view *view)
{
    bool succeeded = is(view->last_state, "Succeeded");

    if (is(view->operation, "migrate"))
        return OPERATION_MIGRATE;
    if (view->deleting)
        return OPERATION_DELETE;
    if (is(view->operation, "restore"))
        return OPERATION_RESTORE;
    if (view->last_type[0] == '\0')
        return OPERATION_CREATE;
    if (is(view->last_type, "Create") && !succeeded)
        return OPERATION_CREATE;
    if (is(view->last_type, "Migrate") && !succeeded)
        return OPERATION_MIGRATE;
    if (is(view->last_type, "Restore") && !succeeded)
        return OPERATION_RESTORE;
    return OPERATION_RECONCILE;
}

const struct flow *plan_flow(const struct view *view, enum operation operation)
{
    bool migrated = is(view->last_type, "Migrate") && is(view->last_state, "Succeeded");

    if (is(view->operation, "wait-for-state"))
        return NULL;
    if (operation == OPERATION_MIGRATE)
        return &migrate_flow;
    if (operation == OPERATION_RESTORE)
        return &restore_flow;
    if (migrated)
        return NULL;
    if (operation == OPERATION_DELETE)
        return view->has_finalizer ? &delete_flow : NULL;
    return &reconcile_flow;
}

bool plan_migrate_is_closing(const struct view *view)
{
    return is(view->operation, "migrate") && is(view->last_type, "Migrate") &&
           is(view->last_state, "Succeeded") && view->timestamp_s > 0 &&
           view->timestamp_s <= view->last_update_s;
}

const char *operation_name(enum operation operation)
{
    static const char *const names[] = {"Create", "Reconcile", "Delete", "Migrate", "Restore"};

    return names[operation];
}
