/* tests/fuzz/fuzz_kube_exec.c -- any bytes as the output of an exec plugin: no crash, a sentence for each
 * refusal, and what is taken is whole and fits into a header. Runs nothing. */
#include <stdlib.h>
#include <string.h>

#include "watcher/exec_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct exec_credential got;
    char error[EXEC_ERROR_MAX] = "";
    char *text = malloc(size ? size : 1); /* no byte behind the output is anybody's */

    if (!text)
        abort();
    memcpy(text, data, size);
    int rc = exec_answer_read(text, size, "client.authentication.k8s.io/v1", &got, error);
    if (rc && (!*error || got.token || got.cert || got.key))
        abort();
    if (!rc && ((!got.token && !got.cert) || !got.cert != !got.key))
        abort();
    if (!rc && got.token && (!*got.token || strpbrk(got.token, " \r\n\t")))
        abort();
    exec_credential_wipe(&got);
    free(text);
    return 0;
}
