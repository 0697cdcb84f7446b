/* tests/unit/test_kube_sim_kinds.c -- the simulated API server's core: built-in kinds, CRDs, discovery,
 * protobuf. Owns no state; each test makes its own simulator. The rules tested are those of kubernetes 4, 8,
 * 9 and 11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/test_kube_sim_fixture.h"

#define CONFIGS "/api/v1/namespaces/default/configmaps"
#define CRDS    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

static void drops_what_a_kind_has_not(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fx_call(f, "POST", CONFIGS, "", JSON_TYPE,
                             "{'metadata':{'name':'c'},'data':{'a':'b'},'spec':{'x':1}}"),
                     201);
    assert_string_equal(fx_str(f, "data.a"), "b");
    assert_string_equal(fx_str(f, "spec"), "");
    assert_int_equal(fx_call(f, "POST", CONFIGS, "", JSON_TYPE, "{'metadata':{'name':'d'},'data':{'a':5}}"),
                     400);
    assert_int_equal(fx_call(f, "PATCH", CONFIGS "/c", "", MERGE_TYPE, "{'data':{'a':5}}"), 422);
    assert_int_equal(fx_call(f, "PATCH", CONFIGS "/c", "", MERGE_TYPE, "{'metadata':'text'}"), 422);
}

static void lists_without_kind(void **state)
{
    struct fixture *f = *state;
    const json_t *item;

    (void)fx_call(f, "POST", CONFIGS, "", JSON_TYPE, "{'metadata':{'name':'c'}}");
    assert_string_equal(fx_str(f, "kind"), "ConfigMap");
    assert_int_equal(fx_call(f, "GET", CONFIGS, "", "", NULL), 200);
    assert_string_equal(fx_str(f, "kind"), "ConfigMapList");
    item = json_array_get(json_object_get(f->json, "items"), 0);
    assert_non_null(json_object_get(item, "metadata"));
    assert_null(json_object_get(item, "kind"));
    (void)fx_create_infra(f, "a");
    assert_int_equal(fx_call(f, "GET", INFRAS, "", "", NULL), 200);
    item = json_array_get(json_object_get(f->json, "items"), 0);
    assert_non_null(json_object_get(item, "kind"));
}

static void reads_protobuf(void **state)
{
    struct fixture *f = *state;
    /* the envelope, then a Namespace with metadata.name "pb" */
    static const char body[] = "k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x06\x0a\x04\x0a\x02pb";
    struct sim_request request = fx_request(f, "POST", "/api/v1/namespaces", "");

    request.content_type = "application/vnd.kubernetes.protobuf";
    request.body = body;
    request.body_len = sizeof body - 1;
    sim_answer_clear(&f->answer);
    kube_sim_handle(f->sim, &request, NOW, &f->answer);
    assert_int_equal(f->answer.status, 201);
    assert_non_null(kube_sim_get(f->sim, "", "namespaces", "", "pb"));
    for (size_t len = 0; len < sizeof body - 1; len++) { /* cut anywhere, it must be refused and not crash */
        request.body_len = len;
        sim_answer_clear(&f->answer);
        kube_sim_handle(f->sim, &request, NOW, &f->answer);
        assert_true(f->answer.status >= 400);
    }
}

static void registers_and_drops_a_crd(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fx_call(f, "GET", "/apis/extensions.gardener.cloud/v1alpha1", "", "", NULL), 200);
    assert_non_null(strstr(f->answer.body, "\"shortNames\":[\"infra\"]"));
    assert_non_null(strstr(f->answer.body, "\"infrastructures/status\""));
    (void)fx_create_infra(f, "a");
    assert_int_equal(fx_call(f, "DELETE", CRDS "/infrastructures.extensions.gardener.cloud", "", "", NULL),
                     200);
    assert_int_equal(fx_call(f, "GET", INFRAS, "", "", NULL), 404);
    assert_string_equal(f->answer.body, "404 page not found\n");
    assert_int_equal(fx_call(f, "POST", CRDS, "", JSON_TYPE, fx_crd), 201);
    assert_int_equal(fx_call(f, "GET", INFRAS, "", "", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);
}

static void refuses_unknown_option_values(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fx_call(f, "POST", CONFIGS, "dryRun=Some", JSON_TYPE, "{'metadata':{'name':'c'}}"), 422);
    assert_string_equal(fx_str(f, "details.kind"), "CreateOptions");
    assert_int_equal(
        fx_call(f, "POST", CONFIGS, "fieldValidation=Loud", JSON_TYPE, "{'metadata':{'name':'c'}}"), 422);
    assert_int_equal(fx_call(f, "POST", CONFIGS, "whatever=x", JSON_TYPE, "{'metadata':{'name':'c'}}"), 201);
}

static void answers_the_small_questions(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fx_call(f, "GET", "/version", "", "", NULL), 200);
    assert_string_equal(fx_str(f, "minor"), "34");
    assert_int_equal(fx_call(f, "GET", "/openapi/v2", "", "", NULL), 200);
    assert_int_equal(f->answer.body_len, 0);
    assert_null(strchr(f->answer.content_type, '@'));
    assert_int_equal(fx_call(f, "GET", "/openapi/v3", "", "", NULL), 200);
    assert_int_equal(fx_call(f, "GET", "/openapi/v3/apis/extensions.gardener.cloud/v1alpha1", "", "", NULL),
                     200);
    assert_non_null(strstr(f->answer.body, "fieldValidation"));
    assert_int_equal(fx_call(f, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "",
                             JSON_TYPE, "{'spec':{}}"),
                     201);
    assert_non_null(strstr(f->answer.body, "\"allowed\":true"));
}

static void filters_events_by_object(void **state)
{
    struct fixture *f = *state;
    static const char path[] = "/api/v1/namespaces/default/events";

    assert_int_equal(fx_call(f, "POST", path, "", JSON_TYPE,
                             "{'metadata':{'name':'e'},'involvedObject':{'name':'a','namespace':'default'}}"),
                     201);
    assert_int_equal(fx_call(f, "POST", path, "", JSON_TYPE,
                             "{'metadata':{'name':'e2'},'involvedObject':{'namespace':'other'}}"),
                     422);
    (void)fx_call(f, "GET", path, "fieldSelector=involvedObject.name%3Da,involvedObject.namespace%3Ddefault",
                  "", NULL);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    (void)fx_call(f, "GET", path, "fieldSelector=involvedObject.name%3Db", "", NULL);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);
    assert_int_equal(fx_call(f, "PATCH", "/api/v1/namespaces/default/events/e", "",
                             "application/strategic-merge-patch+json", "{'count':2,'$retainKeys':['x']}"),
                     200);
    assert_string_equal(fx_str(f, "count"), "2");
}

static void takes_switches_over_http(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fx_call(f, "POST", "/_sim/faults", "", JSON_TYPE, "{'faults':[{'action':'explode'}]}"),
                     400);
    assert_int_equal(
        fx_call(f, "POST", "/_sim/faults", "", JSON_TYPE, "{'faults':[{'action':'reset','x':1}]}"), 400);
    assert_int_equal(fx_call(f, "POST", "/_sim/faults", "", JSON_TYPE,
                             "{'faults':[{'action':'status','code':502,'body':'<html>bad gateway</html>'}]}"),
                     200);
    assert_int_equal(fx_call(f, "GET", CONFIGS, "", "", NULL), 502);
    assert_string_equal(f->answer.content_type, "text/html");
    assert_int_equal(fx_call(f, "GET", "/_sim/faults", "", "", NULL), 200);
    assert_non_null(strstr(f->answer.body, "\"hits\":1"));
    assert_int_equal(fx_call(f, "DELETE", "/_sim/faults", "", "", NULL), 200);
    assert_int_equal(fx_call(f, "POST", "/_sim/compact", "", JSON_TYPE, NULL), 200);
    assert_int_equal(fx_call(f, "GET", "/_sim/state", "", "", NULL), 200);
    assert_string_equal(fx_str(f, "watches"), "0");
}

static void is_the_same_for_one_seed(void **state)
{
    struct kube_sim *sims[2];
    json_t *object =
        fx_json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','namespace':'default'}}");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sims[i] = kube_sim_new(&(struct kube_sim_config){.seed = 7}, NOW);
        (void)kube_sim_put(sims[i], object, NOW);
    }
    assert_true(json_equal((json_t *)(uintptr_t)kube_sim_get(sims[0], "", "configmaps", "default", "c"),
                           (json_t *)(uintptr_t)kube_sim_get(sims[1], "", "configmaps", "default", "c")));
    kube_sim_free(sims[0]);
    kube_sim_free(sims[1]);
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(drops_what_a_kind_has_not, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(lists_without_kind, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(reads_protobuf, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(registers_and_drops_a_crd, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(refuses_unknown_option_values, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(answers_the_small_questions, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(filters_events_by_object, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(takes_switches_over_http, fx_setup, fx_teardown),
        cmocka_unit_test(is_the_same_for_one_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
