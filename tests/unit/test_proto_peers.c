/* tests/unit/test_proto_peers.c -- shows the table of peers without any socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/peers.h"

static void peers_are_bounded(void **state)
{
    struct bus b = {.peer_roles = WORKER};

    (void)state;
    for (uint64_t i = 0; i < BUS_PEERS_MAX; i++)
        assert_int_equal(bus_peer_add(&b, &(struct bus_peer){.incarnation = i + 2, .pid = i + 100}), 0);
    assert_int_equal(bus_peer_add(&b, &(struct bus_peer){.incarnation = 999}), -1);
    assert_int_equal(bus_peer_add(&b, &(struct bus_peer){.incarnation = 2, .pid = 7}), 0);
    assert_int_equal(peers_by_incarnation(b.peers, b.n_peers, 2)->pid, 7);
    for (uint64_t i = 0; i < BUS_PEERS_MAX; i++)
        bus_peer_remove(&b, i + 2);
    bus_peer_remove(&b, 2);
    assert_int_equal(b.n_peers, 0);
    assert_int_equal(bus_peer_add(&b, &(struct bus_peer){.incarnation = 999}), 0);
}

static void a_reused_pid_is_two_peers(void **state)
{
    struct bus_peer peers[] = {{.role = WORKER, .incarnation = 4, .pid = 100},
                               {.role = WORKER, .incarnation = 6, .pid = 100}};

    (void)state;
    assert_ptr_equal(peers_by_pid(peers, 2, WORKER, 100, 4), &peers[0]);
    assert_ptr_equal(peers_by_pid(peers, 2, WORKER, 100, 6), &peers[1]);
    assert_ptr_equal(peers_by_pid(peers, 2, WORKER, 100, 0), &peers[1]);
    assert_null(peers_by_pid(peers, 2, GATEWAY, 100, 4));
    assert_null(peers_by_pid(peers, 2, WORKER, 0, 4));
}

static void peer_addresses_are_read_strictly(void **state)
{
    (void)state;
    assert_int_equal(peers_pid("localhost:0:0:4711"), 4711);
    assert_int_equal(peers_pid("localhost:1000:1000:1"), 1);
    assert_int_equal(peers_pid("localhost:0:0:0"), 0);
    assert_int_equal(peers_pid("localhost:0:4711"), 0);
    assert_int_equal(peers_pid("127.0.0.1"), 0);
    assert_int_equal(peers_pid("a:b:c:12x"), 0);
    assert_int_equal(peers_pid("a:b:c:"), 0);
    assert_int_equal(peers_pid(""), 0);
    assert_int_equal(peers_pid(NULL), 0);
    assert_int_equal(peers_number("012", 3), 0);
    assert_int_equal(peers_number("99999999999999999999", 20), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_are_bounded),
        cmocka_unit_test(a_reused_pid_is_two_peers),
        cmocka_unit_test(peer_addresses_are_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
