/* watcher/http_wait.c -- hands requests to libcurl with the credential of that moment; those that need one of
 * the exec plugin wait here, in order, until it has been run or their own time is over. Called by http.c and
 * exec_plugin.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "watcher/exec_plugin.h"
#include "watcher/http_state.h"

static void run(struct http *http, struct transfer *t)
{
    transfer_arm(t, http->access);
    http_era_arm(http, t);
    CURLMcode code = curl_multi_add_handle(http->multi, t->easy);

    http->started++;
    if (code == CURLM_OK)
        return;
    log_error("libcurl refuses a request", F_STR("path", t->path), F_STR("error", curl_multi_strerror(code)));
    exit(EXIT_BUG);
}

/* Each in its turn; none of those that a result makes the core ask for meanwhile. */
static void fail_waiting(struct http *http, const char *error)
{
    struct transfers failing = TAILQ_HEAD_INITIALIZER(failing);
    struct transfer *t;

    TAILQ_CONCAT(&failing, &http->waiting, link);
    if (http->watch_waits) {
        http->watch_waits = false;
        http->watch_over = true;
        http->watch_code = CURLE_LOGIN_DENIED;
        snprintf(http->watch->error, sizeof http->watch->error, "%s", error);
    }
    while ((t = TAILQ_FIRST(&failing))) {
        TAILQ_REMOVE(&failing, t, link);
        snprintf(t->error, sizeof t->error, "%s", error);
        http_finish(http, t, CURLE_LOGIN_DENIED);
    }
}

static void start_waiting(struct http *http)
{
    struct transfer *t;

    if (http->watch_waits)
        run(http, http->watch);
    http->watch_waits = false;
    while ((t = TAILQ_FIRST(&http->waiting))) {
        TAILQ_REMOVE(&http->waiting, t, link);
        TAILQ_INSERT_TAIL(&http->running, t, link);
        run(http, t);
    }
}

/* The exec plugin has been run. What is under way goes on. */
static void on_credential(void *ctx, const char *error)
{
    struct http *http = ctx;

    if (error)
        fail_waiting(http, error);
    else
        start_waiting(http);
    http_turn(http);
}

void http_wait_open(struct http *http)
{
    TAILQ_INIT(&http->waiting);
    exec_plugin_listen(http->access->plugin, on_credential, http);
}

void http_wait_start(struct http *http, struct transfer *t)
{
    bool ready = exec_plugin_ready(http->access->plugin);

    TAILQ_INSERT_TAIL(ready ? &http->running : &http->waiting, t, link);
    if (ready)
        run(http, t);
}

void http_wait_watch(struct http *http)
{
    http->watch_waits = !exec_plugin_ready(http->access->plugin);
    if (!http->watch_waits)
        run(http, http->watch);
}
