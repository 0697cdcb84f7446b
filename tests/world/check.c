/* tests/world/check.c -- what must hold after every step, and what must have come about at the end (design
 * 10): one key at most for each object, no foreign key touched, no key left when its object is gone, and
 * everything as wished. */
#include <stdio.h>
#include <string.h>

#include "tests/world/world.h"
#include "watcher/core/watcher.h"

#define MISSED_MS 30000 /* the longest backoff is 5 s, and an epoch may have to be closed first */

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

/* design 12.6: waiting for budget is not an error */
static void check_no_error(struct world *world, unsigned object)
{
    const char *error = object_text(object_stored(world, object), "status", "lastError", "description");

    if (strstr(error, "Too many requests") || strstr(error, "budget"))
        world_violation(world, "object %u shows that it had to wait for budget: %s", object, error);
}

static void check_number(struct world *world, unsigned object, unsigned keys)
{
    struct wish *wish = &world->wishes[object];

    if (keys > (wish->keys == ONE_KEY ? 1 : 2))
        world_violation(world, "object %u has %u keys at once", object, keys);
    if (keys == 2)
        wish->keys = ARE_TWO;
    else if (wish->keys == ARE_TWO)
        wish->keys = ONE_KEY;
}

/* Whom the key was made for, or WORLD_OBJECTS. */
static unsigned made_for(const struct world *world, const char *id)
{
    for (unsigned i = 0; i < world->n_made && i < WORLD_MADE; i++)
        if (strcmp(world->made[i].id, id) == 0)
            return world->made[i].object;
    return WORLD_OBJECTS;
}

void check_refused(struct world *world, const char *id)
{
    unsigned object = made_for(world, id);

    if (object < WORLD_OBJECTS)
        world->wishes[object].keys = MAY_BE_TWO;
}

void check_step(struct world *world)
{
    unsigned keys[WORLD_OBJECTS + 1] = {0};
    struct packet_sim_key key;
    size_t cursor = 0;

    while (packet_sim_key_next(world->packet, NULL, &cursor, &key)) {
        unsigned object = object_of(world, key.label);
        if (strcmp(key.label, VANDAL_LABEL) == 0)
            continue;
        if (object == WORLD_OBJECTS)
            world_violation(world, "a key with the foreign label %s exists", key.label);
        keys[object]++;
    }
    for (unsigned i = 0; i < world->n_objects; i++) {
        check_number(world, i, keys[i]);
        if (keys[i] && !object_stored(world, i) && !world->wishes[i].moving)
            world_violation(world, "object %u is gone and its key is not", i);
        if (object_stored(world, i) &&
            strcmp(object_text(object_stored(world, i), "spec", "region", NULL), "ny") != 0)
            world_violation(world, "somebody changed the spec of object %u", i);
        check_no_error(world, i);
    }
}

/* What a worker that has been broken into may not bring about: the key that an object uses is gone (design
 * 12.5). Ours takes a key out of the state before it removes it. */
void check_removed(struct world *world, const char *id)
{
    unsigned object = made_for(world, id);
    const json_t *stored = object < WORLD_OBJECTS ? object_stored(world, object) : NULL;

    if (stored && object_text(stored, "metadata", "deletionTimestamp", NULL)[0] == '\0' &&
        strcmp(object_text(stored, "status", "state", "id"), id) == 0)
        world_violation(world, "the key that object %u uses was deleted", object);
}

/* Without them nothing works: they are backed off, and never given up (design 12.13). */
static void check_central(struct world *world)
{
    static const unsigned roles[] = {WATCHER, GATEWAY};

    for (unsigned i = 0; i < 2; i++) {
        if (!world->tree || world->frozen_until > world->now.boot_ms || proc_at(world, roles[i], 0)->alive)
            world->missed_ms[i] = 0;
        else if (!world->missed_ms[i])
            world->missed_ms[i] = world->now.boot_ms;
        else if (world->now.boot_ms - world->missed_ms[i] > MISSED_MS)
            world_violation(world, "there is no %s for %d s", role_name(roles[i]), MISSED_MS / 1000);
    }
}

void check_watcher(struct world *world, bool still)
{
    check_central(world);
    struct proc *proc = proc_at(world, WATCHER, 0);
    struct watcher_gauges gauges;
    unsigned there = 0;

    if (!proc->alive || !proc->ready || (!still && world->steps % 16 != 0))
        return;
    watcher_core_gauges(proc->core, world->now, &gauges);
    if (gauges.strikes > world->deaths)
        world_violation(world, "%lu strikes, but only %lu workers died at their own account", gauges.strikes,
                        world->deaths);
    for (unsigned i = 0; i < world->n_objects; i++)
        there += object_stored(world, i) != NULL;
    if (still && gauges.leading && gauges.objects != there)
        world_violation(world, "the watcher knows %lu objects, and there are %u", gauges.objects, there);
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
    const char *state = object_text(infra, "status", "lastOperation", "state");
    const char *id = object_text(infra, "status", "providerStatus", "sshKeyID");
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
           !object_is_annotated(infra) &&
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
