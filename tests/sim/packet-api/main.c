/* tests/sim/packet-api/main.c -- life of the stand-alone simulator: options, state, sockets, ready line,
 * loop. Owns the order of these steps; see --help for use. Called by tests, by make targets and by hand. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/sim/packet-api/server.h"

static void write_line(void *arg, const char *line, size_t len)
{
    struct server *server = arg;
    if (server->ledger != NULL) {
        fwrite(line, 1, len, server->ledger);
        fflush(server->ledger);
    }
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "sim-packet-api: %s: %s\n", what, why);
    return -1;
}

static char *slurp(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);
    if (file == NULL || text == NULL || fread(text, 1, 65535, file) == 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

static int prepare_tls(struct server *server)
{
    const struct options *options = server->options;
    if (options->tls_self_signed != NULL) {
        if (selfsigned_make(options->tls_self_signed, &server->cert, &server->key) != 0)
            return fail(options->tls_self_signed, "cannot make a certificate there");
    } else if (options->tls_cert != NULL) {
        server->cert = slurp(options->tls_cert);
        server->key = slurp(options->tls_key);
        if (server->cert == NULL || server->key == NULL)
            return fail(options->tls_cert, "cannot read certificate or key");
    }
    return 0;
}

/* The next part of A[:B[:C]]; the rest stays in *rest. Parts are cut inside a copy. */
static char *part(char **rest)
{
    char *start = *rest;
    if (start == NULL)
        return NULL;
    char *colon = strchr(start, ':');
    *rest = colon != NULL ? colon + 1 : NULL;
    if (colon != NULL)
        *colon = '\0';
    return *start != '\0' ? start : NULL;
}

static int add_project(struct server *server, const char *spec)
{
    char *copy = strdup(spec), *rest = copy, *id = part(&rest), *name = part(&rest), *account = part(&rest);
    const char *added =
        id != NULL ? packet_sim_add_project(server->sim, id, name, account, server_now_ms(server)) : NULL;
    free(copy);
    return added != NULL ? 0 : fail("--project", "UUID[:name[:account]], each once");
}

static int add_token(struct server *server, const char *spec)
{
    static const char *const kinds[] = {"user", "project", "read-only", "revoked"};
    char *copy = strdup(spec), *rest = copy, *token = part(&rest), *kind = part(&rest),
         *project = part(&rest);
    char *account = part(&rest);
    int found = kind == NULL ? 0 : -1, result = -1;
    for (int i = 0; kind != NULL && i < 4; i++)
        if (strcmp(kinds[i], kind) == 0)
            found = i;
    if (token != NULL && found >= 0)
        result =
            packet_sim_add_token(server->sim, token, (enum packet_sim_token_kind)found, project, account);
    free(copy);
    return result == 0 ? 0
                       : fail("--token", "TOKEN[:user|project|read-only|revoked[:PROJECT[:account]]]; "
                                         "the project must be known");
}

static int preload(struct server *server)
{
    const struct options *o = server->options;
    const char *why = "";
    for (unsigned i = 0; i < o->n_configs; i++)
        if (packet_sim_configure(server->sim, o->configs[i], &why) != 0)
            return fail("configuration", why);
    for (unsigned i = 0; i < o->n_projects; i++)
        if (add_project(server, o->projects[i]) != 0)
            return -1;
    for (unsigned i = 0; i < o->n_tokens; i++)
        if (add_token(server, o->tokens[i]) != 0)
            return -1;
    for (unsigned i = 0; i < o->n_faults; i++)
        if (packet_sim_add_fault(server->sim, o->faults[i], &why) < 0)
            return fail("--fault", why);
    return 0;
}

static void say_ready(const struct server *server)
{
    const struct options *o = server->options;
    char ca[4096] = "";
    if (o->tls_self_signed != NULL)
        snprintf(ca, sizeof ca, "%s/ca.crt", o->tls_self_signed);
    json_t *line =
        json_pack("{s:b, s:o, s:o, s:s, s:I}", "ready", 1, "url",
                  json_sprintf("%s://%s:%d%s", server->cert != NULL ? "https" : "http", o->host, server->port,
                               o->sim.prefix),
                  "adminURL", json_sprintf("http://%s:%d/_sim", o->host, server->admin_port), "caFile",
                  *ca != '\0'           ? ca
                  : o->tls_cert != NULL ? o->tls_cert
                                        : "",
                  "pid", (json_int_t)getpid());
    json_dumpf(line, stdout, JSON_COMPACT);
    json_decref(line);
    putchar('\n');
    fflush(stdout);
}

/* A parent that died between fork and prctl() would be missed without the second look. */
static int follow_parent(void)
{
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        return fail("--die-with-parent", "no parent");
    return 0;
}

/* Blocked before anything starts so that the loop's signalfd gets them. */
static void block_signals(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int open_ledger(struct server *server)
{
    const char *path = server->options->ledger;
    if (path == NULL)
        return 0;
    server->ledger = strcmp(path, "-") == 0 ? stdout : fopen(path, "ae");
    return server->ledger != NULL ? 0 : fail(path, strerror(errno));
}

static int serve(struct server *server)
{
    if (open_ledger(server) != 0 || prepare_tls(server) != 0)
        return 1;
    server_start_clock(server);
    if (preload(server) != 0)
        return 2;
    if (server_start(server) != 0 || server->listening == NULL) {
        fail("listen", strerror(errno));
        return 1;
    }
    say_ready(server);
    return server_run(server) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options;
    struct server server = {.options = &options};
    int status;
    if (options_read(&options, argc, argv, &status) != 0)
        return status;
    block_signals();
    if (options.die_with_parent && follow_parent() != 0)
        return 1;
    options.sim.on_line = options.ledger != NULL ? write_line : NULL;
    options.sim.arg = &server;
    server.sim = packet_sim_new(&options.sim);
    status = serve(&server);
    server_stop(&server);
    packet_sim_free(server.sim);
    if (server.ledger != NULL)
        fclose(server.ledger);
    free(server.cert);
    free(server.key);
    return status;
}
