/* supervisor/symbols.c -- looks functions up in an ELF file's .symtab (System V ABI, chapter "Symbol Table").
 * The file is read, not mapped: one that shrinks meanwhile must not end PID 1. Called by crash.c. */
#include "supervisor/symbols.h"

#include <elf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX    (4u * 1024u * 1024u) /* bytes of one section that are read */
#define SECTIONS_MAX 256u

static bool read_at(int fd, void *to, size_t len, uint64_t at)
{
    return at <= INT64_MAX && pread(fd, to, len, (off_t)at) == (ssize_t)len;
}

/* Caller frees. NULL: nothing of that size is there. */
static void *read_section(int fd, const Elf64_Shdr *section, size_t *len)
{
    if (section->sh_size == 0 || section->sh_size > TABLE_MAX)
        return NULL;
    void *bytes = malloc(section->sh_size); /* a record without names is better than no supervisor */
    if (!bytes || !read_at(fd, bytes, section->sh_size, section->sh_offset)) {
        free(bytes);
        return NULL;
    }
    *len = section->sh_size;
    return bytes;
}

static bool is_ours(const Elf64_Ehdr *header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_shentsize == sizeof(Elf64_Shdr) && header->e_shnum <= SECTIONS_MAX;
}

void symbols_open(struct symbols *symbols, int fd)
{
    Elf64_Shdr sections[SECTIONS_MAX];
    Elf64_Ehdr header;
    size_t len = 0;

    *symbols = (struct symbols){0};
    if (!read_at(fd, &header, sizeof header, 0) || !is_ours(&header) ||
        !read_at(fd, sections, header.e_shnum * sizeof *sections, header.e_shoff))
        return;
    for (unsigned i = 0; i < header.e_shnum && !symbols->table; i++) {
        if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header.e_shnum)
            continue;
        symbols->names = read_section(fd, &sections[sections[i].sh_link], &symbols->names_len);
        symbols->table = symbols->names ? read_section(fd, &sections[i], &len) : NULL;
        symbols->n = len / sizeof(Elf64_Sym);
    }
    if (symbols->table)
        symbols->names[symbols->names_len - 1] = '\0'; /* each name ends */
    else
        symbols_close(symbols);
}

void symbols_close(struct symbols *symbols)
{
    free(symbols->table);
    free(symbols->names);
    *symbols = (struct symbols){0};
}

/* A return address is that after the call, and a call that does not return may be a function's last
 * instruction: the end belongs to it, its own beginning does not. */
const char *symbols_find(const struct symbols *symbols, uint64_t offset, uint64_t *within)
{
    const Elf64_Sym *table = symbols->table;

    for (size_t i = 0; i < symbols->n; i++) {
        const Elf64_Sym *s = &table[i];

        if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || offset <= s->st_value ||
            offset - s->st_value > s->st_size || s->st_name >= symbols->names_len)
            continue;
        *within = offset - s->st_value;
        return symbols->names + s->st_name;
    }
    return NULL;
}

void symbols_line(const struct symbols *symbols, const char *program, const char *line, char *out,
                  size_t size)
{
    size_t len = strlen(program);
    uint64_t offset, within;
    const char *name = NULL;
    int used = 0;

    if (strncmp(line, program, len) == 0 && sscanf(line + len, "(+0x%" SCNx64 ")%n", &offset, &used) == 1 &&
        used > 0)
        name = symbols_find(symbols, offset, &within);
    if (name)
        snprintf(out, size, "%s(%s+0x%" PRIx64 ")%s", program, name, within, line + len + used);
    else
        snprintf(out, size, "%s", line);
}
