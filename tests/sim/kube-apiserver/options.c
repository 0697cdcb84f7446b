/* tests/sim/kube-apiserver/options.c -- the command line.
 * Owns the option names, their texts and defaults. Called once by main.c. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/server.h"

static const char help[] =
    "A simulated Kubernetes API server for tests. Prints one line of JSON when it is ready.\n"
    "\n"
    "  --port N               listen on 127.0.0.1:N; 0 (default) takes a free port\n"
    "  --tls-self-signed DIR  serve TLS with a fresh certificate; the CA is written to DIR/ca.crt\n"
    "  --token TOKEN=USER     accept this bearer token (repeat); without any, everybody is let in\n"
    "  --kubeconfig FILE:USER write a kubeconfig for that user of a --token (repeat)\n"
    "  --crd FILE             load the CustomResourceDefinitions of a YAML or JSON file (repeat)\n"
    "  --audit FILE           append one line of JSON per request, as audit.k8s.io/v1 Metadata\n"
    "  --git-version TEXT     what /version says (v1.34.0)\n"
    "  --seed N               of the uids and of the chunk sizes (1)\n"
    "  --history N            events kept for watches (4096); older ones give 410\n"
    "  --bookmark-ms N        time between bookmarks on a watch (60000)\n"
    "  --latency-ms N         hold every answer back\n"
    "  --slow-start-ms N      answer 503 for so long after the start\n"
    "  --watch-split-bytes N  send watches in chunks of 1 to N bytes\n"
    "  --gzip-min N           compress answers from that size on (131072) if the client allows it\n"
    "  --gzip-watch           compress watches too, each event a gzip member of its own\n"
    "  --fault JSON           a fault rule to begin with (repeat)\n"
    "  --die-with-parent      end when the parent process ends\n"
    "  --help                 this text\n"
    "\n"
    "POST /_sim/faults adds rules ({\"faults\":[...]}), DELETE /_sim/faults drops them, GET shows them.\n"
    "A rule: verb, resource, namespace, name, subresource, user, query (where it strikes; absent: "
    "everywhere),\n"
    "skip, count (absent: 1, 0: without end), forMs, action, code, reason, retryAfter, delayMs, lag, "
    "afterEvents.\n"
    "Actions: status delay reset hang truncate stall drip badLength resetAfter hangAfter stale tooLarge and, "
    "for\n"
    "watches, cutEvent silent duplicate short expire errorEvent.\n"
    "With body the action status sends that text instead of a Status.\n"
    "POST /_sim/compact ({\"revision\":N} or nothing) forgets history, POST /_sim/bookmark sends bookmarks "
    "now,\n"
    "GET /_sim/state shows the counters.\n";

enum {
    OPT_PORT = 256,
    OPT_TLS,
    OPT_TOKEN,
    OPT_KUBECONFIG,
    OPT_CRD,
    OPT_AUDIT,
    OPT_GIT_VERSION,
    OPT_SEED,
    OPT_HISTORY,
    OPT_BOOKMARK,
    OPT_LATENCY,
    OPT_SLOW_START,
    OPT_SPLIT,
    OPT_GZIP_MIN,
    OPT_GZIP_WATCH,
    OPT_FAULT,
    OPT_DIE,
    OPT_HELP
};

static const struct option names[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"tls-self-signed", required_argument, NULL, OPT_TLS},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"kubeconfig", required_argument, NULL, OPT_KUBECONFIG},
    {"crd", required_argument, NULL, OPT_CRD},
    {"audit", required_argument, NULL, OPT_AUDIT},
    {"git-version", required_argument, NULL, OPT_GIT_VERSION},
    {"seed", required_argument, NULL, OPT_SEED},
    {"history", required_argument, NULL, OPT_HISTORY},
    {"bookmark-ms", required_argument, NULL, OPT_BOOKMARK},
    {"latency-ms", required_argument, NULL, OPT_LATENCY},
    {"slow-start-ms", required_argument, NULL, OPT_SLOW_START},
    {"watch-split-bytes", required_argument, NULL, OPT_SPLIT},
    {"gzip-min", required_argument, NULL, OPT_GZIP_MIN},
    {"gzip-watch", no_argument, NULL, OPT_GZIP_WATCH},
    {"fault", required_argument, NULL, OPT_FAULT},
    {"die-with-parent", no_argument, NULL, OPT_DIE},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int take_number(const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || number > most)
        return -1;
    *value = number;
    return 0;
}

static int take_list(const char **list, size_t *n, const char *text)
{
    if (*n == LIST_MAX)
        return -1;
    list[(*n)++] = text;
    return 0;
}

static int take_token(struct options *options, char *text)
{
    char *equals = strchr(text, '=');

    if (equals == NULL || options->n_users == LIST_MAX)
        return -1;
    *equals = '\0';
    options->users[options->n_users].token = text;
    options->users[options->n_users++].user = equals + 1;
    return 0;
}

/* Options whose value is a number. 0, or -1. */
static int take_counted(struct options *options, int which, const char *text)
{
    uint64_t value;

    if (take_number(text, which == OPT_SEED ? UINT64_MAX : UINT32_MAX, &value) != 0)
        return -1;
    switch (which) {
    case OPT_PORT: options->port = (unsigned)value; return value > 65535 ? -1 : 0;
    case OPT_SEED: options->seed = value; return 0;
    case OPT_HISTORY: options->history = value; return 0;
    case OPT_BOOKMARK: options->bookmark_ms = (unsigned)value; return 0;
    case OPT_LATENCY: options->latency_ms = (unsigned)value; return 0;
    case OPT_SLOW_START: options->slow_start_ms = (unsigned)value; return 0;
    case OPT_SPLIT: options->split_bytes = value; return 0;
    case OPT_GZIP_MIN: options->gzip_min = value; return 0;
    default: return -1;
    }
}

static int take(struct options *options, int which)
{
    switch (which) {
    case OPT_TLS: options->tls_dir = optarg; return 0;
    case OPT_TOKEN: return take_token(options, optarg);
    case OPT_KUBECONFIG: return take_list(options->kubeconfigs, &options->n_kubeconfigs, optarg);
    case OPT_CRD: return take_list(options->crds, &options->n_crds, optarg);
    case OPT_FAULT: return take_list(options->faults, &options->n_faults, optarg);
    case OPT_AUDIT: options->audit_file = optarg; return 0;
    case OPT_GIT_VERSION: options->git_version = optarg; return 0;
    case OPT_GZIP_WATCH: options->gzip_watch = true; return 0;
    case OPT_DIE: options->die_with_parent = true; return 0;
    default: return optarg ? take_counted(options, which, optarg) : -1;
    }
}

int options_read(struct options *options, int argc, char **argv)
{
    int which;

    memset(options, 0, sizeof *options);
    options->seed = 1;
    options->bookmark_ms = 60000;
    options->gzip_min = 128u * 1024u;
    while ((which = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (which == OPT_HELP) {
            (void)fputs(help, stdout);
            return 1;
        }
        if (which == '?' || take(options, which) != 0) {
            (void)fputs("kube-apiserver simulator: wrong usage, see --help\n", stderr);
            return 3;
        }
    }
    if (optind < argc) {
        (void)fputs("kube-apiserver simulator: takes no arguments, see --help\n", stderr);
        return 3;
    }
    return 0;
}
