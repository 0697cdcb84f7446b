/* tests/unit/test_supervisor_blame.c -- whose fault a worker's death is, what is kept about objects for the
 * next watcher, and what an operator changes while all runs (design 12.7, 12.13). */
#include "tests/unit/test_supervisor_stage.h"

static void beat(struct stage *st, unsigned role, unsigned from)
{
    say(st, role, from, (struct message){0}, MSG_BEAT);
}

static void test_a_death_is_charged_to_the_job(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 3, SIGSEGV);
    assert_false(st->blameless);
    assert_string_equal(st->cause, "it was ended by SIGSEGV");
    died(st, 4, EXIT_MEMORY << 8);
    assert_false(st->blameless);
    assert_non_null(strstr(st->cause, "it ended with code 67: no memory left"));
    close_stage(st);
}

/* design 12.7: who is silent may be the reason itself */
static void test_nobody_is_to_blame_while_a_sibling_is_silent(void **unused)
{
    for (unsigned silent = 1; silent <= 2; silent++) {
        struct stage *st = open_running();

        (void)unused;
        st->now.boot_ms += BEAT_EVERY_MS + 1001;
        beat(st, WORKER, 3);
        beat(st, WORKER, 4);
        beat(st, silent == 1 ? GATEWAY : WATCHER, silent == 1 ? 2 : 1);
        died(st, 3, SIGSEGV);
        assert_true(st->blameless);
        beat(st, silent == 1 ? WATCHER : GATEWAY, silent);
        died(st, 4, SIGSEGV);
        assert_false(st->blameless);
        close_stage(st);
    }
}

static void test_who_was_told_to_go_proves_nothing(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    tree_restart(st->tree, WORKER, false, st->now);
    died(st, 3, SIGKILL);
    assert_true(st->blameless);
    close_stage(st);
}

static void suspect(struct stage *st, unsigned watcher, const char *key, uint64_t strikes, uint64_t until)
{
    say(st, WATCHER, watcher,
        (struct message){.body.suspect = {.key = span_of(key),
                                          .strikes = strikes,
                                          .until = until,
                                          .struck = strikes,
                                          .cause = SPAN("it was ended by SIGSEGV")}},
        MSG_SUSPECT);
}

/* Watcher 1 dies, its workers with it; 5 is the next. */
static void next_watcher(struct stage *st)
{
    died(st, 1, SIGKILL);
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    closed(st, 2, 1);
    pass(st, 500, 0);
    ready(st, WATCHER, 5);
    knows(st, WATCHER, 5, 2);
    st->orders[0] = '\0';
    knows(st, GATEWAY, 2, 5);
}

static void test_suspects_outlive_the_watcher(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    suspect(st, 1, "ns/a", 1, 0);
    suspect(st, 1, "ns/b", 3, 5000000);
    suspect(st, 1, "ns/c", 2, 0);
    suspect(st, 1, "ns/c", 0, 0); /* forgotten */
    suspect(st, 1, "ns/d", 0, 0); /* never known */
    suspect(st, 1, "ns/a", 2, 0); /* the same once more */
    assert_string_equal(tree_suspect(st->tree, 1)->cause, "it was ended by SIGSEGV");
    assert_null(tree_suspect(st->tree, 2));
    next_watcher(st);
    assert_non_null(strstr(st->orders, "5 suspects ns/a: 2, 0; 5 suspects ns/b: 3, 5000000; 5 go 5"));
    close_stage(st);
}

/* design 12.13: what the watcher reads may be what ends it. */
static void test_two_watchers_at_one_object(void **unused)
{
    struct stage *st = open_running();
    const struct tree_suspect *s;

    (void)unused;
    tree_blame_reading(st->tree, "ns/a", SIGSEGV, st->now);
    assert_non_null(s = tree_suspect(st->tree, 0));
    assert_string_equal(s->cause, "it was ended by SIGSEGV");
    assert_false(s->unread);
    assert_int_equal(s->until, 0);
    next_watcher(st);
    st->now.wall_ms += 60 * 60 * 1000; /* chance */
    tree_blame_reading(st->tree, "ns/a", SIGSEGV, st->now);
    assert_false(s->unread);
    tree_blame_reading(st->tree, "ns/a", SIGABRT, st->now);
    assert_true(s->unread);
    assert_int_equal(s->until, st->now.boot_ms + 60000);
    tree_blame_reading(st->tree, "ns/a", SIGABRT, st->now);
    assert_int_equal(s->until, st->now.boot_ms + 120000);
    assert_int_equal(tree_release(st->tree, "ns/a"), 1);
    close_stage(st);
}

/* Objects at which workers die must not cost slots: those are for everybody. */
static void test_no_slot_is_parked_for_an_object(void **unused)
{
    for (int charged = 0; charged < 2; charged++) {
        struct stage *st = open_running();
        struct tree_row row;
        int i;

        (void)unused;
        for (i = 0; i < 15; i++) {
            assert_true(row_at(st, WORKER, 0, &row));
            say(st, WORKER, (unsigned)row.pid - 100, (struct message){0}, MSG_READY);
            if (charged)
                tree_blame_job(st->tree, row.pid);
            tree_reaped(st->tree, row.pid, SIGSEGV, st->now);
            assert_true(row_at(st, WORKER, 0, &row));
            if (strcmp(row.state, "parked") == 0)
                break;
            pass(st, row.next_start_ms, ~0u);
        }
        assert_int_equal(i == 15, charged);
        close_stage(st);
    }
}

static void test_the_oldest_makes_room(void **unused)
{
    struct stage *st = open_running();
    char key[32];

    (void)unused;
    for (unsigned i = 0; i < TREE_SUSPECTS_MAX + 1; i++) {
        snprintf(key, sizeof key, "ns/%u", i);
        suspect(st, 1, key, i + 1, 0); /* struck later and later */
    }
    assert_null(tree_suspect(st->tree, TREE_SUSPECTS_MAX));
    assert_string_equal(tree_suspect(st->tree, 0)->key, "ns/128");
    close_stage(st);
}

static void test_release(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    suspect(st, 1, "ns/a", 1, 0);
    suspect(st, 1, "ns/b", 3, 5000000);
    suspect(st, 1, "ns/c", 3, 5000000);
    assert_int_equal(tree_release(st->tree, "ns/a"), 0); /* not in quarantine */
    assert_int_equal(tree_release(st->tree, "ns/x"), 0);
    assert_int_equal(tree_release(st->tree, "ns/b"), 1);
    expect(st, "1 releases ns/b");
    assert_int_equal(tree_release(st->tree, ""), 2);
    expect(st, "1 releases ns/b; 1 releases ns/c");
    close_stage(st);
}

/* ---- scale, hold, reload */

static unsigned count(struct stage *st, const char *state)
{
    struct tree_row row;
    unsigned n = 0;

    for (unsigned i = 0; tree_row(st->tree, i, st->now, &row); i++)
        n += row.role == WORKER && strcmp(row.state, state) == 0;
    return n;
}

static void test_more_workers(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    assert_true(tree_scale(st->tree, 4, st->now));
    expect(st, "spawn worker2=5; spawn worker3=6");
    assert_false(tree_ready(st->tree));
    works(st, 5);
    works(st, 6);
    assert_true(tree_ready(st->tree));
    assert_int_equal(count(st, "ready"), 4);
    died(st, 6, SIGSEGV);
    pass(st, 500, 0);
    assert_string_equal(state_of(st, WORKER, 3), "starting");
    close_stage(st);
}

static void test_fewer_workers(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;

    (void)unused;
    assert_true(tree_scale(st->tree, 1, st->now));
    expect(st, "4 drain");
    assert_true(tree_ready(st->tree));
    assert_string_equal(state_of(st, WORKER, 1), "draining");
    died(st, 4, 0);
    expect(st, "1 loses 4; 2 loses 4");
    assert_false(row_at(st, WORKER, 1, &row)); /* not shown any more */
    pass(st, 3000, 0);
    expect(st, "");
    assert_true(tree_scale(st->tree, 2, st->now)); /* back again */
    expect(st, "spawn worker1=5");
    assert_false(tree_scale(st->tree, 0, st->now));
    assert_false(tree_scale(st->tree, POLICY_WORKERS_MAX + 1, st->now));
    close_stage(st);
}

static void test_hold_goes_to_the_next_watcher(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    tree_hold(st->tree, true);
    expect(st, "1 hold 1");
    tree_hold(st->tree, true);
    expect(st, "");
    assert_true(tree_held(st->tree));
    next_watcher(st);
    assert_non_null(strstr(st->orders, "5 hold 1; 5 go 5"));
    close_stage(st);
}

static void test_reload_workers_first(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    assert_true(tree_reload(st->tree, st->now));
    expect(st, "3 drain; 4 drain");
    died(st, 3, 0);
    expect(st, "1 loses 3; 2 loses 3");
    died(st, 4, 0);
    expect(st, "1 loses 4; 2 loses 4; 1 drain; 2 drain");
    died(st, 1, 0);
    closed(st, 2, 1);
    died(st, 2, 0);
    assert_non_null(strstr(st->orders, "spawn watcher0=5"));
    assert_non_null(strstr(st->orders, "spawn gateway0=6"));
    assert_null(strstr(st->orders, "worker"));
    ready(st, WATCHER, 5);
    ready(st, GATEWAY, 6);
    knows(st, WATCHER, 5, 6);
    st->orders[0] = '\0';
    knows(st, GATEWAY, 6, 5);
    expect(st, "5 go 5; spawn worker0=7; spawn worker1=8");
    close_stage(st);
}

static void test_everybody_hears_of_a_level(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    tree_tell_all(st->tree, MSG_LOGLEVEL, &(struct msg_loglevel){.level = 0});
    expect(st, "1 level 0; 2 level 0; 3 level 0; 4 level 0");
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_death_is_charged_to_the_job),
        cmocka_unit_test(test_nobody_is_to_blame_while_a_sibling_is_silent),
        cmocka_unit_test(test_who_was_told_to_go_proves_nothing),
        cmocka_unit_test(test_suspects_outlive_the_watcher),
        cmocka_unit_test(test_two_watchers_at_one_object),
        cmocka_unit_test(test_no_slot_is_parked_for_an_object),
        cmocka_unit_test(test_the_oldest_makes_room),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_more_workers),
        cmocka_unit_test(test_fewer_workers),
        cmocka_unit_test(test_hold_goes_to_the_next_watcher),
        cmocka_unit_test(test_reload_workers_first),
        cmocka_unit_test(test_everybody_hears_of_a_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
