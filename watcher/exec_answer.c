/* watcher/exec_answer.c -- from an exec plugin's output to a token, a client certificate and a time. The
 * output is a stranger's: it is bounded by the reader, checked here, and wiped. Called by exec_plugin.c. */
#include "watcher/exec_answer.h"

#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "watcher/access.h"
#include "watcher/core/convert.h"

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void exec_credential_wipe(struct exec_credential *credential)
{
    wipe(&credential->token);
    wipe(&credential->cert);
    wipe(&credential->key);
    credential->good_until_ms = 0;
}

/* Absent, null and "" are the same. Anything else that is no text makes *good false. */
static const char *text_of(const json_t *status, const char *name, bool *good)
{
    const json_t *member = json_object_get(status, name);

    if (!member || json_is_null(member))
        return NULL;
    if (!json_is_string(member) || strlen(json_string_value(member)) != json_string_length(member)) {
        *good = false;
        return NULL;
    }
    return json_string_length(member) ? json_string_value(member) : NULL;
}

static bool fits_in_a_header(const char *token)
{
    if (strlen(token) > TOKEN_MAX)
        return false;
    for (; *token; token++)
        if (*token <= 0x20 || *token >= 0x7f)
            return false;
    return true;
}

/* Do both hold what they should, and belong together? */
static bool is_pair(const char *cert, const char *key)
{
    BIO *cert_bio = BIO_new_mem_buf(cert, -1), *key_bio = BIO_new_mem_buf(key, -1);
    /* "" as the pass phrase: OpenSSL would ask the terminal for one */
    X509 *x = cert_bio ? PEM_read_bio_X509(cert_bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    EVP_PKEY *k = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    bool good = x && k && X509_check_private_key(x, k) == 1;

    X509_free(x);
    EVP_PKEY_free(k);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return good;
}

static const char *read_status(const json_t *status, struct exec_credential *out)
{
    bool good = true;
    const char *token = text_of(status, "token", &good);
    const char *cert = text_of(status, "clientCertificateData", &good);
    const char *key = text_of(status, "clientKeyData", &good);
    const char *until = text_of(status, "expirationTimestamp", &good);

    out->good_until_ms = INT64_MAX;
    if (!good)
        return "a member of its status is no text";
    if (!token && !cert && !key)
        return "it gave neither a token nor a client certificate with its key";
    if (cert && !key)
        return "it gave a client certificate without its key";
    if (key && !cert)
        return "it gave a client key without its certificate";
    if (until && clock_parse(until, strlen(until), &out->good_until_ms))
        return "its expirationTimestamp is no time";
    if (token && !fits_in_a_header(token))
        return "its token is too long, or holds what no header may";
    if (cert && !is_pair(cert, key))
        return "its client certificate and key cannot be read, or are no pair";
    out->token = token ? x_strdup(token) : NULL;
    out->cert = cert ? x_strdup(cert) : NULL;
    out->key = key ? x_strdup(key) : NULL;
    return NULL;
}

/* "" when it is no text. */
static const char *head(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}

/* jansson frees its strings as they are. */
static void wipe_strings(json_t *json)
{
    const char *name;
    json_t *member;

    json_object_foreach(json, name, member)
    {
        if (json_is_string(member))
            explicit_bzero((void *)(uintptr_t)json_string_value(member), json_string_length(member));
    }
}

int exec_answer_read(const char *text, size_t len, const char *api_version, struct exec_credential *out,
                     char *error)
{
    json_t *json = convert_parse((struct text){.p = text, .len = len});
    json_t *status = json_object_get(json, "status");
    const char *wrong = NULL;

    *out = (struct exec_credential){0};
    if (!json_is_object(json))
        wrong = "it printed no JSON object";
    else if (strcmp(head(json, "kind"), "ExecCredential"))
        wrong = "it printed another kind than ExecCredential";
    else if (strcmp(head(json, "apiVersion"), api_version))
        wrong = "it printed another apiVersion than the kubeconfig's";
    else if (!json_is_object(status))
        wrong = "its ExecCredential has no status";
    else
        wrong = read_status(status, out);
    wipe_strings(status);
    json_decref(json);
    if (!wrong)
        return 0;
    exec_credential_wipe(out);
    snprintf(error, EXEC_ERROR_MAX, "%s", wrong);
    return -1;
}
