/* tests/fuzz/fuzz_kubeconfig.c -- any bytes as a kubeconfig and as a component configuration: no crash, and
 * what is taken is whole. Reads no other file than one in memory and those that the input names (which are
 * only read). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "watcher/access.h"
#include "watcher/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], error[ACCESS_ERROR_MAX] = "";
    struct access access;
    int fd = memfd_create("kubeconfig", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    log_set_level(LEVEL_ERROR + 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct access_request request = {.kubeconfig = path,
                                     .master = "",
                                     .env = "",
                                     .home = "",
                                     .service_host = "",
                                     .service_port = "",
                                     .account_dir = "/nowhere"};
    int rc = access_find(&access, &request, error);

    if (rc && !*error)
        abort(); /* each refusal has its sentence */
    if (!rc && (!access.server || !strstr(access.server, "://") || (access.cert && !access.key) ||
                (access.insecure && access.ca)))
        abort();
    access_clear(&access);
    config_file_check(path, error, sizeof error);
    close(fd);
    return 0;
}
