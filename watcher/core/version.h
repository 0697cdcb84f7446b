/* watcher/core/version.h -- the order of resource versions (kubernetes 9.4, 64). Owns nothing. */
#ifndef WATCHER_CORE_VERSION_H
#define WATCHER_CORE_VERSION_H

#include "proto/value.h"

#define VERSION_MAX 64u /* LIMIT of PATCH.resource_version; 128 bits need 39 digits */

enum version_order { VERSION_OLDER, VERSION_SAME, VERSION_NEWER, VERSION_UNKNOWN };

/* How a stands to b, of one resource of one cluster. UNKNOWN when they differ and one of them is no number
 * without leading zeros. */
enum version_order version_compare(struct span a, struct span b);

#endif
