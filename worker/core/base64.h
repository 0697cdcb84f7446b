/* worker/core/base64.h -- standard base64 (RFC 4648, section 4) between caller's buffers. Never allocates.
 * Called by pubkey.c only. */
#ifndef WORKER_CORE_BASE64_H
#define WORKER_CORE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes len characters into out (cap bytes); blanks and line ends between them are passed over when
 * `blanks`. The padding must be complete. Returns false for anything that is no base64 or does not fit. */
bool pubkey_base64_decode(const char *text, size_t len, bool blanks, uint8_t *out, size_t cap,
                          size_t *out_len);

/* Writes the encoding of len bytes without padding, NUL-terminated. cap must be at least len * 4 / 3 + 3. */
void pubkey_base64_encode(const uint8_t *data, size_t len, char *out, size_t cap);

#endif
