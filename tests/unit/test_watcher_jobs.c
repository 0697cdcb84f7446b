/* tests/unit/test_watcher_jobs.c -- the life of a job: what is read before it, credit, grants, its end
 * (kubernetes 30, 31; gardener 26, 80; design 12.6). */
#include "tests/unit/test_watcher_fixture.h"

static void pass_wait(struct fx *fx)
{
    int64_t next = watcher_core_next_ms(fx->core);

    assert_true(next < INT64_MAX);
    fx_tick(fx, next > fx->now.boot_ms ? next - fx->now.boot_ms : 0);
}

/* The usual run: the event is the job; Secret and Cluster are read together; two reads, no GET of the object.
 */
static void test_the_usual_job(void **state)
{
    struct fx *fx = fx_with_object();

    (void)state;
    assert_string_equal(fx_asked(fx, "GET", "/clusters/")->path,
                        "/apis/extensions.gardener.cloud/v1alpha1/clusters/shoot--a--b");
    assert_string_equal(fx_asked(fx, "GET", "/secrets/")->path,
                        "/api/v1/namespaces/shoot--a--b/secrets/cloudprovider");
    assert_int_equal(fx->n_requests, 3);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    assert_null(fx_take(fx, MSG_GRANT));
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    struct fx_sent *sent = fx_take(fx, MSG_GRANT);
    assert_non_null(sent);
    assert_int_equal(sent->to, THE_GATEWAY);
    const struct msg_grant *grant = &sent->message.body.grant;
    assert_true(span_is(grant->token, "token1"));
    assert_true(span_is(grant->project, PROJECT));
    assert_true(span_is(grant->label, "shoot--a--b-ssh-publickey"));
    assert_true(span_is(grant->owner, "shoot--a--b/infra"));
    assert_int_equal(grant->worker, THE_WORKER);
    assert_int_equal(sent->message.envelope.epoch, ME);
    assert_null(fx_take(fx, MSG_JOB));
    /* nothing of the token stays in the core */
    for (size_t i = 0; i < sizeof fx->core->jobs->credentials; i++)
        assert_int_equal(((const char *)&fx->core->jobs->credentials)[i], 0);
    struct msg_granted granted = {.handle = grant->handle, .outcome = OUTCOME_OK};
    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_GRANTED, &granted, 0, 0);
    sent = fx_take(fx, MSG_JOB);
    assert_non_null(sent);
    const struct msg_job *job = &sent->message.body.job;
    assert_int_equal(sent->to, THE_WORKER);
    assert_int_equal(sent->message.envelope.epoch, ME);
    assert_int_equal(job->handle, granted.handle);
    assert_int_equal(job->secret, SECRET_USABLE);
    assert_true(span_is(job->project, PROJECT));
    assert_true(span_is(job->shoot_uid, "shoot-uid"));
    assert_true(span_is(job->secret_name, "shoot--a--b/cloudprovider"));
    assert_true(value_is_text(value_at(job->object, "metadata", "uid", NULL), UID));
    assert_int_equal(value_kind(value_at(job->object, "metadata", "managedFields", NULL)), VALUE_NONE);
    fx_done(fx, THE_WORKER, job->job, JOB_DONE, 0);
    sent = fx_take(fx, MSG_REVOKE);
    assert_non_null(sent);
    assert_int_equal(sent->message.body.revoke.handle, granted.handle);
    assert_null(fx->core->jobs);
    assert_int_equal(fx->core->queue.count, 0);
    fx_free(fx);
}

/* Work is given by credit: one job for each IDLE. */
static void test_one_job_for_each_credit(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    fx_event(fx, "ADDED", (struct fx_object){.name = "a", .version = "10"});
    fx_event(fx, "ADDED", (struct fx_object){.name = "b", .version = "11"});
    uint64_t job = fx_run(fx);
    assert_null(fx_asked(fx, "GET", "/clusters/"));
    struct msg_done done = {.job = job};
    fx_say(fx, WORKER, THE_WORKER, MSG_DONE, &done, 0, 0);
    assert_null(fx_asked(fx, "GET", "/clusters/"));
    fx_idle(fx, THE_WORKER);
    assert_non_null(fx_asked(fx, "GET", "/clusters/"));
    fx_free(fx);
}

/* kubernetes 30, 31: an event during the run does not start a second one, and is not lost */
static void test_K_30_K_31_a_key_runs_once_at_a_time(void **state)
{
    struct fx *fx = fx_with_object();
    uint64_t job = fx_run(fx);

    (void)state;
    fx_peer(fx, WORKER, OTHER_WORKER);
    fx_idle(fx, OTHER_WORKER);
    fx_event(fx, "MODIFIED", (struct fx_object){.version = "11", .operation = "reconcile"});
    assert_null(fx_asked(fx, "GET", ""));
    fx_done(fx, THE_WORKER, job, JOB_DONE, 0);
    assert_non_null(fx_asked(fx, "GET", "infrastructures/infra")); /* a second event is read afresh */
    fx_free(fx);
}

/* News while the Secret is read: the job reads the object again instead of running twice. */
static void test_news_during_preparation(void **state)
{
    struct fx *fx = fx_with_object();
    struct fx_object newer = {.version = "11", .operation = "reconcile"};

    (void)state;
    fx_event(fx, "MODIFIED", newer);
    assert_false(fx_work(fx)->dirty);
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    assert_null(fx_take(fx, MSG_GRANT));
    char *object = fx_json(newer);
    fx_answer(fx, "GET", "infrastructures/infra", 200, object);
    free(object);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_OK, 0);
    struct fx_sent *job = fx_take(fx, MSG_JOB);
    assert_true(
        value_is_text(value_at(job->message.body.job.object, "metadata", "resourceVersion", NULL), "11"));
    fx_free(fx);
}

/* gardener 26, 80: no Cluster, nothing written, tried again by itself with a fresh object */
static void test_cluster_missing(void **state)
{
    struct fx *fx = fx_with_object();
    char *object = fx_json((struct fx_object){.version = "10"});

    (void)state;
    fx_answer(fx, "GET", "/clusters/", 404, FX_NOT_FOUND);
    assert_null(fx->core->jobs);
    assert_int_equal(fx_work(fx)->failures, 1);
    pass_wait(fx);
    assert_non_null(fx_asked(fx, "GET", "infrastructures/infra"));
    assert_int_equal(fx_work(fx)->processing, true);
    fx_answer(fx, "GET", "infrastructures/infra", 200, object);
    fx_answer(fx, "GET", "/clusters/", 200, "{\"kind\":\"Cluster\",\"spec\":{\"shoot\":null}}");
    assert_int_equal(fx_work(fx)->failures, 2);
    assert_null(fx_asked(fx, "PATCH", ""));
    assert_null(fx_take(fx, MSG_JOB));
    free(object);
    fx_free(fx);
}

static void test_object_gone_before_a_retry(void **state)
{
    struct fx *fx = fx_with_object();

    (void)state;
    fx_answer(fx, "GET", "/clusters/", 500, "");
    pass_wait(fx);
    fx_answer(fx, "GET", "infrastructures/infra", 404, FX_NOT_FOUND);
    assert_null(fx->core->jobs);
    assert_int_equal(fx->core->queue.count, 0);
    fx_free(fx);
}

static void test_secret_missing_goes_to_the_worker(void **state)
{
    struct fx *fx = fx_with_object();

    (void)state;
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 404, FX_NOT_FOUND);
    assert_null(fx_take(fx, MSG_GRANT));
    struct fx_sent *job = fx_take(fx, MSG_JOB);
    assert_int_equal(job->message.body.job.secret, SECRET_MISSING);
    assert_int_equal(job->message.body.job.handle, 0);
    fx_free(fx);
}

static void test_secret_unreadable_is_tried_again(void **state)
{
    int codes[] = {401, 403, 500, 503, 429};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct fx *fx = fx_with_object();

        fx_answer(fx, "GET", "/secrets/", codes[i], "no");
        assert_int_equal(fx_work(fx)->failures, 1);
        assert_null(fx_take(fx, MSG_JOB));
        fx_free(fx);
    }
}

/* design 12.6: waiting for budget happens in the queue, without a strike */
static void test_later_from_the_gateway(void **state)
{
    struct fx *fx = fx_with_object();

    (void)state;
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_LATER, 2500);
    assert_null(fx->core->jobs);
    assert_int_equal(fx_work(fx)->failures, 0);
    assert_true(fx_work(fx)->for_budget);
    assert_null(fx_asked(fx, "PATCH", "")); /* no status says so */
    fx_event(fx, "ADDED",
             (struct fx_object){.name = "b", .version = "12"}); /* the worker is free for others */
    assert_non_null(fx_asked(fx, "GET", "/clusters/"));
    fx_free(fx);
}

static void test_absent_since_travels(void **state)
{
    struct fx *fx = fx_with_object();
    char *object = fx_json((struct fx_object){.version = "10"});
    uint64_t job = fx_run(fx);
    struct msg_done done = {.job = job, .result = JOB_LATER, .after_ms = 100, .absent_since = 1234567};

    (void)state;
    fx_say(fx, WORKER, THE_WORKER, MSG_DONE, &done, 0, 0);
    fx_idle(fx, THE_WORKER);
    pass_wait(fx);
    fx_answer(fx, "GET", "infrastructures/infra", 200, object);
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_OK, 0);
    assert_int_equal(fx_take(fx, MSG_JOB)->message.body.job.absent_since, 1234567);
    free(object);
    fx_free(fx);
}

/* A deleted object is forgotten, also in the middle of a job's preparation. */
static void test_deletion_while_preparing(void **state)
{
    struct fx *fx = fx_with_object();

    (void)state;
    fx_event(fx, "DELETED", (struct fx_object){.version = "11"});
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_answer(fx, "GET", "infrastructures/infra", 404, FX_NOT_FOUND);
    assert_null(fx->core->jobs);
    assert_int_equal(fx->core->queue.count, 0);
    assert_int_equal(fx->core->cache.count, 0);
    fx_free(fx);
}

static void test_drain(void **state)
{
    struct fx *fx = fx_with_object();
    struct msg_drain drain = {.within_ms = 1000};
    uint64_t job = fx_run(fx);

    (void)state;
    fx_peer(fx, WORKER, OTHER_WORKER);
    fx_idle(fx, OTHER_WORKER);
    fx_event(fx, "ADDED", (struct fx_object){.name = "b", .version = "11"}); /* being prepared */
    fx_say(fx, SUPERVISOR, 0, MSG_DRAIN, &drain, 0, 0);
    assert_false(watcher_core_finished(fx->core));
    fx_event(fx, "ADDED", (struct fx_object){.name = "c", .version = "12"});
    fx_done(fx, THE_WORKER, job, JOB_DONE, 0);
    assert_true(watcher_core_finished(fx->core));
    assert_null(fx->core->jobs);
    fx_free(fx);
}

/* gardener 46, 14; ids for the grant come from status, Terraform's too */
static void test_what_a_job_knows(void **state)
{
    struct fx *fx = fx_running(false);
    static const char cluster[] = "{\"kind\":\"Cluster\",\"spec\":{\"shoot\":{\"metadata\":{\"annotations\":{"
                                  "\"confirmation.gardener.cloud/force-deletion\":\"True\"}}}}}";

    (void)state;
    fx_event(fx, "ADDED",
             (struct fx_object){
                 .version = "10",
                 .status =
                     "{\"providerStatus\":{\"sshKeyID\":\"" KEY_ID "\"},\"state\":{\"encoding\":\"none\","
                     "\"data\":\"{\\\"version\\\":4,\\\"outputs\\\":{\\\"key_pair_id\\\":{\\\"value\\\":"
                     "\\\"99999999-bbbb-cccc-dddd-eeeeeeeeeeee\\\"}}}\",\"obsolete\":[\"" KEY_ID
                     "\",\"88888888-bbbb-cccc-dddd-eeeeeeeeeeee\",\"x\",7]}}"});
    fx_answer(fx, "GET", "/clusters/", 200, cluster);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    struct fx_sent *grant = fx_take(fx, MSG_GRANT);
    struct value_iter it = value_each(grant->message.body.grant.ids);
    assert_true(value_next(&it) && value_is_text(it.item, KEY_ID));
    assert_true(value_next(&it) && value_is_text(it.item, "99999999-bbbb-cccc-dddd-eeeeeeeeeeee"));
    assert_true(value_next(&it) && value_is_text(it.item, "88888888-bbbb-cccc-dddd-eeeeeeeeeeee"));
    assert_false(value_next(&it));
    struct msg_granted granted = {.handle = grant->message.body.grant.handle};
    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_GRANTED, &granted, 0, 0);
    struct fx_sent *job = fx_take(fx, MSG_JOB);
    assert_int_equal(job->message.body.job.force_delete, 1);
    assert_true(span_is(job->message.body.job.terraform_key, "99999999-bbbb-cccc-dddd-eeeeeeeeeeee"));
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_usual_job),
        cmocka_unit_test(test_one_job_for_each_credit),
        cmocka_unit_test(test_K_30_K_31_a_key_runs_once_at_a_time),
        cmocka_unit_test(test_news_during_preparation),
        cmocka_unit_test(test_cluster_missing),
        cmocka_unit_test(test_object_gone_before_a_retry),
        cmocka_unit_test(test_secret_missing_goes_to_the_worker),
        cmocka_unit_test(test_secret_unreadable_is_tried_again),
        cmocka_unit_test(test_later_from_the_gateway),
        cmocka_unit_test(test_absent_since_travels),
        cmocka_unit_test(test_deletion_while_preparing),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_what_a_job_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
