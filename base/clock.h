/* base/clock.h -- the one way to ask for the time.
 * Owns nothing. Cores never call this: their shells pass a struct instant in, tests/world makes its own. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* One moment on both clocks. Every decision about waiting uses boot_ms; wall_ms is only for text and for
 * comparing with times that other machines wrote. */
struct instant {
    int64_t boot_ms; /* CLOCK_BOOTTIME: goes on during suspend, never steps (kubernetes 6.5) */
    int64_t wall_ms; /* CLOCK_REALTIME since 1970, may step */
};

struct instant clock_now(void);

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
