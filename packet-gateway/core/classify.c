/* packet-gateway/core/classify.c -- what follows from each class of answer, and what HTTP itself says of the
 * class. What an API means by its answers is its module's (packet.c). Pure. Called by calls.c, retry.c and
 * the tasks. */
#include <string.h>

#include "packet-gateway/core/answer.h"

/*                              outcome                   repeat  maybe */
static const struct class_row rows[CLASSES] = {
    [CLASS_OK] = {OUTCOME_OK, false, false},
    [CLASS_NOT_SENT] = {OUTCOME_TRANSIENT, true, false},
    [CLASS_TLS] = {OUTCOME_MISCONFIGURED, false, false},
    [CLASS_FENCED] = {OUTCOME_FENCED, false, false},
    [CLASS_LOST] = {OUTCOME_TRANSIENT, true, true},
    [CLASS_BROKEN] = {OUTCOME_TRANSIENT, true, true},
    [CLASS_NOT_API] = {OUTCOME_MISCONFIGURED, false, true},
    [CLASS_FAULT] = {OUTCOME_BUG, false, false},
    [CLASS_UNAUTHENTICATED] = {OUTCOME_UNAUTHENTICATED, false, false},
    [CLASS_FORBIDDEN] = {OUTCOME_UNAUTHORIZED, false, false},
    [CLASS_NOT_FOUND] = {OUTCOME_TRANSIENT, false, true}, /* lists: NO_PROJECT; items: by proof */
    [CLASS_REFUSED] = {OUTCOME_REFUSED, false, false},
    [CLASS_LIMITED] = {OUTCOME_LATER, false, false},
    [CLASS_FRONT] = {OUTCOME_TRANSIENT, true, true},
    [CLASS_SERVER] = {OUTCOME_TRANSIENT, true, true},
};

const struct class_row *class_row(enum answer_class class)
{
    return &rows[class];
}

enum answer_class class_of_status(int status)
{
    if (status >= 200 && status < 300)
        return CLASS_BROKEN;
    if (status >= 300 && status < 400)
        return CLASS_NOT_API;
    switch (status) {
    case 401: return CLASS_UNAUTHENTICATED;
    case 402: /* payment: the account's owner must act as well */
    case 403: return CLASS_FORBIDDEN;
    case 404: /* any proxy can say so */
    case 410:
    case 408:
    case 425: return CLASS_FRONT;
    case 409:
    case 422: return CLASS_REFUSED;
    case 429: return CLASS_LIMITED;
    case 501: return CLASS_FAULT;
    case 502:
    case 503:
    case 504: return CLASS_FRONT;
    default: return status >= 400 && status < 500 ? CLASS_FAULT : CLASS_SERVER;
    }
}

void answer_read(struct answer *answer, const struct provider *api, const char *method,
                 const struct gateway_result *result)
{
    memset(answer, 0, sizeof *answer);
    answer->result = result;
    answer->api = api;
    if (result->fate != FATE_ANSWERED) {
        answer->class = result->fate == FATE_NOT_SENT ? CLASS_NOT_SENT
                        : result->fate == FATE_FENCED ? CLASS_FENCED
                        : result->fate == FATE_TLS    ? CLASS_TLS
                                                      : CLASS_LOST;
        return;
    }
    answer->status = result->status;
    if (result->json)
        answer->root = answer_json(result->body, result->body_len);
    answer->class = api->classify(answer, method);
}

void answer_free(struct answer *answer)
{
    json_decref(answer->root);
    answer->root = NULL;
}
