/* supervisor/main.c -- gardener-extension-provider-packet, from birth to exit: options, runtime directory,
 * signals, sockets, the tree, the loop, and everything taken back. Parent of all other processes, perhaps
 * PID 1. */
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

/* Returns -1 to go on, or the exit code. */
static int read_command_line(struct supervisor *s, int argc, char **argv)
{
    char error[OPTIONS_ERROR_MAX];
    int wrong = options_read(&s->options, argc, argv, error);

    log_open("supervisor", LEVEL_INFO, false);
    if (!wrong && options_true(&s->options, "help")) {
        options_print_help();
        return EXIT_OK;
    }
    if (!wrong && options_true(&s->options, "version")) {
        printf("gardener-extension-provider-packet %s\n", PROVIDER_PACKET_VERSION);
        return EXIT_OK;
    }
    if (!wrong)
        wrong = options_check(&s->options, error);
    if (!wrong)
        return -1;
    log_error(error, F_STR("advice", exit_sentence(EXIT_FLAGS)));
    return EXIT_FLAGS;
}

static void begin(struct supervisor *s)
{
    enum log_level level = LEVEL_INFO;

    log_level_parse(options_text(&s->options, "log-level"), &level);
    log_open("supervisor", level, options_list_has("text", options_text(&s->options, "log-format")));
    s->started = clock_now();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    log_info("starting", F_STR("version", PROVIDER_PACKET_VERSION), F_INT("pid", getpid()),
             F_INT("workers", options_number(&s->options, "workers")));
}

/* czmq would install handlers, log to stdout, and wait for unsent frames at exit. */
static void calm_czmq(void)
{
    zsys_handler_set(NULL);
    zsys_set_logstream(NULL);
    zsys_set_logsystem(false);
    zsys_set_linger(0);
}

static void make_tree(struct supervisor *s)
{
    const struct tree_config config = {.workers = (unsigned)options_number(&s->options, "workers"),
                                       .exporter = true,
                                       .seed = (uint64_t)s->started.wall_ms << 20 ^ (uint64_t)getpid()};
    const struct tree_ops ops = {
        .ctx = s, .spawn = spawn_child, .kill = children_kill, .send = children_send};

    s->tree = tree_new(&config, &ops, s->started);
}

static void end(struct supervisor *s, int code)
{
    clients_end(s);
    bus_close(&s->bus);
    tree_free(s->tree);
    runtime_dir_close(&s->dir);
    log_info("ended", F_INT("code", code),
             F_STR("means", code == 1 ? "asked to stop twice" : exit_sentence(code)));
    options_free(&s->options);
}

int main(int argc, char **argv)
{
    static struct supervisor s = {.dir.lock = -1, .signals = -1, .null = -1, .timer = -1, .control = -1};
    int code = read_command_line(&s, argc, argv);

    if (code >= 0) {
        options_free(&s.options);
        return code;
    }
    begin(&s);
    code = identity_make(&s);
    if (code == 0)
        code = spawn_find_programs(&s);
    if (code == 0)
        code = reap_open_signals(&s);
    calm_czmq();
    if (code == 0)
        code = runtime_dir_open(&s.dir, options_text(&s.options, "runtime-dir"));
    if (code == 0)
        code = children_listen(&s);
    if (code == 0)
        code = clients_listen(&s);
    if (code == 0) {
        make_tree(&s);
        code = loop_run(&s);
    }
    end(&s, code);
    return code;
}
