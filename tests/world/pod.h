/* tests/world/pod.h -- what net.c hands to the processes. Owns nothing; implemented by pod.c. */
#ifndef TESTS_WORLD_POD_H
#define TESTS_WORLD_POD_H

#include "tests/world/world.h"

void pod_deliver(struct world *world, struct proc *proc, unsigned from_role, uint64_t from,
                 const struct message *message);
void pod_deliver_supervisor(struct world *world, unsigned from_role, uint64_t from,
                            const struct message *message);

#endif
