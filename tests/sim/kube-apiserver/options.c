/* tests/sim/kube-apiserver/options.c -- the command line.
 * Owns the option names and defaults; their texts are in help.c. Called once by main.c. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/server.h"

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
    OPT_NO_WATCH_LIST,
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
    {"no-watch-list", no_argument, NULL, OPT_NO_WATCH_LIST},
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
    case OPT_BOOKMARK: options->switches.bookmark_ms = (unsigned)value; return 0;
    case OPT_LATENCY: options->switches.latency_ms = (unsigned)value; return 0;
    case OPT_SLOW_START: options->slow_start_ms = (unsigned)value; return 0;
    case OPT_SPLIT: options->switches.split_bytes = value; return 0;
    case OPT_GZIP_MIN: options->switches.gzip_min = value; return 0;
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
    case OPT_GZIP_WATCH: options->switches.gzip_watch = true; return 0;
    case OPT_NO_WATCH_LIST: options->switches.watch_list = false; return 0;
    case OPT_DIE: options->die_with_parent = true; return 0;
    default: return optarg ? take_counted(options, which, optarg) : -1;
    }
}

int options_read(struct options *options, int argc, char **argv)
{
    int which;

    memset(options, 0, sizeof *options);
    options->seed = 1;
    options->switches = kube_sim_defaults;
    while ((which = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (which == OPT_HELP) {
            for (size_t i = 0; help_texts[i] != NULL; i++)
                (void)fputs(help_texts[i], stdout);
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
