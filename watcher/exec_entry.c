/* watcher/exec_entry.c -- from YAML to what an exec plugin is started with and told. Runs nothing. Called by
 * kubeconfig.c and access.c. */
#include "watcher/exec_entry.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "watcher/access.h"

#define GROUP         "client.authentication.k8s.io/"
#define EXTENSION     GROUP "exec"
#define DEPTH_MAX     32u    /* of the extension */
#define NODES_MAX     10000u /* aliases may repeat a part without end */
#define ARGUMENTS_MAX 1000u

static char *joined(const char *dir, const char *command)
{
    return x_asprintf("%s%s", *command != '/' && strchr(command, '/') ? dir : "", command);
}

/* Returns why not, or NULL. client-go asks for interactiveMode in v1 only. */
static const char *wrong_with(const struct exec_entry *entry, const char *mode)
{
    if (!*entry->command)
        return "exec names no command";
    if (strcmp(entry->api_version, GROUP "v1") && strcmp(entry->api_version, GROUP "v1beta1"))
        return "exec needs apiVersion " GROUP "v1 or " GROUP "v1beta1";
    if (!strcmp(mode, "Always"))
        return "interactiveMode Always asks for a person at a terminal, and there is none; use Never or "
               "IfAvailable";
    if (!*mode && !strcmp(entry->api_version, GROUP "v1"))
        return "exec needs interactiveMode with " GROUP "v1";
    if (*mode && strcmp(mode, "Never") && strcmp(mode, "IfAvailable"))
        return "interactiveMode is none of Never, IfAvailable and Always";
    return NULL;
}

static size_t items_in(struct yaml_file *file, const yaml_node_t *list)
{
    size_t n = 0;

    while (n < ARGUMENTS_MAX && yaml_item(file, list, n))
        n++;
    return n;
}

static char **read_arguments(struct yaml_file *file, const yaml_node_t *list, const char *command)
{
    size_t n = items_in(file, list);
    char **arguments = x_calloc(n + 2, sizeof *arguments);

    arguments[0] = x_strdup(command);
    for (size_t i = 0; i < n; i++)
        arguments[i + 1] = x_strdup(yaml_text(yaml_item(file, list, i)));
    return arguments;
}

/* NULL when a name is missing or is none. */
static char **read_variables(struct yaml_file *file, const yaml_node_t *list)
{
    size_t n = items_in(file, list), used = 0;
    char **variables = x_calloc(2 * n + 1, sizeof *variables);
    bool good = true;

    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *item = yaml_item(file, list, i);
        const char *name = yaml_text(yaml_get(file, item, "name"));

        good = good && *name && !strchr(name, '=');
        variables[used++] = x_strdup(name);
        variables[used++] = x_strdup(yaml_text(yaml_get(file, item, "value")));
    }
    if (good)
        return variables;
    for (size_t i = 0; i < used; i++)
        free(variables[i]);
    free(variables);
    return NULL;
}

struct exec_entry *exec_entry_read(struct yaml_file *file, const yaml_node_t *exec, const char *dir,
                                   char *error)
{
    struct exec_entry *entry = x_calloc(1, sizeof *entry);
    const char *hint = yaml_text(yaml_get(file, exec, "installHint"));

    entry->command = joined(dir, yaml_text(yaml_get(file, exec, "command")));
    entry->name = strrchr(entry->command, '/') ? strrchr(entry->command, '/') + 1 : entry->command;
    entry->api_version = x_strdup(yaml_text(yaml_get(file, exec, "apiVersion")));
    entry->hint = *hint ? x_strdup(hint) : NULL;
    entry->cluster_info = yaml_true(yaml_get(file, exec, "provideClusterInfo"));
    entry->arguments = read_arguments(file, yaml_get(file, exec, "args"), entry->command);
    entry->variables = read_variables(file, yaml_get(file, exec, "env"));
    const char *wrong = wrong_with(entry, yaml_text(yaml_get(file, exec, "interactiveMode")));
    if (!wrong && !entry->variables)
        wrong = "a variable in env of exec has no name";
    if (!wrong)
        return entry;
    snprintf(error, ACCESS_ERROR_MAX, "%s", wrong);
    exec_entry_free(entry);
    return NULL;
}

/* ---- the cluster's extension: any YAML, as JSON ---- */

static json_t *to_json(struct yaml_file *file, const yaml_node_t *node, unsigned depth, unsigned *left);

/* A plain scalar is what JSON takes it for; everything else is text. */
static json_t *scalar_to_json(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    size_t len = node->data.scalar.length;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    json_t *json = plain ? json_loadb(text, len, JSON_DECODE_ANY, NULL) : NULL;

    if (json && !json_is_string(json))
        return json;
    json_decref(json);
    if (plain && (len == 0 || !strcmp(text, "~")))
        return json_null();
    return json_stringn(text, len);
}

static json_t *map_to_json(struct yaml_file *file, const yaml_node_t *node, unsigned depth, unsigned *left)
{
    json_t *json = json_object();

    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = yaml_document_get_node(&file->document, pair->key);
        json_t *item = to_json(file, yaml_document_get_node(&file->document, pair->value), depth, left);
        bool good = key && key->type == YAML_SCALAR_NODE && item;

        if (good && json_object_set_new(json, (const char *)key->data.scalar.value, item) == 0)
            continue;
        if (!good)
            json_decref(item);
        json_decref(json);
        return NULL;
    }
    return json;
}

static json_t *list_to_json(struct yaml_file *file, const yaml_node_t *node, unsigned depth, unsigned *left)
{
    json_t *json = json_array();
    const yaml_node_t *item;

    for (size_t i = 0; (item = yaml_item(file, node, i)); i++) {
        if (json_array_append_new(json, to_json(file, item, depth, left)) == 0)
            continue;
        json_decref(json);
        return NULL;
    }
    return json;
}

/* NULL when it is too deep or too large, or holds what JSON cannot say. */
static json_t *to_json(struct yaml_file *file, const yaml_node_t *node, unsigned depth, unsigned *left)
{
    if (!node || depth == 0 || *left == 0)
        return NULL;
    --*left;
    switch (node->type) {
    case YAML_SCALAR_NODE: return scalar_to_json(node);
    case YAML_SEQUENCE_NODE: return list_to_json(file, node, depth - 1, left);
    case YAML_MAPPING_NODE: return map_to_json(file, node, depth - 1, left);
    default: return NULL;
    }
}

int exec_entry_extension(struct exec_entry *entry, struct yaml_file *file, const yaml_node_t *extensions,
                         char *error)
{
    const yaml_node_t *item;
    unsigned left = NODES_MAX;
    json_t *json = NULL;

    for (size_t i = 0; !json && (item = yaml_item(file, extensions, i)); i++) {
        if (strcmp(yaml_text(yaml_get(file, item, "name")), EXTENSION))
            continue;
        json = to_json(file, yaml_get(file, item, "extension"), DEPTH_MAX, &left);
        if (!json) {
            snprintf(error, ACCESS_ERROR_MAX,
                     "the cluster's extension " EXTENSION " is no JSON, or too large");
            return -1;
        }
    }
    free(entry->config);
    entry->config = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(json);
    return 0;
}

/* ---- what the plugin is told ---- */

static char *base64(const char *text)
{
    size_t len = strlen(text);
    char *out = x_malloc(4 * ((len + 2) / 3) + 1);

    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
    return out;
}

static void set_text(json_t *json, const char *key, const char *text)
{
    if (text)
        json_object_set_new(json, key, json_string(text));
}

static json_t *cluster_info(const struct exec_entry *entry, const struct access *access)
{
    json_t *cluster = json_object();

    set_text(cluster, "server", access->server);
    set_text(cluster, "tls-server-name", access->tls_server_name);
    if (access->insecure)
        json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
    if (access->ca) {
        char *data = base64(access->ca);

        set_text(cluster, "certificate-authority-data", data);
        free(data);
    }
    set_text(cluster, "proxy-url", access->proxy_url);
    if (access->no_compression)
        json_object_set_new(cluster, "disable-compression", json_true());
    if (entry->config)
        json_object_set_new(cluster, "config", json_loads(entry->config, JSON_DECODE_ANY, NULL));
    return cluster;
}

void exec_entry_finish(struct exec_entry *entry, const struct access *access)
{
    json_t *info = json_pack("{s:s, s:s, s:{s:b}}", "kind", "ExecCredential", "apiVersion",
                             entry->api_version, "spec", "interactive", 0);

    if (entry->cluster_info)
        json_object_set_new(json_object_get(info, "spec"), "cluster", cluster_info(entry, access));
    free(entry->info);
    entry->info = json_dumps(info, JSON_COMPACT);
    json_decref(info);
}

static void free_list(char **list)
{
    for (char **at = list; at && *at; at++) {
        explicit_bzero(*at, strlen(*at));
        free(*at);
    }
    free(list);
}

void exec_entry_free(struct exec_entry *entry)
{
    if (!entry)
        return;
    free_list(entry->arguments);
    free_list(entry->variables);
    free(entry->command);
    free(entry->api_version);
    free(entry->hint);
    free(entry->config);
    free(entry->info);
    free(entry);
}
