/* tests/world/posts.c -- watches the gateway's POSTs on the wire: after one whose outcome is unknown, also
 * because the gateway died meanwhile, none may follow for the same label before a whole list that was asked
 * for later (design 12.2, packet C-20). None, and no PUT, may be sent again by the HTTP library (C-10).
 * Called by packet.c. */
#include <stdio.h>
#include <string.h>

#include "packet-gateway/core/gateway.h"
#include "tests/world/world.h"

static unsigned object_of(const struct world *world, const char *body)
{
    unsigned object;
    const char *label = body ? strstr(body, "\"label\":\"shoot--w--") : NULL;

    if (!label || sscanf(label, "\"label\":\"shoot--w--%u", &object) != 1 || object >= world->n_objects)
        return WORLD_OBJECTS;
    return object;
}

static bool listed_since(const struct world *world, unsigned object, uint64_t life)
{
    if (world->post_life[object] && world->post_life[object] != life)
        return world->listed_life == life; /* whoever sent it is dead */
    return world->unknown_at[object] < 0 || world->listed_at >= world->unknown_at[object];
}

void posts_sent(struct world *world, const struct proc *gateway, const struct gateway_request *request)
{
    if (request->body && !request->once)
        world_violation(world, "the HTTP library may send a %s twice", request->method);
    if (strcmp(request->method, "POST") != 0)
        return;
    unsigned object = object_of(world, request->body);
    if (object == WORLD_OBJECTS)
        return;
    if (!listed_since(world, object, gateway->life))
        world_violation(
            world, "a key for object %u is posted again after an unknown outcome, without a list in between",
            object);
    world->post_life[object] = gateway->life;
    world->post_id[object] = request->id;
    world->unknown_at[object] = -1;
}

/* Only these tell for certain whether a key was made (packet 2.7: a 404 does not). */
static bool is_definite(const struct gateway_result *result)
{
    if (result->fate == FATE_NOT_SENT || result->fate == FATE_FENCED)
        return true;
    if (result->fate != FATE_ANSWERED || !result->json || result->body_len == 0)
        return false;
    return (result->status == 201 && result->body[result->body_len - 1] == '}') || result->status == 401 ||
           result->status == 403 || result->status == 422 || result->status == 429;
}

void posts_answered(struct world *world, const struct proc *gateway, const struct gateway_result *result)
{
    for (unsigned i = 0; i < world->n_objects; i++) {
        if (world->post_life[i] != gateway->life || world->post_id[i] != result->id)
            continue;
        world->post_life[i] = 0;
        world->unknown_at[i] = is_definite(result) ? -1 : world->now.boot_ms;
    }
}
