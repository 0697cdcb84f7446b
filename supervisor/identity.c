/* supervisor/identity.c -- who we are in leader election (design 4; kubernetes 6.1). It is the supervisor's,
 * so that a watcher that died is followed by one that already holds the Lease. In a pod it is the pod's: a
 * container that is started again in the same pod leads at once too. Called by main.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

#define UUID_LEN 36

static bool is_uuid(const char *text)
{
    if (strlen(text) != UUID_LEN)
        return false;
    for (int i = 0; i < UUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]))
            return false;
    }
    return true;
}

/* A pid of 1 says that the pid namespace is ours: whoever had this identity before is dead with all its
 * processes. Without that, two supervisors that run side by side could share it. */
void identity_write(char *identity, int64_t pid, const char *pod_name, const char *pod_uid, const char *host,
                    const unsigned char *random)
{
    const unsigned char *r = random;
    const char *name = host && *host ? host : "provider-packet";

    if (pid == 1 && pod_uid && is_uuid(pod_uid)) {
        snprintf(identity, IDENTITY_MAX, "%.253s_%s", pod_name && *pod_name ? pod_name : name, pod_uid);
        return;
    }
    snprintf(identity, IDENTITY_MAX,
             "%.253s_%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x", name, r[0], r[1],
             r[2], r[3], r[4], r[5], r[6] & 15u, r[7], 8u + (r[8] & 3u), r[8] >> 4, r[9], r[10], r[11], r[12],
             r[13], r[14], r[15]);
}

int identity_make(struct supervisor *s)
{
    unsigned char random[16];
    char host[254] = "";

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        log_error("the kernel gives no random number", F_STR("error", strerror(errno)));
        return EXIT_BUG;
    }
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    identity_write(s->identity, getpid(), getenv("POD_NAME"), getenv("POD_UID"), host, random);
    log_info("our identity in leader election", F_STR("identity", s->identity));
    return 0;
}
