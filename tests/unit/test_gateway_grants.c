/* tests/unit/test_gateway_grants.c -- who may do what and until when: grants, epochs, deadlines, locks that
 * outlive their askers, the ordered end (packet C-5, C-6; design 12.1, 12.4, 12.5, 12.15). */
#include "tests/unit/test_gateway_play.h"

static struct rig *ready(void)
{
    struct rig *rig = rig_new();

    assert_int_equal(rig_grant(rig, .id = RIG_ID), OUTCOME_OK);
    return rig;
}

static void test_C_05_tokens_and_projects_are_checked_before_anything_is_sent(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    assert_int_equal(rig_grant(rig, .handle = 1, .token = ""), OUTCOME_NOT_GRANTED);
    assert_int_equal(rig_grant(rig, .handle = 2, .token = " \n"), OUTCOME_NOT_GRANTED);
    assert_int_equal(rig_grant(rig, .handle = 3, .token = "a\nX-Evil: 1"), OUTCOME_NOT_GRANTED);
    assert_int_equal(rig_grant(rig, .handle = 4, .token = "a b"), OUTCOME_NOT_GRANTED);
    assert_int_equal(rig_grant(rig, .handle = 5, .project = "garden-dev"), OUTCOME_NOT_GRANTED);
    assert_int_equal(rig_grant(rig, .handle = 6, .project = ""), OUTCOME_NOT_GRANTED);
    assert_int_equal(rig_grant(rig, .handle = 7, .token = RIG_TOKEN "\n"), OUTCOME_OK);
    rig_search(rig, .handle = 7);
    assert_string_equal(rig_expect(rig, "GET", RIG_LIST)->token, RIG_TOKEN);
    rig_free(rig);
}

static void test_a_grant_is_for_one_worker(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_reply(rig, rig_search(rig, .worker = 12), OUTCOME_NOT_GRANTED);
    rig_reply(rig, rig_create(rig, .worker = 12), OUTCOME_NOT_GRANTED);
    rig_reply(rig, rig_remove(rig, .worker = 12, .id = RIG_ID), OUTCOME_NOT_GRANTED);
    rig_reply(rig, rig_search(rig, .handle = 2), OUTCOME_FENCED);
    assert_int_equal(rig->n_requests, 0);
    rig_free(rig);
}

static void test_only_the_watcher_grants_and_only_workers_ask(void **state)
{
    (void)state;
    struct rig *rig = ready();
    struct message m = {.envelope.epoch = RIG_WATCHER};
    unsigned before = rig->n_messages;

    m.body.search = (struct msg_search){.handle = 1, .seq = 99};
    rig_message(rig, WATCHER, RIG_WORKER, &m, MSG_SEARCH);
    m.body.revoke = (struct msg_revoke){.handle = 1};
    rig_message(rig, WORKER, RIG_WATCHER, &m, MSG_REVOKE);
    assert_int_equal(rig->n_messages, before);
    assert_int_equal(rig->n_requests, 0);
    rig_search(rig, .key = RIG_KEY);
    rig_expect(rig, "GET", RIG_LIST);
    rig_free(rig);
}

static void test_a_taken_handle_cannot_be_moved_to_another_worker(void **state)
{
    (void)state;
    struct rig *rig = ready();

    assert_int_equal(rig_grant(rig, .worker = 12), OUTCOME_NOT_GRANTED);
    rig_reply(rig, rig_search(rig, .worker = 12), OUTCOME_NOT_GRANTED);
    rig_free(rig);
}

static void test_mutations_of_another_epoch_are_fenced(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_reply(rig, rig_create(rig, .epoch = RIG_WATCHER - 1), OUTCOME_FENCED);
    rig_reply(rig, rig_create(rig, .epoch = RIG_NO_EPOCH), OUTCOME_FENCED);
    rig_reply(rig, rig_remove(rig, .id = RIG_ID, .epoch = RIG_WATCHER + 1), OUTCOME_FENCED);
    assert_int_equal(rig->n_requests, 0);
    rig_free(rig);
}

static void test_mutations_after_their_deadline_are_fenced(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t now = (uint64_t)rig->now.boot_ms;

    rig_reply(rig, rig_create(rig, .deadline_ms = now), OUTCOME_FENCED);
    rig_reply(rig, rig_update(rig, .id = RIG_ID, .relabel = true, .deadline_ms = now - 5), OUTCOME_FENCED);
    assert_int_equal(rig->n_requests, 0);

    /* It passes while the list is under way: no POST. */
    uint64_t seq = rig_create(rig, .deadline_ms = now + 100);

    rig_wait(rig, 100);
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_FENCED);
    rig_no_request(rig);
    rig_free(rig);
}

static void test_the_deadline_goes_with_the_request(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    int64_t now = rig->now.boot_ms;

    rig_grant(rig, .id = RIG_ID, .write_until = (uint64_t)now + 5000);
    rig_create(rig, .deadline_ms = (uint64_t)now + 3000);
    assert_true(rig_expect(rig, "GET", RIG_LIST)->start_before > now + 60000); /* a read needs no fence */
    rig_list(rig, "");
    assert_int_equal(rig_expect(rig, "POST", RIG_LIST)->start_before, now + 3000);
    rig_result(rig, rig_fate(FATE_FENCED)); /* the shell saw that it was too late */
    rig_remove(rig, .id = RIG_ID);
    assert_int_equal(rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID)->start_before, now + 5000);
    rig_free(rig);
}

static void test_a_renewed_leadership_moves_the_end(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    int64_t now = rig->now.boot_ms;

    rig_grant(rig, .id = RIG_ID, .write_until = (uint64_t)now + 10);
    assert_int_equal(rig_grant(rig, .write_until = (uint64_t)now + 9000), OUTCOME_OK);
    rig_wait(rig, 10);
    rig_remove(rig, .id = RIG_ID);
    assert_int_equal(rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID)->start_before, now + 9000);
    rig_free(rig);
}

static void test_without_a_deadline_an_intent_lives_sixty_seconds(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_remove(rig, .id = RIG_ID);
    assert_int_equal(rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID)->start_before,
                     rig->now.boot_ms + ATTEMPT_SEND_S * 1000);
    rig_free(rig);
}

static void test_the_lock_outlives_the_asker(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready();
    uint64_t dead = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_worker_gone(rig, RIG_WORKER);
    rig_revoke(rig, 1);
    assert_int_equal(rig_messages(rig, MSG_REVOKED), 0); /* something is under way */

    rig_grant(rig, .handle = 2, .worker = 12);
    uint64_t search = rig_search(rig, .handle = 2, .worker = 12, .key = RIG_KEY);
    uint64_t create = rig_create(rig, .handle = 2, .worker = 12);

    assert_int_equal(rig->n_requests, 2);
    rig_answer(rig, 201, rig_our_key(key, sizeof key));
    assert_int_equal(rig_messages(rig, MSG_REVOKED), 1);
    rig_no_reply(rig, dead);
    rig_list(rig, "");
    assert_true(value_is_text(value_get(rig_found(rig_reply(rig, search, OUTCOME_OK), 0), "id"), RIG_ID));
    assert_string_equal(rig_reply(rig, create, OUTCOME_OK)->key_id, RIG_ID); /* the kept outcome */
    assert_int_equal(rig_reply(rig, create, OUTCOME_OK)->adopted, 1);
    assert_int_equal(rig_count(rig, "POST"), 1);
    rig_free(rig);
}

static void test_a_lost_post_of_a_dead_asker_is_listed_before_the_next(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_search(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "POST", RIG_LIST);
    rig_worker_gone(rig, RIG_WORKER);
    rig_revoke(rig, 1);
    rig_grant(rig, .handle = 2, .worker = 12);
    uint64_t create = rig_create(rig, .handle = 2, .worker = 12);

    rig_result(rig, rig_fate(FATE_LOST));
    assert_int_equal(rig_messages(rig, MSG_REVOKED), 1);
    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_answer(rig, 422, "{\"errors\":[\"Key must be unique\"]}");
    rig_list(rig, "");
    rig_reply(rig, create, OUTCOME_UNKNOWN); /* the dead asker's attempt is open */
    rig_free(rig);
}

static void test_a_dead_askers_unsent_work_is_dropped(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "GET", RIG_LIST);
    rig_worker_gone(rig, RIG_WORKER);
    rig_revoke(rig, 1);
    assert_int_equal(rig_messages(rig, MSG_REVOKED), 1); /* a read holds nobody up */
    rig_list(rig, "");
    rig_no_request(rig);
    rig_free(rig);
}

static void test_a_revoked_grant_is_over(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_revoke(rig, 1);
    assert_int_equal(rig_messages(rig, MSG_REVOKED), 1);
    rig_reply(rig, rig_create(rig, .key = RIG_KEY), OUTCOME_FENCED);
    rig_revoke(rig, 1);
    assert_int_equal(rig_messages(rig, MSG_REVOKED), 2);
    rig_free(rig);
}

static void test_waiting_long_for_a_lock_is_later(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_remove(rig, .id = RIG_ID);
    rig_grant(rig, .handle = 2, .worker = 12);
    uint64_t seq = rig_search(rig, .handle = 2, .worker = 12);

    rig_wait(rig, 4999);
    rig_no_reply(rig, seq);
    rig_next(rig);
    assert_true(rig_reply(rig, seq, OUTCOME_LATER)->wait_ms > 0);
    rig_free(rig);
}

static void test_labels_and_projects_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_remove(rig, .id = RIG_ID);
    rig_grant(rig, .handle = 2, .worker = 12, .label = "other");
    rig_grant(rig, .handle = 3, .worker = 13, .project = RIG_ID);
    rig_search(rig, .handle = 2, .worker = 12);
    rig_search(rig, .handle = 3, .worker = 13);
    assert_int_equal(rig->n_requests, 3);
    rig_free(rig);
}

static void test_an_epoch_that_is_over_sends_nothing_more(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t create = rig_create(rig, .key = RIG_KEY);

    rig_epoch_over(rig, RIG_WATCHER);
    assert_int_equal(rig_messages(rig, MSG_EPOCH_CLOSED), 1);
    assert_int_equal(rig->messages[rig->n_messages - 1].epoch, RIG_WATCHER);
    rig_list(rig, "");
    rig_no_request(rig); /* no POST */
    rig_no_reply(rig, create);
    rig_reply(rig, rig_create(rig, .key = RIG_KEY), OUTCOME_FENCED);
    assert_int_equal(rig_grant(rig, .handle = 9), OUTCOME_FENCED);
    assert_int_equal(rig_grant(rig, .handle = 9, .watcher = RIG_WATCHER + 20), OUTCOME_OK);
    rig_create(rig, .handle = 9, .epoch = RIG_WATCHER + 20);
    rig_expect(rig, "GET", RIG_LIST);
    rig_free(rig);
}

static void test_what_an_old_epoch_sent_keeps_its_lock(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t old = rig_remove(rig, .id = RIG_ID);

    rig_epoch_over(rig, RIG_WATCHER);
    rig_grant(rig, .handle = 1, .watcher = 30, .worker = 31);
    uint64_t seq = rig_search(rig, .worker = 31);

    assert_int_equal(rig->n_requests, 1);
    rig_answer(rig, 204, "");
    rig_no_reply(rig, old);
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_OK);
    rig_free(rig);
}

static void test_draining_waits_for_sent_mutations_alone(void **state)
{
    (void)state;
    struct rig *rig = ready();
    struct message m = {.body.drain.within_ms = 5000};
    uint64_t remove = rig_remove(rig, .id = RIG_ID);

    rig_grant(rig, .handle = 2, .worker = 12, .label = "other");
    uint64_t search = rig_search(rig, .handle = 2, .worker = 12);

    rig_message(rig, SUPERVISOR, 0, &m, MSG_DRAIN);
    rig_reply(rig, search, OUTCOME_LATER);
    assert_false(gateway_core_finished(rig->core));
    rig_reply(rig, rig_search(rig, .handle = 2, .worker = 12), OUTCOME_LATER);
    assert_int_equal(rig_grant(rig, .handle = 3), OUTCOME_LATER);
    rig_answer(rig, 204, "");
    rig_reply(rig, remove, OUTCOME_OK);
    assert_true(gateway_core_finished(rig->core));
    rig_free(rig);
}

static void test_draining_has_a_limit(void **state)
{
    (void)state;
    struct rig *rig = ready();
    struct message m = {.body.drain.within_ms = 5000};

    rig_remove(rig, .id = RIG_ID);
    rig_message(rig, SUPERVISOR, 0, &m, MSG_DRAIN);
    rig_wait(rig, 4999);
    assert_false(gateway_core_finished(rig->core));
    rig_next(rig);
    assert_true(gateway_core_finished(rig->core));
    rig_free(rig);
}

static void test_the_answer_carries_the_questions_correlation(void **state)
{
    (void)state;
    struct rig *rig = ready();
    struct message m = {.envelope.correlation = ((uint64_t)RIG_WORKER << 32) + 77};

    m.body.search = (struct msg_search){.handle = 1, .seq = 900};
    rig_message(rig, WORKER, RIG_WORKER, &m, MSG_SEARCH);
    rig_list(rig, "");
    assert_true(rig_reply(rig, 900, OUTCOME_OK)->correlation == ((uint64_t)RIG_WORKER << 32) + 77);
    assert_int_equal(rig_reply(rig, 900, OUTCOME_OK)->to, RIG_WORKER);
    rig_free(rig);
}

static void test_answers_nobody_asked_for_are_ignored(void **state)
{
    (void)state;
    struct rig *rig = ready();
    struct gateway_result r = rig_json(200, RIG_EMPTY);

    r.id = 4711;
    gateway_core_result(rig->core, &r, rig->now);
    rig_search(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig->n_answered = 0; /* the same result once more */
    rig_answer(rig, 200, RIG_EMPTY);
    assert_int_equal(rig_messages(rig, MSG_FOUND), 1);
    assert_string_equal(gateway_core_doing(rig->core), "idle");
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_05_tokens_and_projects_are_checked_before_anything_is_sent),
        cmocka_unit_test(test_a_grant_is_for_one_worker),
        cmocka_unit_test(test_only_the_watcher_grants_and_only_workers_ask),
        cmocka_unit_test(test_a_taken_handle_cannot_be_moved_to_another_worker),
        cmocka_unit_test(test_mutations_of_another_epoch_are_fenced),
        cmocka_unit_test(test_mutations_after_their_deadline_are_fenced),
        cmocka_unit_test(test_the_deadline_goes_with_the_request),
        cmocka_unit_test(test_a_renewed_leadership_moves_the_end),
        cmocka_unit_test(test_without_a_deadline_an_intent_lives_sixty_seconds),
        cmocka_unit_test(test_the_lock_outlives_the_asker),
        cmocka_unit_test(test_a_lost_post_of_a_dead_asker_is_listed_before_the_next),
        cmocka_unit_test(test_a_dead_askers_unsent_work_is_dropped),
        cmocka_unit_test(test_a_revoked_grant_is_over),
        cmocka_unit_test(test_waiting_long_for_a_lock_is_later),
        cmocka_unit_test(test_labels_and_projects_do_not_wait_for_each_other),
        cmocka_unit_test(test_an_epoch_that_is_over_sends_nothing_more),
        cmocka_unit_test(test_what_an_old_epoch_sent_keeps_its_lock),
        cmocka_unit_test(test_draining_waits_for_sent_mutations_alone),
        cmocka_unit_test(test_draining_has_a_limit),
        cmocka_unit_test(test_the_answer_carries_the_questions_correlation),
        cmocka_unit_test(test_answers_nobody_asked_for_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
