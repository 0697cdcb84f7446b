/* watcher/exec_plugin.h -- when the exec plugin is run, and what its latest answer is good for: the
 * credential in struct access, until it expires or is refused (kubernetes 1.6, 10). Decides; the helper
 * process runs. Called by http.c and main.c. */
#ifndef WATCHER_EXEC_PLUGIN_H
#define WATCHER_EXEC_PLUGIN_H

#include <czmq.h>

#include "proto/pack.h"
#include "watcher/access.h"
#include "watcher/exec_helper.h"

#define EXEC_LISTENERS_MAX 2u
#define EXEC_AGAIN_MS      1000  /* before the third run in a row without success; then twice as long */
#define EXEC_AGAIN_MAX_MS  30000 /* at most */

struct exec_plugin;

/* A run has ended. error: NULL, or why there is no credential; then what waits for one fails. */
typedef void exec_plugin_heard(void *ctx, const char *error);

/* The credential goes into access, whose `exec` says what is run; both and the helper live as long. NULL when
 * there is no helper. When the helper ends by itself, so does the process, with EXIT_HELPER. */
struct exec_plugin *exec_plugin_new(zloop_t *loop, struct access *access, const struct exec_helper *helper);

/* Every function below takes NULL for no plugin. */

void exec_plugin_free(struct exec_plugin *plugin);
void exec_plugin_listen(struct exec_plugin *plugin, exec_plugin_heard *heard, void *ctx);

/* Is there a credential to send now? If not, a run has begun or is planned, and the listeners will hear. */
bool exec_plugin_ready(struct exec_plugin *plugin);
/* Of the credential in access; changes with it. */
uint64_t exec_plugin_generation(const struct exec_plugin *plugin);
/* The server answered a request with the credential of that generation: 401 brings about a run at once. */
void exec_plugin_answered(struct exec_plugin *plugin, uint64_t generation, int status);
/* For the beat, and so for `packetctl status`: one pair of a map, "exec_plugin" and what there is to say. */
void exec_plugin_pack(const struct exec_plugin *plugin, struct pack *out);

#endif
