/* tests/unit/test_supervisor_tree.c -- the whole tree as scenarios: a fake world records each order as one
 * short word group, and each scenario states the orders it expects, in order. */
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

static unsigned long child_number(uint64_t incarnation)
{
    return (unsigned long)(incarnation - SUPERVISOR_INCARNATION);
}

/* One tree and everything it ordered since the last look. pid = 100 + the child's number. */
struct stage {
    struct tree *tree;
    struct instant now;
    char orders[4096];
    bool no_spawn; /* fork fails */
    unsigned spawned;
};

static const char *letter(unsigned role)
{
    return role == WATCHER ? "watcher" : role == GATEWAY ? "gateway" : role == WORKER ? "worker" : "exporter";
}

static void note(struct stage *st, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct stage *st, const char *format, ...)
{
    size_t used = strlen(st->orders);
    va_list args;

    if (used > 0)
        used += (size_t)snprintf(st->orders + used, sizeof st->orders - used, "; ");
    va_start(args, format);
    vsnprintf(st->orders + used, sizeof st->orders - used, format, args);
    va_end(args);
}

static int64_t on_spawn(void *ctx, unsigned role, uint64_t slot, uint64_t incarnation)
{
    struct stage *st = ctx;

    st->spawned++;
    note(st, "spawn %s%lu=%lu", letter(role), (unsigned long)slot, child_number(incarnation));
    return st->no_spawn ? -1 : 100 + (int64_t)child_number(incarnation);
}

static void on_kill(void *ctx, int64_t pid, int signo)
{
    const char *name = signo == SIGKILL ? "KILL" : signo == SIGABRT ? "ABRT" : "TERM";

    note(ctx, "%s %ld", name, (long)pid - 100);
}

static void on_send(void *ctx, uint64_t to, enum msg_id id, const void *body)
{
    unsigned long who = child_number(to);

    switch (id) {
    case MSG_PEER:
        note(ctx, "%lu meets %lu", who, child_number(((const struct msg_peer *)body)->incarnation));
        assert_int_equal(((const struct msg_peer *)body)->pid,
                         100 + child_number(((const struct msg_peer *)body)->incarnation));
        break;
    case MSG_PEER_GONE:
        note(ctx, "%lu loses %lu", who, child_number(((const struct msg_peer_gone *)body)->incarnation));
        break;
    case MSG_GO: note(ctx, "%lu go %lu", who, child_number(((const struct msg_go *)body)->epoch)); break;
    case MSG_EPOCH_OVER:
        note(ctx, "%lu over %lu", who, child_number(((const struct msg_epoch_over *)body)->epoch));
        break;
    case MSG_DRAIN: note(ctx, "%lu drain", who); break;
    default: fail_msg("unexpected message %d", id);
    }
}

/* The orders since the last look are exactly these. */
static void expect(struct stage *st, const char *orders)
{
    assert_string_equal(st->orders, orders);
    st->orders[0] = '\0';
}

static struct stage *open_stage(unsigned workers, bool exporter)
{
    struct stage *st = calloc(1, sizeof *st);

    st->now = (struct instant){.boot_ms = 1000000, .wall_ms = 1};
    st->tree =
        tree_new(&(struct tree_config){.workers = workers, .exporter = exporter, .seed = 1},
                 &(struct tree_ops){.ctx = st, .spawn = on_spawn, .kill = on_kill, .send = on_send}, st->now);
    return st;
}

static void close_stage(struct stage *st)
{
    tree_free(st->tree);
    free(st);
}

static void say(struct stage *st, unsigned role, unsigned from, struct message message, enum msg_id id)
{
    const struct msg_spec spec = {.id = (uint16_t)id};

    message.spec = &spec;
    tree_message(st->tree, role, CHILD(from), &message, st->now);
}

static void ready(struct stage *st, unsigned role, unsigned from)
{
    say(st, role, from, (struct message){0}, MSG_READY);
}

static void knows(struct stage *st, unsigned role, unsigned from, unsigned about)
{
    say(st, role, from, (struct message){.body.peer_ok.incarnation = CHILD(about)}, MSG_PEER_OK);
}

static void closed(struct stage *st, unsigned gateway, unsigned epoch)
{
    say(st, GATEWAY, gateway, (struct message){.body.epoch_closed.epoch = CHILD(epoch)}, MSG_EPOCH_CLOSED);
}

static void died(struct stage *st, unsigned child, int status)
{
    tree_reaped(st->tree, 100 + (int64_t)child, status, st->now);
}

static bool row_at(struct stage *st, unsigned role, uint64_t slot, struct tree_row *row)
{
    for (unsigned i = 0; tree_row(st->tree, i, st->now, row); i++)
        if (row->role == role && row->slot == slot)
            return true;
    return false;
}

static const char *state_of(struct stage *st, unsigned role, uint64_t slot)
{
    struct tree_row row;

    assert_true(row_at(st, role, slot, &row));
    return row.state;
}

/* Lets time pass up to `ms`, ticking when the tree asks for it. Everybody but `silent` beats. */
static void pass(struct stage *st, int64_t ms, unsigned silent)
{
    int64_t end = st->now.boot_ms + ms, beat = st->now.boot_ms + BEAT_EVERY_MS;

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
static struct stage *open_running(void)
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

static void test_start_order(void **unused)
{
    struct stage *st = open_stage(1, true);

    (void)unused;
    tree_start(st->tree, st->now);
    expect(st, "spawn watcher0=1; spawn gateway0=2; spawn exporter0=3");
    ready(st, EXPORTER, 3);
    ready(st, WATCHER, 1);
    expect(st, "");
    ready(st, GATEWAY, 2);
    expect(st, "1 meets 2; 2 meets 1");
    knows(st, WATCHER, 1, 2);
    expect(st, "");
    knows(st, GATEWAY, 2, 1);
    expect(st, "1 go 1; spawn worker0=4");
    assert_false(tree_ready(st->tree));
    ready(st, WORKER, 4);
    expect(st, "4 meets 1; 1 meets 4; 4 meets 2; 2 meets 4");
    knows(st, WORKER, 4, 1);
    knows(st, WORKER, 4, 2);
    knows(st, WATCHER, 1, 4);
    expect(st, "");
    assert_false(tree_ready(st->tree));
    knows(st, GATEWAY, 2, 4);
    expect(st, "4 go 1");
    assert_true(tree_ready(st->tree));
    close_stage(st);
}

static void test_worker_death(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;

    (void)unused;
    died(st, 3, SIGSEGV);
    expect(st, "1 loses 3; 2 loses 3");
    assert_false(tree_ready(st->tree));
    assert_true(row_at(st, WORKER, 0, &row));
    assert_string_equal(row.state, "backoff");
    assert_int_equal(row.last_status, SIGSEGV);
    assert_int_equal(row.pid, 0);
    assert_in_range(row.next_start_ms, 10, 20);
    pass(st, 20, 0);
    expect(st, "spawn worker0=5");
    assert_true(row_at(st, WORKER, 0, &row));
    assert_int_equal(row.restarts, 1);
    /* Late words of the dead one mean nothing. */
    ready(st, WORKER, 3);
    knows(st, WORKER, 3, 1);
    expect(st, "");
    close_stage(st);
}

static void test_watcher_death_waits_for_the_epoch(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 1, SIGKILL);
    expect(st, "2 loses 1; KILL 3; KILL 4");
    pass(st, 100, 0);
    expect(st, ""); /* no successor while workers live */
    died(st, 3, SIGKILL);
    expect(st, "2 loses 3");
    died(st, 4, SIGKILL);
    expect(st, "2 loses 4; 2 over 1");
    pass(st, 1000, 0);
    expect(st, ""); /* nor before the gateway has closed the epoch */
    closed(st, 2, 9);
    expect(st, "");
    closed(st, 2, 1);
    expect(st, "spawn watcher0=5");
    ready(st, WATCHER, 5);
    expect(st, "5 meets 2; 2 meets 5");
    knows(st, WATCHER, 5, 2);
    knows(st, GATEWAY, 2, 5);
    expect(st, "5 go 5; spawn worker0=6; spawn worker1=7"); /* at once: their deaths did not count */
    close_stage(st);
}

static void test_gateway_that_does_not_close_the_epoch(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 1, SIGKILL);
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    st->orders[0] = '\0';
    pass(st, EPOCH_CLOSE_MS - 1, 0);
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "KILL 2");
    died(st, 2, SIGKILL);
    expect(st, "spawn watcher0=5"); /* dead, it sends nothing any more */
    pass(st, 50, 0);
    expect(st, "spawn gateway0=6");
    close_stage(st);
}

static void test_gateway_death(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 2, SIGKILL);
    expect(st, "1 loses 2; KILL 3; KILL 4");
    pass(st, 100, 0);
    expect(st, "");
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    expect(st,
           "1 loses 3; 1 loses 4; spawn gateway0=5"); /* its delay is over; only the workers were missing */
    ready(st, GATEWAY, 5);
    expect(st, "1 meets 5; 5 meets 1");
    knows(st, GATEWAY, 5, 1);
    expect(st, "");
    knows(st, WATCHER, 1, 5);
    expect(st, "spawn worker0=6; spawn worker1=7"); /* the epoch goes on: no second GO to the watcher */
    /* The new gateway is asked to close the epoch that the old one began in. */
    died(st, 1, SIGKILL);
    died(st, 6, SIGKILL);
    died(st, 7, SIGKILL);
    expect(st, "5 loses 1; KILL 6; KILL 7; 5 over 1");
    close_stage(st);
}

static void test_both_die(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 1, SIGKILL);
    died(st, 2, SIGKILL);
    expect(st, "2 loses 1; KILL 3; KILL 4");
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    pass(st, 50, 0);
    expect(st, "spawn watcher0=5; spawn gateway0=6");
    close_stage(st);
}

static void test_hang(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;

    (void)unused;
    pass(st, 3000, 0);
    expect(st, "");
    pass(st, BEAT_MISSED_MS - 1, 4);
    expect(st, "");
    pass(st, 1, 4);
    expect(st, "ABRT 4");
    assert_true(row_at(st, WORKER, 1, &row));
    assert_string_equal(row.state, "ending");
    assert_string_equal(row.why, "gave no sign of life in time");
    assert_int_equal(row.beat_age_ms, BEAT_MISSED_MS);
    pass(st, ABORT_TO_KILL_MS, 4);
    expect(st, "KILL 4");
    died(st, 4, SIGKILL);
    expect(st, "1 loses 4; 2 loses 4");
    assert_string_equal(state_of(st, WORKER, 1), "backoff"); /* its own fault: with a delay */
    close_stage(st);
}

static void test_hung_watcher(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    pass(st, BEAT_MISSED_MS, 1);
    expect(st, "ABRT 1");
    pass(st, 500, 1); /* while it may still write, nobody is started in its place */
    expect(st, "");
    died(st, 1, SIGABRT);
    expect(st, "2 loses 1; KILL 3; KILL 4");
    close_stage(st);
}

static void test_start_deadline(void **unused)
{
    struct stage *st = open_stage(1, false);

    (void)unused;
    tree_start(st->tree, st->now);
    ready(st, GATEWAY, 2);
    expect(st, "spawn watcher0=1; spawn gateway0=2");
    pass(st, START_DEADLINE_MS - 1, 0); /* beats before READY count for nothing */
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "ABRT 1");
    died(st, 1, SIGABRT);
    pass(st, 100, 0);
    expect(st, "spawn watcher0=3");
    close_stage(st);
}

static void test_introduction_deadline(void **unused)
{
    struct stage *st = open_stage(1, false);

    (void)unused;
    tree_start(st->tree, st->now);
    ready(st, WATCHER, 1);
    ready(st, GATEWAY, 2);
    knows(st, WATCHER, 1, 2);
    st->orders[0] = '\0';
    pass(st, START_DEADLINE_MS - 1, 0);
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "KILL 2"); /* the one that did not answer */
    close_stage(st);
}

static void test_end_worker(void **unused)
{
    struct stage *st = open_running();
    struct message end = {.body.end_worker.incarnation = CHILD(4)};

    (void)unused;
    say(st, WORKER, 3, end, MSG_END_WORKER);
    say(st, GATEWAY, 2, end, MSG_END_WORKER);
    expect(st, ""); /* only the watcher may ask */
    end.body.end_worker.incarnation = CHILD(2);
    say(st, WATCHER, 1, end, MSG_END_WORKER);
    expect(st, ""); /* and only for a worker */
    end.body.end_worker.incarnation = CHILD(4);
    say(st, WATCHER, 1, end, MSG_END_WORKER);
    expect(st, "KILL 4");
    died(st, 4, SIGKILL);
    assert_string_equal(state_of(st, WORKER, 1), "backoff");
    close_stage(st);
}

static void test_spawn_failure(void **unused)
{
    struct stage *st = open_stage(1, false);

    (void)unused;
    st->no_spawn = true;
    tree_start(st->tree, st->now);
    expect(st, "spawn watcher0=1; spawn gateway0=2");
    pass(st, 60000, 0); /* no busy loop: 20 ms doubling to 5 s */
    assert_in_range(st->spawned, 20, 70);
    st->no_spawn = false;
    st->orders[0] = '\0';
    pass(st, 5000, 0);
    assert_string_equal(state_of(st, WATCHER, 0), "starting");
    assert_string_equal(state_of(st, GATEWAY, 0), "starting");
    close_stage(st);
}

static void test_parked_worker(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;
    int deaths = 0;

    (void)unused;
    while (strcmp(state_of(st, WORKER, 1), "parked") != 0 && deaths < 100) {
        assert_true(row_at(st, WORKER, 1, &row));
        if (row.pid != 0) {
            died(st, (unsigned)child_number(row.incarnation), SIGSEGV);
            deaths++;
        } else {
            pass(st, row.next_start_ms, 0);
        }
    }
    assert_int_equal(deaths, policy_of(WORKER)->restart.deaths_max + 1);
    assert_string_equal(state_of(st, WORKER, 0), "ready"); /* the others go on */
    assert_false(tree_ready(st->tree));
    st->orders[0] = '\0';
    assert_true(row_at(st, WORKER, 1, &row));
    pass(st, row.next_start_ms, 0);
    assert_string_equal(state_of(st, WORKER, 1), "starting");
    close_stage(st);
}

static void test_ordered_stop(void **unused)
{
    struct stage *st = open_stage(1, true);
    int code;

    (void)unused;
    tree_start(st->tree, st->now);
    ready(st, WATCHER, 1);
    ready(st, GATEWAY, 2);
    ready(st, EXPORTER, 3);
    knows(st, WATCHER, 1, 2);
    knows(st, GATEWAY, 2, 1);
    st->orders[0] = '\0';
    tree_stop(st->tree, st->now); /* the worker has not said READY: it reads signals, perhaps not its bus */
    expect(st, "TERM 4");
    ready(st, WORKER, 4);
    expect(st, "4 drain");
    died(st, 4, 0);
    expect(st, "1 drain; 2 drain");
    died(st, 2, 0);
    expect(st, "1 loses 2");
    assert_false(tree_finished(st->tree, &code));
    died(st, 1, 0);
    expect(st, "3 drain");
    died(st, 3, 0);
    expect(st, "");
    assert_true(tree_finished(st->tree, &code));
    assert_int_equal(code, 0);
    assert_true(tree_next_ms(st->tree) == INT64_MAX);
    close_stage(st);
}

static void test_stop_escalates(void **unused)
{
    struct stage *st = open_running();
    int code;

    (void)unused;
    tree_stop(st->tree, st->now);
    expect(st, "3 drain; 4 drain");
    died(st, 3, 0);
    expect(st, "1 loses 3; 2 loses 3");
    pass(st, STOP_WORKERS_MS - 1, 0);
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "KILL 4");
    died(st, 4, SIGKILL);
    expect(st, "1 loses 4; 2 loses 4; 1 drain; 2 drain");
    pass(st, STOP_REST_MS, 0);
    expect(st, "KILL 1; KILL 2");
    died(st, 1, SIGKILL);
    died(st, 2, SIGKILL);
    assert_true(tree_finished(st->tree, &code));
    assert_true(STOP_WORKERS_MS + STOP_REST_MS + policy_of(EXPORTER)->restart.drain_ms <= STOP_ALL_MS);
    assert_true(STOP_ALL_MS < 30000); /* gardener 66 */
    close_stage(st);
}

static void test_stop_while_things_are_broken(void **unused)
{
    struct stage *st = open_running();
    int code;

    (void)unused;
    died(st, 1, SIGKILL); /* watcher dead, workers being killed */
    st->orders[0] = '\0';
    tree_stop(st->tree, st->now);
    expect(st, "");
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    expect(st, "2 loses 3; 2 loses 4; 2 drain"); /* no successor, no epoch to close */
    died(st, 2, 0);
    assert_true(tree_finished(st->tree, &code));
    pass(st, 60000, 0);
    expect(st, "");
    close_stage(st);
}

static void test_gives_up_on_wrong_configuration(void **unused)
{
    struct stage *st = open_stage(1, false);
    int code;

    (void)unused;
    tree_start(st->tree, st->now);
    st->orders[0] = '\0';
    died(st, 1, EXIT_CONFIG << 8);
    expect(st, "TERM 2");
    died(st, 2, 0);
    assert_true(tree_finished(st->tree, &code));
    assert_int_equal(code, EXIT_CONFIG);
    close_stage(st);

    st = open_running(); /* but once it has worked, it is waited out */
    died(st, 1, EXIT_CONFIG << 8);
    assert_false(tree_finished(st->tree, &code));
    assert_string_equal(state_of(st, WATCHER, 0), "backoff");
    close_stage(st);
}

/* The supervisor itself was stopped or the machine asleep: nobody could be heard, so nobody is blamed. */
static void test_own_pause_blames_nobody(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    st->now.boot_ms += 3600 * 1000;
    tree_tick(st->tree, st->now);
    expect(st, "");
    pass(st, 2 * BEAT_MISSED_MS, 0);
    expect(st, "");
    pass(st, BEAT_MISSED_MS, 3); /* a real hang afterwards is found as ever */
    expect(st, "ABRT 3");
    close_stage(st);
}

static void test_status_rows(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;
    char text[1000];

    (void)unused;
    memset(text, 'x', sizeof text);
    say(st, WORKER, 3,
        (struct message){.body.beat = {.doing = {text, sizeof text}, .key = SPAN("shoot--a/infra")}},
        MSG_BEAT);
    assert_true(row_at(st, WORKER, 0, &row));
    assert_string_equal(row.key, "shoot--a/infra");
    assert_int_equal(strlen(row.doing), 255); /* cut, not dropped */
    assert_false(tree_row(st->tree, 4, st->now, &row));
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_order),
        cmocka_unit_test(test_worker_death),
        cmocka_unit_test(test_watcher_death_waits_for_the_epoch),
        cmocka_unit_test(test_gateway_that_does_not_close_the_epoch),
        cmocka_unit_test(test_gateway_death),
        cmocka_unit_test(test_both_die),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_hung_watcher),
        cmocka_unit_test(test_start_deadline),
        cmocka_unit_test(test_introduction_deadline),
        cmocka_unit_test(test_end_worker),
        cmocka_unit_test(test_spawn_failure),
        cmocka_unit_test(test_parked_worker),
        cmocka_unit_test(test_ordered_stop),
        cmocka_unit_test(test_stop_escalates),
        cmocka_unit_test(test_stop_while_things_are_broken),
        cmocka_unit_test(test_gives_up_on_wrong_configuration),
        cmocka_unit_test(test_own_pause_blames_nobody),
        cmocka_unit_test(test_status_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
