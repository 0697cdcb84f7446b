/* tests/unit/test_watcher_kubeconfig.h -- a folder of its own, files in it, and the search for a
 * configuration. Included once by test_watcher_kubeconfig.c. */
#ifndef TEST_WATCHER_KUBECONFIG_H
#define TEST_WATCHER_KUBECONFIG_H

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
#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/access.h"

static char folder[] = "/tmp/test-kubeconfig-XXXXXX";
static char *ca_pem, *ca_b64;
static struct access found;
static char error[ACCESS_ERROR_MAX];

static char *in(const char *name)
{
    return x_asprintf("%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    char *path = in(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

/* A kubeconfig with one of each, these members in it. */
static void write_config(const char *name, const char *cluster, const char *user)
{
    char *text = x_asprintf("apiVersion: v1\nkind: Config\nsurprise: [1]\ncurrent-context: c\n"
                            "contexts:\n- name: c\n  context: {cluster: k, user: u}\n"
                            "clusters:\n- name: k\n  cluster:\n%s"
                            "users:\n- name: u\n  user:\n%s",
                            cluster, user);

    write_file(name, text);
    free(text);
}

/* Files by name in the folder; "" for none. */
static int find(const char *flag, const char *env, const char *master, const char *home, const char *host)
{
    char *flag_path = *flag ? in(flag) : x_strdup(""), *home_path = *home ? in(home) : x_strdup("");
    struct access_request request = {.kubeconfig = flag_path,
                                     .env = env,
                                     .master = master,
                                     .home = home_path,
                                     .service_host = host,
                                     .service_port = *host ? "443" : "",
                                     .account_dir = folder};

    access_clear(&found);
    error[0] = '\0';
    int rc = access_find(&found, &request, error);
    free(flag_path);
    free(home_path);
    return rc;
}

static int find_flag(const char *name)
{
    return find(name, "", "", "", "");
}

static int make_folder(void **state)
{
    (void)state;
    log_set_level(LEVEL_ERROR);
    if (!mkdtemp(folder))
        return -1;
    char *sub = in("sub"), *kube = in("home"), *dot = in("home/.kube");
    int rc = mkdir(sub, 0700) || mkdir(kube, 0700) || mkdir(dot, 0700);
    free(sub);
    free(kube);
    free(dot);
    write_file("ca.crt", ca_pem);
    write_file("sub/ca.crt", ca_pem);
    write_file("token", " pod-token\n");
    return rc;
}

static int remove_folder(void **state)
{
    char *command = x_asprintf("rm -rf %s", folder);
    int rc = system(command);

    (void)state;
    free(command);
    access_clear(&found);
    free(ca_pem);
    free(ca_b64);
    return rc;
}

#endif
