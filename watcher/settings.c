/* watcher/settings.c -- options and environment to the watcher's configuration; starts the helper that
 * an exec plugin needs. Called by main.c. */
#include "watcher/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/proc.h"
#include "watcher/config_file.h"
#include "watcher/core/object.h"

#define FIELD_MANAGER "gardener-extension-provider-packet"
#define ACCOUNT_DIR   "/var/run/secrets/kubernetes.io/serviceaccount"

_Noreturn void settings_fail(int code, const char *msg, const char *detail)
{
    log_error(msg, F_STR("error", detail), F_STR("advice", exit_sentence(code)));
    exit(code);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

static void find_server(struct settings *s)
{
    const char *given = proc_option("kubeconfig");
    bool several = strchr(given, ':') && access(given, F_OK) != 0; /* came from KUBECONFIG */
    struct access_request where = {
        .kubeconfig = several ? "" : given,
        .master = proc_option("master"),
        .env = several ? given : environment("KUBECONFIG"),
        .home = environment("HOME"),
        .service_host = environment("KUBERNETES_SERVICE_HOST"),
        .service_port = environment("KUBERNETES_SERVICE_PORT"),
        .account_dir = ACCOUNT_DIR,
        .proxies = proxy_environment(),
    };
    char error[ACCESS_ERROR_MAX] = "";

    if (config_file_check(proc_option("config-file"), error, sizeof error))
        settings_fail(EXIT_CONFIG, "the configuration file is wrong", error);
    if (access_find(&s->access, &where, error))
        settings_fail(EXIT_CONFIG, "the way to the API server is wrong", error);
    char *proxy = proxy_shown(s->access.proxy);
    log_info("using this API server", F_STR("server", s->access.server), F_STR("from", s->access.source),
             F_STR("proxy", *proxy ? proxy : "none"));
    free(proxy);
}

/* Over plain http no credentials are sent (kubernetes 4), so none are asked for. */
static void start_helper(struct settings *s)
{
    const struct exec_entry *exec = s->access.exec;

    s->helper.fd = -1;
    if (!exec || s->access.plain)
        return;
    if (exec_helper_start(&s->helper, exec, EXEC_RUN_MS))
        settings_fail(EXIT_MEMORY, "cannot start the helper for exec plugins", strerror(errno));
    log_info("an exec plugin gives the credentials", F_STR("command", exec->name),
             F_STR("apiVersion", exec->api_version), F_INT("helper", s->helper.pid));
}

/* ---- election and heartbeat (gardener 8.1, 9.1) */

static int64_t milliseconds(const char *option)
{
    return 1000 * strtoll(proc_option(option), NULL, 10);
}

/* The pod's own, as the service account tells it. */
static void namespace_of_pod(char *buf)
{
    FILE *file = fopen(ACCOUNT_DIR "/namespace", "re");

    buf[0] = '\0';
    if (!file)
        return;
    if (!fgets(buf, SETTINGS_NS_MAX, file))
        buf[0] = '\0';
    buf[strcspn(buf, "\r\n")] = '\0';
    fclose(file);
}

static void check_name(const char *option, const char *value)
{
    if (!object_name_ok(span_of(value)))
        settings_fail(EXIT_CONFIG, "an option holds no name that Kubernetes allows", option);
}

static void read_election(struct settings *s)
{
    const char *given = proc_option("leader-election-namespace");

    if (!proc_option_true("leader-election"))
        return;
    if (*given)
        snprintf(s->ns, sizeof s->ns, "%s", given);
    else
        namespace_of_pod(s->ns);
    if (!s->ns[0])
        settings_fail(EXIT_CONFIG,
                      "leader election needs a namespace: give --leader-election-namespace or set "
                      "LEADER_ELECTION_NAMESPACE; or run alone with --leader-election=false",
                      "--leader-election-namespace");
    check_name("--leader-election-namespace", s->ns);
    check_name("--leader-election-id", proc_option("leader-election-id"));
    s->config.election = (struct watcher_election){
        .ns = s->ns,
        .name = proc_option("leader-election-id"),
        .identity = environment(ENV_IDENTITY),
        .duration_ms = milliseconds("leader-election-lease-duration-seconds"),
        .renew_ms = milliseconds("leader-election-renew-deadline-seconds"),
        .retry_ms = milliseconds("leader-election-retry-period-seconds"),
    };
    if (!*s->config.election.identity)
        settings_fail(EXIT_BUG, "the supervisor gave no identity", ENV_IDENTITY);
}

static bool list_has(const char *list, const char *item)
{
    size_t len = strlen(item);

    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == len && !memcmp(at, item, len))
            return true;
    return false;
}

static void read_heartbeat(struct settings *s)
{
    const char *ns = proc_option("heartbeat-namespace");

    if (!list_has(proc_option("controllers"), "heartbeat") ||
        list_has(proc_option("disable-controllers"), "heartbeat"))
        return;
    if (!*ns) {
        log_warn("no heartbeat Lease: --heartbeat-namespace is not given", F_STR("controller", "heartbeat"));
        return;
    }
    check_name("--heartbeat-namespace", ns);
    s->config.heartbeat_ns = ns;
    s->config.heartbeat_ms = milliseconds("heartbeat-renew-interval-seconds");
}

void settings_read(struct settings *s)
{
    *s = (struct settings){0};
    find_server(s);
    start_helper(s);
    s->config.ignore_operation = proc_option_true("ignore-operation-annotation");
    s->config.classes = proc_option("extension-classes");
    s->config.field_manager = FIELD_MANAGER;
    s->config.sync_timeout_ms = milliseconds("cache-sync-timeout-seconds");
    s->config.quarantine_after = strtoull(proc_option("quarantine-after"), NULL, 10);
    s->config.check_every_ms = milliseconds("drift-check-interval-seconds");
    read_election(s);
    read_heartbeat(s);
}

void settings_keep(const struct settings *settings, struct confinement *keep)
{
    const struct access *access = &settings->access;

    confine_read_beside(keep, access->token_file);
    confine_read_beside(keep, access->ca_file);
    confine_read_beside(keep, access->cert_file);
    confine_read_beside(keep, access->key_file);
    keep->helper = settings->helper.fd >= 0 ? settings->helper.pid : 0;
}

void settings_clear(struct settings *s)
{
    exec_helper_end(&s->helper);
    access_clear(&s->access);
}
