/* tests/unit/test_worker_plan.c -- the operation of a run and its flow, row by row as gardener 2.3 and 2.4
 * have them, and what a metadata patch is needed for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/core/job.h"

#define YES true
#define NO  false

static const struct row {
    const char *annotation;
    bool deleting, finalizer;
    const char *last_type, *last_state;
    enum operation operation;
    const char *processing; /* text of the flow; NULL: nothing is to be done */
} rows[] = {
    /* 2.4: 1 to 8 */
    {"migrate", YES, YES, "Create", "Succeeded", OPERATION_MIGRATE,
     "Starting migration of the Infrastructure"},
    {"migrate", NO, NO, "", "", OPERATION_MIGRATE, "Starting migration of the Infrastructure"},
    {"", YES, YES, "Create", "Error", OPERATION_DELETE, "Deleting the Infrastructure"},
    {"restore", YES, YES, "", "", OPERATION_DELETE, "Deleting the Infrastructure"},
    {"restore", NO, YES, "Migrate", "Succeeded", OPERATION_RESTORE, "Restoring the Infrastructure"},
    {"", NO, NO, "", "", OPERATION_CREATE, "Reconciling the infrastructure"},
    {"reconcile", NO, YES, "Create", "Error", OPERATION_CREATE, "Reconciling the infrastructure"},
    {"reconcile", NO, YES, "Create", "Processing", OPERATION_CREATE, "Reconciling the infrastructure"},
    {"reconcile", NO, YES, "Create", "Succeeded", OPERATION_RECONCILE, "Reconciling the infrastructure"},
    {"", NO, YES, "Migrate", "Error", OPERATION_MIGRATE, "Starting migration of the Infrastructure"},
    {"", YES, YES, "Migrate", "Error", OPERATION_DELETE, "Deleting the Infrastructure"},
    {"", NO, YES, "Restore", "Processing", OPERATION_RESTORE, "Restoring the Infrastructure"},
    {"", NO, YES, "Restore", "Succeeded", OPERATION_RECONCILE, "Reconciling the infrastructure"},
    {"", NO, YES, "Delete", "Error", OPERATION_RECONCILE, "Reconciling the infrastructure"},
    {"else", NO, YES, "Reconcile", "Error", OPERATION_RECONCILE, "Reconciling the infrastructure"},
    /* W2, I5, D0 */
    {"wait-for-state", NO, NO, "", "", OPERATION_CREATE, NULL},
    {"reconcile", NO, YES, "Migrate", "Succeeded", OPERATION_RECONCILE, NULL},
    {"", YES, YES, "Migrate", "Succeeded", OPERATION_DELETE, NULL},
    {"migrate", YES, YES, "Migrate", "Succeeded", OPERATION_MIGRATE,
     "Starting migration of the Infrastructure"},
    {"", YES, NO, "Create", "Succeeded", OPERATION_DELETE, NULL},
};

static void gardener_2_4_operation_types_and_flows(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct view view = {.deleting = row->deleting, .has_finalizer = row->finalizer};

        span_copy(span_of(row->annotation), view.operation, sizeof view.operation);
        span_copy(span_of(row->last_type), view.last_type, sizeof view.last_type);
        span_copy(span_of(row->last_state), view.last_state, sizeof view.last_state);
        enum operation operation = plan_operation(&view);
        const struct flow *flow = plan_flow(&view, operation);

        if (operation != row->operation || (flow == NULL) != (row->processing == NULL) ||
            (flow != NULL && strcmp(flow->processing, row->processing) != 0))
            fail_msg("row %zu: %s, %s", i, operation_name(operation),
                     flow != NULL ? flow->processing : "nothing");
    }
}

static void a_migration_is_closed_only_for_its_own_annotation(void **state)
{
    struct view view = {.operation = "migrate",
                        .last_type = "Migrate",
                        .last_state = "Succeeded",
                        .timestamp_s = 100,
                        .last_update_s = 100};
    (void)state;

    assert_true(plan_migrate_is_closing(&view));
    view.timestamp_s = 101;
    assert_false(plan_migrate_is_closing(&view));
    view.timestamp_s = 0;
    assert_false(plan_migrate_is_closing(&view));
}

static void a_metadata_patch_holds_only_what_changes(void **state)
{
    static const struct {
        const char *annotation;
        bool finalizer;
        unsigned wanted, needed;
    } cases[] = {
        {"", YES, META_ADD_FINALIZER | META_DROP_RECONCILE, 0},
        {"", NO, META_ADD_FINALIZER | META_DROP_RECONCILE, META_ADD_FINALIZER},
        {"reconcile", YES, META_ADD_FINALIZER | META_DROP_RECONCILE, META_DROP_RECONCILE},
        {"restore", YES, META_ADD_FINALIZER | META_DROP_RECONCILE, 0},
        {"restore", YES, META_DROP_OPERATION, META_DROP_OPERATION},
        {"?", YES, META_DROP_OPERATION | META_DROP_RECONCILE, 0},
        {"wait-for-state", YES, META_DROP_OPERATION | META_DROP_RECONCILE, 0},
        {"", NO, META_DROP_FINALIZER, 0},
        {"", YES, META_DROP_FINALIZER, META_DROP_FINALIZER},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct job job = {.view = {.has_finalizer = cases[i].finalizer}};

        span_copy(span_of(cases[i].annotation), job.view.operation, sizeof job.view.operation);
        assert_int_equal(write_meta_needed(&job, cases[i].wanted), cases[i].needed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gardener_2_4_operation_types_and_flows),
        cmocka_unit_test(a_migration_is_closed_only_for_its_own_annotation),
        cmocka_unit_test(a_metadata_patch_holds_only_what_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
