/* tests/sim/packet-api/core/places.c -- projects and the calling user (packet 3.1, 3.3, S-5, S-16, S-30).
 * Owns only the shape of these answers; never changes anything. Called by route.c. */
#include "tests/sim/packet-api/core/internal.h"

static json_t *key_links(struct psim_call *call, const struct psim_project *project, bool expand)
{
    json_t *links = json_array();
    for (size_t i = 0; i < call->sim->n_keys; i++) {
        struct psim_key *key = call->sim->keys[i];
        if (key->project != project || key->deleted_ms >= 0)
            continue;
        json_array_append_new(links, expand ? psim_key_json(call->sim, key)
                                            : psim_href(call->sim, "/ssh-keys/", key->id));
    }
    return links;
}

static bool includes_keys(const char *query)
{
    char *include = psim_query(query, "include");
    bool found = false;
    for (char *item = include; item != NULL && *item != '\0' && !found;) {
        size_t len = strcspn(item, ",");
        found = len == strlen("ssh_keys") && memcmp(item, "ssh_keys", len) == 0;
        item += len + (item[len] == ',');
    }
    free(include);
    return found;
}

json_t *psim_project_object(struct psim_call *call, const struct psim_project *project)
{
    char created[24], updated[24];
    psim_date(project->created_ms, created);
    psim_date(project->changed_ms, updated);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:{}, s:[], s:[], s:[], s:[], s:[], s:s}", "id", project->id, "name",
                  project->name, "created_at", created, "updated_at", updated, "max_devices", "members",
                  "memberships", "invitations", "devices", "volumes", "type", "default");
    if (object == NULL)
        abort();
    json_object_update(object, project->members);
    json_object_set_new(object, "ssh_keys", key_links(call, project, includes_keys(call->request->query)));
    json_object_set_new(object, "href", json_sprintf("%s/projects/%s", call->sim->prefix, project->id));
    json_object_set_new(object, "url", json_sprintf("%s/projects/%s", call->sim->prefix, project->id));
    return object;
}

static bool wanted(const struct psim_call *call, const struct psim_project *project, const char *name)
{
    const struct psim_token *token = call->token;
    bool seen = token->project != NULL ? token->project == project : token->account == project->account;
    return seen && !project->deleted && (name == NULL || strcmp(name, project->name) == 0);
}

void psim_projects_list(struct psim_call *call)
{
    struct packet_sim *sim = call->sim;
    char *name = psim_query(call->request->query, "name");
    size_t total = 0, at = 0;
    for (size_t i = 0; i < sim->n_projects; i++)
        total += wanted(call, sim->projects[i], name);
    struct psim_page page = psim_page(total, psim_query_int(call->request->query, "page", 1, 1, 100000),
                                      psim_query_int(call->request->query, "per_page", 10, 1, 1000));
    json_t *list = json_array();
    for (size_t i = 0; i < sim->n_projects; i++) {
        if (!wanted(call, sim->projects[i], name))
            continue;
        if (at >= page.first && at < page.first + page.count)
            json_array_append_new(list, psim_project_object(call, sim->projects[i]));
        at++;
    }
    free(name);
    json_t *meta = psim_meta(sim, &page, call->path, "", PACKET_SIM_NEXT_OBJECT,
                             (enum packet_sim_next)sim->switches.meta_end);
    psim_answer_json_take(call, 200, json_pack("{s:o, s:o}", "projects", list, "meta", meta));
}

bool psim_refuse_own_project(struct psim_call *call)
{
    int status = call->sim->switches.project_token_project;
    if (call->token->project == NULL || status == 200)
        return false;
    psim_answer_forbidden(call, status); /* packngo#245 */
    return true;
}

void psim_project_read(struct psim_call *call)
{
    struct psim_project *project = psim_reach_project(call);
    if (project != NULL && !psim_refuse_own_project(call))
        psim_answer_json_take(call, 200, psim_project_object(call, project));
}

void psim_user_read(struct psim_call *call)
{
    const struct psim_account *account = call->token->account;
    char created[24];
    if (call->token->project != NULL) {
        psim_answer_forbidden(call, 403);
        return;
    }
    psim_date(account->created_ms, created);
    json_t *user =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[], s:{}}", "id", account->user_id,
                  "first_name", account->name, "last_name", "Example", "full_name", account->name, "email",
                  "user@example.invalid", "timezone", "UTC", "two_factor_auth", "sms", "short_id", "0a1b2c3d",
                  "created_at", created, "updated_at", created, "emails", "customdata");
    if (user == NULL)
        abort();
    json_object_set_new(user, "href", json_sprintf("%s/users/%s", call->sim->prefix, account->user_id));
    psim_answer_json_take(call, 200, user);
}
