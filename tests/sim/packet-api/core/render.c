/* tests/sim/packet-api/core/render.c -- the shapes of answers: keys, errors, links, headers
 * (packet 2.3, 5.1). Owns the cached text of each key; decides nothing. Called by the operations and by the
 * faults. */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "tests/sim/packet-api/core/internal.h"

void psim_answer_take(struct psim_call *call, int status, const char *content_type, char *body, size_t len)
{
    free(call->answer->body);
    call->answer->status = status;
    call->answer->content_type = content_type;
    call->answer->body = body;
    call->answer->body_len = len;
}

void psim_answer_json_take(struct psim_call *call, int status, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    if (text == NULL)
        abort();
    psim_answer_take(call, status, PSIM_JSON, text, strlen(text));
}

void psim_answer_errors(struct psim_call *call, int status, const char *text)
{
    psim_answer_json_take(call, status, json_pack("{s:[s]}", "errors", text));
}

void psim_answer_not_found(struct psim_call *call)
{
    psim_answer_errors(call, 404, "Not found");
}

void psim_answer_forbidden(struct psim_call *call, int status)
{
    if (status == 404)
        psim_answer_not_found(call);
    else if (status == 401)
        psim_answer_json_take(call, 401, json_pack("{s:s}", "error", "Invalid authentication token"));
    else
        psim_answer_errors(call, status, "Access denied for the current authentication token");
}

void psim_header(struct psim_call *call, const char *name, const char *format, ...)
{
    struct sim_answer *answer = call->answer;
    va_list args;
    unsigned at = 0; /* a fault's header takes the place of the simulator's own */
    while (at < answer->n_headers && strcasecmp(answer->headers[at].name, name) != 0)
        at++;
    if (at == SIM_HEADERS_MAX)
        return;
    if (at == answer->n_headers)
        answer->n_headers++;
    struct sim_header *header = &answer->headers[at];
    snprintf(header->name, sizeof header->name, "%s", name);
    va_start(args, format);
    vsnprintf(header->value, sizeof header->value, format, args);
    va_end(args);
}

json_t *psim_href(const struct packet_sim *sim, const char *collection, const char *id)
{
    return json_pack("{s:s++}", "href", sim->prefix, collection, id);
}

static void add_owner(json_t *object, const struct packet_sim *sim, const struct psim_key *key)
{
    int mode = sim->switches.owner_member;
    json_t *href = key->project != NULL ? psim_href(sim, "/projects/", key->project->id)
                                        : psim_href(sim, "/users/", key->account->user_id);
    if (mode == PACKET_SIM_OWNER_OWNER || mode == PACKET_SIM_OWNER_BOTH)
        json_object_set(object, "owner", href);
    if (mode == PACKET_SIM_OWNER_ENTITY || mode == PACKET_SIM_OWNER_BOTH)
        json_object_set(object, "entity", href);
    if (mode == PACKET_SIM_OWNER_USER)
        json_object_set(object, "user", href);
    json_decref(href);
}

static int64_t updated_ms(const struct packet_sim *sim, const struct psim_key *key,
                          const struct psim_version *version)
{
    switch (sim->switches.updated_at) {
    case PACKET_SIM_UPDATED_LATER: return version->from_ms + 1000;
    case PACKET_SIM_UPDATED_MOVING: return version->from_ms + 1000 * key->reads;
    default: return version->from_ms;
    }
}

static json_t *key_object(const struct packet_sim *sim, const struct psim_key *key,
                          const struct psim_version *version)
{
    char created[24], updated[24];
    psim_date(key->created_ms, created);
    psim_date(updated_ms(sim, key, version), updated);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", key->id, "label", version->label,
                               "key", version->line, "fingerprint", version->pub.fingerprint, "created_at",
                               created, "updated_at", updated);
    if (object == NULL)
        abort();
    add_owner(object, sim, key);
    json_object_set_new(object, "href", json_sprintf("%s/ssh-keys/%s", sim->prefix, key->id));
    int tags = sim->switches.tags_member;
    if (tags == PACKET_SIM_TAGS_ALWAYS ||
        (tags == PACKET_SIM_TAGS_WHEN_SET && json_array_size(version->tags) > 0))
        json_object_set(object, "tags", version->tags);
    return object;
}

/* Rendering a list of a thousand keys is the dearest thing the simulator does, so each key keeps its text. */
const char *psim_key_text(struct packet_sim *sim, struct psim_key *key, const struct psim_version *version)
{
    key->reads++;
    uint64_t stamp = (uint64_t)updated_ms(sim, key, version) << 8 ^
                     (uint64_t)sim->switches.owner_member << 4 ^ (uint64_t)sim->switches.tags_member << 2;
    if (key->text != NULL && key->text_stamp == stamp && key->text_version == version->serial)
        return key->text;
    free(key->text);
    json_t *object = key_object(sim, key, version);
    key->text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (key->text == NULL)
        abort();
    key->text_stamp = stamp;
    key->text_version = version->serial;
    return key->text;
}

json_t *psim_key_json(struct packet_sim *sim, struct psim_key *key)
{
    return key_object(sim, key, psim_current(key));
}
