/* tests/sim/sim.h -- one HTTP request and its answer as the simulators' cores see them.
 * A core is plain C without sockets or clock, so that the stand-alone server (microhttpd) and tests/world can
 * both drive it. Owns nothing; the core fills the answer, the caller frees it with sim_answer_clear(). */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sim_header {
    char name[48];
    char value[160];
};

#define SIM_HEADERS_MAX 12u

/* Strings are borrowed from the caller for the time of the call and never NULL ("" when absent); body may
 * hold any bytes. */
struct sim_request {
    const char *method; /* GET, POST, PUT, PATCH, DELETE */
    const char *path;   /* decoded by nobody: as it stood in the request line, without '?' and what follows */
    const char *query;  /* without '?', still percent-encoded; "" when there is none */
    const char *token;  /* bearer token (Kubernetes) or X-Auth-Token (Packet), bare; "" when there is none */
    const char *content_type; /* "" when there is none */
    const char *accept;       /* "" when there is none */
    const char *user_agent;   /* "" when there is none */
    const char *body;         /* body_len bytes, not NUL-terminated */
    size_t body_len;
};

/* What to do with the answer; a core decides, a shell (or the world) carries it out. */
enum sim_fate {
    SIM_ANSWER,    /* send status, headers and body */
    SIM_RESET,     /* drop the connection without an answer */
    SIM_HANG,      /* never answer */
    SIM_TRUNCATE,  /* send the headers and half of the body, then close */
    SIM_STALL,     /* send the headers, then nothing */
    SIM_DRIP,      /* one byte each second */
    SIM_BAD_LENGTH /* a Content-Length larger than what follows */
};

struct sim_answer {
    enum sim_fate fate;
    int status;
    char *body; /* malloc'ed, body_len bytes; NULL when empty */
    size_t body_len;
    const char *content_type; /* static text; NULL: no Content-Type header */
    struct sim_header headers[SIM_HEADERS_MAX];
    unsigned n_headers;
    unsigned delay_ms; /* how long the shell (or the world) holds the answer back */
};

static inline void sim_answer_clear(struct sim_answer *answer)
{
    free(answer->body);
    memset(answer, 0, sizeof *answer);
}

#endif
