/* watcher/config_file.h -- the ControllerConfiguration of --config-file (gardener 9.4). Nothing in it changes
 * what the watcher does: it is required and checked as Gardener's extensions do. Called by main.c. */
#ifndef WATCHER_CONFIG_FILE_H
#define WATCHER_CONFIG_FILE_H

#include <stddef.h>

/* Returns 0; or -1 with a sentence in error: no path given, unreadable, no YAML, another kind or apiVersion.
 * An empty file is valid, unknown fields are ignored. */
int config_file_check(const char *path, char *error, size_t error_size);

#endif
