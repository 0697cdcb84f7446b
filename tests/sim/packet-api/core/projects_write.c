/* tests/sim/packet-api/core/projects_write.c -- change and removal of a project (packet 2.6, 3.3 and the
 * OpenAPI document). Owns the checks of a body; commits unless the call is dry. What becomes of the keys and
 * tokens of a removed project is not known: here they go with it. Called by route.c. */
#include "tests/sim/packet-api/core/internal.h"

#define NAME_MAX_CHARACTERS 80

/* 1 to 80 characters, none of which needs four bytes. */
static bool name_fits(const char *name)
{
    size_t characters = 0;
    for (const char *c = name; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte >= 0xf0)
            return false;
        characters += (byte & 0xc0) != 0x80;
    }
    return characters >= 1 && characters <= NAME_MAX_CHARACTERS;
}

static const char *what_is_wrong(json_t *body)
{
    json_t *name = json_object_get(body, "name"), *tags = json_object_get(body, "tags");
    json_t *data = json_object_get(body, "customdata"),
           *transfer = json_object_get(body, "backend_transfer_enabled");
    if (!json_is_object(body))
        return "Request body must be a JSON object";
    if (name != NULL && (!json_is_string(name) || !name_fits(json_string_value(name))))
        return "Name must have 1 to 80 characters";
    if (tags != NULL && !psim_tags_fit(tags))
        return "Tags must be an array of text";
    if ((data != NULL && !json_is_object(data)) || (transfer != NULL && !json_is_boolean(transfer)))
        return "Customdata must be an object, backend_transfer_enabled true or false";
    return NULL;
}

static void set(json_t *members, json_t *body, const char *name)
{
    json_t *value = json_object_get(body, name);
    if (value != NULL)
        json_object_set(members, name, value);
}

/* A dry change works on a copy. */
static void change(struct psim_call *call, struct psim_project *project, json_t *body)
{
    struct psim_project copy = *project, *to = call->dry ? &copy : project;
    const char *name = json_string_value(json_object_get(body, "name"));
    char *old_name = to->name;
    to->members = json_copy(project->members);
    set(to->members, body, "tags");
    set(to->members, body, "customdata");
    set(to->members, body, "backend_transfer_enabled");
    to->name = psim_strdup(name != NULL ? name : old_name);
    to->changed_ms = call->now_ms;
    psim_answer_json_take(call, 200, psim_project_object(call, to));
    if (call->dry) {
        json_decref(to->members);
        free(to->name);
        return;
    }
    json_decref(copy.members);
    free(old_name);
    call->committed = true;
}

void psim_project_update(struct psim_call *call)
{
    struct psim_project *project = psim_reach_project(call);
    if (project == NULL || psim_refuse_own_project(call) || psim_refuse_write(call))
        return;
    json_t *body = json_loadb(call->request->body, call->request->body_len, JSON_DECODE_ANY, NULL);
    const char *wrong = what_is_wrong(body);
    if (wrong != NULL)
        psim_answer_errors(call, 422, wrong);
    else
        change(call, project, body);
    json_decref(body);
}

void psim_project_remove(struct psim_call *call)
{
    struct psim_project *project = psim_reach_project(call);
    if (project == NULL || psim_refuse_own_project(call) || psim_refuse_write(call))
        return;
    if (!call->dry) {
        psim_project_delete(call->sim, project, call->now_ms);
        call->committed = true;
    }
    psim_answer_take(call, 204, NULL, NULL, 0);
}
