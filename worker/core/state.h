/* worker/core/state.h -- status.state and providerStatus of an Infrastructure: what is remembered of Packet
 * between runs, seeds and releases (design 5, 12.2, 12.8). */
#ifndef WORKER_CORE_STATE_H
#define WORKER_CORE_STATE_H

#include "proto/messages.h"
#include "proto/pack.h"
#include "worker/core/pubkey.h"

#define ID_SIZE      (LIMIT_UUID + 1)
#define ATTEMPTS_MAX 16u
#define OBSOLETE_MAX 128u

/* What the next patch of the state does with an attempt. */
enum attempt_change { ATTEMPT_KEEP, ATTEMPT_SET, ATTEMPT_DROP };

/* A mutation of that material may have been sent, or may yet be (design 12.2). */
struct attempt {
    char fingerprint[FINGERPRINT_SIZE];
    int64_t at_s; /* seconds since 1970; the last moment of it is ATTEMPT_SEND_S later */
    enum attempt_change change;
    bool stored; /* the API server has it */
};

struct state {
    char project[ID_SIZE];
    char id[ID_SIZE]; /* the key that is current, "" when none is known */
    char label[LIMIT_LABEL + 1];
    char fingerprint[FINGERPRINT_SIZE]; /* of id's material, "" when not known */
    struct attempt attempts[ATTEMPTS_MAX];
    unsigned n_attempts;
    char obsolete[OBSOLETE_MAX][ID_SIZE]; /* ids to be deleted, never to be adopted again */
    unsigned n_obsolete;
    /* Until then, seconds since 1970, a request that nobody saw the end of may still take effect, though its
     * material was sent again and stands. 0 = there is none. */
    int64_t unsettled_s;
    char status_id[ID_SIZE]; /* providerStatus.sshKeyID */
    bool broken;             /* not ours and not Terraform's, or larger than we write: proves nothing */
    bool foreign;            /* Terraform's shape, to be replaced in the first patch of the state */
    bool dirty;              /* differs from what the API server has */
    /* which members the API server's copy has with a content: an emptied one must be written as empty */
    bool stored_id, stored_fingerprint, stored_obsolete, stored_unsettled;
};

/* Reads status of the object. terraform_key: the id that the watcher found in Terraform's state, or an absent
 * span (gardener 7.3). */
void state_read(struct state *state, struct value status, struct span terraform_key);
/* No key exists and no mutation was ever sent: the object may go without credentials (gardener 75). */
bool state_proves_nothing_sent(const struct state *state);
/* Does the state tie the object to state->project (design 12.8)? */
bool state_binds_project(const struct state *state);
/* Is id one that we once knew to be ours: current, from the provider status, or obsolete? */
bool state_knows(const struct state *state, const char *id);
bool state_is_obsolete(const struct state *state, const char *id);
/* Adds to obsolete unless it is there. Returns whether it changed; false also when the list is full. */
bool state_add_obsolete(struct state *state, const char *id);
void state_drop_obsolete(struct state *state, const char *id);

struct attempt *state_attempt(struct state *state, const char *fingerprint);
/* Adds the attempt or moves its time. Returns NULL when there are too many. */
struct attempt *state_set_attempt(struct state *state, const char *fingerprint, int64_t at_s);
void state_drop_attempt(struct state *state, const char *fingerprint);

/* Sets unsettled_s. */
void state_unsettled(struct state *state, int64_t until_s);

/* Writes the map under status.state of a merge patch: everything, but of the attempts only what changes. */
void state_pack(const struct state *state, struct pack *p);
/* The API server has taken what state_pack() wrote. */
void state_stored(struct state *state);

#endif
