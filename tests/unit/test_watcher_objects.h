/* tests/unit/test_watcher_objects.h -- Infrastructures and lists of them as JSON. Used by
 * test_watcher_fixture.h. */
#ifndef TEST_WATCHER_OBJECTS_H
#define TEST_WATCHER_OBJECTS_H

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

#define UID "6f0c2c4e-5a0f-4a7c-9d6e-0a1b2c3d4e5f"

struct fx_object {
    const char *ns, *name, *uid, *version, *operation, *timestamp, *deletion, *status, *type, *spec;
    const char *finalizers; /* JSON */
    int generation;
};

/* Fills in what was not given. Caller frees. */
static inline char *fx_json(struct fx_object o)
{
    char annotations[300] = "", deletion[100] = "";

    if (o.operation && o.timestamp)
        snprintf(annotations, sizeof annotations,
                 ",\"annotations\":{\"gardener.cloud/operation\":\"%s\",\"gardener.cloud/timestamp\":\"%s\"}",
                 o.operation, o.timestamp);
    else if (o.operation)
        snprintf(annotations, sizeof annotations, ",\"annotations\":{\"gardener.cloud/operation\":\"%s\"}",
                 o.operation);
    else if (o.timestamp)
        snprintf(annotations, sizeof annotations, ",\"annotations\":{\"gardener.cloud/timestamp\":\"%s\"}",
                 o.timestamp);
    if (o.deletion)
        snprintf(deletion, sizeof deletion, ",\"deletionTimestamp\":\"%s\"", o.deletion);
    return x_asprintf(
        "{\"apiVersion\":\"extensions.gardener.cloud/v1alpha1\",\"kind\":\"Infrastructure\",\"metadata\":{"
        "\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%s\",\"generation\":%d%s%"
        "s%s%s,"
        "\"managedFields\":[{\"manager\":\"kubectl\"}]},"
        "\"spec\":{\"type\":\"%s\",\"region\":\"ewr1\",\"secretRef\":{\"name\":\"cloudprovider\","
        "\"namespace\":\"%s\"}%s}"
        "%s%s}",
        o.name ? o.name : "infra", o.ns ? o.ns : "shoot--a--b", o.uid ? o.uid : UID,
        o.version ? o.version : "10", o.generation ? o.generation : 1, annotations, deletion,
        o.finalizers ? ",\"finalizers\":" : "", o.finalizers ? o.finalizers : "", o.type ? o.type : "packet",
        o.ns ? o.ns : "shoot--a--b", o.spec ? o.spec : "", o.status ? ",\"status\":" : "",
        o.status ? o.status : "");
}

/* Caller frees. */
static inline char *fx_list(const char *version, const char *token, unsigned n,
                            const struct fx_object *objects)
{
    char *list =
        x_asprintf("{\"kind\":\"InfrastructureList\",\"apiVersion\":\"extensions.gardener.cloud/v1alpha1\","
                   "\"metadata\":{\"resourceVersion\":\"%s\",\"continue\":\"%s\"},\"items\":[",
                   version, token);

    for (unsigned i = 0; i < n; i++) {
        char *object = fx_json(objects[i]);
        char *longer = x_asprintf("%s%s%s", list, i ? ", " : "", object);

        free(object);
        free(list);
        list = longer;
    }
    char *whole = x_asprintf("%s]}", list);
    free(list);
    return whole;
}

#endif
