/* tests/world/pod.h -- what net.c hands to the processes. Owns nothing; implemented by pod.c and cores.c. */
#ifndef TESTS_WORLD_POD_H
#define TESTS_WORLD_POD_H

#include "tests/world/world.h"

void pod_deliver(struct world *world, struct proc *proc, unsigned from_role, uint64_t from,
                 const struct message *message);
void pod_deliver_supervisor(struct world *world, unsigned from_role, uint64_t from,
                            const struct message *message);

/* cores.c: the role's core, with the time of world_clock(). Its streams are closed with it. */
void *core_new(struct world *world, struct proc *proc);
void core_free(struct proc *proc);

#endif
