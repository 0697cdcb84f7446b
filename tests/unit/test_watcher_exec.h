/* tests/unit/test_watcher_exec.h -- what the tests of exec plugins share: a folder with small scripts as
 * plugins that count their runs, a kubeconfig that names one, and a pair of certificate and key. */
#ifndef TESTS_UNIT_TEST_WATCHER_EXEC_H
#define TESTS_UNIT_TEST_WATCHER_EXEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/access.h"
#include "watcher/exec_entry.h"

#define V1     "client.authentication.k8s.io/v1"
#define ANSWER "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{"

static char folder[] = "/tmp/test-exec-XXXXXX";

static inline char *in_folder(const char *name)
{
    return x_asprintf("%s/%s", folder, name);
}

static inline void write_file(const char *name, const char *text, mode_t mode)
{
    char *path = in_folder(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

/* The content of a file in the folder, "" without one. Valid until the next call. */
static inline const char *content(const char *name)
{
    static char text[65536];
    char *path = in_folder(name);
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;

    text[n] = '\0';
    if (file)
        fclose(file);
    free(path);
    return text;
}

/* A shell script that notes each of its runs in the file "runs". $D is the folder. */
static inline void write_plugin(const char *body)
{
    char *text = x_asprintf("#!/bin/sh\nD=%s\necho run >>$D/runs\n%s\n", folder, body);

    write_file("plugin", text, 0700);
    free(text);
}

static inline unsigned count_runs(void)
{
    unsigned n = 0;

    for (const char *at = content("runs"); (at = strstr(at, "run\n")); at++)
        n++;
    return n;
}

/* Reads a kubeconfig whose user has this `exec` and whose cluster these members. */
static inline int find_exec(struct access *found, const char *exec, const char *cluster, char *error)
{
    char *text = x_asprintf("current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
                            "clusters:\n- name: k\n  cluster:\n    server: https://kube.example\n%s"
                            "users:\n- name: u\n  user:\n    exec:\n%s",
                            cluster, exec);
    char *path = in_folder("kubeconfig");
    struct access_request request = {.kubeconfig = path,
                                     .env = "",
                                     .master = "",
                                     .home = "",
                                     .service_host = "",
                                     .service_port = "",
                                     .account_dir = folder};

    write_file("kubeconfig", text, 0600);
    access_clear(found);
    int rc = access_find(found, &request, error);
    free(path);
    free(text);
    return rc;
}

/* The plugin of write_plugin(). more: further members of exec. */
static inline void find_plugin(struct access *found, const char *more)
{
    char error[ACCESS_ERROR_MAX] = "";
    char *exec = x_asprintf("      command: ./plugin\n      apiVersion: " V1
                            "\n      interactiveMode: Never\n      installHint: get it at example.org\n%s",
                            more);

    if (find_exec(found, exec, "", error) != 0)
        fail_msg("%s", error);
    free(exec);
}

static inline int folder_open(void **state)
{
    (void)state;
    log_set_level(LEVEL_ERROR + 1);
    return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_close(void **state)
{
    char *command = x_asprintf("rm -rf %s", folder);
    int rc = system(command);

    (void)state;
    free(command);
    return rc;
}

static inline char *pem_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = x_strndup(data, (size_t)len);

    BIO_free(bio);
    return text;
}

/* A self-signed certificate for 127.0.0.1 and its key. */
static inline void make_pair(const char *name, char **cert_pem, char **key_pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_add_ext(cert, names, -1);
    X509_sign(cert, key, EVP_sha256());
    PEM_write_bio_X509(cert_bio, cert);
    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
    *cert_pem = pem_of(cert_bio);
    *key_pem = pem_of(key_bio);
    X509_EXTENSION_free(names);
    X509_free(cert);
    EVP_PKEY_free(key);
}

#endif
