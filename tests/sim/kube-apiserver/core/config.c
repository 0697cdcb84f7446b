/* tests/sim/kube-apiserver/core/config.c -- the switches that can be turned while the server runs.
 * Owns their names, defaults and GET and POST /_sim/config. Called by the dispatcher of /_sim/. */
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

#define NUMBER_MAX 1000000000

const struct kube_sim_switches kube_sim_defaults = {
    .watch_list = true, .bookmark_ms = 60000, .gzip_min = (size_t)128 * 1024};

const struct kube_sim_switches *kube_sim_switches(const struct kube_sim *sim)
{
    return &sim->switches;
}

/* A misspelt name would make a test pass for the wrong reason, so it is refused. */
static bool set(struct kube_sim_switches *switches, const char *name, const json_t *value)
{
    bool *flag = strcmp(name, "watchList") == 0   ? &switches->watch_list
                 : strcmp(name, "gzipWatch") == 0 ? &switches->gzip_watch
                                                  : NULL;
    unsigned *number = strcmp(name, "watchMaxMs") == 0   ? &switches->watch_max_ms
                       : strcmp(name, "bookmarkMs") == 0 ? &switches->bookmark_ms
                       : strcmp(name, "latencyMs") == 0  ? &switches->latency_ms
                                                         : NULL;
    size_t *size = strcmp(name, "watchSplitBytes") == 0 ? &switches->split_bytes
                   : strcmp(name, "gzipMin") == 0       ? &switches->gzip_min
                                                        : NULL;
    json_int_t given = json_integer_value(value);
    bool counted = json_is_integer(value) && given >= 0 && given <= NUMBER_MAX;

    if (flag != NULL && json_is_boolean(value))
        *flag = json_is_true(value);
    else if (number != NULL && counted)
        *number = (unsigned)given;
    else if (size != NULL && counted)
        *size = (size_t)given;
    else
        return false;
    return true;
}

static void show(struct ks_call *call)
{
    const struct kube_sim_switches *now = &call->sim->switches;

    ks_answer_json(call, 200,
                   json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:b}", "watchList", now->watch_list, "watchMaxMs",
                             (json_int_t)now->watch_max_ms, "bookmarkMs", (json_int_t)now->bookmark_ms,
                             "latencyMs", (json_int_t)now->latency_ms, "watchSplitBytes",
                             (json_int_t)now->split_bytes, "gzipMin", (json_int_t)now->gzip_min, "gzipWatch",
                             now->gzip_watch));
}

void ks_config_path(struct ks_call *call)
{
    struct kube_sim_switches wanted = call->sim->switches;
    json_t *body;
    const char *name;
    json_t *value;
    bool good;

    if (strcmp(call->req->method, "POST") != 0) {
        show(call);
        return;
    }
    body = json_loadb(call->req->body, call->req->body_len, 0, NULL);
    good = json_is_object(body);
    json_object_foreach(body, name, value)
    {
        good = good && set(&wanted, name, value);
    }
    json_decref(body);
    if (good) {
        call->sim->switches = wanted;
        show(call);
    } else {
        ks_fail(call, 400, "BadRequest", "a switch is unknown or has a value of the wrong type");
    }
}
