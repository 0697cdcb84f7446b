/* tests/sim/packet-api/timers.c -- a short sorted list of timers.
 * Owns nothing: timers live in their owners' records and may be set or cleared from inside fire(). Called by
 * the loop in server.c and by everything that holds an answer back. */
#include <time.h>

#include "tests/sim/packet-api/server.h"

int64_t timers_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void timer_clear(struct timers *timers, struct timer *timer)
{
    if (timer->due_ns == 0)
        return;
    struct timer **place = &timers->first;
    while (*place != NULL && *place != timer)
        place = &(*place)->next;
    if (*place != NULL)
        *place = timer->next;
    timer->due_ns = 0;
    timer->next = NULL;
}

void timer_set(struct timers *timers, struct timer *timer, int64_t after_ms)
{
    timer_clear(timers, timer);
    timer->due_ns = timers_now_ns() + after_ms * 1000000;
    struct timer **place = &timers->first;
    while (*place != NULL && (*place)->due_ns <= timer->due_ns)
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
}

void timers_run(struct timers *timers)
{
    int64_t now = timers_now_ns();
    while (timers->first != NULL && timers->first->due_ns <= now) {
        struct timer *timer = timers->first;
        timer_clear(timers, timer);
        timer->fire(timer);
    }
}

int64_t timers_next_ns(const struct timers *timers)
{
    return timers->first != NULL ? timers->first->due_ns : 0;
}
