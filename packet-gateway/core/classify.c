/* packet-gateway/core/classify.c -- from an HTTP answer to what it means: the table of packet 5.2. By status,
 * content type and shape only, never by text (packet C-31). Pure. Called by answer.c and by the tasks. */
#include <string.h>

#include "packet-gateway/core/packet.h"

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

static bool from_api(const struct answer *answer)
{
    return answer->result->json && answer->result->request_id && answer->result->request_id[0] &&
           answer_is_error(answer->root);
}

/* DELETE: 204 is enough; 200 and 202 may have a body or none, but must be the API's (packet C-26, C-40). */
static enum answer_class classify_removed(const struct answer *answer)
{
    const struct gateway_result *r = answer->result;

    if (r->status == 204)
        return CLASS_OK;
    if (r->status != 200 && r->status != 202)
        return CLASS_BROKEN;
    if (r->body_len && !r->json)
        return CLASS_NOT_API;
    return r->request_id && r->request_id[0] ? CLASS_OK : CLASS_BROKEN;
}

static enum answer_class classify_success(const struct answer *answer, const char *method)
{
    const struct gateway_result *r = answer->result;
    char id[UUID_TEXT];

    if (strcmp(method, "DELETE") == 0)
        return classify_removed(answer);
    if (!r->json)
        return r->body_len ? CLASS_NOT_API : CLASS_BROKEN;
    if (strcmp(method, "GET") == 0)
        return r->status == 200 && json_is_array(json_object_get(answer->root, "ssh_keys")) ? CLASS_OK
                                                                                            : CLASS_BROKEN;
    if (strcmp(method, "POST") == 0 && r->status != 201)
        return CLASS_BROKEN;
    return answer_id(answer->root, id) ? CLASS_OK : CLASS_BROKEN;
}

static enum answer_class classify_client_error(const struct answer *answer)
{
    const struct gateway_result *r = answer->result;

    switch (r->status) {
    case 401: return CLASS_UNAUTHENTICATED;
    case 402: return CLASS_FORBIDDEN; /* payment: the account's owner must act as well */
    case 403: return r->json && r->request_id && r->request_id[0] ? CLASS_FORBIDDEN : CLASS_FRONT;
    case 404:
    case 410: return from_api(answer) ? CLASS_NOT_FOUND : CLASS_FRONT;
    case 408:
    case 425: return CLASS_FRONT;
    case 409:
    case 422: return CLASS_REFUSED;
    case 429: return CLASS_LIMITED;
    default: return CLASS_FAULT;
    }
}

static enum answer_class classify_answered(const struct answer *answer, const char *method)
{
    int status = answer->result->status;

    if (status >= 200 && status < 300)
        return classify_success(answer, method);
    if (status >= 300 && status < 400)
        return CLASS_NOT_API;
    if (status >= 400 && status < 500)
        return classify_client_error(answer);
    if (status == 501)
        return CLASS_FAULT;
    if (status >= 502 && status <= 504)
        return CLASS_FRONT;
    return CLASS_SERVER;
}

void answer_read(struct answer *answer, const char *method, const struct gateway_result *result)
{
    memset(answer, 0, sizeof *answer);
    answer->result = result;
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
    answer->class = classify_answered(answer, method);
}

void answer_free(struct answer *answer)
{
    json_decref(answer->root);
    answer->root = NULL;
}
