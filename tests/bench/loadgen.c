/* tests/bench/loadgen.c -- the bare load generator that the program is compared with: for each Infrastructure
 * the requests that a create makes, with the same bodies, each after the one before. Decides nothing, keeps
 * nothing. Called by tests/bench/bare.py; standard input has a line "namespace resourceVersion" for each
 * object. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"

#define VERSION_LEN  24
#define BODY_MAX     2048u
#define PARALLEL_MAX 256
#define POLL_MAX_MS  1000

enum step { GET_SECRET, GET_CLUSTER, PATCH_META, PATCH_PROCESSING, PAUSE, PATCH_SUCCEEDED, DONE };

struct object {
    char *namespace;
    char version[VERSION_LEN]; /* of the last answer: every PATCH carries it, as the program's do */
};

struct bench {
    const char *server, *ca, *token;
    int parallel, busy, pause_ms, search_ms;
    bool writes_only, noop;
    struct object *objects;
    size_t n_objects, next, requests;
    CURLM *multi;
    struct curl_slist *get_headers, *patch_headers;
};

/* One of the P objects under way, and the kept handle with which it asks. */
struct slot {
    struct bench *bench;
    struct object *object;
    CURL *easy;
    enum step step;
    int64_t searched_ms, wake_ms; /* the search in Packet is over then; the pause is over then (0: none) */
    char body[BODY_MAX];
    char *answer;
    size_t answer_len, answer_room;
};

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "loadgen: %s%s%s\n", what, *detail ? ": " : "", detail);
    exit(1);
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    struct slot *slot = arg;
    size_t len = size * count;

    if (slot->answer_len + len + 1 > slot->answer_room) {
        slot->answer_room = (slot->answer_len + len + 1) * 2;
        slot->answer = x_realloc(slot->answer, slot->answer_room);
    }
    memcpy(slot->answer + slot->answer_len, data, len);
    slot->answer_len += len;
    slot->answer[slot->answer_len] = '\0';
    return len;
}

static void write_meta(struct slot *slot)
{
    if (slot->bench->noop)
        snprintf(
            slot->body, BODY_MAX,
            "{\"metadata\":{\"annotations\":{\"gardener.cloud/operation\":null},\"resourceVersion\":\"%s\"}}",
            slot->object->version);
    else
        snprintf(slot->body, BODY_MAX,
                 "{\"metadata\":{\"finalizers\":[\"extensions.gardener.cloud/infrastructure\"],"
                 "\"resourceVersion\":\"%s\"}}",
                 slot->object->version);
}

#define FINGERPRINT "2b6a8f1f6f5f7b0c8a9c0a4c0f7e6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c"

static void write_processing(struct slot *slot)
{
    const char *ns = slot->object->namespace;
    char when[CLOCK_TEXT_MAX], state[BODY_MAX / 2] = "";

    clock_text_seconds(clock_now().wall_ms, when);
    if (!slot->bench->noop)
        snprintf(
            state, sizeof state,
            ",\"state\":{\"project\":\"6f7c3c9e-6d0b-4d0c-8b0e-3b1c6a1f2e11\",\"label\":\"%s-ssh-publickey\","
            "\"attempts\":{\"" FINGERPRINT "\":\"%s\"}}",
            ns, when);
    snprintf(slot->body, BODY_MAX,
             "{\"status\":{\"lastOperation\":{\"type\":\"%s\",\"state\":\"Processing\",\"progress\":1,"
             "\"description\":\"Reconciling the infrastructure\",\"lastUpdateTime\":\"%s\"}%s},"
             "\"metadata\":{\"resourceVersion\":\"%s\"}}",
             slot->bench->noop ? "Reconcile" : "Create", when, state, slot->object->version);
}

static void write_succeeded(struct slot *slot)
{
    const char *ns = slot->object->namespace;
    char when[CLOCK_TEXT_MAX], more[BODY_MAX / 2] = "";

    clock_text_seconds(clock_now().wall_ms, when);
    if (!slot->bench->noop)
        snprintf(
            more, sizeof more,
            ",\"providerStatus\":{\"apiVersion\":\"packet.provider.extensions.gardener.cloud/v1alpha1\","
            "\"kind\":\"InfrastructureStatus\",\"sshKeyID\":\"8a1c3b52-0c7d-4a52-9a53-2f0f3f6f8b11\"},"
            "\"state\":{\"project\":\"6f7c3c9e-6d0b-4d0c-8b0e-3b1c6a1f2e11\",\"label\":\"%s-ssh-publickey\","
            "\"id\":\"8a1c3b52-0c7d-4a52-9a53-2f0f3f6f8b11\",\"fingerprint\":\"" FINGERPRINT "\","
            "\"attempts\":{\"" FINGERPRINT "\":null}}",
            ns);
    snprintf(slot->body, BODY_MAX,
             "{\"status\":{\"lastOperation\":{\"type\":\"%s\",\"state\":\"Succeeded\",\"progress\":100,"
             "\"description\":\"Successfully reconciled infrastructure\",\"lastUpdateTime\":\"%s\"},"
             "\"lastError\":null,\"observedGeneration\":1%s},\"metadata\":{\"resourceVersion\":\"%s\"}}",
             slot->bench->noop ? "Reconcile" : "Create", when, more, slot->object->version);
}

static char *url_of(const struct slot *slot)
{
    const char *server = slot->bench->server, *ns = slot->object->namespace;

    switch (slot->step) {
    case GET_SECRET: return x_asprintf("%s/api/v1/namespaces/%s/secrets/cloudprovider", server, ns);
    case GET_CLUSTER: return x_asprintf("%s/apis/extensions.gardener.cloud/v1alpha1/clusters/%s", server, ns);
    default:
        return x_asprintf(
            "%s/apis/extensions.gardener.cloud/v1alpha1/namespaces/%s/infrastructures/infrastructure%s",
            server, ns, slot->step == PATCH_META ? "" : "/status");
    }
}

static void send_step(struct slot *slot)
{
    CURL *easy = slot->easy;
    bool patch = slot->step >= PATCH_META;
    char *url = url_of(slot);

    if (slot->step == PATCH_META)
        write_meta(slot);
    else if (slot->step == PATCH_PROCESSING)
        write_processing(slot);
    else if (patch)
        write_succeeded(slot);
    slot->answer_len = 0;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, patch ? slot->bench->patch_headers : slot->bench->get_headers);
    if (patch) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, slot->body);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PATCH");
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "GET");
    }
    if (curl_multi_add_handle(slot->bench->multi, easy) != CURLM_OK)
        die("cannot add a request", url);
    slot->bench->requests++;
    free(url);
}

/* The next object of the list, or none: then the slot is idle for good. */
static void take_object(struct slot *slot)
{
    struct bench *bench = slot->bench;

    slot->object = bench->next < bench->n_objects ? &bench->objects[bench->next++] : NULL;
    if (slot->object == NULL) {
        slot->step = DONE;
        bench->busy--;
        return;
    }
    slot->step = bench->writes_only ? PATCH_META : GET_SECRET;
    send_step(slot);
}

/* The version of the object just written: the first one in its text (managedFields hold none). */
static void note_version(struct slot *slot)
{
    static const char mark[] = "\"resourceVersion\":\"";
    const char *at = slot->answer != NULL ? strstr(slot->answer, mark) : NULL;
    size_t len = at != NULL ? strcspn(at + sizeof mark - 1, "\"") : 0;

    if (len == 0 || len >= VERSION_LEN)
        die("no resourceVersion in the answer", "");
    memcpy(slot->object->version, at + sizeof mark - 1, len);
    slot->object->version[len] = '\0';
}

/* A create: the search runs beside the two patches, the POST only after them. A no-op waits for the search.
 */
static int64_t pause_until(const struct slot *slot, int64_t now_ms)
{
    int64_t from = slot->searched_ms > now_ms ? slot->searched_ms : now_ms;

    return from + slot->bench->pause_ms;
}

static void step_done(struct slot *slot)
{
    int64_t now_ms = clock_now().boot_ms;

    if (slot->step >= PATCH_META)
        note_version(slot);
    if (slot->step == GET_CLUSTER)
        slot->searched_ms = now_ms + slot->bench->search_ms;
    if (slot->step == PATCH_SUCCEEDED) {
        take_object(slot);
        return;
    }
    slot->step++;
    if (slot->step == PAUSE) {
        slot->wake_ms = pause_until(slot, now_ms);
        if (slot->wake_ms > now_ms)
            return;
        slot->step++;
    }
    slot->wake_ms = 0;
    send_step(slot);
}

static void finish_request(struct bench *bench, const CURLMsg *msg)
{
    struct slot *slot = NULL;
    CURL *easy = msg->easy_handle;
    CURLcode result = msg->data.result;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(bench->multi, easy);
    if (result != CURLE_OK)
        die("a request failed", curl_easy_strerror(result));
    if (status != 200)
        die("an answer is not 200", slot->answer != NULL ? slot->answer : "");
    step_done(slot);
}

/* Ends the pauses that are over; returns the milliseconds until the next one ends. */
static int end_pauses(struct slot *slots, int count)
{
    int64_t now_ms = clock_now().boot_ms, next_ms = now_ms + POLL_MAX_MS;

    for (int i = 0; i < count; i++) {
        struct slot *slot = &slots[i];

        if (slot->step != PAUSE)
            continue;
        if (slot->wake_ms <= now_ms) {
            slot->step++;
            send_step(slot);
        } else if (slot->wake_ms < next_ms) {
            next_ms = slot->wake_ms;
        }
    }
    return (int)(next_ms - now_ms);
}

static void work(struct bench *bench, struct slot *slots)
{
    int running = 0, left = 0;

    while (bench->busy > 0) {
        CURLMsg *msg;

        curl_multi_perform(bench->multi, &running);
        while ((msg = curl_multi_info_read(bench->multi, &left)) != NULL)
            if (msg->msg == CURLMSG_DONE)
                finish_request(bench, msg);
        int wait_ms = end_pauses(slots, bench->parallel);
        if (bench->busy > 0)
            curl_multi_poll(bench->multi, NULL, 0, wait_ms, NULL);
    }
}

static void open_slot(struct bench *bench, struct slot *slot)
{
    *slot = (struct slot){.bench = bench, .easy = curl_easy_init()};
    if (slot->easy == NULL)
        die("no memory for a handle", "");
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_CAINFO, bench->ca);
    curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, 1L);
}

static void read_objects(struct bench *bench)
{
    char namespace[128], version[VERSION_LEN];

    while (scanf("%127s %23s", namespace, version) == 2) {
        bench->objects = x_realloc(bench->objects, (bench->n_objects + 1) * sizeof *bench->objects);
        struct object *object = &bench->objects[bench->n_objects++];
        object->namespace = x_strdup(namespace);
        memcpy(object->version, version, sizeof version);
    }
    if (bench->n_objects == 0)
        die("no object on standard input", "");
}

static void open_bench(struct bench *bench)
{
    char *token = x_asprintf("Authorization: Bearer %s", bench->token);

    bench->get_headers = curl_slist_append(NULL, token);
    bench->get_headers = curl_slist_append(bench->get_headers, "Accept: application/json");
    bench->patch_headers = curl_slist_append(NULL, token);
    bench->patch_headers = curl_slist_append(bench->patch_headers, "Accept: application/json");
    bench->patch_headers =
        curl_slist_append(bench->patch_headers, "Content-Type: application/merge-patch+json");
    free(token);
    bench->multi = curl_multi_init();
    if (bench->multi == NULL)
        die("libcurl does not start", "");
    curl_multi_setopt(bench->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static const char usage[] =
    "usage: loadgen --server URL --ca FILE [--parallel N] [--search-ms N] [--pause-ms N] [--writes-only] "
    "[--noop]\n"
    "The bearer token is taken from LOADGEN_TOKEN. Lines \"namespace resourceVersion\" on standard input.";

static void read_options(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = {{"server", required_argument, NULL, 's'},
                                            {"ca", required_argument, NULL, 'c'},
                                            {"parallel", required_argument, NULL, 'p'},
                                            {"pause-ms", required_argument, NULL, 'w'},
                                            {"search-ms", required_argument, NULL, 'l'},
                                            {"writes-only", no_argument, NULL, 'o'},
                                            {"noop", no_argument, NULL, 'n'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's': bench->server = optarg; break;
        case 'c': bench->ca = optarg; break;
        case 'p': bench->parallel = atoi(optarg); break;
        case 'w': bench->pause_ms = atoi(optarg); break;
        case 'l': bench->search_ms = atoi(optarg); break;
        case 'o': bench->writes_only = true; break;
        case 'n': bench->noop = true; break;
        default: die(usage, "");
        }
    }
    bench->token = getenv("LOADGEN_TOKEN");
    if (bench->server == NULL || bench->ca == NULL || bench->token == NULL || bench->parallel < 1 ||
        bench->parallel > PARALLEL_MAX)
        die(usage, "");
}

int main(int argc, char **argv)
{
    struct bench bench = {.parallel = 5};

    read_options(&bench, argc, argv);
    read_objects(&bench);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open_bench(&bench);
    struct slot *slots = x_calloc((size_t)bench.parallel, sizeof *slots);
    int64_t begun_ms = clock_now().boot_ms;
    bench.busy = bench.parallel;
    for (int i = 0; i < bench.parallel; i++) {
        open_slot(&bench, &slots[i]);
        take_object(&slots[i]);
    }
    work(&bench, slots);
    double seconds = (double)(clock_now().boot_ms - begun_ms) / 1000;
    printf("{\"objects\":%zu,\"seconds\":%.3f,\"per_second\":%.2f,\"requests\":%zu,\"cpu_seconds\":%.3f}\n",
           bench.n_objects, seconds, (double)bench.n_objects / (seconds > 0 ? seconds : 0.001),
           bench.requests, cpu_seconds());
    return 0;
}
