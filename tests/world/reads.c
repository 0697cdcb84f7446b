/* tests/world/reads.c -- watches what the gateway's lists are taken for (design 12.11): a SEARCH is answered
 * by a list that was sent after the question had come, whoever asked for it. Knows for posts.c which list
 * that came back whole is the latest. Called by packet.c and pod.c. */
#include "packet-gateway/core/gateway.h"
#include "tests/world/world.h"

static struct list_seen *seen_of(struct world *world, uint64_t id)
{
    return &world->lists[id % WORLD_LISTS];
}

void reads_sent(struct world *world, const struct proc *gateway, const struct gateway_request *request)
{
    if (request->method[0] == 'G')
        *seen_of(world, request->id) =
            (struct list_seen){gateway->life, request->id, ++world->lists_sent, world->now.boot_ms};
}

void reads_answered(struct world *world, const struct proc *gateway, const struct gateway_result *result)
{
    const struct list_seen *list = seen_of(world, result->id);

    world->list_at_hand = 0;
    if (list->life != gateway->life || list->id != result->id || result->status != 200 || !result->body_len ||
        result->body[result->body_len - 1] != '}')
        return;
    world->list_at_hand = list->number;
    if (world->listed_life != gateway->life || list->at > world->listed_at)
        world->listed_at = list->at;
    world->listed_life = gateway->life;
}

void reads_asked(struct world *world, uint64_t worker, const struct message *message)
{
    if (message->spec->id == MSG_SEARCH)
        world->searches[worker % WORLD_LISTS] =
            (struct search_seen){message->envelope.correlation, world->lists_sent};
}

void reads_told(struct world *world, uint64_t worker, enum msg_id id, const void *body,
                const struct envelope *envelope)
{
    const struct search_seen *search = &world->searches[worker % WORLD_LISTS];
    const struct msg_found *found = body;

    if (id != MSG_FOUND || found->outcome != OUTCOME_OK || search->correlation != envelope->correlation)
        return;
    if (world->list_at_hand <= search->lists_sent)
        world_violation(world, "the answer to worker#%lu comes from a list that was sent before its question",
                        worker);
}
