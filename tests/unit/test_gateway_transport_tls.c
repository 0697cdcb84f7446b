/* tests/unit/test_gateway_transport_tls.c -- the same over TLS, where bytes that nobody asked for wait inside
 * OpenSSL and not at the socket, and where a peer must show who it is before the token goes out (packet C-3,
 * C-9, C-10, C-40). The peer is a thread of this program with a certificate of its own. */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "tests/unit/test_gateway_peer.h"

#define PEER_CONNS_MAX 64u

enum manner { GOOD, TOO_LONG, TOO_LONG_AND_MORE };

static struct {
    SSL_CTX *ctx;
    int listener;
    pthread_t thread;
    char ca[64];
    _Atomic enum manner manner;
    atomic_uint conns, requests, posts;
    pthread_t served[PEER_CONNS_MAX]; /* one for each connection; ended before OpenSSL is */
    unsigned n_served;
} peer;

/* ---- a certificate for 127.0.0.1 that nobody has signed but itself ---- */

static void certify(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    FILE *file;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"peer of a test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, names, -1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    strcpy(peer.ca, "/tmp/gateway-tls-XXXXXX");
    file = fdopen(mkstemp(peer.ca), "w");
    assert_non_null(file);
    PEM_write_X509(file, cert);
    fclose(file);
    X509_EXTENSION_free(names);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* ---- the peer ---- */

#define FALSE_ANSWER HEAD("201 Created", 45) "\r\n{\"id\":\"11111111-54d1-4a0e-8f0a-2b6a5a1d9c44\"} "

/* The header is a record of its own: libcurl then reads from the next one only as many bytes as were
 * announced, and what is over stays inside OpenSSL. */
static void answer(SSL *ssl)
{
    static const char head[] = HEAD("200 OK", 15) "\r\n", body[] = EMPTY, more[] = EMPTY FALSE_ANSWER;
    enum manner manner = peer.manner;

    peer.manner = GOOD;
    SSL_write(ssl, head, sizeof head - 1);
    usleep(20000);
    if (manner == GOOD)
        SSL_write(ssl, body, sizeof body - 1);
    else
        SSL_write(ssl, more, sizeof more - 1);
    if (manner == TOO_LONG_AND_MORE)
        SSL_write(ssl, FALSE_ANSWER, sizeof FALSE_ANSWER - 1);
}

static void converse(SSL *ssl)
{
    char in[4096] = "";
    size_t n = 0;

    while (SSL_accept(ssl) == 1 || SSL_is_init_finished(ssl)) {
        int got = SSL_read(ssl, in + n, (int)(sizeof in - 1 - n));

        if (got <= 0)
            return;
        in[n += (size_t)got] = '\0';
        const char *end = strstr(in, "\r\n\r\n"), *length = strstr(in, "Content-Length:");

        if (!end || (length && strlen(end + 4) < strtoul(length + 15, NULL, 10)))
            continue;
        peer.requests++;
        peer.posts += strncmp(in, "POST", 4) == 0;
        n = 0;
        answer(ssl);
    }
}

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    SSL *ssl = SSL_new(peer.ctx);

    SSL_set_fd(ssl, fd);
    converse(ssl);
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void *serve(void *arg)
{
    int fd;

    (void)arg;
    while (peer.n_served < PEER_CONNS_MAX && (fd = accept(peer.listener, NULL, NULL)) >= 0) {
        peer.conns++;
        if (pthread_create(&peer.served[peer.n_served], NULL, serve_one, (void *)(intptr_t)fd) == 0)
            peer.n_served++;
    }
    return NULL;
}

static int tls_open(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    rig_open(state);
    struct rig *rig = *state;

    signal(SIGPIPE, SIG_IGN); /* of the peer's threads, whose other side leaves as it likes */
    peer.conns = peer.requests = peer.posts = 0;
    peer.manner = GOOD;
    peer.ctx = SSL_CTX_new(TLS_server_method());
    certify(peer.ctx);
    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(peer.listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(peer.listener, 16) != 0 ||
        getsockname(peer.listener, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&peer.thread, NULL, serve, NULL) != 0)
        return -1;
    rig->options.ca_file = peer.ca;
    rig_start(rig, "");
    free(rig->options.origin);
    rig->options.origin = x_asprintf("https://127.0.0.1:%u", ntohs(at.sin_port));
    rig->options.tls = true;
    return 0;
}

static int tls_close(void **state)
{
    rig_close(state); /* ends the connections */
    shutdown(peer.listener, SHUT_RDWR);
    close(peer.listener);
    pthread_join(peer.thread, NULL);
    while (peer.n_served > 0)
        pthread_join(peer.served[--peer.n_served], NULL);
    SSL_CTX_free(peer.ctx);
    unlink(peer.ca);
    return 0;
}

/* TLS 1.3 sends tickets that nobody asked for; they do not count. */
static void test_C_10_a_good_connection_is_kept_under_tls(void **state)
{
    struct rig *rig = *state;

    for (int i = 0; i < 6; i++) {
        assert_int_equal(call(rig, i % 2 ? "POST" : "GET", LIST, i % 2 ? "{}" : NULL)->status, 200);
        idle(rig, 30);
    }
    assert_int_equal(peer.requests, 6);
    assert_int_equal(peer.conns, 1);
}

static void test_C_09_bytes_left_inside_openssl_are_nobodys_answer(void **state)
{
    struct rig *rig = *state;
    static const enum manner manners[] = {TOO_LONG, TOO_LONG_AND_MORE};

    for (unsigned i = 0; i < 2; i++) {
        peer.manner = manners[i];
        assert_string_equal(get(rig)->body, EMPTY);
        const struct call *c = call(rig, "POST", LIST, "{}");

        assert_int_equal(c->status, 200); /* and not the false 201 */
        assert_int_equal(peer.posts, i + 1);
        assert_int_equal(peer.conns, i + 2);
    }
}

/* A peer with a certificate that nobody vouches for, or for another name: it never sees the request. */
static void test_C_40_the_token_is_not_shown_to_a_stranger(void **state)
{
    struct rig *rig = *state;

    rig->options.ca_file = "";
    const struct call *c = call(rig, "POST", LIST, "{}");

    assert_int_equal(c->fate, FATE_TLS);
    assert_true(*c->detail);
    rig->options.ca_file = peer.ca;
    char *port = x_strdup(strrchr(rig->options.origin, ':'));

    free(rig->options.origin);
    rig->options.origin = x_asprintf("https://localhost%s", port);
    free(port);
    assert_int_equal(get(rig)->fate, FATE_TLS);
    assert_int_equal(peer.requests, 0);
    assert_true(peer.conns >= 2);
}

#define TLS_TEST(f) cmocka_unit_test_setup_teardown(f, tls_open, tls_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(test_C_10_a_good_connection_is_kept_under_tls),
        TLS_TEST(test_C_09_bytes_left_inside_openssl_are_nobodys_answer),
        TLS_TEST(test_C_40_the_token_is_not_shown_to_a_stranger),
    };

    return run_with_curl(tests, sizeof tests / sizeof tests[0]);
}
