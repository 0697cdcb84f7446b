/* tests/unit/test_supervisor_leader.c -- what the supervisor keeps of the leader election: its identity
 * (design 4), what the watcher says of the Lease, and its answer to "does everybody answer?". */
#include "supervisor/supervisor.h"
#include "tests/unit/test_supervisor_stage.h"

#define POD_UID "0a1b2c3d-1111-2222-3333-444455556666"

static const unsigned char bytes[16] = {0,    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                        0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static const char *identity(int64_t pid, const char *name, const char *uid, const char *host)
{
    static char text[IDENTITY_MAX];

    identity_write(text, pid, name, uid, host, bytes);
    return text;
}

#define RANDOM_ID "00112233-4455-4677-8899-aabbccddeeff"

/* The pod's uid only where pid 1 says that all who had it are dead. */
static void test_G_59_identity(void **unused)
{
    char long_name[400];

    (void)unused;
    assert_string_equal(identity(1, "pod-a", POD_UID, "host"), "pod-a_" POD_UID);
    assert_string_equal(identity(1, NULL, POD_UID, "host"), "host_" POD_UID);
    assert_string_equal(identity(7, "pod-a", POD_UID, "host"), "host_" RANDOM_ID);
    assert_string_equal(identity(1, "pod-a", NULL, "host"), "host_" RANDOM_ID);
    assert_string_equal(identity(1, "pod-a", "", "host"), "host_" RANDOM_ID);
    assert_string_equal(identity(1, "pod-a", POD_UID "0", "host"), "host_" RANDOM_ID);
    assert_string_equal(identity(1, "pod-a", "0a1b2c3d-1111-2222-3333-44445555666g", "host"),
                        "host_" RANDOM_ID);
    assert_string_equal(identity(1, "pod-a", "0a1b2c3d11111-2222-3333-444455556666", "host"),
                        "host_" RANDOM_ID);
    assert_string_equal(identity(7, NULL, NULL, ""), "provider-packet_" RANDOM_ID);
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(strlen(identity(7, NULL, NULL, long_name)), 253 + 1 + 36);
}

static void lead(struct stage *st, unsigned watcher)
{
    say(st, WATCHER, watcher,
        (struct message){.body.leadership = {.lease = SPAN("garden/the-lease"),
                                             .leading = 1,
                                             .holder = SPAN("us"),
                                             .write_until = 1010000,
                                             .transitions = 4}},
        MSG_LEADERSHIP);
}

static void test_leadership_is_kept(void **unused)
{
    struct stage *st = open_running();
    const struct tree_leader *leader = tree_leader(st->tree);

    (void)unused;
    assert_false(leader->elected);
    lead(st, 1);
    assert_true(leader->elected && leader->leading);
    assert_string_equal(leader->lease, "garden/the-lease");
    assert_string_equal(leader->holder, "us");
    assert_int_equal(leader->write_until_ms, 1010000);
    assert_int_equal(leader->transitions, 4);
    expect(st, "");
    died(st, 1, EXIT_LEASE_LOST << 8);
    assert_true(leader->elected);
    assert_false(leader->leading);
    assert_int_equal(leader->write_until_ms, 0);
    close_stage(st);
}

/* kubernetes 55, design 12.15: the loss ends the watcher and its workers, closes the epoch, and only then a
 * new watcher may stand by; the pod stays. */
static void test_K_55_a_lost_lease_ends_the_epoch(void **unused)
{
    struct stage *st = open_running();
    int code;

    (void)unused;
    lead(st, 1);
    died(st, 1, EXIT_LEASE_LOST << 8);
    expect(st, "2 loses 1; KILL 3; KILL 4");
    died(st, 3, SIGKILL);
    st->orders[0] = '\0';
    died(st, 4, SIGKILL);
    expect(st, "2 loses 4; 2 over 1");
    pass(st, 1000, 0);
    expect(st, "");
    closed(st, 2, 1);
    pass(st, 1000, 0);
    expect(st, "spawn watcher0=5");
    assert_false(tree_finished(st->tree, &code));
    close_stage(st);
}

static void expect_health(struct stage *st, const char *answer)
{
    say(st, WATCHER, 1, (struct message){.body.ask_health.seq = 9}, MSG_ASK_HEALTH);
    expect(st, answer);
}

static void test_K_59_health(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    pass(st, 10000, 0);
    expect_health(st, "1 health 9: gateway 1, workers 2");
    pass(st, BEAT_EVERY_MS + 1000, 0);
    expect_health(st, "1 health 9: gateway 1, workers 2");
    close_stage(st);
}

/* A beat that did not come is enough; the watchdog waits longer. */
static void test_K_59_who_is_silent(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    pass(st, 4000, 2);
    expect_health(st, "1 health 9: gateway 0, workers 2");
    close_stage(st);
    st = open_running();
    pass(st, 4000, 3);
    expect_health(st, "1 health 9: gateway 1, workers 1");
    died(st, 4, SIGKILL);
    st->orders[0] = '\0';
    expect_health(st, "1 health 9: gateway 1, workers 0");
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_G_59_identity),
        cmocka_unit_test(test_leadership_is_kept),
        cmocka_unit_test(test_K_55_a_lost_lease_ends_the_epoch),
        cmocka_unit_test(test_K_59_health),
        cmocka_unit_test(test_K_59_who_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
