/* tests/sim/kube-apiserver/main.c -- the stand-alone simulated API server: one thread, one loop.
 * Owns the life of the process: options, core, files, listener, ready line, loop, end on SIGTERM or SIGINT.
 * Started by tests, by the demo and by hand. */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/exchange.h"

#define IDLE_SECONDS 120u /* an idle connection is closed after that */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void catch_signals(const struct options *options)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    if (options->die_with_parent) {
        pid_t parent = getppid();

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || parent == 1)
            stop = 1; /* it ended before the kernel was told */
    }
}

static int add_faults(struct server *server)
{
    const struct options *options = server->options;
    int bad = 0;

    if (options->slow_start_ms > 0) {
        json_t *rule = json_pack("{s:s,s:i,s:I}", "action", "status", "code", 503, "forMs",
                                 (json_int_t)options->slow_start_ms);

        bad |= kube_sim_add_fault(server->sim, rule, exchange_now_ms());
        json_decref(rule);
    }
    for (size_t i = 0; i < options->n_faults; i++) {
        json_t *rule = json_loads(options->faults[i], 0, NULL);

        bad |= rule == NULL || kube_sim_add_fault(server->sim, rule, exchange_now_ms()) != 0;
        json_decref(rule);
    }
    if (bad)
        (void)fputs("kube-apiserver simulator: a fault rule is wrong\n", stderr);
    return bad ? -1 : 0;
}

static int make_core(struct server *server)
{
    const struct options *options = server->options;
    struct kube_sim_config config = {.seed = options->seed,
                                     .history = options->history,
                                     .users = options->users,
                                     .n_users = options->n_users,
                                     .git_version = options->git_version,
                                     .switches = &options->switches};

    if (options->audit_file != NULL) {
        server->audit = fopen(options->audit_file, "a");
        if (server->audit == NULL) {
            perror(options->audit_file);
            return -1;
        }
        config.audit = audit_write;
        config.audit_ctx = server->audit;
    }
    server->sim = kube_sim_new(&config, exchange_now_ms());
    for (size_t i = 0; i < options->n_crds; i++)
        if (crdfile_load(server->sim, options->crds[i], exchange_now_ms()) != 0)
            return -1;
    return add_faults(server);
}

static int listen_on(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->options->port)};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls[3] = {{MHD_OPTION_END, 0, NULL}};
    const union MHD_DaemonInfo *info;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (server->options->tls_dir != NULL) {
        if (tls_make(server->options->tls_dir, &server->cert_pem, &server->key_pem) != 0) {
            (void)fputs("kube-apiserver simulator: cannot make certificates\n", stderr);
            return -1;
        }
        flags |= MHD_USE_TLS;
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, server->cert_pem};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, server->key_pem};
        tls[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_handle, server, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_URI_LOG_CALLBACK, http_begin, server, MHD_OPTION_NOTIFY_COMPLETED, http_end, server,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(128 * 1024),
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    info = server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (info == NULL) {
        (void)fputs("kube-apiserver simulator: cannot listen\n", stderr);
        return -1;
    }
    (void)snprintf(server->url, sizeof server->url, "http%s://127.0.0.1:%u",
                   server->options->tls_dir ? "s" : "", (unsigned)info->port);
    return 0;
}

static int say_ready(const struct server *server)
{
    json_t *line = json_pack("{s:b,s:s}", "ready", 1, "url", server->url);

    for (size_t i = 0; i < server->options->n_kubeconfigs; i++)
        if (kubeconfig_write(server, server->options->kubeconfigs[i]) != 0) {
            (void)fprintf(stderr, "kube-apiserver simulator: cannot write %s\n",
                          server->options->kubeconfigs[i]);
            json_decref(line);
            return -1;
        }
    if (server->options->tls_dir != NULL)
        (void)json_object_set_new(line, "caFile", json_sprintf("%s/ca.crt", server->options->tls_dir));
    (void)json_dumpf(line, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
    json_decref(line);
    return 0;
}

static void run(struct server *server)
{
    while (!stop) {
        int wait_ms = http_tick(server, exchange_now_ms());

        (void)MHD_run_wait(server->daemon, wait_ms);
    }
}

static void leave(struct server *server)
{
    if (server->daemon != NULL) {
        http_stop(server);
        (void)MHD_run(server->daemon);
        MHD_stop_daemon(server->daemon);
    }
    kube_sim_free(server->sim);
    if (server->audit != NULL)
        (void)fclose(server->audit);
    free(server->cert_pem);
    free(server->key_pem);
}

int main(int argc, char **argv)
{
    static struct options options;
    struct server server = {.options = &options};
    int done = options_read(&options, argc, argv);
    int result = 1;

    if (done)
        return done - 1;
    server.split_state = options.seed | 1;
    catch_signals(&options);
    if (make_core(&server) == 0 && listen_on(&server) == 0 && say_ready(&server) == 0) {
        run(&server);
        result = 0;
    }
    leave(&server);
    return result;
}
