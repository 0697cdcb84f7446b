/* tests/unit/test_supervisor_child.c -- walks every state x event x policy of supervisor/core/child.c: first
 * the table itself against a second statement of it, then every sequence of events up to a depth, checking
 * after each step what must never happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/core/child.h"

#define DEPTH 6

static const char *const state_names[] = {
#define AS_NAME(STATE, word, process) #STATE,
    CHILD_STATES(AS_NAME)
#undef AS_NAME
};

/* One letter for each state, in the order of CHILD_STATES; the same letter as its row means "nothing
 * changes". Columns: START READY BEAT UNBORN DIED TIMER END SACRIFICE RETIRE REVIVE. */
static const char letters[] = "oSRDCXbp";
static const char *const expected_state[CHILD_STATE_COUNT] = {
    [CHILD_STOPPED] = "Sooooooooo",  [CHILD_STARTING] = "SRSbbCCXDS",  [CHILD_READY] = "RRRRbCCXDR",
    [CHILD_DRAINING] = "DDDDoXXXDD", [CHILD_CONDEMNED] = "CCCCbCCCXC", [CHILD_SACRIFICED] = "XXXXoXXXXX",
    [CHILD_BACKOFF] = "bbbbbSbboS",  [CHILD_PARKED] = "pppppSppoS",
};
/* . nothing, s spawn, d drain, a abort, k kill */
static const char order_letters[] = ".sdak";
static const char *const expected_order[CHILD_STATE_COUNT] = {
    [CHILD_STOPPED] = "s.........",  [CHILD_STARTING] = ".....akkd.",  [CHILD_READY] = ".....akkd.",
    [CHILD_DRAINING] = ".d...kkk..", [CHILD_CONDEMNED] = ".....kkkk.", [CHILD_SACRIFICED] = ".....k....",
    [CHILD_BACKOFF] = ".....s...s",  [CHILD_PARKED] = ".....s...s",
};

static struct child fresh(const struct restart_policy *policy)
{
    return (struct child){.policy = policy, .deadline_ms = CHILD_NEVER};
}

static void test_table(void **unused)
{
    const struct restart_policy *policy = &policy_of(WORKER)->restart;

    (void)unused;
    for (unsigned s = 0; s < CHILD_STATE_COUNT; s++) {
        for (unsigned e = 0; e < CHILD_EVENT_COUNT; e++) {
            struct child c = fresh(policy);
            c.state = s;
            c.pid = child_has_process(&c) ? 7 : 0;
            enum child_order order = child_step(&c, e, 1000, 0);
            if (letters[c.state] != expected_state[s][e] || order_letters[order] != expected_order[s][e])
                fail_msg("%s x event %u gave %s and order %u", state_names[s], e, state_names[c.state],
                         order);
        }
    }
}

/* ---- what must hold after every step of every sequence */
struct step {
    struct child before, after;
    enum child_event event;
    enum child_order order;
    int64_t now_ms;
};

static void check_processes(const struct step *s)
{
    bool had = child_has_process(&s->before), has = child_has_process(&s->after);

    if (s->order == ORDER_SPAWN) { /* never two processes in one slot */
        assert_false(had);
        assert_int_equal(s->before.pid, 0);
        assert_int_equal(s->after.state, CHILD_STARTING);
        assert_int_equal(s->after.starts, s->before.starts + 1);
        return;
    }
    assert_true(had || !has); /* a process comes from a spawn only */
    if (s->order != ORDER_NOTHING) {
        assert_true(had && has && s->before.pid != 0);
        assert_int_equal(s->after.pid, s->before.pid);
    }
    if (had && !has) /* and goes by being reaped only, or was none */
        assert_true(s->event == EV_DIED || (s->event == EV_UNBORN && s->before.state == CHILD_STARTING));
    assert_int_equal(s->after.pid != 0, has);
}

static void check_orders(const struct step *s)
{
    switch (s->order) {
    case ORDER_NOTHING: break;
    case ORDER_SPAWN:
        assert_true(s->event == EV_START || s->event == EV_TIMER || s->event == EV_REVIVE);
        assert_true(s->before.state != CHILD_STOPPED || s->event == EV_START);
        break;
    case ORDER_DRAIN:
        assert_true(s->event == EV_RETIRE || (s->event == EV_READY && s->before.state == CHILD_DRAINING));
        break;
    case ORDER_ABORT: /* only the watchdog, and once: afterwards it kills */
        assert_int_equal(s->event, EV_TIMER);
        assert_true(s->before.state == CHILD_STARTING || s->before.state == CHILD_READY);
        break;
    case ORDER_KILL:
        assert_true(s->event == EV_TIMER || s->event == EV_END || s->event == EV_SACRIFICE ||
                    s->event == EV_RETIRE);
        break;
    }
}

static void check_deadlines(const struct step *s)
{
    const struct restart_policy *p = s->after.policy;
    int64_t left = s->after.deadline_ms - s->now_ms;

    if (s->after.state == CHILD_STOPPED)
        assert_true(s->after.deadline_ms == CHILD_NEVER);
    else /* nothing lasts for ever, and nothing outlasts its limit */
        assert_true(s->after.deadline_ms != CHILD_NEVER);
    if (s->after.state == CHILD_BACKOFF && s->before.state != CHILD_BACKOFF) {
        assert_true(left >= p->backoff_ms / 2);
        assert_true(left <= p->backoff_max_ms);
        assert_true(s->after.streak + s->after.unborn >= 1);
    }
    if (s->after.state == CHILD_READY && s->event != EV_READY && s->event != EV_BEAT)
        assert_int_equal(s->after.deadline_ms, s->before.deadline_ms); /* only beats feed the watchdog */
    if (s->after.state == CHILD_DRAINING && s->before.state == CHILD_DRAINING)
        assert_int_equal(s->after.deadline_ms, s->before.deadline_ms);
}

static void check_deaths(const struct step *s)
{
    const struct restart_policy *p = s->after.policy;

    if (s->after.state == CHILD_PARKED && s->before.state != CHILD_PARKED) {
        assert_int_equal(s->event, EV_DIED);
        assert_true(p->deaths_max > 0 && s->after.streak > p->deaths_max);
    }
    if (s->before.state == CHILD_SACRIFICED || s->before.state == CHILD_DRAINING) {
        assert_int_equal(s->after.deaths, s->before.deaths); /* nobody's fault */
        assert_int_equal(s->after.streak, s->before.streak);
    }
    if (s->after.deaths != s->before.deaths)
        assert_int_equal(s->event, EV_DIED);
    if (s->after.state == CHILD_READY && s->before.state != CHILD_READY)
        assert_true(s->before.state == CHILD_STARTING && s->event == EV_READY);
}

static unsigned long walked;

static void walk(const struct child *c, int64_t now_ms, int depth)
{
    for (unsigned e = 0; depth > 0 && e < CHILD_EVENT_COUNT; e++) {
        struct step s = {.before = *c, .after = *c, .event = e};

        s.now_ms = e == EV_TIMER && c->deadline_ms != CHILD_NEVER ? c->deadline_ms : now_ms + 7;
        s.order = child_step(&s.after, e, s.now_ms, (uint64_t)(depth * 7919 + (int)e));
        if (s.order == ORDER_SPAWN)
            s.after.pid = 7; /* after the checks' view of "before" */
        check_processes(&s);
        check_orders(&s);
        check_deadlines(&s);
        check_deaths(&s);
        walked++;
        walk(&s.after, s.now_ms, depth - 1);
    }
}

static void test_every_sequence(void **unused)
{
    unsigned n;
    const struct role_policy *roles = policy_roles(&n);

    (void)unused;
    for (unsigned i = 0; i < n; i++) {
        struct child c = fresh(&roles[i].restart);
        walk(&c, 1000, DEPTH);
    }
    assert_true(walked > 4ul * 500000);
}

/* A child that dies at once, again and again. Returns the number of starts until it is parked, or `most`. */
static unsigned crash_loop(struct child *c, unsigned most, int64_t *now_ms)
{
    unsigned starts = 0;

    child_step(c, EV_START, *now_ms, 0);
    for (starts = 1; starts < most; starts++) {
        *now_ms += 1;
        child_step(c, EV_DIED, *now_ms, 0);
        if (c->state == CHILD_PARKED)
            return starts;
        *now_ms = c->deadline_ms;
        assert_int_equal(child_step(c, EV_TIMER, *now_ms, 0), ORDER_SPAWN);
    }
    return most;
}

static void test_only_spares_are_parked(void **unused)
{
    unsigned n;
    const struct role_policy *roles = policy_roles(&n);

    (void)unused;
    for (unsigned i = 0; i < n; i++) {
        struct child c = fresh(&roles[i].restart);
        int64_t now = 1000;
        unsigned starts = crash_loop(&c, 1000, &now);
        bool central = roles[i].role == WATCHER || roles[i].role == GATEWAY;

        if (central) /* design 12.13 */
            assert_int_equal(starts, 1000);
        else
            assert_int_equal(starts, roles[i].restart.deaths_max + 1);
        assert_true(central || c.deadline_ms == now + roles[i].restart.park_ms);
    }
}

/* The ring must still hold the death that the parking compares with. */
static void test_ring_is_large_enough(void **unused)
{
    unsigned n;
    const struct role_policy *roles = policy_roles(&n);

    (void)unused;
    for (unsigned i = 0; i < n; i++) {
        assert_true(roles[i].restart.deaths_max < CHILD_DEATHS_KEPT);
        assert_ptr_equal(policy_of(roles[i].role), &roles[i]);
    }
    assert_null(policy_of(SUPERVISOR));
}

static void test_delay_doubles_and_is_capped(void **unused)
{
    const struct restart_policy *p = &policy_of(WATCHER)->restart;
    int64_t longest = 0;

    (void)unused;
    for (unsigned streak = 1; streak < 100; streak++) {
        int64_t least = INT64_MAX, most = 0;
        for (uint64_t draw = 0; draw < 10000; draw++) {
            int64_t d = policy_delay_ms(p, streak, draw * 0x9e3779b97f4a7c15ull);
            least = d < least ? d : least;
            most = d > most ? d : most;
        }
        int64_t whole = streak < 9 ? p->backoff_ms << (streak - 1) : p->backoff_max_ms;
        whole = whole < p->backoff_max_ms ? whole : p->backoff_max_ms;
        assert_true(least >= whole / 2 && most <= whole);
        assert_true(most - least >= whole / 4); /* there is jitter */
        longest = most > longest ? most : longest;
    }
    assert_true(longest > p->backoff_max_ms / 2);
}

static void run_for(struct child *c, int64_t *now_ms, int64_t ms)
{
    for (int64_t end = *now_ms + ms; *now_ms < end; *now_ms += 500)
        assert_int_equal(child_step(c, EV_BEAT, *now_ms, 0), ORDER_NOTHING);
}

static void test_stable_run_is_forgiven(void **unused)
{
    struct child c = fresh(&policy_of(WORKER)->restart);
    int64_t now = 1000;

    (void)unused;
    crash_loop(&c, 6, &now);
    assert_int_equal(c.streak, 5);
    c.pid = 7;
    child_step(&c, EV_READY, now, 0);
    run_for(&c, &now, c.policy->stable_ms + 500);
    child_step(&c, EV_DIED, now, 0);
    assert_int_equal(c.streak, 1);
    assert_true(c.deadline_ms - now <= c.policy->backoff_ms);
    for (int i = 0; i < 50; i++) { /* kills from outside do not add up to a park */
        now = c.deadline_ms;
        child_step(&c, EV_TIMER, now, 0);
        child_step(&c, EV_READY, now, 0);
        run_for(&c, &now, c.policy->stable_ms + 500);
        child_step(&c, EV_DIED, now, 0);
        assert_int_equal(c.state, CHILD_BACKOFF);
    }
}

/* Many early deaths with a stable run between them now and then: no crash loop, no park. */
static void test_only_deaths_in_a_row_park(void **unused)
{
    struct child c = fresh(&policy_of(WORKER)->restart);
    int64_t now = 1000;

    (void)unused;
    child_step(&c, EV_START, now, 0);
    for (int i = 0; i < 100; i++) {
        c.pid = 7;
        child_step(&c, EV_READY, now, 0);
        if (i % 5 == 0)
            run_for(&c, &now, c.policy->stable_ms + 500);
        child_step(&c, EV_DIED, now, 0);
        assert_int_equal(c.state, CHILD_BACKOFF);
        now = c.deadline_ms;
        child_step(&c, EV_TIMER, now, 0);
    }
}

/* Forks that fail are the machine's fault: tried ever more seldom, up to the limit, and no slot is parked. */
static void test_unborn_is_never_parked(void **unused)
{
    struct child c = fresh(&policy_of(WORKER)->restart);
    int64_t now = 1000, wait = 0;

    (void)unused;
    child_step(&c, EV_START, now, 0);
    for (int i = 0; i < 100; i++) {
        c.pid = 0;
        child_step(&c, EV_UNBORN, now, 0);
        assert_int_equal(c.state, CHILD_BACKOFF);
        assert_true(c.deadline_ms - now >= wait);
        wait = c.deadline_ms - now;
        now = c.deadline_ms;
        assert_int_equal(child_step(&c, EV_TIMER, now, 0), ORDER_SPAWN);
    }
    assert_int_equal(wait, c.policy->backoff_max_ms / 2); /* the draw is 0 */
    c.pid = 7;
    child_step(&c, EV_DIED, now, 0);
    assert_int_equal(c.streak, 1);
    assert_true(c.deadline_ms - now <= c.policy->backoff_ms);
}

/* A crash loop goes back to the park after each trial. */
static void test_parked_again_after_one_trial(void **unused)
{
    struct child c = fresh(&policy_of(WORKER)->restart);
    int64_t now = 1000;

    (void)unused;
    crash_loop(&c, 1000, &now);
    assert_int_equal(c.state, CHILD_PARKED);
    now = c.deadline_ms;
    assert_int_equal(child_step(&c, EV_TIMER, now, 0), ORDER_SPAWN);
    child_step(&c, EV_DIED, now + 10, 0);
    assert_int_equal(c.state, CHILD_PARKED);
}

/* READY alone proves nothing: a child that hangs at once, each time, is parked in the end. */
static void test_hangs_are_no_stable_runs(void **unused)
{
    struct child c = fresh(&policy_of(EXPORTER)->restart);
    int64_t now = 1000;

    (void)unused;
    child_step(&c, EV_START, now, 0);
    for (int i = 0; i < 8; i++) {
        c.pid = 7;
        child_step(&c, EV_READY, now, 0);
        now = c.deadline_ms;
        assert_int_equal(child_step(&c, EV_TIMER, now, 0), ORDER_ABORT);
        child_step(&c, EV_DIED, now + 1, 0);
        assert_int_equal(c.streak, i + 1);
        now = c.deadline_ms;
        child_step(&c, EV_TIMER, now, 0);
    }
}

static void test_abort_becomes_kill(void **unused)
{
    struct child c = fresh(&policy_of(GATEWAY)->restart);

    (void)unused;
    child_step(&c, EV_START, 0, 0);
    c.pid = 7;
    child_step(&c, EV_READY, 100, 0);
    assert_int_equal(c.deadline_ms, 100 + BEAT_MISSED_MS);
    child_step(&c, EV_BEAT, 1100, 0);
    assert_int_equal(c.deadline_ms, 1100 + BEAT_MISSED_MS);
    assert_int_equal(child_step(&c, EV_TIMER, c.deadline_ms, 0), ORDER_ABORT);
    assert_int_equal(c.deadline_ms, 1100 + BEAT_MISSED_MS + ABORT_TO_KILL_MS);
    child_step(&c, EV_BEAT, 6200, 0); /* too late: what was decided stands */
    assert_int_equal(child_step(&c, EV_TIMER, c.deadline_ms, 0), ORDER_KILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_sequence),
        cmocka_unit_test(test_only_spares_are_parked),
        cmocka_unit_test(test_ring_is_large_enough),
        cmocka_unit_test(test_delay_doubles_and_is_capped),
        cmocka_unit_test(test_stable_run_is_forgiven),
        cmocka_unit_test(test_only_deaths_in_a_row_park),
        cmocka_unit_test(test_unborn_is_never_parked),
        cmocka_unit_test(test_parked_again_after_one_trial),
        cmocka_unit_test(test_hangs_are_no_stable_runs),
        cmocka_unit_test(test_abort_becomes_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
