/* watcher/transfer_way.c -- whom a connection trusts, as whom it comes, and through which proxy (kubernetes
 * 1.8, 1.10). Owns nothing. Called by transfer.c. */
#include <string.h>

#include "watcher/transfer.h"

static void set_blob(CURL *easy, CURLoption option, char *pem)
{
    struct curl_blob blob = {.data = pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};

    curl_easy_setopt(easy, option, &blob);
}

void transfer_set_way(CURL *easy, const struct access *access)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, access->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, access->insecure ? 0L : 2L);
    if (access->ca) {
        /* The distribution's file and folder would be trusted besides it if they stayed (kubernetes trap 3).
         */
        set_blob(easy, CURLOPT_CAINFO_BLOB, access->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        set_blob(easy, CURLOPT_PROXY_CAINFO_BLOB, access->ca); /* of an https proxy, as client-go does */
        curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    }
    if (access->cert && !access->plain) {
        set_blob(easy, CURLOPT_SSLCERT_BLOB, access->cert);
        set_blob(easy, CURLOPT_SSLKEY_BLOB, access->key);
    }
    curl_easy_setopt(easy, CURLOPT_PROXY, access->proxy); /* "" as well: libcurl never looks for itself */
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}
