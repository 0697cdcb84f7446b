/* watcher/exec_entry.h -- a user's `exec` entry in a kubeconfig: which program gives the credentials, and
 * what it is told (kubernetes 1.6). Recorded and checked here, run by exec_helper.c only. Owns copies of
 * everything. Called by kubeconfig.c and access.c. */
#ifndef WATCHER_EXEC_ENTRY_H
#define WATCHER_EXEC_ENTRY_H

#include "watcher/yaml.h"

struct access;

struct exec_entry {
    char *command;     /* with a slash: a file; else looked for in PATH */
    const char *name;  /* its last part, for people */
    char **arguments;  /* NULL at the end; the first is command */
    char **variables;  /* name, value, name, value ...; NULL at the end */
    char *api_version; /* that the answer must have */
    char *hint;        /* installHint, or NULL */
    bool cluster_info; /* provideClusterInfo */
    char *config;      /* JSON of the cluster's extension, or NULL */
    char *info;        /* KUBERNETES_EXEC_INFO; by exec_entry_finish() */
};

/* From `users[].user.exec`; dir: of the file that it stands in, with its slash. NULL with a sentence in error
 * (ACCESS_ERROR_MAX) when it is wrong, or wants a person at a terminal. */
struct exec_entry *exec_entry_read(struct yaml_file *file, const yaml_node_t *exec, const char *dir,
                                   char *error);
/* `clusters[].cluster.extensions`. 0, or -1 with a sentence. */
int exec_entry_extension(struct exec_entry *entry, struct yaml_file *file, const yaml_node_t *extensions,
                         char *error);
/* Makes `info`, once the server is known. */
void exec_entry_finish(struct exec_entry *entry, const struct access *access);
/* Wipes and frees; NULL is allowed. */
void exec_entry_free(struct exec_entry *entry);

#endif
