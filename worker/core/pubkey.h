/* worker/core/pubkey.h -- one SSH public key as users write it, and what of it goes to Packet. */
#ifndef WORKER_CORE_PUBKEY_H
#define WORKER_CORE_PUBKEY_H

#include "proto/messages.h"
#include "worker/core/errors.h"

#define FINGERPRINT_SIZE 64u /* "SHA256:" + 43 characters, and room */

struct pubkey {
    bool present;                       /* false: no key is wanted (SSH access is switched off) */
    char line[LIMIT_KEY + 1];           /* "<type> <blob>[ <comment>]", one line, no options */
    char fingerprint[FINGERPRINT_SIZE]; /* of the blob, as OpenSSH prints it */
};

/* Reads Infrastructure.spec.sshPublicKey: base64 of one authorized_keys line (gardener 1.2). Absent or blank
 * text is no key and no problem. Returns CAUSE_NONE or the configuration problem; *out is then without a key.
 */
enum cause pubkey_read(struct span base64, struct pubkey *out);
/* The same for text that is not base64: the line itself. */
enum cause pubkey_parse(struct span text, struct pubkey *out);

#endif
