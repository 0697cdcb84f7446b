/* worker/replay.c -- runs a recorded job again, without sockets and with the recorded times, and compares
 * what the core says now with what it said then, byte by byte. Called by main.c for --replay. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/codec.h"
#include "worker/record.h"

#define FILE_MAX    (64u * 1024 * 1024)
#define PENDING_MAX 64u /* messages that one event brings about */

struct line {
    enum record_kind kind;
    struct instant at;
    unsigned role;
    struct span frame;
};

struct replay {
    struct worker_core *core;
    uint64_t incarnation;
    struct instant began;
    msgpack_sbuffer said[PENDING_MAX]; /* what the core says now, in order */
    unsigned role[PENDING_MAX];
    unsigned n_said, next;
    unsigned in, out;
    bool whole;                /* the job's last word was recorded */
    uint64_t watcher, gateway; /* incarnations, from what came in or went out */
    char why[300];
};

static void on_say(void *ctx, unsigned to, enum msg_id id, const void *body, const struct envelope *envelope)
{
    struct replay *r = ctx;
    struct envelope full = *envelope;

    if (r->n_said == PENDING_MAX)
        return; /* compared with nothing, which is a difference */
    full.from = r->incarnation;
    full.to = to == WATCHER ? r->watcher : r->gateway;
    msgpack_sbuffer *frame = &r->said[r->n_said];
    msgpack_sbuffer_init(frame);
    r->role[r->n_said++] = to;
    if (msg_encode(&full, id, body, frame) != 0)
        frame->size = 0;
}

static const char *name_of(struct span frame, unsigned from, unsigned to)
{
    struct message message;

    return msg_decode(frame.p, frame.len, from, to, &message) == FRAME_OK ? message.spec->name : "?";
}

static void show(const struct replay *r, const struct line *line)
{
    int64_t ms = line->at.boot_ms - r->began.boot_ms;

    if (line->kind == RECORD_IN)
        printf("%8" PRId64 " ms  %s -> %s, %u bytes\n", ms, role_name(line->role),
               name_of(line->frame, line->role, WORKER), line->frame.len);
    else if (line->kind == RECORD_OUT)
        printf("%8" PRId64 " ms        -> %s: %s, %u bytes\n", ms, role_name(line->role),
               name_of(line->frame, WORKER, line->role), line->frame.len);
    else
        printf("%8" PRId64 " ms  %s\n", ms,
               line->kind == RECORD_TICK ? "its time had come" : "asked to leave");
}

/* An array of six, as record.c writes. */
static bool read_line(struct value v, struct line *line)
{
    uint64_t numbers[6] = {0};
    struct value_iter it = value_each(v);
    unsigned n = 0;

    if (value_count(v) != 6)
        return false;
    for (; n < 5 && value_next(&it); n++)
        if (!value_uint(it.item, &numbers[n]))
            return false;
    if (n < 5 || !value_next(&it) || !value_bin(it.item, &line->frame) || numbers[0] > RECORD_DRAIN)
        return false;
    line->kind = (enum record_kind)numbers[0];
    line->at = (struct instant){(int64_t)numbers[1], (int64_t)numbers[2], (int64_t)numbers[3]};
    line->role = (unsigned)numbers[4];
    return true;
}

static bool compare(struct replay *r, const struct line *line)
{
    r->out++;
    r->whole = strcmp(name_of(line->frame, WORKER, line->role), "IDLE") == 0;
    if (r->next == r->n_said) {
        snprintf(r->why, sizeof r->why, "then it said %s, now it says nothing",
                 name_of(line->frame, WORKER, line->role));
        return false;
    }
    const msgpack_sbuffer *now = &r->said[r->next];
    struct span frame = {.p = now->data, .len = (uint32_t)now->size};
    bool same = r->role[r->next++] == line->role && span_same(frame, line->frame);
    if (!same)
        snprintf(r->why, sizeof r->why, "then it said %s (%u bytes), now %s (%u bytes)",
                 name_of(line->frame, WORKER, line->role), line->frame.len,
                 name_of(frame, WORKER, r->role[r->next - 1]), frame.len);
    return same;
}

/* Has the core said more than was recorded of the event before? */
static bool said_all(struct replay *r)
{
    bool all = r->next == r->n_said;

    if (!all)
        snprintf(r->why, sizeof r->why, "now it says %s, then it did not",
                 name_of((struct span){.p = r->said[r->next].data, .len = (uint32_t)r->said[r->next].size},
                         WORKER, r->role[r->next]));
    for (unsigned i = 0; i < r->n_said; i++)
        msgpack_sbuffer_destroy(&r->said[i]);
    r->n_said = r->next = 0;
    return all;
}

/* Who the worker speaks to is in the first frame of each. */
static void learn_peer(struct replay *r, const struct line *line)
{
    struct message message;
    bool in = line->kind == RECORD_IN;

    if (line->role != WATCHER && line->role != GATEWAY)
        return;
    if (msg_decode(line->frame.p, line->frame.len, in ? line->role : WORKER, in ? WORKER : line->role,
                   &message) != FRAME_OK)
        return;
    uint64_t peer = in ? message.envelope.from : message.envelope.to;
    if (line->role == WATCHER)
        r->watcher = peer;
    else
        r->gateway = peer;
}

static bool play(struct replay *r, const struct line *line)
{
    struct message message;

    if (r->began.boot_ms == 0)
        r->began = line->at;
    show(r, line);
    if (line->kind == RECORD_OUT)
        return compare(r, line);
    if (!said_all(r))
        return false;
    if (line->kind == RECORD_TICK) {
        worker_core_tick(r->core, line->at);
    } else if (line->kind == RECORD_DRAIN) {
        message = (struct message){.spec = msg_find(MSG_DRAIN)};
        worker_core_message(r->core, SUPERVISOR, &message, line->at);
    } else if (msg_decode(line->frame.p, line->frame.len, line->role, WORKER, &message) == FRAME_OK) {
        r->in++;
        worker_core_message(r->core, line->role, &message, line->at);
    }
    return true;
}

/* The numbers that a job's messages depend on beside it. */
static bool read_head(struct value v, struct replay *r, struct worker_counters *counters)
{
    uint64_t numbers[6];
    unsigned n = 0;

    for (struct value_iter it = value_each(v); n < 6 && value_next(&it); n++)
        if (!value_uint(it.item, &numbers[n]))
            return false;
    if (n != 6 || numbers[0] != RECORD_FORMAT)
        return false;
    r->incarnation = numbers[1];
    *counters = (struct worker_counters){numbers[2], numbers[3], numbers[4], numbers[5]};
    return true;
}

/* The next value of the bytes, or one without a place when they end, or end in the midst of it. */
static struct value next_value(const char *bytes, size_t len, size_t *at)
{
    size_t n = *at < len ? value_length(bytes + *at, len - *at) : 0;
    struct value v = {.at = (const uint8_t *)bytes + *at, .len = (uint32_t)n};

    if (n == 0 || !value_check(bytes + *at, n))
        return (struct value){0};
    *at += n;
    return v;
}

static void find_peers(struct replay *r, const char *bytes, size_t len, size_t at)
{
    struct line line;
    struct value v;

    while ((v = next_value(bytes, len, &at)).at && read_line(v, &line))
        learn_peer(r, &line);
}

static int replay_bytes(const char *bytes, size_t len)
{
    struct replay r = {0};
    struct worker_ops ops = {.ctx = &r, .send = on_say};
    struct worker_counters counters;
    struct line line;
    size_t at = 0;
    struct value v = next_value(bytes, len, &at);
    bool same = true;

    if (len == 0) { /* record_job() was killed between making the file and its first word */
        printf("identical: nothing was said before the recording ended\n");
        return 0;
    }
    if (!v.at || !read_head(v, &r, &counters)) {
        fprintf(stderr, "not a recording of this version's format (%d)\n", RECORD_FORMAT);
        return 2;
    }
    find_peers(&r, bytes, len, at);
    r.core = worker_core_new(&ops, r.incarnation);
    worker_core_resume(r.core, &counters);
    while (same && (v = next_value(bytes, len, &at)).at && read_line(v, &line))
        same = play(&r, &line);
    same = (said_all(&r) || !r.whole) && same; /* also frees what was said */
    if (same)
        printf("identical: %u messages in, %u out%s\n", r.in, r.out,
               r.whole ? "" : "; the recording ends before the job does");
    else
        printf("DIFFERENT: %s\n", r.why);
    worker_core_free(r.core);
    return same ? 0 : 1;
}

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    char *bytes = x_malloc(FILE_MAX);
    size_t len = file ? fread(bytes, 1, FILE_MAX, file) : 0;
    int result = 2;

    if (!file || ferror(file))
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    else if (len == FILE_MAX)
        fprintf(stderr, "%s: larger than any recording\n", path);
    else {
        printf("%s\n", path);
        result = replay_bytes(bytes, len);
    }
    if (file)
        fclose(file);
    free(bytes);
    return result;
}

int replay_files(int n, char **paths)
{
    int worst = n > 0 ? 0 : 2;

    if (n == 0)
        fprintf(stderr, "--replay FILE...: the files that --record DIR has left in DIR\n");
    for (int i = 0; i < n; i++) {
        int result = replay_file(paths[i]);
        worst = result > worst ? result : worst;
    }
    return worst;
}
