/* watcher/kubeconfig.c -- reads kubeconfig files: several of them merged, each entry whole from the first
 * file that names it, paths against that file's folder (kubernetes 1.3, 1.4). Refuses what it does not do.
 * Called by access.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "watcher/access.h"
#include "watcher/core/secret.h"
#include "watcher/exec_entry.h"
#include "watcher/yaml.h"

#define FILES_MAX 32

struct source {
    char *path, *dir;
    struct yaml_file yaml;
};

struct sources {
    struct source list[FILES_MAX];
    size_t count;
};

/* An entry and the file that defines it. */
struct entry {
    struct source *source;
    const yaml_node_t *node; /* NULL: not found */
};

static void sources_close(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        yaml_close(&sources->list[i].yaml);
        free(sources->list[i].path);
        free(sources->list[i].dir);
    }
}

static bool already(const struct sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->count; i++)
        if (!strcmp(sources->list[i].path, path))
            return true;
    return false;
}

static int source_open(struct sources *sources, const char *path, bool must_exist, char *error)
{
    char why[200] = "";
    size_t len = 0;
    char *text;

    if (!*path || already(sources, path))
        return 0;
    if (sources->count == FILES_MAX) {
        snprintf(error, ACCESS_ERROR_MAX, "more than %d kubeconfig files", FILES_MAX);
        return -1;
    }
    text = file_read(path, YAML_FILE_MAX, &len);
    if (!text && errno == ENOENT && !must_exist)
        return 0;
    if (!text) {
        snprintf(error, ACCESS_ERROR_MAX, "cannot read kubeconfig %s: %s", path, strerror(errno));
        return -1;
    }
    struct source *source = &sources->list[sources->count++];
    const char *slash = strrchr(path, '/');
    source->path = x_strdup(path);
    source->dir = slash ? x_strndup(path, (size_t)(slash - path) + 1) : x_strdup("");
    int rc = yaml_read(&source->yaml, text, len, why, sizeof why);
    if (rc)
        snprintf(error, ACCESS_ERROR_MAX, "kubeconfig %s: %s", path, why);
    explicit_bzero(text, len);
    free(text);
    return rc;
}

static int sources_open(struct sources *sources, const char *files, bool explicit_file, char *error)
{
    int rc = 0;

    if (explicit_file)
        return source_open(sources, files, true, error);
    while (!rc && *files) {
        size_t len = strcspn(files, ":");
        char *path = x_strndup(files, len);

        rc = source_open(sources, path, false, error);
        free(path);
        files += len + (files[len] == ':');
    }
    return rc;
}

/* The first file with a value wins. */
static const char *first_text(struct sources *sources, const char *key)
{
    for (size_t i = 0; i < sources->count; i++) {
        struct yaml_file *yaml = &sources->list[i].yaml;
        const char *text = yaml_text(yaml_get(yaml, yaml_root(yaml), key));

        if (*text)
            return text;
    }
    return "";
}

/* `part` ("cluster") of the entry called `name` in `list` ("clusters"). */
static struct entry entry_find(struct sources *sources, const char *list, const char *part, const char *name)
{
    for (size_t i = 0; *name && i < sources->count; i++) {
        struct yaml_file *yaml = &sources->list[i].yaml;
        const yaml_node_t *items = yaml_get(yaml, yaml_root(yaml), list), *item;

        for (size_t k = 0; (item = yaml_item(yaml, items, k)); k++)
            if (!strcmp(yaml_text(yaml_get(yaml, item, "name")), name))
                return (struct entry){.source = &sources->list[i], .node = yaml_get(yaml, item, part)};
    }
    return (struct entry){0};
}

static const yaml_node_t *entry_node(const struct entry *entry, const char *key)
{
    return entry->node ? yaml_get(&entry->source->yaml, entry->node, key) : NULL;
}

static const char *entry_text(const struct entry *entry, const char *key)
{
    return yaml_text(entry_node(entry, key));
}

static char *entry_path(const struct entry *entry, const char *key)
{
    const char *path = entry_text(entry, key);

    return x_asprintf("%s%s", *path == '/' ? "" : entry->source->dir, path);
}

/* Base64 in place of a file: wiped by access_clear() where it is secret. */
static char *decode(const char *text)
{
    size_t len = strlen(text);
    char *out = x_malloc(len + 1);
    long n = secret_base64(text, len, (unsigned char *)out, len);

    if (n <= 0) {
        free(out);
        return NULL;
    }
    out[n] = '\0';
    return out;
}

/* key, or key-data: at most one of them may be there. *from: the file it came from, or NULL. */
static int read_pem(const struct entry *entry, const char *key, char **out, char **from, char *error)
{
    char data_key[64];
    size_t len = 0;

    snprintf(data_key, sizeof data_key, "%s-data", key);
    const char *data = entry_text(entry, data_key);
    bool file = *entry_text(entry, key);
    if (file && *data) {
        snprintf(error, ACCESS_ERROR_MAX, "%s and %s exclude each other", key, data_key);
        return -1;
    }
    if (*data && !(*out = decode(data))) {
        snprintf(error, ACCESS_ERROR_MAX, "%s is not base64", data_key);
        return -1;
    }
    if (!file)
        return 0;
    *from = entry_path(entry, key);
    *out = file_read(*from, YAML_FILE_MAX, &len);
    if (!*out)
        snprintf(error, ACCESS_ERROR_MAX, "cannot read %s %s: %s", key, *from, strerror(errno));
    return *out ? 0 : -1;
}

static char *copy_or_null(const char *text)
{
    return *text ? x_strdup(text) : NULL;
}

static int read_cluster(struct access *access, const struct entry *cluster, char *error)
{
    access->server = copy_or_null(entry_text(cluster, "server"));
    access->proxy_url = copy_or_null(entry_text(cluster, "proxy-url"));
    access->insecure = yaml_true(entry_node(cluster, "insecure-skip-tls-verify"));
    access->tls_server_name = copy_or_null(entry_text(cluster, "tls-server-name"));
    access->no_compression = yaml_true(entry_node(cluster, "disable-compression"));
    return read_pem(cluster, "certificate-authority", &access->ca, &access->ca_file, error);
}

static const char *refused_in(const struct entry *user)
{
    if (entry_node(user, "exec") && entry_node(user, "auth-provider"))
        return "exec and auth-provider exclude each other";
    if (entry_node(user, "auth-provider"))
        return "auth-provider is unsupported by this version";
    return NULL;
}

/* Beside anything static the plugin is not run (kubernetes 1.5). */
static int read_exec(struct access *access, const struct entry *user, const struct entry *cluster,
                     char *error)
{
    const yaml_node_t *exec = entry_node(user, "exec");

    if (!exec || access->token || access->token_file || access->username || access->cert)
        return 0;
    access->exec = exec_entry_read(&user->source->yaml, exec, user->source->dir, error);
    if (!access->exec)
        return -1;
    return exec_entry_extension(access->exec, &cluster->source->yaml, entry_node(cluster, "extensions"),
                                error);
}

static int read_user(struct access *access, const struct entry *user, char *error)
{
    access->token = copy_or_null(entry_text(user, "token"));
    if (*entry_text(user, "tokenFile"))
        access->token_file = entry_path(user, "tokenFile");
    access->username = copy_or_null(entry_text(user, "username"));
    access->password = copy_or_null(entry_text(user, "password"));
    if (read_pem(user, "client-certificate", &access->cert, &access->cert_file, error) ||
        read_pem(user, "client-key", &access->key, &access->key_file, error))
        return -1;
    const char *why = refused_in(user);
    if (why) {
        snprintf(error, ACCESS_ERROR_MAX, "%s", why);
        return -1;
    }
    if (impersonate_read(&access->impersonate, &user->source->yaml, user->node, error, ACCESS_ERROR_MAX))
        return -1;
    if (access->token_file) {
        access->token_read_ms = INT64_MIN / 2;
        if (!access_token(access, clock_now().boot_ms)) {
            snprintf(error, ACCESS_ERROR_MAX, "cannot read a token from %s", access->token_file);
            return -1;
        }
    }
    return 0;
}

static int read_context(struct access *access, struct sources *sources, char *error)
{
    const char *name = first_text(sources, "current-context");

    if (!*name)
        return 0;
    struct entry context = entry_find(sources, "contexts", "context", name);
    const char *cluster_name = entry_text(&context, "cluster"), *user_name = entry_text(&context, "user");
    struct entry cluster = entry_find(sources, "clusters", "cluster", cluster_name);
    struct entry user = entry_find(sources, "users", "user", user_name);
    const char *missing = !context.node                ? "context"
                          : !cluster.node              ? "cluster"
                          : *user_name && !user.source ? "user"
                                                       : NULL;
    if (missing) {
        snprintf(error, ACCESS_ERROR_MAX, "the kubeconfig's current context \"%.100s\": its %s is not there",
                 name, missing);
        return -1;
    }
    if (read_cluster(access, &cluster, error))
        return -1;
    if (!user.node)
        return 0;
    return read_user(access, &user, error) || read_exec(access, &user, &cluster, error) ? -1 : 0;
}

int kubeconfig_load(struct access *access, const char *files, bool explicit_file, char *error)
{
    struct sources sources = {.count = 0};
    int rc = sources_open(&sources, files, explicit_file, error);

    if (!rc)
        rc = read_context(access, &sources, error);
    sources_close(&sources);
    return rc;
}
