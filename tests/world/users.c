/* tests/world/users.c -- gardenlet and the shoots' owners: they create objects with their Secret and Cluster
 * (in any order), change keys, take SSH access away, delete, and make again. Says in world->wishes what has
 * to come of it. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/coverage.h"
#include "tests/world/world.h"

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

void base64_of(const char *text, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)strlen(text));
}

/* The annotations gardenlet sets when it wants work (gardener 6.1), or nothing in ignore mode. */
static void annotations(struct world *world, char *out, size_t size)
{
    if (world->plan.ignore_operation)
        snprintf(out, size, "{}");
    else
        object_annotations(world, "reconcile", out, size);
}

static void key_member(unsigned key, char *out, size_t size)
{
    char line[128], base64[192];

    if (key == 0) {
        snprintf(out, size, "null");
        return;
    }
    material_line(key, line, sizeof line);
    base64_of(line, base64);
    snprintf(out, size, "\"%s\"", base64);
}

static void make_surroundings(struct world *world, unsigned object)
{
    char ns[64], token[64], project[64], *body;

    object_namespace(object, ns, sizeof ns);
    base64_of(WORLD_TOKEN "\n", token);
    base64_of(WORLD_PROJECT "\n", project);
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

int object_post(struct world *world, unsigned object, const char *notes)
{
    char ns[64], name[64], key[224];

    object_namespace(object, ns, sizeof ns);
    object_name(object, name, sizeof name);
    key_member(world->wishes[object].key, key, sizeof key);
    char *body =
        x_asprintf("{\"apiVersion\":\"extensions.gardener.cloud/"
                   "v1alpha1\",\"kind\":\"Infrastructure\",\"metadata\":{\"name\":\"%s\","
                   "\"namespace\":\"%s\",\"annotations\":%s},\"spec\":{\"type\":\"packet\",\"region\":"
                   "\"ny\",\"secretRef\":{\"name\":"
                   "\"cloudprovider\",\"namespace\":\"%s\"},\"sshPublicKey\":%s}}",
                   name, ns, notes, ns, key);
    char *path = x_asprintf(WORLD_INFRA, ns);
    int status = kube_admin(world, "POST", path, body);

    free(body);
    free(path);
    return status;
}

void user_create(struct world *world, unsigned object, unsigned key)
{
    char notes[160];

    world->wishes[object] =
        (struct wish){.exists = true, .key = key, .foreign = world->wishes[object].foreign};
    annotations(world, notes, sizeof notes);
    world->wishes[object].exists = object_post(world, object, notes) == 201;
}

/* A public key that another Shoot has, now and then; 0 when there is none. */
static unsigned key_of_another(struct world *world, unsigned object)
{
    unsigned other = (unsigned)rng_below(&world->rng, world->n_objects);

    return other != object && world->wishes[other].exists ? world->wishes[other].key : 0;
}

void user_set_key(struct world *world, unsigned object, unsigned wanted)
{
    char key[224], notes[160];

    key_member(wanted, key, sizeof key);
    annotations(world, notes, sizeof notes);
    if (object_patch(world, object, false,
                     x_asprintf("{\"metadata\":{\"annotations\":%s},\"spec\":{\"sshPublicKey\":%s}}", notes,
                                key)) != 200)
        return;
    world->wishes[object].key = wanted;
    world->wishes[object].twin = false;
}

static void change_key(struct world *world, unsigned object)
{
    unsigned wanted = rng_chance(&world->rng, 300) ? 0 : world->next_key++;
    bool twin = world->plan.twins && wanted && rng_chance(&world->rng, 400);

    user_set_key(world, object, twin ? key_of_another(world, object) : wanted);
    world->wishes[object].twin = twin;
}

/* Those who were given another's key get one of their own in the end: two that want each other's would wait
 * for ever.
 */
static bool give_own_keys(struct world *world)
{
    bool all = true;

    for (unsigned i = 0; i < world->n_objects; i++) {
        struct wish *wish = &world->wishes[i];

        if (!wish->exists || !wish->twin)
            continue;
        if (wish->moving || wish->foreign)
            all = false;
        else
            user_set_key(world, i, world->next_key++);
    }
    return all;
}

/* Nobody can have what another has: in the end each Shoot has a key of its own. */
static bool part_twins(struct world *world, struct event *event)
{
    bool again = !give_own_keys(world);

    for (unsigned i = 0; i < world->n_objects; i++)
        for (unsigned j = 0; j < i; j++) {
            struct wish *one = &world->wishes[i], *other = &world->wishes[j];
            if (!one->exists || !other->exists || !one->key || one->key != other->key)
                continue;
            bool first = one->moving || one->foreign, second = other->moving || other->foreign;
            again |= first && second;
            if (!first || !second)
                user_set_key(world, first ? j : i, world->next_key++);
        }
    if (again)
        event_again(world, event, 500);
    return again;
}

/* gardenlet asks again for what it has asked for. */
void user_ask_again(struct world *world, unsigned object)
{
    char notes[160];

    annotations(world, notes, sizeof notes);
    object_annotate(world, object, notes);
}

/* As gardenlet: the confirmation and a new timestamp first, then DELETE (gardener 6.1). */
void user_delete(struct world *world, unsigned object)
{
    char now[CLOCK_TEXT_MAX], notes[160];

    clock_text_micro(world->now.wall_ms * 1000, now);
    snprintf(notes, sizeof notes,
             "{\"confirmation.gardener.cloud/deletion\":\"true\",\"gardener.cloud/timestamp\":\"%s\"}", now);
    object_annotate(world, object, notes);
    object_delete(world, object);
    world->wishes[object].exists = false;
}

static void do_something(struct world *world, unsigned object)
{
    const struct wish *wish = &world->wishes[object];

    if (wish->moving)
        return;
    cover(world, FAULT_USER);
    if (!wish->exists && !wish->foreign)
        user_create(world, object, rng_chance(&world->rng, 50) ? 0 : world->next_key++);
    else if (!wish->exists)
        return;
    else if (wish->foreign && rng_chance(&world->rng, 800))
        user_ask_again(world, object);
    else if (!wish->foreign && world->plan.moves && rng_chance(&world->rng, 300))
        moves_begin(world, object);
    else if (!wish->foreign && rng_chance(&world->rng, 650))
        change_key(world, object);
    else
        user_delete(world, object);
}

static bool act(struct world *world, struct event *event)
{
    do_something(world, (unsigned)event->a);
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
    const char *asked = object_text(object, "metadata", "annotations", "gardener.cloud/timestamp");
    const char *last = object_text(object, "status", "lastOperation", "lastUpdateTime");

    /* A clock that was ahead makes every later question look older than the last answer. */
    return *asked && *last && strncmp(asked, last, strlen("2026-01-01T00:00:00")) <= 0 &&
           !object_is_observed(object);
}

static bool gardenlet_waits(struct world *world, struct event *event)
{
    for (unsigned i = 0; i < world->n_objects && !world->plan.ignore_operation; i++) {
        const json_t *object = object_stored(world, i);

        if (object && !world->wishes[i].moving && is_ambiguous(object))
            user_ask_again(world, i);
    }
    event_again(world, event, 600000);
    return true;
}

static void make_namespace(struct world *world, unsigned object)
{
    char ns[64];

    object_namespace(object, ns, sizeof ns);
    char *body =
        x_asprintf("{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\",\"labels\":{"
                   "\"gardener.cloud/role\":\"shoot\"}}}",
                   ns);
    kube_admin(world, "POST", "/api/v1/namespaces", body);
    free(body);
}

void users_surroundings(struct world *world, unsigned object)
{
    make_namespace(world, object);
    make_surroundings(world, object);
}

void users_start(struct world *world)
{
    world->next_key = 1;
    event_post(world, world->plan.busy_ms - 1, part_twins);
    event_post(world, world->plan.busy_ms + 600000, gardenlet_waits);
    for (unsigned i = 0; i < world->n_objects; i++) {
        make_namespace(world, i);
        int64_t first = (int64_t)rng_below(&world->rng, (uint64_t)world->plan.busy_ms / 2);
        event_post(world, first, act)->a = i;
        bool late = rng_chance(&world->rng, 100);
        event_post(world, late ? first + (int64_t)rng_below(&world->rng, 20000) : 0, surroundings_come)->a =
            i;
    }
}
