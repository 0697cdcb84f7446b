/* tests/unit/test_gateway_transport_sim.c -- the gateway's HTTP shell against the Packet simulator's program,
 * over TLS: each of its faults of the wire ends as it should, and its ledger says how often a request came
 * (packet C-8, C-9, C-10, C-11; S-27, S-28, S-32, S-35). */
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/test_gateway_peer.h"

#define PROJECT "6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define KEY     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t a"
#define BODY    "{\"label\":\"l\",\"key\":\"" KEY "\"}"

static struct {
    pid_t pid;
    char directory[64], *url, *admin, *ca;
} sim;

/* ---- the simulator's program ---- */

static void exec_sim(int out)
{
    char path[PATH_MAX] = "";
    char *tls = x_asprintf("--tls-self-signed=%s", sim.directory);
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);

    strcpy(n > 0 && strrchr(path, '/') ? strrchr(path, '/') + 1 : path, "sim-packet-api");
    dup2(out, STDOUT_FILENO);
    execl(path, "sim-packet-api", tls, "--project=" PROJECT, "--token=" TOKEN, "--die-with-parent",
          "--dup-check=off", NULL);
    _exit(127);
}

static char *member(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));

    return x_strdup(text ? text : "");
}

static int sim_start(void **state)
{
    char line[1024] = "";
    int ends[2];

    (void)state;
    strcpy(sim.directory, "/tmp/gateway-sim-XXXXXX");
    if (!mkdtemp(sim.directory) || pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    sim.pid = fork();
    if (sim.pid == 0)
        exec_sim(ends[1]);
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    json_t *ready = out && fgets(line, sizeof line, out) ? json_loads(line, 0, NULL) : NULL;

    if (!ready) {
        fprintf(stderr, "sim-packet-api beside this program said: %s\n", line);
        return -1;
    }
    sim.url = member(ready, "url");
    sim.admin = member(ready, "adminURL");
    sim.ca = member(ready, "caFile");
    json_decref(ready);
    fclose(out);
    return 0;
}

static int sim_stop(void **state)
{
    char *remove = x_asprintf("rm -rf %s", sim.directory);

    (void)state;
    kill(sim.pid, SIGTERM);
    waitpid(sim.pid, NULL, 0);
    free(sim.url);
    free(sim.admin);
    free(sim.ca);
    int rc = system(remove);

    free(remove);
    return rc;
}

static size_t on_admin(char *data, size_t size, size_t n, void *arg)
{
    char **text = arg;
    char *longer = x_asprintf("%s%.*s", *text, (int)(size * n), data);

    free(*text);
    *text = longer;
    return size * n;
}

/* Returns the answer, to be given back with json_decref(). */
static json_t *admin(const char *method, const char *path, const char *body)
{
    CURL *easy = curl_easy_init();
    char *url = x_asprintf("%s/%s", sim.admin, path), *text = x_strdup("");

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_admin);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    json_t *answer = json_loads(text, JSON_DECODE_ANY, NULL);

    curl_easy_cleanup(easy);
    free(url);
    free(text);
    return answer;
}

static void fault(const char *members, unsigned count)
{
    char *rule = x_asprintf("{\"match\":{},\"count\":%u,\"fault\":%s}", count, members);

    json_decref(admin("POST", "faults", rule));
    free(rule);
}

static unsigned requests(void)
{
    json_t *counters = admin("GET", "counters", NULL);
    unsigned n = (unsigned)json_integer_value(json_object_get(counters, "requests"));

    json_decref(counters);
    return n;
}

/* ---- the gateway's side ---- */

static int sim_rig_open(void **state)
{
    char error[256] = "";

    rig_open(state);
    struct rig *rig = *state;

    json_decref(admin("DELETE", "faults", NULL));
    json_decref(admin("DELETE", "counters", NULL));
    rig->options.ca_file = sim.ca;
    rig->options.limits = (struct gateway_limits){.connect_ms = 20000, .total_ms = 8000, .slow_seconds = 3};
    if (options_read_url(&rig->options, sim.url, error, sizeof error) != 0)
        return -1;
    rig->http = http_new(rig->loop, &rig->options, on_done, rig);
    return 0;
}

struct row {
    const char *fault;
    enum gateway_fate fate;
    int status;
    bool again; /* a GET is sent once more, and answered */
};

static void ask(struct rig *rig, unsigned id, bool post)
{
    begin(rig, id, post ? "POST" : "GET", LIST, post ? BODY : NULL);
}

static const struct row rows[] = {
    {"{\"fate\":\"hang\"}", FATE_LOST, 0, false},
    {"{\"fate\":\"stall\"}", FATE_LOST, 0, false},
    {"{\"fate\":\"drip\"}", FATE_LOST, 0, false},
    {"{\"fate\":\"bad-length\"}", FATE_LOST, 0, false},
    {"{\"fate\":\"truncate\"}", FATE_LOST, 0, false},
    {"{\"fate\":\"reset\"}", FATE_LOST, 0, true},
    {"{\"answer\":\"huge\",\"size\":9000000}", FATE_LOST, 0, false},
    {"{\"redirect\":\"https://localhost:1/elsewhere\"}", FATE_ANSWERED, 307, false},
    {"{\"status\":503,\"answer\":\"html\"}", FATE_ANSWERED, 503, false},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* Every fault on a connection that was used before, each as a GET and as a POST, all at once, and between
 * them calls that are answered. */
static void test_C_08_C_09_C_11_S_27_S_32_every_fault_of_the_wire(void **state)
{
    struct rig *rig = *state;
    unsigned again = 0;

    for (unsigned i = 0; i < 2 * ROWS; i++) {
        assert_int_equal(get(rig)->status, 200);
        unsigned before = requests();

        fault(rows[i / 2].fault, 1);
        ask(rig, i + 1, i % 2);
        while (requests() == before) /* the fault is for this one */
            idle(rig, 5);
        again += rows[i / 2].again && i % 2 == 0;
    }
    for (unsigned i = 0; i < 2 * ROWS; i++) {
        const struct row *row = &rows[i / 2];
        const struct call *c = wait_for(rig, i + 1);

        if (row->again && i % 2 == 0)
            assert_int_equal(c->status, 200);
        else if (c->fate != row->fate || (row->status && c->status != row->status))
            fail_msg("%s: fate %d, status %d", row->fault, (int)c->fate, c->status);
    }
    assert_int_equal(requests(), 4 * ROWS + again); /* no POST came twice */
}

static void test_C_10_S_28_closed_just_after_the_next_request(void **state)
{
    struct rig *rig = *state;

    for (int post = 0; post < 2; post++) {
        assert_int_equal(get(rig)->status, 200);
        fault("{\"closeOnReuse\":true}", 1);
        ask(rig, 1, post);
        assert_int_equal(wait_for(rig, 1)->fate, post ? FATE_LOST : FATE_ANSWERED);
    }
}

static void test_C_10_S_28_closed_just_before_the_next_request(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 4; i++) {
        fault("{\"closeAfterMs\":1}", 1);
        ask(rig, 1, i % 2);
        assert_int_equal(wait_for(rig, 1)->fate, FATE_ANSWERED);
        idle(rig, 100);
        assert_int_equal(requests(), i + 1);
    }
}

static void test_C_40_S_35_nobody_there(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(get(rig)->status, 200);
    json_decref(admin("POST", "config", "{\"sunset\":\"refused\"}"));
    ask(rig, 1, true); /* on the connection that was open, or on none */
    assert_int_not_equal(wait_for(rig, 1)->fate, FATE_ANSWERED);
    ask(rig, 2, true);
    assert_int_equal(wait_for(rig, 2)->fate, FATE_NOT_SENT);
    json_decref(admin("POST", "config", "{\"sunset\":\"off\"}"));
    assert_int_equal(get(rig)->status, 200);
}

#define SIM_TEST(f) cmocka_unit_test_setup_teardown(f, sim_rig_open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(test_C_08_C_09_C_11_S_27_S_32_every_fault_of_the_wire),
        SIM_TEST(test_C_10_S_28_closed_just_after_the_next_request),
        SIM_TEST(test_C_10_S_28_closed_just_before_the_next_request),
        SIM_TEST(test_C_40_S_35_nobody_there),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = cmocka_run_group_tests(tests, sim_start, sim_stop);

    curl_global_cleanup();
    return rc;
}
