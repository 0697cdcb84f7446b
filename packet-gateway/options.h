/* packet-gateway/options.h -- the gateway's options as the supervisor passed them on, with their defaults,
 * and what follows from the base URL. Owns its texts. Read once, by main.c. */
#ifndef PACKET_GATEWAY_OPTIONS_H
#define PACKET_GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/contract.h"

/* ---- defaults of the options: nowhere else */
#define DEFAULT_PACKET_URL "https://api.equinix.com/metal/v1"
/* Why these: docs/architecture.md, "How fast Packet is called". */
#define DEFAULT_PACKET_RATE     200.0 /* calls each second and credential */
#define DEFAULT_PACKET_BURST    40
#define DEFAULT_PACKET_PARALLEL 32

/* How long one request to Packet may take (packet 4.4, C-9). No flags: these are not a matter of taste. */
struct gateway_limits {
    long connect_ms;   /* name, TCP and TLS */
    long total_ms;     /* from the moment the core asks for it to its end, a second try on a fresh connection
                          included */
    long slow_seconds; /* not a byte for so long: ended */
};

#define DEFAULT_LIMITS                                                                                       \
    ((struct gateway_limits){.connect_ms = 10000, .total_ms = PACKET_CALL_MS, .slow_seconds = 15})

struct gateway_options {
    char *origin;         /* "https://host:port" */
    char *base_path;      /* "/metal/v1", "" when none; never ends with a slash */
    bool tls;             /* the scheme is https */
    bool loopback;        /* the host is this machine: plain HTTP is allowed, no proxy is used */
    const char *ca_file;  /* "": the system's */
    const char *consumer; /* X-Consumer-Token, "": not sent (packet C-4) */
    double rate;          /* 0: no limit of our own */
    unsigned burst, parallel;
    struct gateway_limits limits;
};

/* Reads proc_option()s. Returns 0; or -1 with a sentence in error (size bytes). Free in both cases. */
int options_read(struct gateway_options *options, char *error, size_t size);
void options_free(struct gateway_options *options);
/* The part of options_read() that takes a base URL apart (packet C-1). Same results. */
int options_read_url(struct gateway_options *options, const char *url, char *error, size_t size);

#endif
