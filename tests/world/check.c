/* tests/world/check.c -- what must hold after every step, and what must have come about at the end (design
 * 10): one key at most for each object, no foreign key touched, no key left when its object is gone, and
 * everything as wished. */
#include <stdio.h>
#include <string.h>

#include "tests/world/world.h"

/* Which object's label is this, or WORLD_OBJECTS. */
static unsigned object_of(const struct world *world, const char *label)
{
    unsigned object;
    char expected[96], ns[64];

    if (sscanf(label, "shoot--w--%u", &object) != 1 || object >= world->n_objects)
        return WORLD_OBJECTS;
    object_namespace(object, ns, sizeof ns);
    snprintf(expected, sizeof expected, "%s-ssh-publickey", ns);
    return strcmp(label, expected) == 0 ? object : WORLD_OBJECTS;
}

static const char *text_at(const json_t *json, const char *a, const char *b, const char *c)
{
    for (const char *const *key = (const char *const[]){a, b, c, NULL}; *key; key++)
        json = json_object_get(json, *key);
    return json_is_string(json) ? json_string_value(json) : "";
}

/* design 12.6: waiting for budget is not an error */
static void check_no_error(struct world *world, unsigned object)
{
    const char *error = text_at(object_stored(world, object), "status", "lastError", "description");

    if (strstr(error, "Too many requests") || strstr(error, "budget"))
        world_violation(world, "object %u shows that it had to wait for budget: %s", object, error);
}

void check_step(struct world *world)
{
    unsigned keys[WORLD_OBJECTS + 1] = {0};
    struct packet_sim_key key;
    size_t cursor = 0;

    while (packet_sim_key_next(world->packet, WORLD_PROJECT, &cursor, &key)) {
        unsigned object = object_of(world, key.label);
        if (object == WORLD_OBJECTS)
            world_violation(world, "a key with the foreign label %s exists", key.label);
        keys[object]++;
        if (object < WORLD_OBJECTS && keys[object] > 1)
            world_violation(world, "object %u has %u keys at once", object, keys[object]);
    }
    for (unsigned i = 0; i < world->n_objects; i++) {
        if (keys[i] && !object_stored(world, i))
            world_violation(world, "object %u is gone and its key is not", i);
        check_no_error(world, i);
    }
}

/* The one key of the object, and whether there is one. */
static bool key_of(struct world *world, unsigned object, struct packet_sim_key *key)
{
    size_t cursor = 0;

    while (packet_sim_key_next(world->packet, WORLD_PROJECT, &cursor, key))
        if (object_of(world, key->label) == object)
            return true;
    return false;
}

static bool object_as_wished(struct world *world, unsigned object, char *why, size_t size)
{
    const struct wish *wish = &world->wishes[object];
    const json_t *infra = object_stored(world, object);
    struct packet_sim_key key;
    char line[128] = "";
    bool has_key = key_of(world, object, &key);

    if (!wish->exists) {
        snprintf(why, size, "object %u: still %s", object, infra ? "there" : "has a key");
        return !infra && !has_key;
    }
    const char *state = text_at(infra, "status", "lastOperation", "state");
    const char *id = text_at(infra, "status", "providerStatus", "sshKeyID");
    json_int_t generation =
        json_integer_value(json_object_get(json_object_get(infra, "metadata"), "generation"));
    json_int_t observed =
        json_integer_value(json_object_get(json_object_get(infra, "status"), "observedGeneration"));
    snprintf(why, size, "object %u: state '%s', observed %lld of %lld, sshKeyID '%s', key %s (%s)", object,
             state, (long long)observed, (long long)generation, id, has_key ? key.id : "none",
             has_key ? key.key : "");
    if (wish->key)
        material_line(wish->key, line, sizeof line);
    return strcmp(state, "Succeeded") == 0 && observed == generation && has_key == (wish->key != 0) &&
           (!has_key || (strcmp(id, key.id) == 0 && strcmp(key.key, line) == 0)) &&
           (has_key || id[0] == '\0') && !json_object_get(json_object_get(infra, "status"), "lastError") &&
           text_at(infra, "metadata", "annotations", "gardener.cloud/operation")[0] == '\0' &&
           json_object_size(
               json_object_get(json_object_get(json_object_get(infra, "status"), "state"), "attempts")) == 0;
}

bool check_as_wished(struct world *world, char *why, size_t size)
{
    for (unsigned i = 0; i < world->n_objects; i++)
        if (!object_as_wished(world, i, why, size))
            return false;
    return true;
}
