/* base/escape.h -- text of others inside JSON strings, by whoever writes JSON without a library: the log, and
 * the supervisor's crash records. Pure. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stddef.h>

#define ESCAPE_MAX 8u /* bytes that one character may become */

/* What one character looks like inside a JSON string (RFC 8259): its text in out (no NUL), its length
 * returned; *used bytes of p were taken. p ends with a NUL, so a cut sequence is seen as one; what is no
 * UTF-8 becomes U+FFFD, a control character an escape. */
size_t escape_one(const unsigned char *p, size_t *used, char out[static ESCAPE_MAX]);

#endif
