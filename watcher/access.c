/* watcher/access.c -- chooses where the API server's address and credentials come from, checks them, and
 * keeps the token fresh. Logs no secret. Called by main.c and the HTTP files. */
#include "watcher/access.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/exec_entry.h"
#include "watcher/yaml.h"

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void access_clear(struct access *access)
{
    wipe(&access->token);
    wipe(&access->key);
    wipe(&access->password);
    free(access->server);
    free(access->ca);
    free(access->tls_server_name);
    free(access->token_file);
    free(access->ca_file);
    free(access->cert_file);
    free(access->key_file);
    free(access->cert);
    free(access->username);
    wipe(&access->proxy_url);
    wipe(&access->proxy);
    impersonate_free(&access->impersonate);
    exec_entry_free(access->exec);
    *access = (struct access){0};
}

/* ---- the token ---- */

/* Returns a trimmed copy, or NULL when there is nothing usable. */
static char *read_token(const char *path)
{
    size_t len = 0, from = 0;
    char *text = file_read(path, TOKEN_MAX, &len), *token = NULL;

    if (!text)
        return NULL;
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    while (from < len && isspace((unsigned char)text[from]))
        from++;
    bool clean = from < len;
    for (size_t i = from; i < len; i++)
        clean = clean && text[i] > 0x20 && text[i] < 0x7f;
    if (clean)
        token = x_strndup(text + from, len - from);
    explicit_bzero(text, len);
    free(text);
    return token;
}

const char *access_token(struct access *access, int64_t now_ms)
{
    char *fresh;

    if (!access->token_file || (access->token && now_ms - access->token_read_ms < TOKEN_REREAD_MS))
        return access->token;
    fresh = read_token(access->token_file);
    access->token_read_ms = now_ms;
    if (!fresh) {
        log_warn("cannot read the token file; going on with the last good token",
                 F_STR("path", access->token_file));
        return access->token;
    }
    wipe(&access->token);
    access->token = fresh;
    return access->token;
}

/* ---- checks ---- */

/* A host alone gets its scheme (kubernetes 1.3); what comes after the path is dropped. */
static int finish_server(struct access *access, const struct proxy_environment *proxies, char *error)
{
    bool tls = access->ca || access->cert || access->insecure;
    char *server = access->server;

    if (!strstr(server, "://")) {
        if (strchr(server, '/')) {
            snprintf(error, ACCESS_ERROR_MAX, "server \"%.200s\" has a path but no scheme", server);
            return -1;
        }
        access->server = x_asprintf("%s://%s", tls ? "https" : "http", server);
        free(server);
        server = access->server;
    }
    access->plain = !strncmp(server, "http://", 7);
    if ((!access->plain && strncmp(server, "https://", 8)) || strpbrk(server, " \t\r\n\"<>@")) {
        snprintf(error, ACCESS_ERROR_MAX, "server \"%.200s\" is no http or https URL", server);
        return -1;
    }
    const char *host = strstr(server, "://") + 3;
    if (strcspn(host, ":/?#") == 0) {
        snprintf(error, ACCESS_ERROR_MAX, "server \"%.200s\" names no host", server);
        return -1;
    }
    server[strcspn(server, "?#")] = '\0';
    size_t len = strlen(server);
    while (server[len - 1] == '/')
        server[--len] = '\0';
    access->proxy = proxy_choose(server, access->proxy_url, proxies, error, ACCESS_ERROR_MAX);
    return access->proxy ? 0 : -1;
}

int access_finish(struct access *access, const struct proxy_environment *proxies, char *error)
{
    const char *wrong = NULL;

    if (!access->server || !*access->server)
        wrong = "no API server is named";
    else if (access->insecure && access->ca)
        wrong = "insecure-skip-tls-verify and a certificate authority exclude each other";
    else if (access->cert && !access->key)
        wrong = "client-certificate needs client-key";
    else if (access->key && !access->cert)
        wrong = "client-key needs client-certificate";
    else if ((access->token || access->token_file) && access->username)
        wrong = "token and username exclude each other";
    else if (access->ca && access_certificates(access->ca) == 0)
        wrong = "the certificate authority holds no certificate";
    if (wrong) {
        snprintf(error, ACCESS_ERROR_MAX, "%s", wrong);
        return -1;
    }
    if (access->insecure)
        log_warn("the API server's certificate is NOT checked: insecure-skip-tls-verify is set",
                 F_STR("server", access->server));
    return finish_server(access, proxies, error);
}

/* ---- the choice ---- */

static int use_master(struct access *access, const char *master)
{
    if (!*master)
        return 0;
    free(access->server);
    access->server = x_strdup(master);
    return 0;
}

static int from_files(struct access *access, const struct access_request *request, const char *files,
                      bool explicit_file, char *error)
{
    access->source = "kubeconfig";
    if (kubeconfig_load(access, files, explicit_file, error))
        return -1;
    return use_master(access, request->master);
}

int access_find(struct access *access, const struct access_request *request, char *error)
{
    int rc = 0;

    *access = (struct access){0};
    if (*request->kubeconfig)
        rc = from_files(access, request, request->kubeconfig, true, error);
    else if (*request->env)
        rc = from_files(access, request, request->env, false, error);
    else if (*request->master) {
        access->source = "--master";
        rc = use_master(access, request->master);
    }
    if (!rc && !access->server && !*request->kubeconfig && in_cluster_possible(request)) {
        access_clear(access);
        access->source = "in-cluster";
        rc = in_cluster_load(access, request, error);
    } else if (!rc && !access->server && !*request->kubeconfig && !*request->env && *request->home) {
        char *file = x_asprintf("%s/.kube/config", request->home);

        access->source = "~/.kube/config";
        rc = kubeconfig_load(access, file, false, error);
        free(file);
    }
    if (rc)
        return rc;
    if (!access->server) {
        snprintf(error, ACCESS_ERROR_MAX,
                 "no API server is configured: give --kubeconfig or KUBECONFIG, or run in a cluster");
        return -1;
    }
    rc = access_finish(access, &request->proxies, error);
    if (!rc && access->exec)
        exec_entry_finish(access->exec, access);
    return rc;
}
