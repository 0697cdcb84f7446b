/* supervisor/symbols.h -- names of functions that only an executable's own table of symbols knows: glibc's
 * backtrace names what is exported and leaves static functions as "program(+0x1234)". Called by crash.c. */
#ifndef SUPERVISOR_SYMBOLS_H
#define SUPERVISOR_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* The functions of one executable. Zeroed: of none. */
struct symbols {
    void *table;
    char *names;
    size_t n, names_len;
};

/* Reads the table of symbols of the 64-bit ELF file open at fd, which stays the caller's; believes no number
 * in it. What is stripped, or no such file, gives an empty table. symbols_close() frees it. */
void symbols_open(struct symbols *symbols, int fd);
void symbols_close(struct symbols *symbols);

/* The function that offset (of a return address, from where the file is loaded) lies in, and in *within how
 * far; NULL when none does. The name is valid until symbols_close(). */
const char *symbols_find(const struct symbols *symbols, uint64_t offset, uint64_t *within);

/* Writes one line of glibc's backtrace into out, with the function's name where "PROGRAM(+0xOFFSET)" has
 * none. Any other line is copied. */
void symbols_line(const struct symbols *symbols, const char *program, const char *line, char *out,
                  size_t size);

#endif
