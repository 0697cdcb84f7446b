/* packet-gateway/core/material.h -- a public key and an id as texts, whatever API they came from: which two
 * lines are the same key, what is a UUID. Pure functions of material.c; used by every file of the core. */
#ifndef PACKET_GATEWAY_CORE_MATERIAL_H
#define PACKET_GATEWAY_CORE_MATERIAL_H

#include <stdbool.h>
#include <stddef.h>

#define UUID_TEXT        37u /* 36 and the NUL */
#define DIGEST_LEN       32u
#define FINGERPRINT_TEXT 52u /* "SHA256:", 43 characters, NUL */

struct material {
    unsigned char digest[DIGEST_LEN];   /* of type, NUL, blob: equal means the same key (packet C-15) */
    char fingerprint[FINGERPRINT_TEXT]; /* as OpenSSH prints it; "" when the blob is no base64 */
};

/* Reads "type base64 [comment]" with any white space around. Returns false when there are no two words. */
bool material_read(const char *line, size_t len, struct material *out);
bool material_same(const struct material *a, const struct material *b);
/* Can these two lines hold the same key? Without decoding or hashing: a list may have a thousand keys. */
bool material_alike(const char *a, size_t a_len, const char *b, size_t b_len);
/* SHA-256 by OpenSSL. */
void digest_of(const void *data, size_t len, unsigned char out[DIGEST_LEN]);
/* Copies in lower case. Returns false, and *out is "", for anything but 8-4-4-4-12 hex digits (packet C-6).
 */
bool uuid_copy(const char *text, size_t len, char out[UUID_TEXT]);

#endif
