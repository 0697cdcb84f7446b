/* watcher/exec_plugin.c -- asks the helper for runs, one at a time, reads what it says through the loop, and
 * keeps the credential. Blocks nobody: who needs one waits in http.c. Logs no secret and wipes what it holds.
 * Called by http.c and main.c. */
#include "watcher/exec_plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/contract.h"
#include "watcher/exec_answer.h"

struct exec_plugin {
    zloop_t *loop;
    struct access *access;
    const struct exec_helper *helper;
    struct {
        exec_plugin_heard *heard;
        void *ctx;
    } listeners[EXEC_LISTENERS_MAX];
    unsigned n_listeners;
    /* the credential */
    uint64_t generation;   /* 0: none yet */
    int64_t good_until_ms; /* wall clock */
    bool refused;          /* the server said 401 to it */
    /* the runs */
    bool running;
    unsigned streak;    /* runs in a row after which nothing was answered but 401, and failed ones */
    int64_t not_before; /* CLOCK_BOOTTIME */
    int timer;          /* zloop's id of the planned run, -1: none */
    struct exec_report report;
    size_t got; /* of report and the text behind it */
    char *text;
    /* for people */
    uint64_t runs, failures;
    int64_t ran_ms; /* wall clock */
    char error[EXEC_ERROR_MAX];
};

static const struct exec_entry *entry_of(const struct exec_plugin *p)
{
    return p->access->exec;
}

/* ---- when to run ---- */

static int on_due(zloop_t *loop, int timer, void *arg);

static void run(struct exec_plugin *p)
{
    if (p->running)
        return;
    int64_t wait = p->not_before - clock_now().boot_ms;
    if (wait > 0) {
        if (p->timer == -1)
            p->timer = zloop_timer(p->loop, (size_t)wait, 1, on_due, p);
        return;
    }
    p->runs++;
    p->running = true;
    p->ran_ms = clock_now().wall_ms;
    if (send(p->helper->fd, "r", 1, MSG_NOSIGNAL) != 1)
        log_error("cannot ask the helper for a run of the exec plugin", F_STR("error", strerror(errno)));
}

static int on_due(zloop_t *loop, int timer, void *arg)
{
    struct exec_plugin *p = arg;

    (void)loop;
    if (timer == p->timer) {
        p->timer = -1;
        run(p);
    }
    return 0;
}

/* The first run after a success comes at once, and so does a second; a plugin or a server that goes on
 * failing must not keep us busy. */
static void one_more_failure(struct exec_plugin *p)
{
    int64_t wait = 0;

    if (++p->streak >= 2)
        wait = p->streak < 8 ? (int64_t)EXEC_AGAIN_MS << (p->streak - 2) : EXEC_AGAIN_MAX_MS;
    if (wait > EXEC_AGAIN_MAX_MS)
        wait = EXEC_AGAIN_MAX_MS;
    p->not_before = wait ? clock_now().boot_ms + wait : 0;
}

/* Unexpired; client-go allows no leeway, and neither do we. */
static bool has_credential(const struct exec_plugin *p)
{
    return p->generation && clock_now().wall_ms <= p->good_until_ms;
}

bool exec_plugin_ready(struct exec_plugin *p)
{
    if (!p)
        return true;
    /* One that was refused is still better than none while its successor has to wait for its turn. */
    if (has_credential(p) && !(p->refused && p->running))
        return true;
    run(p);
    return false;
}

uint64_t exec_plugin_generation(const struct exec_plugin *p)
{
    return p ? p->generation : 0;
}

void exec_plugin_answered(struct exec_plugin *p, uint64_t generation, int status)
{
    if (!p || !status || generation != p->generation || p->running)
        return;
    if (status != 401) {
        p->streak = 0;
        p->not_before = 0;
        p->refused = false;
        return;
    }
    if (!p->refused)
        one_more_failure(p);
    p->refused = true;
    run(p);
}

/* ---- what came of it ---- */

static void tell(struct exec_plugin *p, const char *error)
{
    for (unsigned i = 0; i < p->n_listeners; i++)
        p->listeners[i].heard(p->listeners[i].ctx, error);
}

static void failed(struct exec_plugin *p, const char *what)
{
    const struct exec_entry *entry = entry_of(p);
    bool hint =
        entry->hint && (p->report.end == EXEC_NOT_STARTED || p->report.end == EXEC_EXITED) && p->report.code;

    p->failures++;
    one_more_failure(p);
    snprintf(p->error, sizeof p->error, "the exec plugin %.100s gave no credential: %.200s%s%.250s",
             entry->name, what, hint ? "; " : "", hint ? entry->hint : "");
    log_error("no credential from the exec plugin", F_STR("command", entry->name), F_STR("error", p->error),
              F_INT("failuresInARow", p->streak));
    p->refused = false; /* as long as it lasts, the old one again */
    tell(p, has_credential(p) ? NULL : p->error);
}

static void put(char **place, char *text)
{
    if (*place)
        explicit_bzero(*place, strlen(*place));
    free(*place);
    *place = text;
}

static bool same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Takes the credential over. */
static void keep(struct exec_plugin *p, struct exec_credential *fresh)
{
    struct access *access = p->access;
    char until[CLOCK_TEXT_MAX] = "the end of this process";

    if (!same(access->cert, fresh->cert) || !same(access->key, fresh->key))
        access->era++;
    put(&access->token, fresh->token);
    put(&access->cert, fresh->cert);
    put(&access->key, fresh->key);
    p->good_until_ms = fresh->good_until_ms;
    p->generation++;
    p->refused = false;
    p->error[0] = '\0';
    if (p->good_until_ms != INT64_MAX)
        clock_text_seconds(p->good_until_ms, until);
    log_info("a credential from the exec plugin", F_STR("command", entry_of(p)->name),
             F_STR("goodUntil", until), F_STR("certificate", access->cert ? "yes" : "no"));
    tell(p, NULL);
}

static void judge(struct exec_plugin *p)
{
    struct exec_credential fresh;
    char why[EXEC_ERROR_MAX] = "";

    p->running = false;
    switch ((enum exec_end)p->report.end) {
    case EXEC_EXITED:
        if (p->report.code)
            snprintf(why, sizeof why, "it ended with exit code %d", p->report.code);
        break;
    case EXEC_SIGNALLED: snprintf(why, sizeof why, "it was ended by signal %d", p->report.code); break;
    case EXEC_TOO_LONG: snprintf(why, sizeof why, "it took too long and was killed"); break;
    case EXEC_TOO_MUCH:
        snprintf(why, sizeof why, "it printed over %u bytes and was killed", EXEC_OUT_MAX);
        break;
    case EXEC_NOT_STARTED:
        snprintf(why, sizeof why, "it could not be started: %s", strerror(p->report.code));
        break;
    }
    if (why[0] || exec_answer_read(p->text, p->report.len, entry_of(p)->api_version, &fresh, why))
        failed(p, why);
    else if (clock_now().wall_ms > fresh.good_until_ms) {
        exec_credential_wipe(&fresh);
        failed(p, "its credential has expired already");
    } else
        keep(p, &fresh);
}

/* ---- the helper's socket ---- */

/* Reads what is there. Returns false when the helper is gone. */
static bool receive(struct exec_plugin *p)
{
    for (;;) {
        size_t head = sizeof p->report, want = p->got < head ? head : head + p->report.len;
        char *to = p->got < head ? (char *)&p->report + p->got : p->text + (p->got - head);

        if (p->got == want)
            return true;
        ssize_t n = recv(p->helper->fd, to, want - p->got, 0);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        p->got += (size_t)n;
        if (p->got == head && p->report.len <= EXEC_OUT_MAX)
            p->text = x_malloc(p->report.len + 1);
        else if (p->got == head)
            return false;
    }
}

static int on_report(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct exec_plugin *p = arg;

    (void)loop;
    (void)item;
    if (!receive(p)) {
        log_error("the helper for exec plugins is gone", F_INT("pid", p->helper->pid),
                  F_STR("advice", exit_sentence(EXIT_HELPER)));
        exit(EXIT_HELPER);
    }
    if (p->got < sizeof p->report || p->got < sizeof p->report + p->report.len)
        return 0;
    judge(p);
    explicit_bzero(p->text, p->report.len);
    free(p->text);
    p->text = NULL;
    p->got = 0;
    return 0;
}

struct exec_plugin *exec_plugin_new(zloop_t *loop, struct access *access, const struct exec_helper *helper)
{
    zmq_pollitem_t item = {.fd = helper->fd, .events = ZMQ_POLLIN};

    if (!access->exec || helper->fd < 0)
        return NULL;
    struct exec_plugin *p = x_calloc(1, sizeof *p);
    *p = (struct exec_plugin){.loop = loop, .access = access, .helper = helper, .timer = -1};
    fcntl(helper->fd, F_SETFL, O_NONBLOCK);
    zloop_poller(loop, &item, on_report, p);
    zloop_poller_set_tolerant(loop, &item);
    return p;
}

void exec_plugin_free(struct exec_plugin *p)
{
    if (!p)
        return;
    zmq_pollitem_t item = {.fd = p->helper->fd};
    zloop_poller_end(p->loop, &item);
    if (p->timer != -1)
        zloop_timer_end(p->loop, p->timer);
    if (p->text)
        explicit_bzero(p->text, p->report.len);
    free(p->text);
    free(p);
}

void exec_plugin_listen(struct exec_plugin *p, exec_plugin_heard *heard, void *ctx)
{
    if (!p || p->n_listeners == EXEC_LISTENERS_MAX)
        return;
    p->listeners[p->n_listeners].heard = heard;
    p->listeners[p->n_listeners++].ctx = ctx;
}

/* ---- for people ---- */

static void pack_time(struct pack *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_TEXT_MAX] = "";

    if (wall_ms != 0)
        clock_text_seconds(wall_ms, text);
    pack_text(out, name);
    pack_text(out, text);
}

void exec_plugin_pack(const struct exec_plugin *p, struct pack *out)
{
    if (!p)
        return;
    pack_text(out, "exec_plugin");
    pack_map(out, 6);
    pack_text(out, "command");
    pack_text(out, entry_of(p)->name);
    pack_text(out, "runs");
    pack_uint(out, p->runs);
    pack_text(out, "failures");
    pack_uint(out, p->failures);
    pack_time(out, "lastRun", p->ran_ms);
    if (p->generation && p->good_until_ms == INT64_MAX) {
        pack_text(out, "goodUntil");
        pack_text(out, "the watcher ends");
    } else {
        pack_time(out, "goodUntil", p->good_until_ms);
    }
    pack_text(out, "lastError");
    pack_text(out, p->error);
}
