/* tests/world/users.c -- gardenlet and the shoots' owners: they create objects with their Secret and Cluster
 * (in any order), change keys, take SSH access away, delete, and make again. Says in world->wishes what has
 * to come of it. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/world.h"

#define INFRA "/apis/extensions.gardener.cloud/v1alpha1/namespaces/%s/infrastructures"

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

void material_line(unsigned n, char *out, size_t size)
{
    unsigned char blob[51] = {0,   0,   0,   11,  's', 's', 'h', '-', 'e', 'd',
                              '2', '5', '5', '1', '9', 0,   0,   0,   32};
    struct rng rng = {n};
    char text[80];

    for (size_t i = 19; i < sizeof blob; i++)
        blob[i] = (unsigned char)rng_next(&rng);
    EVP_EncodeBlock((unsigned char *)text, blob, sizeof blob);
    snprintf(out, size, "ssh-ed25519 %s", text);
}

static void encode(const char *text, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)strlen(text));
}

/* The annotations gardenlet sets when it wants work (gardener 6.1), or nothing in ignore mode. */
static void annotations(struct world *world, char *out, size_t size)
{
    char now[CLOCK_TEXT_MAX];

    clock_text_micro(world->now.wall_ms * 1000, now);
    if (world->plan.ignore_operation)
        snprintf(out, size, "{}");
    else
        snprintf(out, size,
                 "{\"gardener.cloud/operation\":\"reconcile\",\"gardener.cloud/timestamp\":\"%s\"}", now);
}

static void key_member(unsigned key, char *out, size_t size)
{
    char line[128], base64[192];

    if (key == 0) {
        snprintf(out, size, "null");
        return;
    }
    material_line(key, line, sizeof line);
    encode(line, base64);
    snprintf(out, size, "\"%s\"", base64);
}

static void make_surroundings(struct world *world, unsigned object)
{
    char ns[64], token[64], project[64], *body;

    object_namespace(object, ns, sizeof ns);
    encode(WORLD_TOKEN "\n", token);
    encode(WORLD_PROJECT "\n", project);
    body = x_asprintf("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"cloudprovider\","
                      "\"namespace\":\"%s\"},"
                      "\"data\":{\"apiToken\":\"%s\",\"projectID\":\"%s\"}}",
                      ns, token, project);
    char *path = x_asprintf("/api/v1/namespaces/%s/secrets", ns);
    kube_admin(world, "POST", path, body);
    free(body);
    free(path);
    body = x_asprintf(
        "{\"apiVersion\":\"extensions.gardener.cloud/"
        "v1alpha1\",\"kind\":\"Cluster\",\"metadata\":{\"name\":\"%s\"},"
        "\"spec\":{\"cloudProfile\":{},\"seed\":{},\"shoot\":{\"apiVersion\":\"core.gardener.cloud/v1beta1\","
        "\"kind\":\"Shoot\",\"metadata\":{\"name\":\"w\",\"uid\":\"shoot-uid-%u\"},\"status\":{"
        "\"lastOperation\":"
        "{\"state\":\"Processing\"}}}}}",
        ns, object);
    kube_admin(world, "POST", "/apis/extensions.gardener.cloud/v1alpha1/clusters", body);
    free(body);
}

static bool surroundings_come(struct world *world, struct event *event)
{
    make_surroundings(world, (unsigned)event->a);
    return false;
}

static void create(struct world *world, unsigned object)
{
    char ns[64], name[64], key[224], notes[160], *body, *path;

    object_namespace(object, ns, sizeof ns);
    object_name(object, name, sizeof name);
    world->wishes[object] =
        (struct wish){.exists = true, .key = rng_chance(&world->rng, 50) ? 0 : world->next_key++};
    key_member(world->wishes[object].key, key, sizeof key);
    annotations(world, notes, sizeof notes);
    body = x_asprintf("{\"apiVersion\":\"extensions.gardener.cloud/"
                      "v1alpha1\",\"kind\":\"Infrastructure\",\"metadata\":{\"name\":\"%s\","
                      "\"namespace\":\"%s\",\"annotations\":%s},\"spec\":{\"type\":\"packet\",\"region\":"
                      "\"ny\",\"secretRef\":{\"name\":"
                      "\"cloudprovider\",\"namespace\":\"%s\"},\"sshPublicKey\":%s}}",
                      name, ns, notes, ns, key);
    path = x_asprintf(INFRA, ns);
    if (kube_admin(world, "POST", path, body) != 201)
        world->wishes[object].exists = false;
    free(body);
    free(path);
}

static void change_key(struct world *world, unsigned object)
{
    char ns[64], name[64], key[224], notes[160], *body, *path;

    object_namespace(object, ns, sizeof ns);
    object_name(object, name, sizeof name);
    unsigned wanted = rng_chance(&world->rng, 300) ? 0 : world->next_key++;
    key_member(wanted, key, sizeof key);
    annotations(world, notes, sizeof notes);
    body = x_asprintf("{\"metadata\":{\"annotations\":%s},\"spec\":{\"sshPublicKey\":%s}}", notes, key);
    path = x_asprintf(INFRA "/%s", ns, name);
    if (kube_admin(world, "PATCH", path, body) == 200)
        world->wishes[object].key = wanted;
    free(body);
    free(path);
}

/* As gardenlet: the confirmation and a new timestamp first, then DELETE (gardener 6.1). */
static void delete_object(struct world *world, unsigned object)
{
    char ns[64], name[64], now[CLOCK_TEXT_MAX], *body, *path;

    object_namespace(object, ns, sizeof ns);
    object_name(object, name, sizeof name);
    clock_text_micro(world->now.wall_ms * 1000, now);
    path = x_asprintf(INFRA "/%s", ns, name);
    body = x_asprintf("{\"metadata\":{\"annotations\":{\"confirmation.gardener.cloud/deletion\":\"true\","
                      "\"gardener.cloud/timestamp\":\"%s\"}}}",
                      now);
    kube_admin(world, "PATCH", path, body);
    kube_admin(world, "DELETE", path, NULL);
    world->wishes[object].exists = false;
    free(body);
    free(path);
}

static bool act(struct world *world, struct event *event)
{
    unsigned object = (unsigned)event->a;

    if (!world->wishes[object].exists)
        create(world, object);
    else if (rng_chance(&world->rng, 650))
        change_key(world, object);
    else
        delete_object(world, object);
    int64_t next = 500 + (int64_t)rng_below(&world->rng, (uint64_t)world->plan.busy_ms / 2);
    if (world->now.boot_ms + next >= world->plan.busy_ms)
        return false;
    event_again(world, event, next);
    return true;
}

/* The one case that the contract leaves to gardenlet's patience (gardener 6.2, 6.3, 13): the annotation was
 * taken off, the run died before its first status write, and gardenlet's timestamp fell into the second of
 * the last success. It waits ten minutes and asks again. */
static bool is_ambiguous(const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata"), *status = json_object_get(object, "status");
    const char *asked = json_string_value(
        json_object_get(json_object_get(metadata, "annotations"), "gardener.cloud/timestamp"));
    const char *last =
        json_string_value(json_object_get(json_object_get(status, "lastOperation"), "lastUpdateTime"));

    return asked && last && strncmp(asked, last, strlen("2026-01-01T00:00:00")) == 0 &&
           json_integer_value(json_object_get(metadata, "generation")) !=
               json_integer_value(json_object_get(status, "observedGeneration"));
}

static bool gardenlet_waits(struct world *world, struct event *event)
{
    for (unsigned i = 0; i < world->n_objects && !world->plan.ignore_operation; i++) {
        char ns[64], name[64], notes[160];

        object_namespace(i, ns, sizeof ns);
        object_name(i, name, sizeof name);
        const json_t *object = object_stored(world, i);
        if (!object || !is_ambiguous(object))
            continue;
        annotations(world, notes, sizeof notes);
        char *path = x_asprintf(INFRA "/%s", ns, name),
             *body = x_asprintf("{\"metadata\":{\"annotations\":%s}}", notes);
        kube_admin(world, "PATCH", path, body);
        free(path);
        free(body);
    }
    event_again(world, event, 600000);
    return true;
}

void users_start(struct world *world)
{
    world->next_key = 1;
    event_post(world, world->plan.busy_ms + 600000, gardenlet_waits);
    for (unsigned i = 0; i < world->n_objects; i++) {
        char ns[64], *body;
        object_namespace(i, ns, sizeof ns);
        body = x_asprintf(
            "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\",\"labels\":{"
            "\"gardener.cloud/role\":\"shoot\"}}}",
            ns);
        kube_admin(world, "POST", "/api/v1/namespaces", body);
        free(body);
        int64_t first = (int64_t)rng_below(&world->rng, (uint64_t)world->plan.busy_ms / 2);
        event_post(world, first, act)->a = i;
        bool late = rng_chance(&world->rng, 100);
        event_post(world, late ? first + (int64_t)rng_below(&world->rng, 20000) : 0, surroundings_come)->a =
            i;
    }
}
