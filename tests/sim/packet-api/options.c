/* tests/sim/packet-api/options.c -- the command line.
 * Owns nothing: texts point into argv. Never touches the simulation. Called once by main.c. */
#include <getopt.h>
#include <stdlib.h>
#include <strings.h>

#include "tests/sim/packet-api/server.h"

enum {
    HOST = 1000,
    PORT,
    ADMIN_PORT,
    CERT,
    KEY,
    SELF_SIGNED,
    LEDGER,
    KEEP,
    LATENCY_MS,
    LATENCY,
    RATE,
    BURST,
    PREFIX,
    PROJECT,
    TOKEN,
    DUP,
    SEED,
    CONFIG,
    FAULT,
    PARENT,
    HELP
};

static const struct option flags[] = {{"host", 1, NULL, HOST},
                                      {"port", 1, NULL, PORT},
                                      {"admin-port", 1, NULL, ADMIN_PORT},
                                      {"tls-cert", 1, NULL, CERT},
                                      {"tls-key", 1, NULL, KEY},
                                      {"tls-self-signed", 1, NULL, SELF_SIGNED},
                                      {"ledger", 1, NULL, LEDGER},
                                      {"ledger-keep", 1, NULL, KEEP},
                                      {"latency-ms", 1, NULL, LATENCY_MS},
                                      {"latency", 1, NULL, LATENCY},
                                      {"rate", 1, NULL, RATE},
                                      {"rate-burst", 1, NULL, BURST},
                                      {"prefix", 1, NULL, PREFIX},
                                      {"project", 1, NULL, PROJECT},
                                      {"token", 1, NULL, TOKEN},
                                      {"dup-check", 1, NULL, DUP},
                                      {"seed", 1, NULL, SEED},
                                      {"config", 1, NULL, CONFIG},
                                      {"fault", 1, NULL, FAULT},
                                      {"die-with-parent", 0, NULL, PARENT},
                                      {"help", 0, NULL, HELP},
                                      {NULL, 0, NULL, 0}};

static int number(const char *text, const char *suffix, long max, long *out)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || value < 0 || value > max || (*end != '\0' && strcmp(end, suffix) != 0))
        return -1;
    *out = value;
    return 0;
}

static int push(const char **list, unsigned *count, const char *value)
{
    if (*count == PRELOADS_MAX)
        return -1;
    list[(*count)++] = value;
    return 0;
}

/* A flag that only sets a switch becomes the same JSON that --config takes. */
static int set_switch(struct options *options, const char *name, const char *value, bool quoted)
{
    if (options->n_switches == 8)
        return -1;
    char *to = options->switches[options->n_switches];
    int n =
        snprintf(to, sizeof options->switches[0], quoted ? "{\"%s\":\"%s\"}" : "{\"%s\":%s}", name, value);
    if (n < 0 || (size_t)n >= sizeof options->switches[0])
        return -1;
    return push(options->configs, &options->n_configs, options->switches[options->n_switches++]);
}

static int number_switch(struct options *options, const char *name, const char *text, const char *suffix)
{
    char digits[24];
    long value;
    if (number(text, suffix, 1000000, &value) != 0)
        return -1;
    snprintf(digits, sizeof digits, "%ld", value);
    return set_switch(options, name, digits, false);
}

/* --latency METHOD=N */
static int latency(struct options *options, const char *text)
{
    static const char *const names[][2] = {{"GET=", "latencyGetMs"},
                                           {"POST=", "latencyPostMs"},
                                           {"PUT=", "latencyPutMs"},
                                           {"DELETE=", "latencyDeleteMs"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(text, names[i][0], strlen(names[i][0])) == 0)
            return number_switch(options, names[i][1], text + strlen(names[i][0]), "");
    return -1;
}

static int port(const char *text, int *out)
{
    long value = 0;
    int result = number(text, "", 65535, &value);
    *out = (int)value;
    return result;
}

static int prefix(struct options *options, const char *text)
{
    size_t len = strlen(text);
    options->sim.prefix = text;
    bool wrong = len > 0 && (text[0] != '/' || text[len - 1] == '/');
    return wrong || packet_sim_is_admin_path(text) ? -1 : 0;
}

static int keep(struct options *options, const char *text)
{
    long value = 0;
    int result = number(text, "", 10000000, &value);
    options->sim.ledger_keep = (size_t)value;
    return result;
}

static int take(struct options *o, int flag, const char *value)
{
    switch (flag) {
    case HOST: o->host = value; return 0;
    case PORT: return port(value, &o->port);
    case ADMIN_PORT: return port(value, &o->admin_port);
    case CERT: o->tls_cert = value; return 0;
    case KEY: o->tls_key = value; return 0;
    case SELF_SIGNED: o->tls_self_signed = value; return 0;
    case LEDGER: o->ledger = value; return 0;
    case KEEP: return keep(o, value);
    case LATENCY_MS: return number_switch(o, "latencyMs", value, "ms");
    case LATENCY: return latency(o, value);
    case RATE: return number_switch(o, "rate", value, "/s");
    case BURST: return number_switch(o, "rateBurst", value, "");
    case PREFIX: return prefix(o, value);
    case PROJECT: return push(o->projects, &o->n_projects, value);
    case TOKEN: return push(o->tokens, &o->n_tokens, value);
    case DUP: return set_switch(o, "dupCheck", value, true);
    case SEED: o->sim.seed = strtoull(value, NULL, 10); return 0;
    case CONFIG: return push(o->configs, &o->n_configs, value);
    case FAULT: return push(o->faults, &o->n_faults, value);
    case PARENT: o->die_with_parent = true; return 0;
    default: return -1;
    }
}

int options_read(struct options *options, int argc, char **argv, int *status)
{
    int flag, index = 0;
    *options = (struct options){.sim = packet_sim_config_default(), .host = "127.0.0.1"};
    options->sim.ledger_keep = 100000;
    *status = 2;
    while ((flag = getopt_long(argc, argv, "h", flags, &index)) != -1) {
        if (flag == HELP || flag == 'h') {
            help_print(stdout);
            *status = 0;
            return -1;
        }
        if (flag == '?')
            return -1;
        if (take(options, flag, optarg) != 0) {
            fprintf(stderr, "sim-packet-api: --%s: value not possible\n", flags[index].name);
            return -1;
        }
    }
    if (optind != argc || (options->tls_cert == NULL) != (options->tls_key == NULL)) {
        fprintf(stderr, "sim-packet-api: no arguments besides flags; --tls-cert needs --tls-key\n");
        return -1;
    }
    return 0;
}
