/* watcher/in_cluster.c -- the service account that every pod finds in its file system (kubernetes 1.2).
 * Called by access.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "watcher/access.h"
#include "watcher/yaml.h"

bool in_cluster_possible(const struct access_request *request)
{
    char *token = x_asprintf("%s/token", request->account_dir);
    bool there = *request->service_host && *request->service_port && access(token, F_OK) == 0;

    free(token);
    return there;
}

/* A CA that cannot be read is an error here: client-go would go on with the system's roots. */
int in_cluster_load(struct access *found, const struct access_request *request, char *error)
{
    bool v6 = strchr(request->service_host, ':') && request->service_host[0] != '[';
    size_t len = 0;

    found->server = x_asprintf("https://%s%s%s:%s", v6 ? "[" : "", request->service_host, v6 ? "]" : "",
                               request->service_port);
    found->ca_file = x_asprintf("%s/ca.crt", request->account_dir);
    found->ca = file_read(found->ca_file, YAML_FILE_MAX, &len);
    found->token_file = x_asprintf("%s/token", request->account_dir);
    if (!found->ca)
        snprintf(error, ACCESS_ERROR_MAX, "cannot read %s: %s", found->ca_file, strerror(errno));
    else if (!access_token(found, clock_now().boot_ms))
        snprintf(error, ACCESS_ERROR_MAX, "cannot read a token from %s", found->token_file);
    return found->ca && found->token ? 0 : -1;
}
