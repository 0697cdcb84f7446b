/* packet-gateway/core/secret.c -- a token in pages of its own: left out of core dumps, wiped when it goes.
 * Never copies the text anywhere else. Called by budget.c, which holds each token once. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "packet-gateway/core/internal.h"

struct secret {
    char *text; /* first byte of the mapping */
    size_t size;
};

/* len bytes of text, NUL-terminated in the copy. Returns NULL when there is no memory: the grant is then
 * refused, nobody else suffers. */

struct secret *secret_new(const char *text, size_t len)
{
    struct secret *secret = x_malloc(sizeof *secret);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    secret->size = (len + page) / page * page;
    secret->text = mmap(NULL, secret->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret->text == MAP_FAILED) {
        free(secret);
        return NULL;
    }
    /* Best effort beyond the process's own "not dumpable": an old kernel may not know it. */
    (void)madvise(secret->text, secret->size, MADV_DONTDUMP);
    memcpy(secret->text, text, len);
    secret->text[len] = '\0';
    return secret;
}

const char *secret_text(const struct secret *secret)
{
    return secret->text;
}

/* Wipes, unmaps, and nulls the caller's pointer. */
void secret_free(struct secret **secret)
{
    struct secret *s = *secret;

    if (!s)
        return;
    explicit_bzero(s->text, s->size);
    munmap(s->text, s->size);
    free(s);
    *secret = NULL;
}
