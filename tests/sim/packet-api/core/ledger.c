/* tests/sim/packet-api/core/ledger.c -- the record of every request (S-36) and the counters.
 * Owns sequence numbers and the ring of kept lines; a token never gets into a line, only its hash. Called by
 * sim.c and late.c after the answer is formed, and by admin.c. */
#include <strings.h>

#include "tests/sim/packet-api/core/internal.h"

/* A text in which a known token occurs is not shown at all: whoever put it there has a bug worth seeing. */
static json_t *safe_text(const struct packet_sim *sim, const char *text, size_t len)
{
    for (size_t i = 0; i < sim->n_tokens; i++)
        if (memmem(text, len, sim->tokens[i]->text, strlen(sim->tokens[i]->text)) != NULL)
            return json_string("[holds a token]");
    return psim_text(text, len);
}

static json_t *body_json(const struct psim_call *call)
{
    const struct sim_request *request = call->request;
    if (request->body_len == 0)
        return json_null();
    json_t *text = safe_text(call->sim, request->body, request->body_len);
    if (strncmp(json_string_value(text), "[holds", 6) == 0)
        return text;
    json_t *body = json_loadb(request->body, request->body_len, JSON_DECODE_ANY, NULL);
    if (body == NULL)
        return text;
    json_decref(text);
    return body;
}

/* Headers that hold a secret, here or anywhere: the ledger has the beginning of a hash instead. */
static bool is_secret(const char *name)
{
    static const char *const secret[] = {"x-auth-token", "authorization", "proxy-authorization", "cookie"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        if (strcmp(secret[i], name) == 0)
            return true;
    return false;
}

/* Under its name in lower case; what was sent twice is joined as HTTP says. */
static void add_header(const struct psim_call *call, json_t *headers, const char *name, const char *value)
{
    char key[64], hash[PACKET_SIM_HASH_LEN + 1];
    size_t n = 0;
    for (; n < sizeof key - 1 && name[n] != '\0'; n++)
        key[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] - 'A' + 'a' : name[n]);
    key[n] = '\0';
    if (is_secret(key)) {
        packet_sim_token_hash(value, hash);
        value = hash;
    }
    json_t *text = safe_text(call->sim, value, strlen(value)), *before = json_object_get(headers, key);
    if (before != NULL) {
        json_t *both = json_sprintf("%s, %s", json_string_value(before), json_string_value(text));
        json_decref(text);
        text = both;
    }
    json_object_set_new(headers, key, text);
}

static json_t *headers_json(const struct psim_call *call)
{
    const struct sim_request *request = call->request;
    const struct packet_sim_header known[] = {{"X-Auth-Token", request->token},
                                              {"Content-Type", request->content_type},
                                              {"Accept", request->accept},
                                              {"User-Agent", request->user_agent}};
    const struct packet_sim_header *from = call->peer->headers != NULL ? call->peer->headers : known;
    size_t n = call->peer->headers != NULL ? call->peer->n_headers : sizeof known / sizeof *known;
    json_t *headers = json_object();
    for (size_t i = 0; i < n; i++)
        if (*from[i].value != '\0' || from != known)
            add_header(call, headers, from[i].name, from[i].value);
    return headers;
}

static json_t *time_or_null(int64_t ms)
{
    return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *event_json(const struct psim_call *call, const struct packet_sim_event *event)
{
    const struct sim_request *request = call->request;
    json_t *line =
        json_pack("{s:I, s:I, s:o, s:o, s:I}", "seq", (json_int_t)event->seq, "receivedMs",
                  (json_int_t)event->received_ms, "committedMs", time_or_null(event->committed_ms),
                  "answerMs", time_or_null(event->answer_ms), "connection", (json_int_t)event->connection);
    json_object_set_new(line, "method", psim_text(request->method, strlen(request->method)));
    json_object_set_new(line, "path", safe_text(call->sim, request->path, strlen(request->path)));
    json_object_set_new(line, "query", safe_text(call->sim, request->query, strlen(request->query)));
    json_object_set_new(line, "kind", json_string(psim_kind_name(event->kind)));
    json_object_set_new(line, "status", json_integer(event->status));
    json_object_set_new(line, "fate", json_string(psim_fate_name(event->fate)));
    json_object_set_new(line, "committed", json_boolean(event->committed));
    json_object_set_new(line, "late", json_boolean(event->late));
    json_object_set_new(line, "fault", call->fault != NULL ? json_integer(call->fault->number) : json_null());
    json_object_set_new(line, "token", json_string(event->token_hash));
    json_object_set_new(line, "keyId", json_string(event->key_id));
    json_object_set_new(line, "projectId", json_string(event->project_id));
    json_object_set_new(line, "requestId", json_string(event->request_id));
    json_object_set_new(line, "headers", headers_json(call));
    json_object_set_new(line, "body", body_json(call));
    return line;
}

static void keep(struct packet_sim *sim, const char *text)
{
    size_t max = sim->config.ledger_keep, at = (size_t)(sim->records % (max ? max : 1));
    sim->records++;
    if (max == 0)
        return;
    if (sim->n_lines < max)
        sim->n_lines++;
    else
        free(sim->lines[at]);
    sim->lines[at] = psim_strdup(text);
}

static void write_line(const struct psim_call *call, const struct packet_sim_event *event)
{
    struct packet_sim *sim = call->sim;
    if (sim->config.on_line == NULL && sim->config.ledger_keep == 0)
        return;
    json_t *line = event_json(call, event);
    char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(line);
    if (text == NULL)
        abort();
    keep(sim, text);
    if (sim->config.on_line != NULL) {
        size_t len = strlen(text);
        text[len] = '\n'; /* in the place of the NUL: callers get a length */
        sim->config.on_line(sim->config.arg, text, len + 1);
    }
    free(text);
}

void psim_ledger_write(struct psim_call *call)
{
    struct packet_sim *sim = call->sim;
    char hash[PACKET_SIM_HASH_LEN + 1] = "";
    if (call->token != NULL)
        memcpy(hash, call->token->hash, sizeof hash);
    else if (*call->request->token != '\0')
        packet_sim_token_hash(call->request->token, hash);
    bool answered = call->answer->fate != SIM_HANG && call->answer->fate != SIM_RESET;
    struct packet_sim_event event = {.seq = ++sim->seq,
                                     .received_ms = call->now_ms,
                                     .committed_ms = call->committed ? call->now_ms : -1,
                                     .answer_ms = answered ? call->now_ms + call->answer->delay_ms : -1,
                                     .kind = call->kind,
                                     .fate = call->answer->fate,
                                     .status = call->answer->status,
                                     .committed = call->committed,
                                     .late = call->late,
                                     .method = call->request->method,
                                     .path = call->request->path,
                                     .token_hash = hash,
                                     .key_id = call->key_id,
                                     .project_id = call->project_id,
                                     .request_id = call->request_id,
                                     .connection = call->peer->connection};
    if (call->committed)
        sim->counters.commits++;
    if (event.status > 0 && event.status < 600)
        sim->counters.by_status[event.status]++;
    if (sim->config.on_event != NULL)
        sim->config.on_event(sim->config.arg, &event);
    write_line(call, &event);
}

/* What was wrong with the request itself; such a client is served all the same. */
void psim_count(struct psim_call *call)
{
    struct packet_sim_counters *counters = &call->sim->counters;
    const struct sim_request *request = call->request;
    bool json = strncasecmp(request->content_type, "application/json", 16) == 0;
    bool item = call->kind == PACKET_SIM_KEY || call->kind == PACKET_SIM_PROJECT ||
                call->kind == PACKET_SIM_PROJECT_KEYS || call->kind == PACKET_SIM_METRO;
    counters->requests++;
    counters->by_kind[call->method][call->kind]++;
    counters->bad_id += item && *call->id == '\0';
    counters->content_type += request->body_len > 0 ? !json : *request->content_type != '\0';
    counters->user_agent += *request->user_agent == '\0';
    counters->no_token += *request->token == '\0';
}

json_t *psim_ledger_json(const struct packet_sim *sim, uint64_t since, size_t limit)
{
    json_t *list = json_array();
    size_t max = sim->config.ledger_keep;
    for (uint64_t i = sim->records - sim->n_lines; i < sim->records && json_array_size(list) < limit; i++) {
        json_t *line = json_loads(sim->lines[i % max], 0, NULL);
        if (json_integer_value(json_object_get(line, "seq")) > (json_int_t)since)
            json_array_append(list, line);
        json_decref(line);
    }
    return json_pack("{s:o, s:I}", "requests", list, "lastSeq", (json_int_t)sim->seq);
}

void psim_ledger_clear(struct packet_sim *sim)
{
    size_t max = sim->config.ledger_keep;
    for (uint64_t i = sim->records - sim->n_lines; i < sim->records; i++)
        free(sim->lines[i % max]);
    sim->n_lines = 0;
}

json_t *psim_counters_json(const struct packet_sim *sim)
{
    const struct packet_sim_counters *c = &sim->counters;
    json_t *by_kind = json_object(), *by_status = json_object();
    for (int m = 0; m < PACKET_SIM_METHODS; m++)
        for (int k = 0; k < PACKET_SIM_KINDS; k++) {
            if (c->by_kind[m][k] == 0)
                continue;
            json_t *name = json_sprintf("%s %s", psim_method_name((enum packet_sim_method)m),
                                        psim_kind_name((enum packet_sim_kind)k));
            json_object_set_new(by_kind, json_string_value(name), json_integer((json_int_t)c->by_kind[m][k]));
            json_decref(name);
        }
    for (int s = 0; s < 600; s++) {
        char name[16] = {(char)('0' + s / 100), (char)('0' + s / 10 % 10), (char)('0' + s % 10), '\0'};
        if (c->by_status[s] > 0)
            json_object_set_new(by_status, name, json_integer((json_int_t)c->by_status[s]));
    }
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}", "requests",
                     (json_int_t)c->requests, "commits", (json_int_t)c->commits, "faults",
                     (json_int_t)c->faults, "byKind", by_kind, "byStatus", by_status, "violations", "rate",
                     (json_int_t)c->rate, "duringPause", (json_int_t)c->during_pause, "instancesIds",
                     (json_int_t)c->instances_ids, "badId", (json_int_t)c->bad_id, "contentType",
                     (json_int_t)c->content_type, "userAgent", (json_int_t)c->user_agent, "noToken",
                     (json_int_t)c->no_token);
}
