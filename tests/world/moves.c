/* tests/world/moves.c -- gardenlet moves a control plane to another seed (gardener 2.7, 2.8, 7): "migrate",
 * then the object goes; on the other side it comes with "wait-for-state", gets its state, then "restore".
 * Both seeds are one API server here and one pod, which is harder: what the old seed's writes do late meets
 * the new object. Called by users.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/world.h"

#define LOOK_MS  300
#define PAUSE_MS 3000

enum stage { MIGRATING, GONE, WAITING_FOR_STATE, RESTORING };

static void annotate(struct world *world, unsigned object, const char *operation)
{
    char notes[160];

    object_annotations(world, operation, notes, sizeof notes);
    object_annotate(world, object, notes);
}

/* The state as gardenlet keeps it for the other seed; then the object goes. */
static void leave(struct world *world, struct event *event)
{
    unsigned object = (unsigned)event->a;
    const json_t *status = json_object_get(object_stored(world, object), "status");

    event->data = json_dumps(json_object_get(status, "state"), JSON_COMPACT);
    object_delete(world, object);
}

static bool move(struct world *world, struct event *event)
{
    unsigned object = (unsigned)event->a;
    const json_t *stored = object_stored(world, object);
    char notes[160];
    bool migrated = strcmp(object_last(world, object, "type"), "Migrate") == 0 &&
                    strcmp(object_last(world, object, "state"), "Succeeded") == 0;

    switch ((enum stage)event->b) {
    case MIGRATING:
        if (!migrated || object_is_annotated(stored) || object_has_finalizer(stored)) {
            event_again(world, event, LOOK_MS);
            return true;
        }
        leave(world, event);
        break;
    case GONE:
        object_annotations(world, "wait-for-state", notes, sizeof notes);
        object_post(world, object, notes);
        break;
    case WAITING_FOR_STATE:
        object_patch(world, object, true,
                     x_asprintf("{\"status\":{\"state\":%s}}", event->data ? event->data : "{}"));
        annotate(world, object, "restore");
        break;
    case RESTORING:
        if (strcmp(object_last(world, object, "state"), "Succeeded") != 0 || object_is_annotated(stored)) {
            event_again(world, event, LOOK_MS);
            return true;
        }
        world->wishes[object].moving = false;
        return false;
    }
    event->b++;
    event_again(world, event, (int64_t)rng_below(&world->rng, PAUSE_MS));
    return true;
}

void moves_begin(struct world *world, unsigned object)
{
    world->wishes[object].moving = true;
    annotate(world, object, "migrate");
    event_post(world, LOOK_MS, move)->a = object;
}
