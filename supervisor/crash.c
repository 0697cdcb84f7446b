/* supervisor/crash.c -- a record of each end that nobody asked for: one JSON file with how, at which object,
 * at which step, where in the program, and its last words. The newest CRASHES_MAX are kept, each of bounded
 * size. What the dead process left in its box is taken for untrusted text. Called by spawn.c and reap.c;
 * `packetctl crashes` reads the files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/blackbox.h"
#include "base/escape.h"
#include "base/log.h"
#include "supervisor/core/policy.h"
#include "supervisor/supervisor.h"
#include "supervisor/symbols.h"

#define CRASHES_MAX    32
#define CRASH_DIR      "crashes"
#define CTIME_GRAIN_MS 20 /* a file's time of change is that of the kernel's last tick */

/* ---- boxes */

/* Of a size that nobody can change. */
int crash_box_make(void)
{
    int fd = memfd_create("blackbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (ftruncate(fd, sizeof(struct blackbox)) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
        return fd;
    close(fd);
    return -1;
}

void crash_box_keep(struct supervisor *s, int64_t pid, int box)
{
    for (size_t i = 0; i < BUS_PEERS_MAX && box >= 0; i++)
        if (s->boxes[i].pid == 0) {
            s->boxes[i] = (struct box){.pid = pid, .fd = box};
            return;
        }
    if (box >= 0)
        close(box);
}

/* Its place among the boxes, or -1. */
static int box_at(const struct supervisor *s, int64_t pid)
{
    for (int i = 0; i < (int)BUS_PEERS_MAX && pid != 0; i++)
        if (s->boxes[i].pid == pid)
            return i;
    return -1;
}

/* Takes the box away. False, and an empty box, when there was none. */
static bool open_box(struct supervisor *s, int64_t pid, struct blackbox *box)
{
    int at = box_at(s, pid);

    memset(box, 0, sizeof *box);
    if (at < 0)
        return false;
    ssize_t n = pread(s->boxes[at].fd, box, sizeof *box, 0);
    close(s->boxes[at].fd);
    s->boxes[at] = (struct box){0};
    return n == (ssize_t)sizeof *box;
}

static bool is_key(const char *key)
{
    const char *slash = strchr(key, '/');

    return slash && slash != key && slash[1] &&
           strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-./") == strlen(key);
}

bool crash_key(const struct supervisor *s, int64_t pid, char *key, size_t size)
{
    int at = box_at(s, pid);
    ssize_t n = at < 0 ? -1 : pread(s->boxes[at].fd, key, size - 1, offsetof(struct blackbox, key));

    key[n > 0 ? n : 0] = '\0';
    return is_key(key);
}

/* Whatever a process writes there is shown to people. */
static void copy_printable(const char *from, size_t from_size, char *to, size_t size)
{
    size_t n = strnlen(from, from_size < size - 1 ? from_size : size - 1);

    for (size_t i = 0; i < n; i++)
        to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
    to[n] = '\0';
}

bool crash_box_look(const struct supervisor *s, int64_t pid, char *key, char *doing, size_t size)
{
    int at = box_at(s, pid);
    struct blackbox box;

    if (at < 0 || pread(s->boxes[at].fd, &box, offsetof(struct blackbox, log_end), 0) < 0)
        return false;
    copy_printable(box.key, sizeof box.key, key, size);
    copy_printable(box.doing, sizeof box.doing, doing, size);
    return true;
}

/* ---- JSON */

static void put_text(FILE *f, const char *text, size_t len)
{
    char cut[512 + 1], out[ESCAPE_MAX];
    size_t used;

    len = strnlen(text, len < sizeof cut - 1 ? len : sizeof cut - 1);
    memcpy(cut, text, len);
    cut[len] = '\0';
    fputc('"', f);
    for (const char *p = cut; *p; p += used)
        fwrite(out, 1, escape_one((const unsigned char *)p, &used, out), f);
    fputc('"', f);
}

static void member(FILE *f, const char *key, const char *text)
{
    fprintf(f, ",\n  \"%s\": ", key);
    put_text(f, text, SIZE_MAX);
}

static void member_number(FILE *f, const char *key, int64_t number)
{
    fprintf(f, ",\n  \"%s\": %" PRId64, key, number);
}

static void put_frame(FILE *f, const char *line, size_t len, const struct symbols *symbols,
                      const char *program)
{
    char frame[256], named[512];

    snprintf(frame, sizeof frame, "%.*s", (int)len, line);
    symbols_line(symbols, program, frame, named, sizeof named);
    put_text(f, named, SIZE_MAX);
}

/* An array of the lines in text; in those of a backtrace the functions of program get their names. */
static void member_lines(FILE *f, const char *key, const char *text, size_t len,
                         const struct symbols *symbols, const char *program)
{
    const char *end = text + strnlen(text, len);
    unsigned n = 0;

    fprintf(f, ",\n  \"%s\": [", key);
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const char *next = stop ? stop + 1 : end;

        fputs(n++ ? ",\n    " : "\n    ", f);
        if (symbols)
            put_frame(f, text, (size_t)((stop ? stop : end) - text), symbols, program);
        else
            put_text(f, text, (size_t)((stop ? stop : end) - text));
        text = next;
    }
    fputs("]", f);
}

/* The ring in order; its first line may have lost its beginning and is left out then. */
static void member_log(FILE *f, const struct blackbox *box)
{
    char log[BLACKBOX_LOG + 1];
    uint32_t at = box->log_end % BLACKBOX_LOG;
    bool full = box->log[at] != '\0';
    size_t len = full ? BLACKBOX_LOG : at;

    if (full) {
        memcpy(log, box->log + at, BLACKBOX_LOG - at);
        memcpy(log + BLACKBOX_LOG - at, box->log, at);
    } else {
        memcpy(log, box->log, at);
    }
    log[len] = '\0';
    const char *first = full ? strchr(log, '\n') : NULL;
    const char *start = first ? first + 1 : log;
    member_lines(f, "log", start, len - (size_t)(start - log), NULL, NULL);
}

/* The functions of the program that the dead process ran, unless another one was put in its place since: a
 * name that is wrong is worse than none. A clock that was set forward meanwhile can deceive it. */
static void open_program(const struct supervisor *s, const struct tree_row *was, struct symbols *symbols)
{
    char path[PATH_MAX + 32];
    int64_t started_ms = clock_now().wall_ms - was->uptime_ms;
    struct stat st;

    *symbols = (struct symbols){0};
    spawn_program_path(s, was->role, path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        int64_t changed_ms = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;

        if (changed_ms + CTIME_GRAIN_MS < started_ms)
            symbols_open(symbols, fd);
    }
    close(fd);
}

static void member_backtrace(FILE *f, const struct supervisor *s, const struct tree_row *was,
                             const struct blackbox *box)
{
    struct symbols symbols = {0};

    if (box->trace[0] != '\0')
        open_program(s, was, &symbols);
    member_lines(f, "backtrace", box->trace, sizeof box->trace, &symbols, policy_of(was->role)->binary);
    symbols_close(&symbols);
}

static void write_record(FILE *f, const struct supervisor *s, const struct tree_row *was, int status,
                         long peak_kib, const struct blackbox *box, const char *when)
{
    char how[STATUS_TEXT_MAX];
    bool boxed = box->key[0] != '\0' || box->doing[0] != '\0';

    status_text(status, how, sizeof how);
    fprintf(f, "{\n  \"time\": \"%s\"", when);
    member(f, "version", PROVIDER_PACKET_VERSION);
    member(f, "role", role_name(was->role));
    member_number(f, "slot", (int64_t)was->slot);
    member_number(f, "pid", was->pid);
    member_number(f, "incarnation", (int64_t)was->incarnation);
    member(f, "how", how);
    member(f, "why", was->why);
    member(f, "was", was->state);
    fputs(",\n  \"object\": ", f);
    put_text(f, boxed ? box->key : was->key, sizeof box->key);
    fputs(",\n  \"doing\": ", f);
    put_text(f, boxed ? box->doing : was->doing, sizeof box->doing);
    member_number(f, "uptimeMs", was->uptime_ms);
    member_number(f, "silentMs", was->beat_age_ms);
    member_number(f, "peakMemoryKiB", peak_kib);
    member_backtrace(f, s, was, box);
    member_log(f, box);
    fputs("\n}\n", f);
}

/* ---- files */

static int is_record(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');

    return dot && !strcmp(dot, ".json");
}

/* Names begin with the time, so the first are the oldest. */
static void remove_oldest(const char *dir)
{
    struct dirent **names;
    char path[SUPERVISOR_DIR_MAX + 320];
    int n = scandir(dir, &names, is_record, alphasort);

    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        if (i < n - CRASHES_MAX)
            unlink(path);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

/* 20261127T020408.123Z-worker-12.json: sorts by time, and is fit for any file system. */
static void name_of(const struct tree_row *was, const char *when, char *name, size_t size)
{
    size_t n = 0;

    for (const char *c = when; *c && n < size - 1; c++)
        if (*c != '-' && *c != ':')
            name[n++] = *c;
    snprintf(name + n, size - n, "-%s-%" PRIu64 ".json", role_name(was->role), was->incarnation);
}

/* Complete or not there. */
static bool store(const struct supervisor *s, const struct tree_row *was, int status, long peak_kib,
                  const struct blackbox *box, char *path, size_t size)
{
    char dir[SUPERVISOR_DIR_MAX + 16], name[80], fresh[SUPERVISOR_DIR_MAX + 32], when[CLOCK_TEXT_MAX];

    clock_text_millis(clock_now().wall_ms, when);
    name_of(was, when, name, sizeof name);
    snprintf(dir, sizeof dir, "%s/" CRASH_DIR, s->dir.path);
    snprintf(fresh, sizeof fresh, "%s/.new", dir);
    snprintf(path, size, "%s/%s", dir, name);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return false;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    write_record(f, s, was, status, peak_kib, box, when);
    bool written = !ferror(f);
    if (fclose(f) != 0 || !written || rename(fresh, path) != 0) {
        unlink(fresh);
        return false;
    }
    remove_oldest(dir);
    return true;
}

bool crash_is(const struct tree_row *was, int status)
{
    bool in_order = WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_OK || was->leaving);

    return was->unasked && !in_order;
}

void crash_reaped(struct supervisor *s, const struct tree_row *was, int status, long peak_kib)
{
    struct blackbox box;
    char path[SUPERVISOR_DIR_MAX + 120];

    open_box(s, was->pid, &box);
    if (!crash_is(was, status))
        return;
    if (store(s, was, status, peak_kib, &box, path, sizeof path))
        log_info("wrote a crash record", F_STR("file", path));
    else
        log_warn("could not write a crash record", F_STR("dir", s->dir.path),
                 F_STR("error", strerror(errno)));
}
