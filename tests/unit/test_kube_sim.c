/* tests/unit/test_kube_sim.c -- the simulated API server's core: writes, locks, deletion, status, schema.
 * Owns no state; each test makes its own simulator. The rules tested are those of kubernetes 4, 5 and 8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/test_kube_sim_fixture.h"

static void creates_and_reads(void **state)
{
    struct fixture *f = *state;
    const char *uid;

    assert_int_equal(fx_create_infra(f, "a"), 201);
    assert_string_equal(fx_str(f, "metadata.generation"), "1");
    uid = json_string_value(json_object_get(json_object_get(f->json, "metadata"), "uid"));
    assert_int_equal(strlen(uid), 36);
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 200);
    assert_string_equal(fx_str(f, "spec.region"), "ewr1");
    assert_int_equal(fx_create_infra(f, "a"), 409);
    assert_string_equal(fx_str(f, "reason"), "AlreadyExists");
    assert_int_equal(fx_call(f, "GET", INFRAS "/b", "", "", NULL), 404);
    assert_string_equal(fx_str(f, "details.kind"), "infrastructures");
}

static void refuses_what_the_schema_forbids(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fx_call(f, "POST", INFRAS, "", JSON_TYPE,
                             "{" INFRA_TYPE ",'metadata':{'name':'a'},'spec':{'type':5,'region':'r'}}"),
                     422);
    assert_string_equal(fx_str(f, "reason"), "Invalid");
    assert_string_equal(fx_str(f, "details.kind"), "Infrastructure");
    assert_non_null(strstr(f->answer.body, "spec.secretRef: Required value"));
    assert_non_null(strstr(f->answer.body, "FieldValueTypeInvalid"));
}

static void prunes_unknown_fields(void **state)
{
    struct fixture *f = *state;
    static const char body[] = "{" INFRA_TYPE ",'metadata':{'name':'a'},'spec':{'type':'packet','region':'r',"
                               "'secretRef':{},'nope':1,'providerConfig':{'free':{'x':1}}}}";

    assert_int_equal(fx_call(f, "POST", INFRAS, "fieldValidation=Strict", JSON_TYPE, body), 400);
    assert_int_equal(fx_call(f, "POST", INFRAS, "", JSON_TYPE, body), 201);
    assert_string_equal(fx_str(f, "spec.nope"), "");
    assert_string_equal(fx_str(f, "spec.providerConfig.free.x"), "1");
    assert_string_equal(f->answer.headers[0].name, "Warning");
}

static void locks_by_revision(void **state)
{
    struct fixture *f = *state;
    char body[256];

    (void)fx_create_infra(f, "a");
    (void)snprintf(body, sizeof body, "{'metadata':{'resourceVersion':'%s','finalizers':['x.y/z']}}",
                   fx_str(f, "metadata.resourceVersion"));
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, body), 200);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, body), 409);
    assert_string_equal(fx_str(f, "reason"), "Conflict");
    assert_int_equal(
        fx_call(f, "PUT", INFRAS "/a", "", JSON_TYPE, "{" INFRA_TYPE ",'metadata':{'name':'a'},'spec':{}}"),
        422);
    assert_non_null(strstr(f->answer.body, "must be specified for an update"));
}

static void separates_status(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE,
                             "{'spec':{'region':'b'},'status':{'nodesCIDR':'x'}}"),
                     200);
    assert_string_equal(fx_str(f, "status"), "");
    assert_string_equal(fx_str(f, "metadata.generation"), "2");
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a/status", "", MERGE_TYPE,
                             "{'metadata':{'labels':{'l':'m'}},'spec':{'region':'c'},"
                             "'status':{'nodesCIDR':'x'}}"),
                     200);
    assert_string_equal(fx_str(f, "status.nodesCIDR"), "x");
    assert_string_equal(fx_str(f, "spec.region"), "b");
    assert_string_equal(fx_str(f, "metadata.labels"), "");
    assert_string_equal(fx_str(f, "metadata.generation"), "2");
}

static void keeps_revision_when_nothing_changes(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    (void)fx_create_infra(f, "a");
    before = kube_sim_revision(f->sim);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'spec':{'region':'ewr1'}}"), 200);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{}"), 200);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "dryRun=All", MERGE_TYPE, "{'spec':{'region':'q'}}"),
                     200);
    assert_string_equal(fx_str(f, "spec.region"), "q");
    assert_int_equal(kube_sim_revision(f->sim), before);
}

static void deletes_after_the_last_finalizer(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'finalizers':['x.y/z']}}");
    assert_int_equal(fx_call(f, "DELETE", INFRAS "/a", "", "", "{'preconditions':{'uid':'wrong'}}"), 409);
    assert_int_equal(fx_call(f, "DELETE", INFRAS "/a", "", "", NULL), 200);
    assert_string_equal(fx_str(f, "metadata.generation"), "2");
    assert_string_not_equal(fx_str(f, "metadata.deletionTimestamp"), "");
    assert_int_equal(
        fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'finalizers':['x.y/z','new.one/f']}}"),
        422);
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 200);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'finalizers':null}}"),
                     200);
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 404);
    assert_int_equal(fx_call(f, "DELETE", INFRAS "/a", "", "", NULL), 404);
}

static void knows_patch_types(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", "application/strategic-merge-patch+json", "{}"),
                     415);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", "application/json-patch+json",
                             "[{'op':'test','path':'/spec/region','value':'other'}]"),
                     422);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", "application/json-patch+json",
                             "[{'op':'replace','path':'/spec/region','value':'b'},"
                             "{'op':'add','path':'/metadata/annotations','value':{'k.l/m~n':'v'}},"
                             "{'op':'remove','path':'/metadata/annotations/k.l~1m~0n'}]"),
                     200);
    assert_string_equal(fx_str(f, "spec.region"), "b");
    assert_string_equal(fx_str(f, "metadata.annotations"), "");
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE "; charset=utf-8", "{"), 400);
}

static void applies_and_sees_conflicts(void **state)
{
    struct fixture *f = *state;
    static const char apply[] = "application/apply-patch+yaml";
    static const char full[] = "{" INFRA_TYPE ",'metadata':{'name':'a','labels':{'x':'1'}},"
                               "'spec':{'type':'packet','region':'r','secretRef':{}}}";
    static const char less[] = "{" INFRA_TYPE ",'metadata':{'name':'a'},"
                               "'spec':{'type':'packet','region':'q','secretRef':{}}}";

    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", apply, full), 422);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "fieldManager=m", apply, full), 201);
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "fieldManager=n", apply, less), 409);
    assert_non_null(strstr(f->answer.body, "FieldManagerConflict"));
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "fieldManager=m", apply, less), 200);
    assert_string_equal(fx_str(f, "metadata.labels"), "");
    assert_string_equal(fx_str(f, "spec.region"), "q");
}

static void is_strict_about_micro_time(void **state)
{
    struct fixture *f = *state;
    static const char path[] = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

    assert_int_equal(fx_call(f, "POST", path, "", JSON_TYPE,
                             "{'metadata':{'name':'l'},'spec':{'renewTime':'2026-01-01T00:00:00Z'}}"),
                     400);
    assert_int_equal(fx_call(f, "POST", path, "", JSON_TYPE,
                             "{'metadata':{'name':'l'},'spec':{'renewTime':'2026-01-01T00:00:00.000000Z'}}"),
                     201);
    assert_int_equal(fx_call(f, "PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l", "",
                             JSON_TYPE, "{'metadata':{'name':'l'},'spec':{'holderIdentity':'x'}}"),
                     422);
}

static void empties_a_namespace(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'finalizers':['x.y/z']}}");
    assert_int_equal(fx_call(f, "DELETE", "/api/v1/namespaces/" NS, "", "", NULL), 200);
    assert_string_equal(fx_str(f, "status.phase"), "Terminating");
    assert_int_equal(fx_create_infra(f, "b"), 403);
    assert_non_null(strstr(f->answer.body, "NamespaceTerminating"));
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'finalizers':null}}");
    assert_int_equal(fx_call(f, "GET", "/api/v1/namespaces/" NS, "", "", NULL), 404);
    assert_int_equal(fx_create_infra(f, "b"), 404);
    assert_non_null(strstr(f->answer.body, "namespaces \\\"" NS "\\\" not found"));
}

static void knows_who_asks(void **state)
{
    struct fixture *f = *state;

    f->token = "wrong";
    assert_int_equal(fx_call(f, "GET", INFRAS, "", "", NULL), 401);
    assert_string_equal(fx_str(f, "reason"), "Unauthorized");
    assert_int_equal(fx_call(f, "GET", "/readyz", "", "", NULL), 200);
    f->token = "secret-token";
    assert_int_equal(fx_call(f, "GET", INFRAS, "", "", NULL), 200);
    assert_string_equal(f->audit_user, "tester");
    assert_string_equal(f->audit_verb, "list");
    assert_int_equal(f->audit_code, 200);
}

static void makes_secrets_of_plain_text(void **state)
{
    struct fixture *f = *state;
    static const char path[] = "/api/v1/namespaces/default/secrets";

    assert_int_equal(
        fx_call(f, "POST", path, "", JSON_TYPE, "{'metadata':{'name':'s'},'stringData':{'apiToken':'abc'}}"),
        201);
    assert_string_equal(fx_str(f, "data.apiToken"), "YWJj");
    assert_string_equal(fx_str(f, "type"), "Opaque");
    assert_int_equal(fx_call(f, "POST", path, "", JSON_TYPE, "{'metadata':{'name':'t'},'data':{'a':'*'}}"),
                     400);
}

static void puts_and_gets_directly(void **state)
{
    struct fixture *f = *state;
    json_t *object =
        fx_json("{" INFRA_TYPE ",'metadata':{'name':'a','namespace':'" NS "','finalizers':['q.r/s']},"
                "'spec':{},'status':{'nodesCIDR':'z'}}");
    const json_t *got;
    json_t *list;
    uint64_t revision;

    revision = kube_sim_put(f->sim, object, NOW);
    assert_int_equal(revision, kube_sim_revision(f->sim));
    got = kube_sim_get(f->sim, "extensions.gardener.cloud", "infrastructures", NS, "a");
    assert_string_equal(json_string_value(json_object_get(json_object_get(got, "status"), "nodesCIDR")), "z");
    list = kube_sim_list(f->sim, "extensions.gardener.cloud", "infrastructures", NULL);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    json_decref(object);
    assert_true(kube_sim_remove(f->sim, "extensions.gardener.cloud", "infrastructures", NS, "a"));
    assert_false(kube_sim_remove(f->sim, "extensions.gardener.cloud", "infrastructures", NS, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(creates_and_reads, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(refuses_what_the_schema_forbids, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(prunes_unknown_fields, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(locks_by_revision, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(separates_status, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(keeps_revision_when_nothing_changes, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(deletes_after_the_last_finalizer, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(knows_patch_types, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(applies_and_sees_conflicts, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(is_strict_about_micro_time, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(empties_a_namespace, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(knows_who_asks, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(makes_secrets_of_plain_text, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(puts_and_gets_directly, fx_setup, fx_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
