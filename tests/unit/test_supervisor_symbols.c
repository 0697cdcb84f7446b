/* tests/unit/test_supervisor_symbols.c -- names of static functions in a backtrace: of this very program, and
 * of files that are cut off, damaged, or none at all. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/symbols.h"

static __attribute__((noinline)) int find_me(int n)
{
    return n * 3 + (int)getpid();
}

static int on_first(struct dl_phdr_info *info, size_t size, void *base)
{
    (void)size;
    *(uintptr_t *)base = info->dlpi_addr; /* the program comes first */
    return 1;
}

static uint64_t offset_of(int (*function)(int))
{
    uintptr_t base = 0;

    dl_iterate_phdr(on_first, &base);
    return (uint64_t)((uintptr_t)function - base);
}

static struct symbols ours(void)
{
    struct symbols symbols;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    symbols_open(&symbols, fd);
    close(fd);
    return symbols;
}

static void test_a_static_function_has_a_name(void **state)
{
    struct symbols symbols = ours();
    uint64_t at = offset_of(find_me), within = 0;

    (void)state;
    assert_true(find_me(1) != 0);
    assert_string_equal(symbols_find(&symbols, at + 3, &within), "find_me");
    assert_int_equal(within, 3);
    const char *before = symbols_find(&symbols, at, &within);
    assert_true(!before || strcmp(before, "find_me") != 0); /* a return address is never a beginning */
    assert_null(symbols_find(&symbols, UINT64_MAX, &within));
    symbols_close(&symbols);
    assert_null(symbols_find(&symbols, at + 3, &within));
}

static void is_line(const struct symbols *symbols, const char *line, const char *expected)
{
    char out[300];

    symbols_line(symbols, "worker", line, out, sizeof out);
    assert_string_equal(out, expected);
}

static void test_lines(void **state)
{
    struct symbols symbols = ours(), none = {0};
    char line[120], tiny[8];

    (void)state;
    snprintf(line, sizeof line, "worker(+0x%llx)[0x5555]", (unsigned long long)offset_of(find_me) + 5);
    is_line(&symbols, line, "worker(find_me+0x5)[0x5555]");
    is_line(&none, line, line);
    symbols_line(&symbols, "worker", line, tiny, sizeof tiny);
    assert_string_equal(tiny, "worker(");
    line[0] = 'W'; /* another program's offset says nothing */
    is_line(&symbols, line, line);
    is_line(&symbols, "worker(main+0x3)[0x1]", "worker(main+0x3)[0x1]");
    is_line(&symbols, "worker(+0xfffffffffffffffffffff)[0x1]", "worker(+0xfffffffffffffffffffff)[0x1]");
    is_line(&symbols, "worker(+0x", "worker(+0x");
    is_line(&symbols, "", "");
    symbols_close(&symbols);
}

/* ---- files that are not what they should be */

static void try_bytes(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);
    struct symbols symbols;
    uint64_t within;

    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    symbols_open(&symbols, fd);
    const char *name = symbols_find(&symbols, 0x1234, &within);
    assert_true(!name || strlen(name) < symbols.names_len);
    symbols_close(&symbols);
    close(fd);
}

/* A header, three sections (nothing, names, symbols), one name, one symbol. */
struct small {
    Elf64_Ehdr header;
    Elf64_Shdr sections[3];
    char names[8];
    Elf64_Sym symbols[1];
};

static struct small small(void)
{
    struct small s = {.header = {.e_ident = ELFMAG "\2",
                                 .e_shentsize = sizeof(Elf64_Shdr),
                                 .e_shnum = 3,
                                 .e_shoff = offsetof(struct small, sections)},
                      .names = "\0name",
                      .symbols = {{.st_name = 1,
                                   .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
                                   .st_value = 0x1000,
                                   .st_size = 0x500}}};

    s.sections[1] = (Elf64_Shdr){
        .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct small, names), .sh_size = sizeof s.names};
    s.sections[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                 .sh_link = 1,
                                 .sh_offset = offsetof(struct small, symbols),
                                 .sh_size = sizeof s.symbols};
    return s;
}

static void test_cut_off_and_damaged(void **state)
{
    struct small good = small();
    uint8_t bytes[sizeof good];
    struct symbols symbols;
    uint64_t within;

    (void)state;
    int fd = memfd_create("elf", MFD_CLOEXEC);
    assert_int_equal(write(fd, &good, sizeof good), (ssize_t)sizeof good);
    symbols_open(&symbols, fd);
    assert_string_equal(symbols_find(&symbols, 0x1234, &within), "name");
    symbols_close(&symbols);
    close(fd);
    for (size_t len = 0; len < sizeof good; len++)
        try_bytes((const uint8_t *)&good, len);
    for (size_t i = 0; i < sizeof good; i++)
        for (unsigned change = 1; change < 256; change = change * 2 + 1) {
            memcpy(bytes, &good, sizeof good);
            bytes[i] ^= (uint8_t)change;
            try_bytes(bytes, sizeof bytes);
        }
}

static void test_no_file_at_all(void **state)
{
    struct symbols symbols;
    uint64_t within;

    (void)state;
    symbols_open(&symbols, -1);
    assert_null(symbols_find(&symbols, 1, &within));
    try_bytes((const uint8_t *)"#!/bin/sh\n", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_static_function_has_a_name),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_cut_off_and_damaged),
        cmocka_unit_test(test_no_file_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
