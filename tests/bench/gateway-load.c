/* tests/bench/gateway-load.c -- what the packet-gateway adds to a call: this program plays its supervisor,
 * its watcher and its workers, lets the real gateway search, and makes the same requests by itself for
 * comparison. Decides nothing. Called by tests/bench/rows_gateway.py; the token comes from
 * GATEWAY_LOAD_TOKEN. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "proto/bus.h"
#include "proto/pack.h"

#define GATEWAY_INCARNATION 3u
#define WATCHER_INCARNATION 4u
#define WORKER_INCARNATION  5u
#define EPOCH               4u
#define PROJECTS_MAX        64
#define PATIENCE_MS         20000
#define WARM                600 /* calls before it counts: the gateway learns that there is no limit */

struct load {
    const char *gateway, *url, *ca, *token;
    char *projects[PROJECTS_MAX];
    unsigned n_projects, count, parallel;
    char dir[32];
    pid_t pid;
    struct bus supervisor, credentials, calls;
    CURLM *multi;
    struct curl_slist *fields;
};

/* Round trips of one series, microseconds. */
struct series {
    double *us, seconds;
    unsigned n;
};

static void die(const char *what)
{
    fprintf(stderr, "gateway-load: %s\n", what);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- the gateway and its family */

static void start_gateway(struct load *load)
{
    char *environment[] = {x_asprintf("%s=packet-gateway", ENV_ROLE),
                           x_asprintf("%s=0", ENV_SLOT),
                           x_asprintf("%s=%u", ENV_INCARNATION, GATEWAY_INCARNATION),
                           x_asprintf("%s=%d", ENV_SUPERVISOR_PID, (int)getpid()),
                           x_asprintf("%s=%s", ENV_RUNTIME_DIR, load->dir),
                           x_asprintf("%slog_level=error", ENV_OPTION_PREFIX),
                           x_asprintf("%spacket_url=%s", ENV_OPTION_PREFIX, load->url),
                           x_asprintf("%spacket_ca_file=%s", ENV_OPTION_PREFIX, load->ca),
                           x_asprintf("%spacket_rate=0", ENV_OPTION_PREFIX),
                           x_asprintf("%spacket_parallel=64", ENV_OPTION_PREFIX),
                           NULL};
    char *argv[] = {(char *)load->gateway, NULL};

    load->pid = fork();
    if (load->pid == 0) {
        execve(load->gateway, argv, environment);
        _exit(127);
    }
    for (size_t i = 0; environment[i]; i++)
        free(environment[i]);
}

/* The next frame that is no beat. Close it with inbound_close(). */
static void next_message(struct bus *bus, enum msg_id id, struct inbound *in)
{
    zmq_pollitem_t item = {.socket = zsock_resolve(bus->sock), .events = ZMQ_POLLIN};
    enum verdict verdict;

    for (;;) {
        if (!bus_receive(bus, in, &verdict)) {
            if (zmq_poll(&item, 1, PATIENCE_MS) <= 0)
                die("the gateway is silent");
            continue;
        }
        if (verdict != FRAME_OK)
            die(verdict_name(verdict));
        if (in->message.spec->id == id)
            return;
        if (in->message.spec->id != MSG_BEAT)
            die(in->message.spec->name);
        inbound_close(in);
    }
}

static void take(struct bus *bus, enum msg_id id)
{
    struct inbound in;

    next_message(bus, id, &in);
    inbound_close(&in);
}

static void introduce(struct load *load, unsigned role, uint64_t incarnation)
{
    struct msg_peer peer = {.role = role, .incarnation = incarnation, .pid = (uint64_t)getpid()};

    if (bus_send(&load->supervisor, GATEWAY_INCARNATION, MSG_PEER, &peer, NULL) != 0)
        die("PEER");
    take(&load->supervisor, MSG_PEER_OK);
}

static void connect_to_gateway(struct load *load, struct bus *bus, const char *endpoint, unsigned role,
                               uint64_t incarnation)
{
    struct bus_peer gateway = {
        .role = GATEWAY, .incarnation = GATEWAY_INCARNATION, .pid = (uint64_t)load->pid};

    if (bus_connect(bus, load->dir, endpoint, role, incarnation, GATEWAY) != 0 ||
        bus_peer_add(bus, &gateway) != 0 || bus_wait(bus, PATIENCE_MS) != 0)
        die(endpoint);
}

static void open_family(struct load *load)
{
    strcpy(load->dir, "/tmp/gateway-load-XXXXXX");
    if (!mkdtemp(load->dir))
        die("no folder for the sockets");
    zsys_handler_set(NULL);
    zsys_set_linger(0);
    if (bus_listen(&load->supervisor, load->dir, ENDPOINT_BUS, SUPERVISOR, SUPERVISOR_INCARNATION, GATEWAY) !=
        0)
        die("the supervisor's socket");
    start_gateway(load);
    struct bus_peer gateway = {
        .role = GATEWAY, .incarnation = GATEWAY_INCARNATION, .pid = (uint64_t)load->pid};

    bus_peer_add(&load->supervisor, &gateway);
    take(&load->supervisor, MSG_READY);
    introduce(load, WATCHER, WATCHER_INCARNATION);
    introduce(load, WORKER, WORKER_INCARNATION);
    connect_to_gateway(load, &load->credentials, ENDPOINT_CREDENTIALS, WATCHER, WATCHER_INCARNATION);
    connect_to_gateway(load, &load->calls, ENDPOINT_CALLS, WORKER, WORKER_INCARNATION);
}

/* One grant for each project, so that no search joins another. */
static void grant_all(struct load *load)
{
    struct envelope envelope = {.epoch = EPOCH};
    struct pack ids;

    pack_open(&ids);
    pack_array(&ids, 0);
    for (unsigned i = 0; i < load->n_projects; i++) {
        struct msg_grant grant = {.handle = i + 1,
                                  .worker = WORKER_INCARNATION,
                                  .token = span_of(load->token),
                                  .project = span_of(load->projects[i]),
                                  .label = SPAN("shoot--bench--x-ssh-publickey"),
                                  .owner = SPAN("shoot--bench--x/infra"),
                                  .ids = pack_result(&ids)};
        struct inbound in;

        if (bus_send(&load->credentials, GATEWAY_INCARNATION, MSG_GRANT, &grant, &envelope) != 0)
            die("GRANT");
        next_message(&load->credentials, MSG_GRANTED, &in);
        if (in.message.body.granted.outcome != OUTCOME_OK)
            die("the grant was refused");
        inbound_close(&in);
    }
    pack_close(&ids);
}

static void end_family(struct load *load)
{
    static const char *const names[] = {ENDPOINT_BUS, ENDPOINT_CALLS, ENDPOINT_CREDENTIALS};
    char path[128];

    kill(load->pid, SIGTERM);
    waitpid(load->pid, NULL, 0);
    bus_close(&load->calls);
    bus_close(&load->credentials);
    bus_close(&load->supervisor);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", load->dir, names[i]);
        unlink(path);
    }
    rmdir(load->dir);
}

/* ---- through the gateway: `parallel` searches under way, each of a project of its own */

static void search(struct load *load, unsigned project, unsigned seq)
{
    struct msg_search ask = {.handle = project + 1, .seq = seq};
    struct envelope envelope = {.epoch = EPOCH};

    if (bus_send(&load->calls, GATEWAY_INCARNATION, MSG_SEARCH, &ask, &envelope) != 0)
        die("SEARCH");
}

static struct series through_gateway(struct load *load, unsigned count, unsigned parallel)
{
    struct series s = {.us = x_calloc(count, sizeof *s.us)};
    double *sent = x_calloc(count + 1, sizeof *sent), begun = now_us();
    unsigned *project = x_calloc(count + 1, sizeof *project), next = 0;

    while (s.n < count) {
        struct inbound in;

        for (; next < count && next < parallel; next++) {
            sent[next + 1] = now_us();
            project[next + 1] = next;
            search(load, next, next + 1);
        }
        next_message(&load->calls, MSG_FOUND, &in);
        uint64_t seq = in.message.body.found.seq;
        if (in.message.body.found.outcome != OUTCOME_OK || seq == 0 || seq > count)
            die("a search failed");
        inbound_close(&in);
        s.us[s.n++] = now_us() - sent[seq];
        if (next < count) {
            next++;
            sent[next] = now_us();
            project[next] = project[seq];
            search(load, project[seq], next);
        }
    }
    s.seconds = (now_us() - begun) / 1e6;
    free(sent);
    free(project);
    return s;
}

/* ---- the same requests without it */

static size_t drop(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

struct bare_call {
    CURL *easy;
    double sent;
};

static void bare_send(struct load *load, struct bare_call *call, unsigned project)
{
    char *url = x_asprintf("%s/projects/%s/ssh-keys", load->url, load->projects[project]);

    curl_easy_setopt(call->easy, CURLOPT_URL, url);
    free(url);
    call->sent = now_us();
    curl_multi_add_handle(load->multi, call->easy);
}

static void bare_open(struct load *load, struct bare_call *call)
{
    call->easy = curl_easy_init();
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_CAINFO, load->ca);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, load->fields);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
}

static struct series bare(struct load *load, unsigned count, unsigned parallel)
{
    struct series s = {.us = x_calloc(count, sizeof *s.us)};
    struct bare_call *calls = x_calloc(parallel, sizeof *calls);
    double begun = now_us();
    unsigned next = 0;

    for (; next < parallel && next < count; next++) {
        bare_open(load, &calls[next]);
        bare_send(load, &calls[next], next);
    }
    while (s.n < count) {
        int running, left;

        curl_multi_perform(load->multi, &running);
        for (CURLMsg *m; (m = curl_multi_info_read(load->multi, &left));) {
            struct bare_call *call = NULL;

            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
            if (m->data.result != CURLE_OK)
                die(curl_easy_strerror(m->data.result));
            s.us[s.n++] = now_us() - call->sent;
            curl_multi_remove_handle(load->multi, call->easy);
            if (next++ < count)
                bare_send(load, call, (unsigned)(call - calls));
        }
        if (s.n < count)
            curl_multi_poll(load->multi, NULL, 0, 1000, NULL);
    }
    s.seconds = (now_us() - begun) / 1e6;
    for (unsigned i = 0; i < parallel; i++)
        curl_easy_cleanup(calls[i].easy);
    free(calls);
    return s;
}

/* ---- */

static int by_size(const void *a_, const void *b_)
{
    double a = *(const double *)a_, b = *(const double *)b_;

    return a < b ? -1 : a > b;
}

static void print(const char *name, struct series *s, const char *end)
{
    qsort(s->us, s->n, sizeof *s->us, by_size);
    printf("\"%s\":{\"calls\":%u,\"p50_us\":%.0f,\"p99_us\":%.0f,\"per_second\":%.1f}%s", name, s->n,
           s->us[s->n / 2], s->us[s->n * 99 / 100], s->n / s->seconds, end);
    free(s->us);
}

static void run(struct load *load)
{
    struct series warm = through_gateway(load, WARM, load->parallel);

    free(warm.us);
    /* In turns, so that a busy machine disturbs both alike. */
    struct series gateway = through_gateway(load, load->count, 1), direct = bare(load, load->count, 1);
    struct series many = through_gateway(load, load->count, load->parallel);
    struct series many_direct = bare(load, load->count, load->parallel);

    printf("{");
    print("gateway", &gateway, ",");
    print("bare", &direct, ",");
    print("gateway_parallel", &many, ",");
    print("bare_parallel", &many_direct, "}\n");
}

static void read_options(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"gateway", required_argument, NULL, 'g'}, {"url", required_argument, NULL, 'u'},
        {"ca", required_argument, NULL, 'c'},      {"project", required_argument, NULL, 'p'},
        {"count", required_argument, NULL, 'n'},   {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'g': load->gateway = optarg; break;
        case 'u': load->url = optarg; break;
        case 'c': load->ca = optarg; break;
        case 'n': load->count = (unsigned)atoi(optarg); break;
        case 'p':
            if (load->n_projects < PROJECTS_MAX)
                load->projects[load->n_projects++] = optarg;
            break;
        default:
            die("usage: gateway-load --gateway PROGRAM --url URL --ca FILE --project UUID ... [--count N]");
        }
    }
    load->token = getenv("GATEWAY_LOAD_TOKEN");
    load->parallel = load->n_projects;
    if (!load->gateway || !load->url || !load->ca || !load->token || !load->n_projects || !load->count)
        die("an option is missing, or GATEWAY_LOAD_TOKEN");
}

int main(int argc, char **argv)
{
    struct load load = {.count = 1000};

    read_options(&load, argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    load.multi = curl_multi_init();
    char *token = x_asprintf("X-Auth-Token: %s", load.token);
    load.fields = curl_slist_append(curl_slist_append(NULL, token), "Accept: application/json");
    free(token);
    open_family(&load);
    grant_all(&load);
    run(&load);
    end_family(&load);
    curl_slist_free_all(load.fields);
    curl_multi_cleanup(load.multi);
    return 0;
}
