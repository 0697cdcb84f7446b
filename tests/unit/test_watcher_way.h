/* tests/unit/test_watcher_way.h -- a TLS server, and a proxy before it, as threads of this program; what they
 * saw can be asked. Included once by test_watcher_way.c. */
#ifndef TEST_WATCHER_WAY_H
#define TEST_WATCHER_WAY_H

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"

/* One listening socket and what it does with each connection, one after the other. */
struct host {
    int listener;
    unsigned port;
    pthread_t thread;
    void (*converse)(struct host *host, int fd);
    SSL_CTX *ctx; /* NULL: no TLS */
    unsigned to;  /* of a proxy: the port it connects to, whatever it is asked for */
    char asked[256];
    _Atomic unsigned requests;
    char subject[128]; /* of the client's certificate */
};

static void *host_serve(void *arg)
{
    struct host *host = arg;
    int fd;

    while ((fd = accept(host->listener, NULL, NULL)) >= 0) {
        host->converse(host, fd);
        close(fd);
    }
    return NULL;
}

static void host_open(struct host *host, void (*converse)(struct host *host, int fd), SSL_CTX *ctx)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    *host = (struct host){.converse = converse, .ctx = ctx};
    host->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(host->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(host->listener, 16), 0);
    assert_int_equal(getsockname(host->listener, (struct sockaddr *)&at, &len), 0);
    host->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&host->thread, NULL, host_serve, host), 0);
}

static void host_close(struct host *host)
{
    shutdown(host->listener, SHUT_RDWR);
    pthread_join(host->thread, NULL);
    close(host->listener);
}

/* ---- certificates ---- */

struct identity {
    X509 *cert;
    EVP_PKEY *key;
    char *cert_pem, *key_pem;
};

static char *pem_of(X509 *cert, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    if (cert)
        PEM_write_bio_X509(bio, cert);
    else
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(bio, &data);
    char *text = x_strndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

/* For these names ("IP:127.0.0.1,DNS:kube.example"), signed by `by`, or by itself when NULL. */
static struct identity identity_new(const char *name, const char *names, const struct identity *by)
{
    struct identity id = {.cert = X509_new(), .key = EVP_EC_gen("P-256")};
    X509_EXTENSION *alternatives =
        names ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names) : NULL;
    X509_EXTENSION *ca =
        by ? NULL : X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509_NAME *subject = X509_get_subject_name(id.cert);

    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), (long)(uintptr_t)id.key & 0xffff);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id.cert, by ? X509_get_subject_name(by->cert) : subject);
    X509_set_pubkey(id.cert, id.key);
    if (alternatives)
        X509_add_ext(id.cert, alternatives, -1);
    if (ca)
        X509_add_ext(id.cert, ca, -1);
    assert_true(X509_sign(id.cert, by ? by->key : id.key, EVP_sha256()) > 0);
    X509_EXTENSION_free(alternatives);
    X509_EXTENSION_free(ca);
    id.cert_pem = pem_of(id.cert, NULL);
    id.key_pem = pem_of(NULL, id.key);
    return id;
}

static void identity_free(struct identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
    free(id->cert_pem);
    free(id->key_pem);
}

static SSL_CTX *server_context(const struct identity *id)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    assert_int_equal(SSL_CTX_use_certificate(ctx, id->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
    return ctx;
}

/* ---- what a connection does ---- */

static int either_read(SSL *ssl, int fd, char *to, size_t most)
{
    return ssl ? SSL_read(ssl, to, (int)most) : (int)read(fd, to, most);
}

static void either_write(SSL *ssl, int fd, const char *from, size_t len)
{
    if (ssl ? SSL_write(ssl, from, (int)len) <= 0 : write(fd, from, len) < 0)
        return;
}

static SSL *greet(struct host *host, int fd)
{
    if (!host->ctx)
        return NULL;
    SSL *ssl = SSL_new(host->ctx);

    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

/* An API server that knows one answer. */
static void answer_requests(struct host *host, int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    SSL *ssl = greet(host, fd);
    char in[4096];
    X509 *client;

    if (!ssl)
        return;
    if ((client = SSL_get1_peer_certificate(ssl))) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, host->subject,
                                  sizeof host->subject);
        X509_free(client);
    }
    int n = SSL_read(ssl, in, sizeof in - 1);
    if (n > 0) {
        in[n] = '\0';
        snprintf(host->asked, sizeof host->asked, "%.*s", (int)strcspn(in, "\r"), in);
        host->requests++;
        SSL_write(ssl, answer, sizeof answer - 1);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void pump(SSL *ssl, int fd, unsigned port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd both[2] = {{.fd = fd, .events = POLLIN}, {.fd = to, .events = POLLIN}};
    char data[16384];
    int n = connect(to, (struct sockaddr *)&at, sizeof at) == 0;

    while (n > 0) {
        if (!ssl || !SSL_pending(ssl))
            poll(both, 2, 10000);
        if ((ssl && SSL_pending(ssl)) || both[0].revents) {
            if ((n = either_read(ssl, fd, data, sizeof data)) > 0)
                either_write(NULL, to, data, (size_t)n);
        } else if (both[1].revents) {
            if ((n = (int)read(to, data, sizeof data)) > 0)
                either_write(ssl, fd, data, (size_t)n);
        } else {
            break;
        }
    }
    close(to);
}

/* CONNECT, in the clear or inside TLS. */
static void tunnel(struct host *host, int fd)
{
    static const char good[] =
        "HTTP/1.1 200 Connection established\r\nWarning: 299 - \"of the proxy\"\r\n\r\n",
                      bad[] = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    SSL *ssl = greet(host, fd);
    char in[4096];
    int n = host->ctx && !ssl ? -1 : either_read(ssl, fd, in, sizeof in - 1);

    if (n > 0) {
        in[n] = '\0';
        snprintf(host->asked, sizeof host->asked, "%.*s", (int)strcspn(in, "\r"), in);
        host->requests++;
        either_write(ssl, fd, host->to ? good : bad, host->to ? sizeof good - 1 : sizeof bad - 1);
        if (host->to)
            pump(ssl, fd, host->to);
    }
    SSL_free(ssl);
}

/* SOCKS 5 without a password (RFC 1928); keeps what it was asked for. */
static void socks(struct host *host, int fd)
{
    unsigned char in[300];
    static const unsigned char none[] = {5, 0}, good[] = {5, 0, 0, 1, 127, 0, 0, 1, 0, 0};

    if (read(fd, in, sizeof in) < 3 || write(fd, none, sizeof none) != sizeof none ||
        read(fd, in, sizeof in) < 10)
        return;
    host->requests++;
    if (in[3] == 3)
        snprintf(host->asked, sizeof host->asked, "name %.*s", in[4], in + 5);
    else
        snprintf(host->asked, sizeof host->asked, "address");
    if (write(fd, good, sizeof good) == sizeof good)
        pump(NULL, fd, host->to);
}

#endif
