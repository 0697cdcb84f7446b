/* tests/unit/test_kube_sim_fixture.h -- a simulator with a small Infrastructure CRD, a namespace and one
 * user, and short ways to ask it. Bodies are written with ' for " so that they can be read. Included by the
 * test_kube_sim*.c programs only; cmocka.h comes before it. */
#ifndef TESTS_UNIT_TEST_KUBE_SIM_FIXTURE_H
#define TESTS_UNIT_TEST_KUBE_SIM_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/kube_sim.h"

#define NS         "shoot--a--b"
#define INFRAS     "/apis/extensions.gardener.cloud/v1alpha1/namespaces/" NS "/infrastructures"
#define INFRA_TYPE "'apiVersion':'extensions.gardener.cloud/v1alpha1','kind':'Infrastructure'"
#define JSON_TYPE  "application/json"
#define MERGE_TYPE "application/merge-patch+json"
#define NOW        INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

struct fixture {
    struct kube_sim *sim;
    struct sim_answer answer;
    json_t *json; /* of the last answer; NULL when it was none */
    const char *token;
    const char *accept;
    int64_t now_ms;
    char text[128];
    char audit_user[64];
    char audit_verb[32];
    int audit_code;
    unsigned audits;
};

static inline json_t *fx_json(const char *text)
{
    char *copy = strdup(text);
    json_t *made;

    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    made = json_loads(copy, 0, NULL);
    free(copy);
    return made;
}

static inline void fx_audit(void *ctx, const struct kube_audit *record)
{
    struct fixture *f = ctx;

    (void)snprintf(f->audit_user, sizeof f->audit_user, "%s", record->user);
    (void)snprintf(f->audit_verb, sizeof f->audit_verb, "%s", record->verb);
    f->audit_code = record->code;
    f->audits++;
}

/* Borrowed strings live until fx_call returns. */
static inline struct sim_request fx_request(const struct fixture *f, const char *method, const char *path,
                                            const char *query)
{
    return (struct sim_request){.method = method,
                                .path = path,
                                .query = query,
                                .token = f->token,
                                .content_type = "",
                                .accept = f->accept,
                                .user_agent = "unit-test",
                                .body = ""};
}

/* body may be NULL and has ' for ". Returns the status. */
static inline int fx_call(struct fixture *f, const char *method, const char *path, const char *query,
                          const char *type, const char *body)
{
    struct sim_request request = fx_request(f, method, path, query);
    char *copy = strdup(body ? body : "");

    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    request.content_type = type;
    request.body = copy;
    request.body_len = strlen(copy);
    json_decref(f->json);
    sim_answer_clear(&f->answer);
    kube_sim_handle(f->sim, &request, f->now_ms, &f->answer);
    free(copy);
    f->json = f->answer.body ? json_loadb(f->answer.body, f->answer.body_len, 0, NULL) : NULL;
    return f->answer.status;
}

/* The scalar at a dotted path of the last answer as text; "" when absent or no scalar. */
static inline const char *fx_str(struct fixture *f, const char *path)
{
    const json_t *at = f->json;

    while (at != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        at = json_object_getn(at, path, len);
        path += len + (path[len] == '.');
    }
    if (json_is_string(at))
        return json_string_value(at);
    f->text[0] = '\0';
    if (json_is_integer(at))
        (void)snprintf(f->text, sizeof f->text, "%lld", (long long)json_integer_value(at));
    else if (at != NULL)
        (void)snprintf(f->text, sizeof f->text, "there");
    return f->text;
}

static inline int fx_create_infra(struct fixture *f, const char *name)
{
    char body[512];

    (void)snprintf(body, sizeof body,
                   "{" INFRA_TYPE ",'metadata':{'name':'%s'},'spec':{'type':'packet','region':'ewr1',"
                   "'secretRef':{'name':'cloudprovider'}}}",
                   name);
    return fx_call(f, "POST", INFRAS, "", JSON_TYPE, body);
}

static const char fx_crd[] =
    "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition',"
    "'metadata':{'name':'infrastructures.extensions.gardener.cloud'},'spec':{"
    "'group':'extensions.gardener.cloud','scope':'Namespaced',"
    "'names':{'kind':'Infrastructure','plural':'infrastructures','shortNames':['infra']},"
    "'versions':[{'name':'v1alpha1','served':true,'storage':true,'subresources':{'status':{}},"
    "'additionalPrinterColumns':[{'name':'Region','type':'string','jsonPath':'.spec.region'}],"
    "'schema':{'openAPIV3Schema':{'type':'object','required':['spec'],'properties':{"
    "'spec':{'type':'object','required':['region','secretRef','type'],'properties':{"
    "'type':{'type':'string'},'region':{'type':'string'},"
    "'secretRef':{'type':'object','properties':{'name':{'type':'string'}}},"
    "'providerConfig':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}},"
    "'status':{'type':'object','properties':{'nodesCIDR':{'type':'string'},"
    "'providerStatus':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}}}}}}]}}";

static inline int fx_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    static const struct kube_sim_user user = {"secret-token", "tester"};
    struct kube_sim_config config = {
        .seed = 1, .history = 64, .users = &user, .n_users = 1, .audit = fx_audit, .audit_ctx = f};
    json_t *crd = fx_json(fx_crd);

    f->token = "secret-token";
    f->accept = "application/json";
    f->now_ms = NOW;
    f->sim = kube_sim_new(&config, NOW);
    if (kube_sim_load_crd(f->sim, crd, NOW) != 0)
        return -1;
    json_decref(crd);
    (void)fx_call(f, "POST", "/api/v1/namespaces", "", JSON_TYPE, "{'metadata':{'name':'" NS "'}}");
    *state = f;
    return 0;
}

static inline int fx_teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(f->json);
    sim_answer_clear(&f->answer);
    kube_sim_free(f->sim);
    free(f);
    return 0;
}

#endif
