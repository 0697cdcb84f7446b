/* tests/unit/second_provider.h -- another bare-metal API, of no real company: what
 * test_gateway_second_provider.c runs the gateway with. Shows what a second module needs
 * (docs/architecture.md). */
#ifndef TESTS_UNIT_SECOND_PROVIDER_H
#define TESTS_UNIT_SECOND_PROVIDER_H

#include "packet-gateway/core/provider.h"

extern const struct provider second_provider;

#endif
