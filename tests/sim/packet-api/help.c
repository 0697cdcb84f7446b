/* tests/sim/packet-api/help.c -- the text of --help, which is the reference of the simulator.
 * Owns the text only. Called by options.c. */
#include "tests/sim/packet-api/server.h"

void help_print(FILE *to)
{
    fputs("usage: sim-packet-api [flags]\n", to);
}
