/* watcher/reread.c -- authorities and client certificates that change while the program runs: their files are
 * read again now and then, and what is good replaces what was (kubernetes 1.8, 9). Owns nothing. Called by
 * transfer.c and http.c. */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "watcher/access.h"
#include "watcher/yaml.h"

int access_certificates(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate;
    int n = 0;

    while (bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        X509_free(certificate);
        n++;
    }
    BIO_free(bio);
    return n;
}

/* The first certificate is the client's own; a key of another one is half of a change under way. */
static bool belong_together(const char *cert_pem, const char *key_pem)
{
    BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1), *key_bio = BIO_new_mem_buf(key_pem, -1);
    X509 *cert = cert_bio ? PEM_read_bio_X509(cert_bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL) : NULL;
    bool good = cert && key && X509_check_private_key(cert, key) == 1;

    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return good;
}

static void replace(char **pem, char *fresh)
{
    if (*pem)
        explicit_bzero(*pem, strlen(*pem));
    free(*pem);
    *pem = fresh;
}

static void drop(char *pem)
{
    replace(&pem, NULL);
}

/* What is in the file, or a copy of what there is when it came without one. */
static char *read_or_keep(const char *path, const char *pem)
{
    size_t len = 0;

    return path ? file_read(path, YAML_FILE_MAX, &len) : pem ? strdup(pem) : NULL;
}

static bool differ(const char *a, const char *b)
{
    return a && b && strcmp(a, b) != 0;
}

/* Returns false when a file cannot be used as it is. */
static bool reread_ca(struct access *access)
{
    char *fresh = read_or_keep(access->ca_file, access->ca);

    if (!fresh || !access_certificates(fresh)) {
        drop(fresh);
        return false;
    }
    if (!differ(fresh, access->ca)) {
        drop(fresh);
        return true;
    }
    replace(&access->ca, fresh);
    access->era++;
    log_info("the file of the API server's authority has changed; connections are made anew",
             F_STR("path", access->ca_file));
    return true;
}

static bool reread_client(struct access *access)
{
    char *cert = read_or_keep(access->cert_file, access->cert),
         *key = read_or_keep(access->key_file, access->key);
    bool good = cert && key && belong_together(cert, key);

    if (!good || (!differ(cert, access->cert) && !differ(key, access->key))) {
        drop(cert);
        drop(key);
        return good;
    }
    replace(&access->cert, cert);
    replace(&access->key, key);
    access->era++;
    log_info("the client certificate has changed; connections are made anew",
             F_STR("path", access->cert_file ? access->cert_file : access->key_file));
    return true;
}

void access_reread(struct access *access, int64_t now_ms)
{
    bool good = true;

    if (now_ms - access->files_read_ms < FILES_REREAD_MS)
        return;
    access->files_read_ms = now_ms;
    if (access->ca_file)
        good &= reread_ca(access);
    if (access->cert_file || access->key_file)
        good &= reread_client(access);
    if (!good && !access->files_bad)
        log_warn("a file with certificates or their key cannot be used; going on with what it held before",
                 F_STR("authority", access->ca_file ? access->ca_file : ""),
                 F_STR("certificate", access->cert_file ? access->cert_file : ""),
                 F_STR("key", access->key_file ? access->key_file : ""));
    access->files_bad = !good;
}

void access_doubt(struct access *access)
{
    access->token_read_ms = access->files_read_ms = INT64_MIN / 2;
}
