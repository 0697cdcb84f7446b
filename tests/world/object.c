/* tests/world/object.c -- an Infrastructure as the API server has it: where it is, what it says, and how
 * users change it. Used by every file that looks at objects or changes them. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/world.h"

void object_namespace(unsigned object, char *out, size_t size)
{
    snprintf(out, size, "shoot--w--%02u", object);
}

void object_name(unsigned object, char *out, size_t size)
{
    snprintf(out, size, "w%02u", object);
}

const json_t *object_stored(const struct world *world, unsigned object)
{
    char ns[64], name[64];

    object_namespace(object, ns, sizeof ns);
    object_name(object, name, sizeof name);
    return kube_sim_get(world->kube, "extensions.gardener.cloud", "infrastructures", ns, name);
}

const char *object_text(const json_t *json, const char *a, const char *b, const char *c)
{
    for (const char *const *key = (const char *const[]){a, b, c, NULL}; *key; key++)
        json = json_object_get(json, *key);
    return json_is_string(json) ? json_string_value(json) : "";
}

const char *object_last(const struct world *world, unsigned object, const char *member)
{
    return object_text(object_stored(world, object), "status", "lastOperation", member);
}

bool object_is_annotated(const json_t *object)
{
    return *object_text(object, "metadata", "annotations", "gardener.cloud/operation") != '\0';
}

bool object_has_finalizer(const json_t *object)
{
    const json_t *list = json_object_get(json_object_get(object, "metadata"), "finalizers");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), "extensions.gardener.cloud/infrastructure") ==
            0)
            return true;
    return false;
}

bool object_is_observed(const json_t *object)
{
    return json_integer_value(json_object_get(json_object_get(object, "metadata"), "generation")) ==
           json_integer_value(json_object_get(json_object_get(object, "status"), "observedGeneration"));
}

void object_annotations(struct world *world, const char *operation, char *out, size_t size)
{
    char now[CLOCK_TEXT_MAX];

    clock_text_micro(world->now.wall_ms * 1000, now);
    snprintf(out, size, "{\"gardener.cloud/operation\":\"%s\",\"gardener.cloud/timestamp\":\"%s\"}",
             operation, now);
}

int object_patch(struct world *world, unsigned object, bool status, char *body)
{
    char ns[64], name[64];

    object_namespace(object, ns, sizeof ns);
    object_name(object, name, sizeof name);
    char *path = x_asprintf(WORLD_INFRA "/%s%s", ns, name, status ? "/status" : "");
    int code = kube_admin(world, "PATCH", path, body);

    free(path);
    free(body);
    return code;
}

int object_annotate(struct world *world, unsigned object, const char *annotations)
{
    return object_patch(world, object, false, x_asprintf("{\"metadata\":{\"annotations\":%s}}", annotations));
}

void object_delete(struct world *world, unsigned object)
{
    char ns[64], name[64];

    object_namespace(object, ns, sizeof ns);
    object_name(object, name, sizeof name);
    char *path = x_asprintf(WORLD_INFRA "/%s", ns, name);
    kube_admin(world, "DELETE", path, NULL);
    free(path);
}
