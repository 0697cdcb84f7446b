/* tests/sim/packet-api/core/route.c -- from method and path to an operation (packet 2.1, S-3, S-5).
 * Owns the table of operations; there is no /projects/{id}/ssh-keys/{keyid}. Called by sim.c and late.c. */
#include "tests/sim/packet-api/core/internal.h"

static const char *const kind_names[PACKET_SIM_KINDS] = {
    "outside", "project-keys", "user-keys", "key", "projects", "project", "user", "metros", "metro"};
static const char *const method_names[PACKET_SIM_METHODS] = {"GET",   "POST",   "PUT",
                                                             "PATCH", "DELETE", "other"};

const char *psim_kind_name(enum packet_sim_kind kind)
{
    return kind_names[kind];
}

const char *psim_method_name(enum packet_sim_method method)
{
    return method_names[method];
}

enum packet_sim_method psim_method(const char *name)
{
    int i = 0;
    while (i < PACKET_SIM_OTHER && strcmp(method_names[i], name) != 0)
        i++;
    return (enum packet_sim_method)i;
}

/* Takes the id between start and its end; a bad one leaves id empty, which every operation answers with 404.
 */
static void take_id(struct psim_call *call, const char *start, size_t len)
{
    call->id = call->id_space;
    if (len == PACKET_SIM_ID_LEN)
        memcpy(call->id_space, start, len);
    if (!psim_is_uuid(call->id_space))
        memset(call->id_space, 0, sizeof call->id_space);
}

static bool item(struct psim_call *call, const char *collection, const char *tail, enum packet_sim_kind kind)
{
    size_t head = strlen(collection), rest = strlen(tail), len = strlen(call->path);
    if (len < head + rest || memcmp(call->path, collection, head) != 0 ||
        strcmp(call->path + len - rest, tail) != 0)
        return false;
    size_t id_len = len - head - rest;
    if (memchr(call->path + head, '/', id_len) != NULL)
        return false;
    take_id(call, call->path + head, id_len);
    call->kind = kind;
    return true;
}

static bool collection(struct psim_call *call, const char *path, enum packet_sim_kind kind)
{
    if (strcmp(call->path, path) != 0)
        return false;
    call->kind = kind;
    return true;
}

void psim_route(struct psim_call *call)
{
    const char *prefix = call->sim->prefix;
    size_t len = strlen(prefix);
    call->kind = PACKET_SIM_OUTSIDE;
    call->id = "";
    call->method = psim_method(call->request->method);
    call->path = NULL;
    if (strncmp(call->request->path, prefix, len) != 0 || call->request->path[len] != '/')
        return;
    call->path = call->request->path + len;
    (void)(collection(call, "/ssh-keys", PACKET_SIM_USER_KEYS) ||
           collection(call, "/projects", PACKET_SIM_PROJECTS) || collection(call, "/user", PACKET_SIM_USER) ||
           collection(call, "/locations/metros", PACKET_SIM_METROS) ||
           item(call, "/projects/", "/ssh-keys", PACKET_SIM_PROJECT_KEYS) ||
           item(call, "/ssh-keys/", "", PACKET_SIM_KEY) || item(call, "/projects/", "", PACKET_SIM_PROJECT) ||
           item(call, "/locations/metros/", "", PACKET_SIM_METRO));
}

static const struct operation {
    enum packet_sim_kind kind;
    enum packet_sim_method method;
    void (*run)(struct psim_call *call);
} operations[] = {
    {PACKET_SIM_PROJECT_KEYS, PACKET_SIM_GET, psim_keys_list},
    {PACKET_SIM_PROJECT_KEYS, PACKET_SIM_POST, psim_keys_create},
    {PACKET_SIM_USER_KEYS, PACKET_SIM_GET, psim_keys_list},
    {PACKET_SIM_USER_KEYS, PACKET_SIM_POST, psim_keys_create},
    {PACKET_SIM_KEY, PACKET_SIM_GET, psim_key_read},
    {PACKET_SIM_KEY, PACKET_SIM_PUT, psim_key_update},
    {PACKET_SIM_KEY, PACKET_SIM_PATCH, psim_key_update},
    {PACKET_SIM_KEY, PACKET_SIM_DELETE, psim_key_remove},
    {PACKET_SIM_PROJECTS, PACKET_SIM_GET, psim_projects_list},
    {PACKET_SIM_PROJECT, PACKET_SIM_GET, psim_project_read},
    {PACKET_SIM_PROJECT, PACKET_SIM_PUT, psim_project_update},
    {PACKET_SIM_PROJECT, PACKET_SIM_DELETE, psim_project_remove},
    {PACKET_SIM_USER, PACKET_SIM_GET, psim_user_read},
    {PACKET_SIM_METROS, PACKET_SIM_GET, psim_metros_list},
    {PACKET_SIM_METRO, PACKET_SIM_GET, psim_metro_read},
};

void psim_operate(struct psim_call *call)
{
    if (call->token == NULL) {
        psim_answer_forbidden(call, 401);
        return;
    }
    if (call->request->body_len > PACKET_SIM_BODY_MAX) {
        psim_answer_errors(call, 413, "Request body is too large");
        return;
    }
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (operations[i].kind == call->kind && operations[i].method == call->method) {
            operations[i].run(call);
            return;
        }
    psim_answer_not_found(call);
}
