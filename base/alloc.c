/* base/alloc.c -- memory that is always there: every function ends the process with EXIT_MEMORY instead of
 * returning NULL. Never frees. Called by everybody. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/contract.h"

/* _exit, as an atexit handler may want memory too. */
static _Noreturn void no_memory(size_t wanted)
{
    log_error("no memory left", F_INT("wanted", wanted));
    _exit(EXIT_MEMORY);
}

void *x_malloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        no_memory(size);
    return p;
}

void *x_calloc(size_t count, size_t size)
{
    void *p = count && size ? calloc(count, size) : calloc(1, 1);

    if (!p)
        no_memory(size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return p;
}

void *x_realloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p)
        no_memory(size);
    return p;
}

char *x_strdup(const char *text)
{
    return x_strndup(text, strlen(text));
}

char *x_strndup(const char *text, size_t len)
{
    size_t n = strnlen(text, len);
    char *copy = x_malloc(n + 1);

    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *x_asprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        no_memory(0);
    return text;
}
