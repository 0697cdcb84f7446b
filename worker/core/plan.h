/* worker/core/plan.h -- which operation a run is, and the steps of each flow, as tables to read beside
 * gardener.md sections 2.3 to 2.8 and design 12.10. */
#ifndef WORKER_CORE_PLAN_H
#define WORKER_CORE_PLAN_H

#include "worker/core/view.h"

enum operation {
    OPERATION_CREATE,
    OPERATION_RECONCILE,
    OPERATION_DELETE,
    OPERATION_MIGRATE,
    OPERATION_RESTORE
};

/* What a PATCH_META step may change; what is not there to change is left out, and an empty one is skipped. */
enum meta_change {
    META_ADD_FINALIZER = 1u << 0,
    META_DROP_FINALIZER = 1u << 1,
    META_DROP_RECONCILE = 1u << 2, /* the operation annotation, if it says "reconcile" */
    META_DROP_OPERATION = 1u << 3  /* the operation annotation of this flow: "migrate" or "restore" */
};

/* STEP_CHECK: only of a job that looks for drift, which ends there when it finds none (design 12.12). */
enum step_kind { STEP_CHECK, STEP_META, STEP_PROCESSING, STEP_MAKE, STEP_REMOVE, STEP_SUCCEEDED, STEP_END };

struct step {
    enum step_kind kind;
    unsigned meta;
    const char *doing; /* for the beat */
};

struct flow {
    const char *processing; /* gardener 2.10, to the letter */
    const char *error;
    const char *config_error; /* phrase of the configuration check */
    const char *success;
    struct step steps[6];
};

/* gardener 2.4: evaluated top to bottom, first hit wins. */
enum operation plan_operation(const struct view *view);
/* The steps to run, or NULL when nothing is to be done: W2, D0, I5 (gardener 2.2, 2.3, 2.6). */
const struct flow *plan_flow(const struct view *view, enum operation operation);
/* Migrate succeeded for this very annotation and only its last patch is missing (gardener 78). */
bool plan_migrate_is_closing(const struct view *view);
/* "Create", "Reconcile", ... */
const char *operation_name(enum operation operation);

#endif
