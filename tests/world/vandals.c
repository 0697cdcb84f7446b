/* tests/world/vandals.c -- what nobody tells the tree: somebody removes keys at Packet or changes them, and a
 * Secret names another project for a while (design 12.8, 12.12). Called by main.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/coverage.h"
#include "tests/world/world.h"

#define VANDAL_KEYS 100000u /* materials of nobody */

static bool pick_key(struct world *world, struct packet_sim_key *key)
{
    size_t cursor = 0, n = packet_sim_key_count(world->packet, WORLD_PROJECT);

    for (size_t skip = n ? rng_below(&world->rng, n) + 1 : 0; skip > 0; skip--)
        packet_sim_key_next(world->packet, WORLD_PROJECT, &cursor, key);
    return n > 0;
}

/* Is the key one that its object shows, with nothing under way for it? Of a key that was made this moment and
 * whose making nobody has written down yet, a change of its material cannot be told from its absence; and
 * what keeps a floating POST of that material out is only that Packet refuses it twice. In both cases there
 * may be two keys for the length of a run. */
static bool is_settled(const struct world *world, const char *id)
{
    for (unsigned i = 0; i < world->n_objects; i++) {
        const json_t *object = object_stored(world, i);
        const json_t *state = json_object_get(json_object_get(object, "status"), "state");

        if (strcmp(object_text(object, "status", "providerStatus", "sshKeyID"), id) == 0)
            return json_object_size(json_object_get(state, "attempts")) == 0 &&
                   !json_string_length(json_object_get(state, "unsettled"));
    }
    return false;
}

static bool vandalise(struct world *world, struct event *event)
{
    struct packet_sim_key key;
    char line[128], id[40];
    int64_t now = world->now.wall_ms;

    if (world->quiet)
        return false;
    if (pick_key(world, &key) && is_settled(world, key.id)) {
        cover(world, FAULT_VANDAL);
        unsigned dice = (unsigned)rng_below(&world->rng, 100);
        material_line(VANDAL_KEYS + (unsigned)rng_below(&world->rng, 1000000), line, sizeof line);
        snprintf(id, sizeof id, "%s", key.id);
        world_trace(world, "somebody %s key %s (%s)",
                    dice < 40   ? "deletes"
                    : dice < 70 ? "changes the material of"
                                : "changes the label of",
                    id, key.label);
        if (dice < 40)
            packet_sim_delete_key(world->packet, id, now);
        else
            packet_sim_alter_key(world->packet, id, dice < 70 ? NULL : VANDAL_LABEL, dice < 70 ? line : NULL,
                                 NULL, now);
    }
    event_again(world, event, 1 + (int64_t)rng_below(&world->rng, 2 * world->plan.vandal_every_ms));
    return true;
}

/* ---- another project ---- */

static void set_project(struct world *world, unsigned object, const char *project)
{
    char ns[64], base64[80];

    object_namespace(object, ns, sizeof ns);
    base64_of(project, base64);
    char *path = x_asprintf("/api/v1/namespaces/%s/secrets/cloudprovider", ns);
    char *body = x_asprintf("{\"data\":{\"projectID\":\"%s\"}}", base64);
    kube_admin(world, "PATCH", path, body);
    free(path);
    free(body);
}

static bool come_back(struct world *world, struct event *event)
{
    set_project(world, (unsigned)event->a, WORLD_PROJECT);
    world->wishes[event->a].foreign = false;
    return false;
}

/* Only where the project is recorded, so that it must be refused; else it would be obeyed. */
static bool is_bound(const struct world *world, unsigned object)
{
    return *object_text(object_stored(world, object), "status", "state", "id") &&
           strcmp(object_last(world, object, "state"), "Succeeded") == 0;
}

static bool other_project(struct world *world, struct event *event)
{
    unsigned object = (unsigned)rng_below(&world->rng, world->n_objects);
    struct wish *wish = &world->wishes[object];

    if (world->quiet)
        return false;
    if (wish->exists && wish->key && !wish->moving && !wish->foreign && is_bound(world, object)) {
        cover(world, FAULT_OTHER_PROJECT);
        wish->foreign = true;
        set_project(world, object, WORLD_OTHER);
        event_post(world, 1 + (int64_t)rng_below(&world->rng, 8000), come_back)->a = object;
    }
    event_again(world, event, 1 + (int64_t)rng_below(&world->rng, 4000));
    return true;
}

void vandals_start(struct world *world)
{
    if (world->plan.vandal_every_ms)
        event_post(world, world->plan.vandal_every_ms, vandalise);
    if (world->plan.other_project)
        event_post(world, 2000, other_project);
}
