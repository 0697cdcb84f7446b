/* watcher/access.h -- how the API server is reached and with which credentials: what kubeconfig or the pod's
 * files came to, and the token as it changes (kubernetes 1.1 to 1.8). Owns copies of everything; wipes
 * secrets. Called by main.c, http.c, transfer.c; filled by kubeconfig.c, in_cluster.c
 * and exec_plugin.c. */
#ifndef WATCHER_ACCESS_H
#define WATCHER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/tally.h"
#include "watcher/headers.h"
#include "watcher/impersonate.h"
#include "watcher/proxy.h"

#define TOKEN_MAX        (64u * 1024u)
#define TOKEN_REREAD_MS  50000 /* kubernetes 1.7 */
#define FILES_REREAD_MS  60000 /* client-go: 5 min (kubernetes 1.8) */
#define ACCESS_ERROR_MAX 512

struct exec_entry;
struct exec_plugin;

/* Text members are NULL when not given. */
struct access {
    char *server;          /* "https://host:port/prefix", no slash at the end */
    char *ca;              /* PEM; NULL: the system's roots */
    bool insecure;         /* neither chain nor name is checked */
    char *tls_server_name; /* checked and sent instead of the host */
    bool plain;            /* http: no credentials are sent (kubernetes 4) */
    char *proxy_url;       /* the kubeconfig's */
    char *proxy;           /* the one to use, for libcurl; "": none */
    bool no_compression;
    char *token;      /* the latest good one */
    char *token_file; /* read again every TOKEN_REREAD_MS and after a 401 */
    int64_t token_read_ms;
    char *cert, *key;                     /* PEM of the client certificate */
    char *ca_file, *cert_file, *key_file; /* where ca, cert and key came from */
    int64_t files_read_ms;
    bool files_bad; /* at the last look; said once */
    uint64_t era;   /* goes up when connections made so far must end: another certificate */
    char *username, *password;
    struct impersonate impersonate; /* sent with the credentials */
    struct exec_entry *exec;        /* what gives token, cert and key; NULL when they stand above */
    struct exec_plugin *plugin;     /* that runs it; main.c's */
    struct tally tally;             /* of the requests of everybody here */
    struct warnings warnings;       /* that the API server has sent to anybody here */
    const char *source;             /* for the log: "kubeconfig", "in-cluster" */
};

/* Where to look. */
struct access_request {
    const char *kubeconfig;                  /* --kubeconfig, or "" */
    const char *master;                      /* --master, or "" */
    const char *env;                         /* KUBECONFIG, or "" */
    const char *home;                        /* "" without */
    const char *service_host, *service_port; /* KUBERNETES_SERVICE_*, or "" */
    struct proxy_environment proxies;
    const char *account_dir; /* /var/run/secrets/kubernetes.io/serviceaccount */
};

/* Finds and checks (kubernetes 1.1: flag, KUBECONFIG, in-cluster, ~/.kube/config). Returns 0, or -1 with a
 * sentence in error (ACCESS_ERROR_MAX). Clear in both cases. */
int access_find(struct access *access, const struct access_request *request, char *error);
void access_clear(struct access *access);

/* The token to send now, or NULL. Reads the file again when it is time; a file that is empty or unreadable
 * for a moment changes nothing (kubernetes 8). */
const char *access_token(struct access *access, int64_t now_ms);
/* reread.c. Looks at the files of ca, cert and key every FILES_REREAD_MS; new content that is good replaces
 * the old and begins another era, anything else changes nothing. */
void access_reread(struct access *access, int64_t now_ms);
/* The server said 401, or TLS failed: the next request reads all files. */
void access_doubt(struct access *access);
/* How many certificates are in this text. */
int access_certificates(const char *pem);

/* kubeconfig.c: `files` separated by ':'; explicit: one file that must exist. Returns 0 with access->server
 * NULL when no file names a server. */
int kubeconfig_load(struct access *access, const char *files, bool explicit_file, char *error);
/* in_cluster.c */
bool in_cluster_possible(const struct access_request *request);
int in_cluster_load(struct access *access, const struct access_request *request, char *error);
/* Checks what was found, finishes the server's URL and chooses the proxy. */
int access_finish(struct access *access, const struct proxy_environment *proxies, char *error);

#endif
