/* tests/sim/packet-api/selfsigned.c -- a certificate of its own for a server that lives for one test.
 * Owns nothing after it returns; the private key is never written to a file. Called once by main.c. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "tests/sim/packet-api/server.h"

static int add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int ok = extension != NULL && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static int fill(X509 *cert, EVP_PKEY *pkey)
{
    long serial = 0;
    X509_NAME *name = X509_get_subject_name(cert);
    if (RAND_bytes((unsigned char *)&serial, 4) != 1)
        return 0;
    return X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), serial) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), 30L * 86400) != NULL && X509_set_pubkey(cert, pkey) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"packet-api simulator",
                                      -1, -1, 0) &&
           X509_set_issuer_name(cert, name) &&
           add_extension(cert, NID_subject_alt_name, "IP:127.0.0.1,IP:::1,DNS:localhost") &&
           add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
           X509_sign(cert, pkey, EVP_sha256()) > 0;
}

static char *text_of(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    char *copy = len > 0 ? malloc((size_t)len + 1) : NULL;
    if (copy != NULL) {
        memcpy(copy, data, (size_t)len);
        copy[len] = '\0';
    }
    return copy;
}

static int write_file(const char *dir, const char *pem)
{
    char path[4096];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return -1;
    int n = snprintf(path, sizeof path, "%s/ca.crt", dir);
    FILE *file = n > 0 && (size_t)n < sizeof path ? fopen(path, "w") : NULL;
    if (file == NULL)
        return -1;
    int bad = fputs(pem, file) < 0;
    return fclose(file) != 0 || bad ? -1 : 0;
}

int selfsigned_make(const char *dir, char **cert, char **key)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    int result = -1;
    *cert = *key = NULL;
    if (pkey != NULL && x509 != NULL && fill(x509, pkey) && PEM_write_bio_X509(cert_bio, x509) &&
        PEM_write_bio_PrivateKey(key_bio, pkey, NULL, NULL, 0, NULL, NULL)) {
        *cert = text_of(cert_bio);
        *key = text_of(key_bio);
        result = *cert != NULL && *key != NULL ? write_file(dir, *cert) : -1;
    }
    BIO_free(key_bio);
    BIO_free(cert_bio);
    X509_free(x509);
    EVP_PKEY_free(pkey);
    return result;
}
