/* proto/contract.c -- the words of the contract: names of roles and outcomes, sentences of exit codes. Holds
 * no numbers of its own; those stand in contract.h and messages.h. Called by whoever logs or shows them. */
#include "proto/contract.h"

#include <stddef.h>

#include "proto/messages.h"

const char *role_name(unsigned role)
{
    switch (role) {
    case SUPERVISOR: return "supervisor";
    case WATCHER: return "watcher";
    case WORKER: return "worker";
    case GATEWAY: return "packet-gateway";
    case EXPORTER: return "exporter";
    case CONTROL: return "packetctl";
    default: return "?";
    }
}

const char *job_result_name(uint64_t result)
{
    switch (result) {
    case JOB_DONE: return "done";
    case JOB_RETRY: return "retry";
    case JOB_LATER: return "later";
    case JOB_AGAIN: return "again";
    case JOB_SKIP: return "skip";
    case JOB_HELD: return "held";
    default: return "?";
    }
}

const char *exit_sentence(int code)
{
    switch (code) {
#define AS_CASE(code_, NAME, sentence)                                                                       \
    case code_: return sentence;
        EXIT_CODES(AS_CASE)
#undef AS_CASE
    default: return "ended with an unknown code";
    }
}

const char *outcome_name(unsigned outcome)
{
    static const char *const names[] = {
        [OUTCOME_OK] = "ok",
        [OUTCOME_GONE] = "gone",
        [OUTCOME_REFUSED] = "refused",
        [OUTCOME_UNAUTHENTICATED] = "unauthenticated",
        [OUTCOME_UNAUTHORIZED] = "unauthorized",
        [OUTCOME_NO_PROJECT] = "no-project",
        [OUTCOME_LATER] = "later",
        [OUTCOME_TRANSIENT] = "transient",
        [OUTCOME_UNKNOWN] = "unknown",
        [OUTCOME_MISCONFIGURED] = "misconfigured",
        [OUTCOME_FENCED] = "fenced",
        [OUTCOME_NOT_GRANTED] = "not-granted",
        [OUTCOME_BUG] = "bug",
    };

    return outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "?";
}

int64_t quarantine_term_ms(uint64_t terms)
{
    const int64_t first_ms = 60 * 1000, most_ms = 60 * first_ms;
    int64_t ms = first_ms;

    for (uint64_t i = 1; i < terms && ms < most_ms; i++)
        ms *= 2;
    return ms < most_ms ? ms : most_ms;
}
