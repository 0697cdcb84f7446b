/* tests/sim/kube-apiserver/server.h -- what the files of the stand-alone server share.
 * Owns the options and the server's struct; everything runs in one thread. */
#ifndef TESTS_SIM_KUBE_APISERVER_SERVER_H
#define TESTS_SIM_KUBE_APISERVER_SERVER_H

#include <microhttpd.h>
#include <stdio.h>

#include "tests/sim/kube-apiserver/core/kube_sim.h"

#define LIST_MAX 32u

struct options {
    const char *tls_dir;
    unsigned port;
    struct kube_sim_user users[LIST_MAX];
    size_t n_users;
    const char *crds[LIST_MAX];
    size_t n_crds;
    const char *faults[LIST_MAX];
    size_t n_faults;
    const char *kubeconfigs[LIST_MAX]; /* FILE:USER */
    size_t n_kubeconfigs;
    const char *audit_file;
    const char *git_version;
    uint64_t seed;
    size_t history;
    struct kube_sim_switches switches; /* to begin with */
    unsigned slow_start_ms;
    bool die_with_parent;
};

struct exchange;

struct server {
    const struct options *options;
    struct kube_sim *sim;
    struct MHD_Daemon *daemon;
    FILE *audit;
    char *cert_pem;
    char *key_pem;
    struct exchange *exchanges; /* every request that has not ended yet */
    uint64_t woken;             /* kube_sim_news() when the watches were last woken */
    uint64_t split_state;       /* of the chunk sizes */
    char url[64];
};

/* help.c: the text of --help, in parts, the last one NULL */
extern const char *const help_texts[];

/* options.c: 0, or the exit code + 1 when the program is done (help, wrong usage). */
int options_read(struct options *options, int argc, char **argv);

/* tls.c: a fresh CA and a server certificate for localhost and 127.0.0.1; writes DIR/ca.crt. The PEM texts
 * are the caller's to free. 0 or -1. */
int tls_make(const char *dir, char **cert_pem, char **key_pem);

/* kubeconfig.c: spec is FILE:USER. 0 or -1. */
int kubeconfig_write(const struct server *server, const char *spec);

/* crdfile.c: loads every CustomResourceDefinition of a YAML or JSON file. 0, or -1 with a text on stderr. */
int crdfile_load(struct kube_sim *sim, const char *path, int64_t wall_ms);

/* audit.c: the kube_audit_fn that writes one line; ctx is the FILE. */
void audit_write(void *ctx, const struct kube_audit *record);

/* http.c */
enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                            const char *version, const char *upload_data, size_t *upload_size, void **ctx);
void *http_begin(void *cls, const char *uri, struct MHD_Connection *connection);
void http_end(void *cls, struct MHD_Connection *connection, void **ctx, enum MHD_RequestTerminationCode code);
/* Wakes what is due. Returns how many milliseconds may pass until the next call. */
int http_tick(struct server *server, int64_t now_ms);
/* Wakes everything for the end of the server. */
void http_stop(struct server *server);

#endif
