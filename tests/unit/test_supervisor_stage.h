/* tests/unit/test_supervisor_stage.h -- a stage for the supervisor's tree: a fake world that records each
 * order as one short word group, and verbs to play the children. Included by test_supervisor_tree.c and
 * test_supervisor_watch.c. */
#ifndef TESTS_UNIT_TEST_SUPERVISOR_STAGE_H
#define TESTS_UNIT_TEST_SUPERVISOR_STAGE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/core/policy.h"
#include "supervisor/core/tree.h"

/* Incarnations are counted from the supervisor's own, so that the first child is 1 here. */
#define CHILD(n) ((uint64_t)(n) + SUPERVISOR_INCARNATION)

static inline unsigned long child_number(uint64_t incarnation)
{
    return (unsigned long)(incarnation - SUPERVISOR_INCARNATION);
}

/* One tree and everything it ordered since the last look. pid = 100 + the child's number. */
struct stage {
    struct tree *tree;
    struct instant now;
    char orders[4096];
    bool no_spawn;              /* fork fails */
    char cause[LIMIT_TEXT + 1]; /* of the last death that somebody was told of */
    bool blameless;
    unsigned spawned;
};

static inline const char *letter(unsigned role)
{
    return role == WATCHER ? "watcher" : role == GATEWAY ? "gateway" : role == WORKER ? "worker" : "exporter";
}

static void note(struct stage *st, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void note(struct stage *st, const char *format, ...)
{
    size_t used = strlen(st->orders);
    va_list args;

    if (used > 0)
        used += (size_t)snprintf(st->orders + used, sizeof st->orders - used, "; ");
    va_start(args, format);
    vsnprintf(st->orders + used, sizeof st->orders - used, format, args);
    va_end(args);
}

static inline int64_t on_spawn(void *ctx, unsigned role, uint64_t slot, uint64_t incarnation)
{
    struct stage *st = ctx;

    st->spawned++;
    note(st, "spawn %s%lu=%lu", letter(role), (unsigned long)slot, child_number(incarnation));
    return st->no_spawn ? -1 : 100 + (int64_t)child_number(incarnation);
}

static inline void on_kill(void *ctx, int64_t pid, int signo)
{
    const char *name = signo == SIGKILL ? "KILL" : signo == SIGABRT ? "ABRT" : "TERM";

    note(ctx, "%s %ld", name, (long)pid - 100);
}

static inline void on_send(void *ctx, uint64_t to, enum msg_id id, const void *body)
{
    unsigned long who = child_number(to);

    switch (id) {
    case MSG_PEER:
        note(ctx, "%lu meets %lu", who, child_number(((const struct msg_peer *)body)->incarnation));
        assert_int_equal(((const struct msg_peer *)body)->pid,
                         100 + child_number(((const struct msg_peer *)body)->incarnation));
        break;
    case MSG_PEER_GONE: {
        const struct msg_peer_gone *gone = body;
        struct stage *st = ctx;

        span_copy(gone->cause, st->cause, sizeof st->cause);
        st->blameless = gone->blameless != 0;
    }
        note(ctx, "%lu loses %lu", who, child_number(((const struct msg_peer_gone *)body)->incarnation));
        break;
    case MSG_SUSPECTED: {
        const struct msg_suspected *s = body;

        note(ctx, "%lu suspects %.*s: %lu, %lu", who, (int)s->key.len, s->key.p, (unsigned long)s->strikes,
             (unsigned long)s->until);
        break;
    }
    case MSG_RELEASE: {
        const struct msg_release *r = body;

        note(ctx, "%lu releases %.*s", who, (int)r->key.len, r->key.p);
        break;
    }
    case MSG_HOLD: note(ctx, "%lu hold %lu", who, (unsigned long)((const struct msg_hold *)body)->on); break;
    case MSG_LOGLEVEL:
        note(ctx, "%lu level %lu", who, (unsigned long)((const struct msg_loglevel *)body)->level);
        break;
    case MSG_GO: note(ctx, "%lu go %lu", who, child_number(((const struct msg_go *)body)->epoch)); break;
    case MSG_EPOCH_OVER:
        note(ctx, "%lu over %lu", who, child_number(((const struct msg_epoch_over *)body)->epoch));
        break;
    case MSG_HEALTH:
        note(ctx, "%lu health %lu: gateway %lu, workers %lu", who, ((const struct msg_health *)body)->seq,
             ((const struct msg_health *)body)->gateway, ((const struct msg_health *)body)->workers);
        break;
    case MSG_DRAIN: note(ctx, "%lu drain", who); break;
    default: fail_msg("unexpected message %d", id);
    }
}

/* The orders since the last look are exactly these. */
static inline void expect(struct stage *st, const char *orders)
{
    assert_string_equal(st->orders, orders);
    st->orders[0] = '\0';
}

static inline struct stage *open_stage(unsigned workers, bool exporter)
{
    struct stage *st = calloc(1, sizeof *st);

    st->now = (struct instant){.boot_ms = 1000000, .wall_ms = 1};
    st->tree =
        tree_new(&(struct tree_config){.workers = workers, .exporter = exporter, .seed = 1},
                 &(struct tree_ops){.ctx = st, .spawn = on_spawn, .kill = on_kill, .send = on_send}, st->now);
    return st;
}

static inline void close_stage(struct stage *st)
{
    tree_free(st->tree);
    free(st);
}

static inline void say(struct stage *st, unsigned role, unsigned from, struct message message, enum msg_id id)
{
    const struct msg_spec spec = {.id = (uint16_t)id};

    message.spec = &spec;
    tree_message(st->tree, role, CHILD(from), &message, st->now);
}

static inline void ready(struct stage *st, unsigned role, unsigned from)
{
    say(st, role, from, (struct message){0}, MSG_READY);
}

static inline void knows(struct stage *st, unsigned role, unsigned from, unsigned about)
{
    say(st, role, from, (struct message){.body.peer_ok.incarnation = CHILD(about)}, MSG_PEER_OK);
}

static inline void closed(struct stage *st, unsigned gateway, unsigned epoch)
{
    say(st, GATEWAY, gateway, (struct message){.body.epoch_closed.epoch = CHILD(epoch)}, MSG_EPOCH_CLOSED);
}

static inline void died(struct stage *st, unsigned child, int status)
{
    tree_reaped(st->tree, 100 + (int64_t)child, status, st->now);
}

static inline bool row_at(struct stage *st, unsigned role, uint64_t slot, struct tree_row *row)
{
    for (unsigned i = 0; tree_row(st->tree, i, st->now, row); i++)
        if (row->role == role && row->slot == slot)
            return true;
    return false;
}

static inline const char *state_of(struct stage *st, unsigned role, uint64_t slot)
{
    struct tree_row row;

    assert_true(row_at(st, role, slot, &row));
    return row.state;
}

/* Lets time pass up to `ms`, ticking when the tree asks for it. Everybody but `silent` beats. */
static inline void pass(struct stage *st, int64_t ms, unsigned silent)
{
    int64_t end = st->now.boot_ms + ms, beat = st->now.boot_ms;

    for (;;) {
        int64_t next = tree_next_ms(st->tree);
        st->now.boot_ms = next < beat ? next : beat;
        if (st->now.boot_ms > end)
            break;
        for (unsigned i = 0; st->now.boot_ms == beat; i++) {
            struct tree_row row;
            if (!tree_row(st->tree, i, st->now, &row))
                break;
            if (row.pid != 0 && row.incarnation != CHILD(silent))
                say(st, row.role, (unsigned)child_number(row.incarnation), (struct message){0}, MSG_BEAT);
        }
        if (st->now.boot_ms == beat)
            beat += BEAT_EVERY_MS;
        tree_tick(st->tree, st->now);
    }
    st->now.boot_ms = end;
}

/* Watcher 1, gateway 2, workers 3 and 4, all at work; no exporter. */
static inline struct stage *open_running(void)
{
    struct stage *st = open_stage(2, false);

    tree_start(st->tree, st->now);
    ready(st, WATCHER, 1);
    ready(st, GATEWAY, 2);
    knows(st, WATCHER, 1, 2);
    knows(st, GATEWAY, 2, 1);
    for (unsigned w = 3; w <= 4; w++) {
        ready(st, WORKER, w);
        knows(st, WORKER, w, 1);
        knows(st, WORKER, w, 2);
        knows(st, WATCHER, 1, w);
        knows(st, GATEWAY, 2, w);
    }
    assert_true(tree_ready(st->tree));
    st->orders[0] = '\0';
    return st;
}

/* A worker with this number is ready and known to watcher 1 and gateway 2. */
static inline void works(struct stage *st, unsigned worker)
{
    ready(st, WORKER, worker);
    for (unsigned peer = 1; peer <= 2; peer++) {
        knows(st, WORKER, worker, peer);
        knows(st, peer == 1 ? WATCHER : GATEWAY, peer, worker);
    }
    st->orders[0] = '\0';
}

#endif
