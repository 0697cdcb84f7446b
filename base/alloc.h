/* base/alloc.h -- the one way to allocate. Running out of memory is not an answer any caller could act on, so
 * these never return NULL: they end the process with EXIT_MEMORY and the supervisor starts it anew. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

void *x_malloc(size_t size);
void *x_calloc(size_t count, size_t size);
void *x_realloc(void *old, size_t size);
char *x_strdup(const char *text);
char *x_strndup(const char *text, size_t len);
/* printf into a fresh string. Caller frees. */
char *x_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
