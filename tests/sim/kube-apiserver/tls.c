/* tests/sim/kube-apiserver/tls.c -- a fresh CA and a server certificate, made at start with OpenSSL.
 * Owns nothing that outlives the call but DIR/ca.crt; keys stay in memory. Called by main.c. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/kube-apiserver/server.h"

#define VALID_SECONDS (30L * 24 * 3600)

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    int ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (extension == NULL)
        return -1;
    ok = X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return ok == 1 ? 0 : -1;
}

/* issuer NULL: signed by itself. */
static X509 *make_cert(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    int bad = 0;

    bad |= X509_set_version(cert, 2) != 1;
    bad |= ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1) != 1;
    bad |= X509_gmtime_adj(X509_getm_notBefore(cert), -3600) == NULL;
    bad |= X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SECONDS) == NULL;
    bad |=
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) != 1;
    bad |= X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject) != 1;
    bad |= X509_set_pubkey(cert, key) != 1;
    if (issuer == NULL) {
        bad |= add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
        bad |= add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
        bad |= add_extension(cert, cert, NID_subject_key_identifier, "hash");
    } else {
        bad |= add_extension(cert, issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
        bad |= add_extension(cert, issuer, NID_ext_key_usage, "serverAuth");
        bad |= add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature");
    }
    bad |= X509_sign(cert, issuer ? issuer_key : key, EVP_sha256()) == 0;
    if (!bad)
        return cert;
    X509_free(cert);
    return NULL;
}

static char *bio_text(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);

    return x_strndup(data, (size_t)len);
}

static int write_ca(const char *dir, X509 *ca)
{
    char *path = x_asprintf("%s/ca.crt", dir);
    FILE *file = fopen(path, "w");
    int ok = 0;

    free(path);
    if (file == NULL)
        return -1;
    ok = PEM_write_X509(file, ca);
    return fclose(file) == 0 && ok == 1 ? 0 : -1;
}

int tls_make(const char *dir, char **cert_pem, char **key_pem)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key ? make_cert("kube-apiserver simulator CA", ca_key, NULL, NULL) : NULL;
    X509 *cert = key && ca ? make_cert("kube-apiserver simulator", key, ca, ca_key) : NULL;
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_mem());
    int result = -1;

    if (cert != NULL && write_ca(dir, ca) == 0 && PEM_write_bio_X509(cert_bio, cert) == 1 &&
        PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        *cert_pem = bio_text(cert_bio);
        *key_pem = bio_text(key_bio);
        result = 0;
    }
    BIO_free(cert_bio);
    BIO_free(key_bio);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return result;
}
