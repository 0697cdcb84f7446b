/* tests/sim/kube-apiserver/kubeconfig.c -- writes a kubeconfig for one user of the simulator.
 * Owns the shape of that file (kubernetes 1.3), as JSON, which every kubeconfig reader takes. Called by
 * main.c. */
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/server.h"

static const char *token_of(const struct server *server, const char *user)
{
    for (size_t i = 0; i < server->options->n_users; i++)
        if (strcmp(server->options->users[i].user, user) == 0)
            return server->options->users[i].token;
    return NULL;
}

static json_t *config(const struct server *server, const char *user, const char *token)
{
    const char *dir = server->options->tls_dir;
    json_t *cluster = json_pack("{s:s}", "server", server->url);
    char *ca;

    if (dir != NULL) {
        ca = dir[0] == '/' ? NULL : realpath(dir, NULL);
        (void)json_object_set_new(cluster, "certificate-authority", json_sprintf("%s/ca.crt", ca ? ca : dir));
        free(ca);
    }
    return json_pack("{s:s,s:s,s:s,s:[{s:s,s:o}],s:[{s:s,s:{s:s}}],s:[{s:s,s:{s:s,s:s,s:s}}]}", "apiVersion",
                     "v1", "kind", "Config", "current-context", "sim", "clusters", "name", "sim", "cluster",
                     cluster, "users", "name", user, "user", "token", token, "contexts", "name", "sim",
                     "context", "cluster", "sim", "user", user, "namespace", "default");
}

int kubeconfig_write(const struct server *server, const char *spec)
{
    const char *colon = strrchr(spec, ':');
    const char *user = colon ? colon + 1 : "";
    const char *token = token_of(server, user);
    char *path;
    json_t *made;
    mode_t old;
    int result;

    /* user names have colons (system:serviceaccount:...), so every split is tried until the user is known */
    while (colon != NULL && token == NULL && colon > spec) {
        do
            colon--;
        while (colon > spec && *colon != ':');
        user = *colon == ':' ? colon + 1 : user;
        token = token_of(server, user);
    }
    if (colon == NULL || token == NULL || colon == spec)
        return -1;
    path = x_strndup(spec, (size_t)(colon - spec));
    made = config(server, user, token);
    old = umask(077);
    result = json_dump_file(made, path, JSON_INDENT(2));
    (void)umask(old);
    json_decref(made);
    free(path);
    return result;
}
