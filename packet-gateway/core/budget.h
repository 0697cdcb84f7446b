/* packet-gateway/core/budget.h -- when a call may start: the shapes of credential, limit and breaker, and
 * what budget.c, learn.c and breaker.c answer about them. Part of internal.h; nobody else includes it. */
#ifndef PACKET_GATEWAY_CORE_BUDGET_H
#define PACKET_GATEWAY_CORE_BUDGET_H

#include <sys/queue.h>

#include "packet-gateway/core/answer.h"

struct call;

/* ---- numbers, each once ---- */
#define BUDGET_WAIT_MS     2000   /* longer waits are spent in the watcher's queue (design 12.6) */
#define PAUSE_CAP_MS       300000 /* no server may silence us for longer (packet C-34) */
#define PAUSE_FIRST_MS     1000   /* pause after a 429 that names no time, doubled each time ... */
#define PAUSE_LAST_MS      30000  /* ... up to this (packet 4.4) */
#define CREDENTIAL_KEPT_MS 600000 /* pause and rate of an unused credential; its token is wiped at once */
#define RATE_FLOOR         0.5    /* calls each second that 429s may push us down to */
#define EPOCH_CAUTION_MS   2000   /* requests of a dead predecessor may arrive: nothing raises the level */
#define BREAKER_FAILURES   8 /* calls in a row without an answer of the API: more than one call has tries */
#define BREAKER_FIRST_MS   1000  /* then nothing is sent but one probe after this, doubled ... */
#define BREAKER_LAST_MS    30000 /* ... up to this */
#define BREAKER_TELL_MS    60000 /* an outage longer than this is told to the objects as an error */

/* ---- a credential and its budget: budget.c ---- */
/* What is known of the limit that the server keeps for a credential (learn.c). */
enum knowledge {
    LIMIT_UNKNOWN,   /* nothing was said, nothing was refused: our own bucket, and a window that opens */
    LIMIT_ANNOUNCED, /* answers carry X-RateLimit-*: they are the authority */
    LIMIT_FOUND      /* 429 without them: a rate just below, that creeps up until the next 429 */
};

/* How a call stood when it was sent. */
struct start {
    uint64_t number;    /* among the calls sent with this credential */
    int64_t sent_ms;    /* CLOCK_BOOTTIME */
    unsigned alongside; /* others under way then: the server may have counted them before or after it */
};

/* An answer to measure from: calls sent and what Remaining became since then are what was refilled. */
struct mark {
    int64_t sent_ms, at_ms; /* the server counted it in between: it may be old. 0: none */
    uint64_t number;        /* of the call */
    double remaining;
    double loose; /* calls under way then: the server may have counted them before or after */
};

/* A window is filled at its reset and never between; a bucket all the time. */
enum shape { SHAPE_UNKNOWN, SHAPE_WINDOW, SHAPE_BUCKET };

struct announced {
    double limit;     /* X-RateLimit-Limit, or the most that Remaining ever allowed */
    double level;     /* Remaining of the newest answer without the calls under way and those sent since */
    int64_t level_ms; /* when that was true; it grows from there when the refill is known */
    uint64_t newest;  /* number of that call ... */
    double remaining; /* ... and what it told */
    int64_t reset_s;  /* X-RateLimit-Reset as it came */
    int64_t reset_ms; /* the same on our clock, never too early; 0: none */
    bool dated;       /* the server's own Date said how far away that is */
    enum shape shape;
    double refill;           /* calls each second that come back; 0: not known */
    bool measured;           /* ... or not known well */
    int64_t gap_ms, next_ms; /* until it is: between calls of the lower half; the next one */
    struct mark base, later; /* to measure the refill from, and its successor */
    bool lossy;              /* it was full since then */
    struct mark same;        /* nothing was reset since, as long as reset_s or the time says so ... */
    int64_t same_reset_s, same_until_ms;
    unsigned silent; /* answers in a row without the headers */
};

struct found {
    double ceiling;    /* calls each second that the server may refuse */
    bool trusted;      /* measured over enough calls; else the climb is fast */
    bool climbing;     /* this climb has begun: a probe */
    int64_t since_ms;  /* last 429, or end of the last idleness ... */
    int64_t paused_ms; /* ... of which we were told to wait ... */
    uint64_t done;     /* ... and calls that went through since then */
};

struct credential {
    TAILQ_ENTRY(credential) link;
    unsigned char hash[DIGEST_LEN];
    struct secret *token; /* NULL while nobody refers to it */
    unsigned refs;        /* grants and calls */
    enum knowledge known;
    double tokens, rate; /* our own bucket: calls that may start now; calls each second. rate 0: no limit */
    int64_t filled_ms;   /* when tokens was last brought up to date; in a pause its end */
    int64_t taken_ms;    /* the last call */
    unsigned in_flight;
    uint64_t sent;         /* calls so far: the number of the last one */
    unsigned window, full; /* LIMIT_UNKNOWN: how many may be in flight; answers that found it full */
    struct announced announced;
    struct found found;
    int64_t paused_until_ms;
    unsigned limited;    /* 429s in a row */
    uint64_t limited_at; /* calls up to this number belong to the last 429 */
    double reserved;     /* calls promised to grants and to those called in, not yet made */
    unsigned tickets;    /* that wait for it */
    int64_t used_ms;     /* last reference given back */
};

/* ---- is the API there at all: breaker.c ---- */
struct breaker {
    unsigned failures; /* calls in a row without an answer of the API */
    bool open;
    uint64_t probe;              /* id of the call that is the probe, while it is under way; else 0 */
    int64_t since_wall_ms;       /* first of those failures, for people */
    int64_t since_ms;            /* when it opened */
    int64_t probe_ms;            /* next probe */
    int64_t wait_ms;             /* between the last two */
    char why[DETAIL_TEXT - 100]; /* the last failure */
};

/* budget.c */
struct credential *credential_get(struct gateway_core *core, const char *token, size_t len);
void credential_ref(struct credential *credential);
void credential_unref(struct gateway_core *core, struct credential *credential);
/* How long a call of this lane would have to wait now, 0 = may start. Pauses included. */
int64_t budget_wait_ms(const struct gateway_core *core, const struct credential *credential, enum lane lane);
/* Until this credential has so many calls of this lane beside all that are promised. */
int64_t budget_admission_ms(const struct gateway_core *core, const struct credential *credential,
                            enum lane lane, double calls);
/* Calls that may start now, for people. */
double budget_left(const struct gateway_core *core, const struct credential *credential);
/* May one more be in flight? Answers change it, time does not. */
bool budget_has_room(const struct gateway_core *core, const struct credential *credential);
/* A call starts. Its answer, whatever it is, goes to budget_learn() with what this returned. */
struct start budget_take(struct gateway_core *core, struct credential *credential);
/* Learns from an answer to call `number`: pause, slower, faster (packet C-34..C-36, 4.4). */
void budget_learn(struct gateway_core *core, struct credential *credential, const struct start *start,
                  const struct answer *answer);
/* Milliseconds of the pause after a 429 that are left. */
int64_t budget_pause_ms(const struct gateway_core *core, const struct credential *credential);
/* A new epoch begins with nothing saved up (design 12.6). */
void budget_empty(struct gateway_core *core);
void budget_sweep(struct gateway_core *core);
void budget_free(struct gateway_core *core);

/* learn.c: called by budget.c alone */
/* Calls that the server would take now by what it announced. */
double learn_level(const struct gateway_core *core, const struct credential *credential);
/* Milliseconds until it would take `need`; when only an answer can tell, BUDGET_WAIT_MS. */
int64_t learn_wait_ms(const struct gateway_core *core, const struct credential *credential, double need);
/* What of it only deletes may use. */
double learn_reserve(const struct credential *credential);
/* From an answer to its X-RateLimit-Reset, by the server's own Date when there is one: its clock may be
 * wrong. Date is cut to seconds, so that it is too long rather than too short. -1 or less: not told. */
int64_t learn_reset_wait_ms(const struct gateway_core *core, const struct gateway_result *result);
/* Calls each second that are known to come back, 0 when that is not known. */
double learn_rate(const struct credential *credential);
/* A call starts; kept_pace: it came as soon as our own bucket let it. */
void learn_start(struct gateway_core *core, struct credential *credential, bool kept_pace);
/* A 429 that belongs to no earlier one; after the pause was set. */
void learn_refused(struct gateway_core *core, struct credential *credential);
void learn_passed(struct gateway_core *core, struct credential *credential);
/* What the headers say, or that there are none. */
void learn_headers(struct gateway_core *core, struct credential *credential, const struct start *start,
                   const struct gateway_result *result);

/* breaker.c */
/* 0: calls may be sent, or one may as the probe. Else the time until the next probe. */
int64_t breaker_wait_ms(const struct gateway_core *core);
bool breaker_is_open(const struct gateway_core *core);
/* May this call go? While open one that can be repeated may, as the probe. */
bool breaker_lets(const struct gateway_core *core, const struct call *call);
/* It was sent. */
void breaker_sent(struct gateway_core *core, const struct call *call);
/* id: of the call that was answered. */
void breaker_learn(struct gateway_core *core, uint64_t id, const struct answer *answer);
/* The outage has lasted so long that it is an error: true, and a sentence for the object. */
bool breaker_tells(const struct gateway_core *core, char out[DETAIL_TEXT]);

#endif
