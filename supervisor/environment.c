/* supervisor/environment.c -- what a child finds in its environment: a short list of inherited names by role,
 * the contract's, and its options. Nothing else of ours gets through, but renamed for an exec plugin. Called
 * by spawn.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "supervisor/supervisor.h"

extern char **environ;

#define EVERYBODY (WATCHER | WORKER | GATEWAY | EXPORTER)
#define ON_NET    (WATCHER | GATEWAY)

/* The allow-list. */
static const struct {
    const char *name;
    unsigned roles;
} inherited[] = {
    {"PATH", EVERYBODY},
    {"HOME", EVERYBODY},
    {"TZ", EVERYBODY},
    {"HTTP_PROXY", ON_NET},
    {"http_proxy", ON_NET},
    {"HTTPS_PROXY", ON_NET},
    {"https_proxy", ON_NET},
    {"ALL_PROXY", ON_NET},
    {"all_proxy", ON_NET},
    {"NO_PROXY", ON_NET},
    {"no_proxy", ON_NET},
    {"KUBERNETES_SERVICE_HOST", WATCHER}, /* the cluster we run in */
    {"KUBERNETES_SERVICE_PORT", WATCHER},
#ifdef SANITIZED
    {"ASAN_OPTIONS", EVERYBODY},
    {"UBSAN_OPTIONS", EVERYBODY},
    {"LSAN_OPTIONS", EVERYBODY},
#endif
};

#ifndef SANITIZED
/* Each freed block is overwritten, those of the libraries too: tokens pass through buffers of libcurl,
 * OpenSSL, jansson and ZeroMQ that nobody can wipe from outside. glibc's per-thread cache would pass blocks
 * on as they are. */
#define WIPE_FREED "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"
#endif

static void add(char **environment, size_t *n, const char *name, const char *value)
{
    environment[(*n)++] = x_asprintf("%s=%s", name, value);
}

static void add_number(char **environment, size_t *n, const char *name, uint64_t value)
{
    environment[(*n)++] = x_asprintf("%s=%llu", name, (unsigned long long)value);
}

static void add_option(char **environment, size_t *n, const char *name, const char *value)
{
    char *entry = x_asprintf("%s%s=%s", ENV_OPTION_PREFIX, name, value);

    for (char *c = entry; *c != '='; c++)
        if (*c == '-')
            *c = '_';
    environment[(*n)++] = entry;
}

/* An exec plugin of the kubeconfig expects the environment that we were started in. The watcher gets it under
 * names that mean nothing to itself or to its libraries. In a pod without a kubeconfig there is no plugin. */
static bool wants_given(const struct supervisor *s, unsigned role)
{
    const char *kubeconfig = options_text(&s->options, "kubeconfig");

    return role == WATCHER && (*kubeconfig || !getenv("KUBERNETES_SERVICE_HOST"));
}

static size_t count_given(void)
{
    size_t n = 0;

    while (environ[n])
        n++;
    return n;
}

char **environment_make(const struct supervisor *s, unsigned role, uint64_t slot, uint64_t incarnation,
                        int box)
{
    size_t n_inherited = sizeof inherited / sizeof inherited[0], n_options, n = 0;
    const struct option_row *rows = options_table(&n_options);
    size_t n_given = wants_given(s, role) ? count_given() : 0;
    char **environment = x_calloc(n_inherited + n_given + 9 + n_options + 1, sizeof *environment);

    for (size_t i = 0; i < n_inherited; i++) {
        const char *value = inherited[i].roles & role ? getenv(inherited[i].name) : NULL;
        if (value)
            add(environment, &n, inherited[i].name, value);
    }
    add(environment, &n, ENV_ROLE, role_name(role));
    add_number(environment, &n, ENV_SLOT, slot);
    add_number(environment, &n, ENV_INCARNATION, incarnation);
    add_number(environment, &n, ENV_SUPERVISOR_PID, (uint64_t)getpid());
    add(environment, &n, ENV_RUNTIME_DIR, s->dir.path);
    if (box >= 0)
        add_number(environment, &n, ENV_BLACKBOX, (uint64_t)box);
    add_number(environment, &n, ENV_CLOCK, (uint64_t)clock_origin());
#ifdef WIPE_FREED
    if (role & ON_NET)
        add(environment, &n, "GLIBC_TUNABLES", WIPE_FREED);
#endif
    if (role == WATCHER)
        add(environment, &n, ENV_IDENTITY, s->identity);
    for (size_t i = 0; i < n_options; i++)
        if (rows[i].children & role)
            add_option(environment, &n, rows[i].name, s->options.values[i]);
    for (size_t i = 0; i < n_given; i++)
        environment[n++] = x_asprintf("%s%s", ENV_GIVEN_PREFIX, environ[i]);
    return environment;
}

void environment_free(char **environment)
{
    for (char **e = environment; *e; e++)
        free(*e);
    free(environment);
}
