/* tests/tools/print_errors.c -- writes docs/errors.md from the table of causes, so that what is documented is
 * what the program says. Called by `make generate` and `make check`. */
#include <stdio.h>

#include "worker/core/errors.h"

static void print_preface(void)
{
    printf("# Errors\n\n"
           "Made from `worker/core/errors.c` by `make generate`; do not edit. `make check` fails when it is "
           "stale.\n\n"
           "What went wrong with an object stands in its `status.lastError.description`, in "
           "`status.lastOperation`, in an Event, in "
           "the log and in\n`packetctl explain NAMESPACE/NAME`. Each sentence says what happened, who must "
           "act, and when it is tried "
           "again. The code stands in\n`status.lastError.codes`: Gardener shows it to the owner of the "
           "Shoot, and stops trying by itself "
           "after some of them; where there is\nnone, the cause may pass by itself. Nothing is decided on a "
           "text.\n\n"
           "| in the text | is |\n|---|---|\n"
           "| `{secret}` | namespace and name of the Secret that the Infrastructure names |\n"
           "| `{project}` | `projectID` in that Secret |\n"
           "| `{recorded}` | the project that the key was made in, from `status.state` |\n"
           "| `{id}` | the key at Packet |\n"
           "| `{http}` | Packet's answer: `(HTTP 401, request 8910b914...)`; Packet's support can find that "
           "request |\n"
           "| `{detail}` | what the answer said besides |\n");
}

static void print_cause(enum cause cause)
{
    const char *code = cause_code(cause);

    printf("| %s%s%s | %s | %s | %s |\n", code ? "`" : "", code ? code : "none", code ? "`" : "",
           cause_what(cause), cause_who(cause),
           cause_is_held(cause) ? "when the object changes" : "by itself");
}

int main(void)
{
    print_preface();
    printf("\n## What happened, and who must act\n\n| code | what happened | who must act | tried again "
           "|\n|---|---|---|---|\n");
    for (enum cause cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
        print_cause(cause);
    printf("\n## When it is tried again\n\n"
           "- By itself: \"%s\" After a change of the object, and after `packetctl retry NAMESPACE/NAME`, at "
           "once.\n"
           "- When the object changes: \"%s\" Nothing but that can help.\n"
           "- A check that nobody asked for (the drift check): \"%s\"\n"
           "- While the object is deleted, besides: \"%s\"\n",
           failure_when(false, false), failure_when(true, false), failure_when(false, true),
           failure_way_out() + 1);
    return 0;
}
