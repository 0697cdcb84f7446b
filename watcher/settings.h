/* watcher/settings.h -- what the supervisor's options and our surroundings say: where the API server is, and
 * how the core is configured. Read once, at the start. Called by main.c. */
#ifndef WATCHER_SETTINGS_H
#define WATCHER_SETTINGS_H

#include "proto/confine.h"
#include "watcher/access.h"
#include "watcher/core/watcher.h"
#include "watcher/exec_helper.h"

#define SETTINGS_NS_MAX 254u

struct settings {
    struct access access;
    struct exec_helper helper;    /* fd -1: no exec plugin gives the credentials */
    struct watcher_config config; /* without seed and incarnation */
    char ns[SETTINGS_NS_MAX];     /* of the leader Lease */
};

/* To be called before the first thread: the helper is forked here. Ends the process with a sentence when
 * something is wrong. What it fills in lives as long as *settings. */
void settings_read(struct settings *settings);
/* What must stay readable: the folders of the files that are read again, for a change of them may be another
 * file; and the helper must stay its own child. */
void settings_keep(const struct settings *settings, struct confinement *keep);
void settings_clear(struct settings *settings);

/* One line in the log, then exit(code). */
_Noreturn void settings_fail(int code, const char *msg, const char *detail);

#endif
