/* base/clock.h -- the one way to ask for the time.
 * Owns nothing. Cores never call this: their shells pass a struct instant in, tests/world makes its own. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* One moment on all clocks. Every decision about waiting uses boot_ms; wall_ms is only for text and for
 * comparing with times that other machines wrote. What is written down to be waited for by whoever comes
 * later (design 12.2) is steady_ms: a clock that is set meanwhile must not shorten the wait. */
struct instant {
    int64_t boot_ms;   /* CLOCK_BOOTTIME: goes on during suspend, never steps (kubernetes 6.5) */
    int64_t wall_ms;   /* CLOCK_REALTIME since 1970, may step */
    int64_t steady_ms; /* boot_ms since 1970, by the wall clock at the supervisor's start */
};

struct instant clock_now(void);

/* steady_ms - boot_ms, in milliseconds: of a process that nobody told, as at its first call of clock_now(). A
 * child is told its supervisor's before that (ENV_CLOCK). */
int64_t clock_origin(void);
void clock_set_origin(int64_t origin_ms);

#define CLOCK_TEXT_MAX 32u

/* RFC 3339, UTC, whole seconds, suffix Z, as metav1.Time (kubernetes 9.1). buf holds CLOCK_TEXT_MAX bytes. */
void clock_text_seconds(int64_t wall_ms, char *buf);
/* The same with exactly six fraction digits, as metav1.MicroTime. */
void clock_text_micro(int64_t wall_us, char *buf);
/* The same with three fraction digits, for logs (gardener 12.3). */
void clock_text_millis(int64_t wall_ms, char *buf);

/* Parses RFC 3339 with any offset and any number of fraction digits (kubernetes 63) from len bytes of text.
 * Returns 0 and milliseconds since 1970 in *wall_ms, -1 for anything else. */
int clock_parse(const char *text, size_t len, int64_t *wall_ms);

#endif
