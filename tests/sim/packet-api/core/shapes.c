/* tests/sim/packet-api/core/shapes.c -- bodies that a client must survive (S-22, S-24, S-25, S-27, S-33,
 * S-35). Owns the table of shapes; each replaces the body of the answer formed so far. Called by fault.c and
 * sim.c. */
#include <stdio.h>

#include "tests/sim/packet-api/core/internal.h"

#define HUGE_DEFAULT (16 << 20)

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {{200, "OK"},
                   {404, "Not found"},
                   {410, "Gone"},
                   {429, "Too many requests"},
                   {500, "Oh snap, something went wrong! We've logged the error and will take a look"},
                   {502, "Bad Gateway"},
                   {503, "Service Temporarily Unavailable"},
                   {504, "Gateway Time-out"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Something went wrong";
}

static const char *text_of(json_t *fault, int status)
{
    const char *text = json_string_value(json_object_get(fault, "text"));
    return text != NULL ? text : reason(status);
}

static void text_body(struct psim_call *call, int status, const char *type, const char *text)
{
    psim_answer_take(call, status, type, psim_strdup(text), strlen(text));
}

static void shape_json(struct psim_call *call, int status, json_t *fault)
{
    if (status == 401 || status == 403)
        psim_answer_forbidden(call, status);
    else
        psim_answer_errors(call, status, text_of(fault, status));
}

/* The page of a balancer in front of the API: never carries X-Request-Id by itself. */
static void shape_html(struct psim_call *call, int status, json_t *fault)
{
    char page[512];
    snprintf(
        page, sizeof page,
        "<html>\r\n<head><title>%d %.80s</title></head>\r\n<body>\r\n<center><h1>%d %.80s</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
        status, text_of(fault, status), status, text_of(fault, status));
    text_body(call, status, PSIM_HTML, page);
    call->request_id[0] = '\0';
}

static void shape_empty(struct psim_call *call, int status, json_t *fault)
{
    (void)fault;
    psim_answer_take(call, status, NULL, NULL, 0);
}

static void shape_empty_object(struct psim_call *call, int status, json_t *fault)
{
    (void)fault;
    text_body(call, status, PSIM_JSON, "{}");
}

static void shape_array(struct psim_call *call, int status, json_t *fault)
{
    psim_answer_json_take(call, status, json_pack("[s]", text_of(fault, status)));
}

static void shape_string(struct psim_call *call, int status, json_t *fault)
{
    psim_answer_json_take(call, status, json_string(text_of(fault, status)));
}

static void shape_error_null(struct psim_call *call, int status, json_t *fault)
{
    (void)fault;
    text_body(call, status, PSIM_JSON, "{\"error\":null}");
}

static void shape_errors_empty(struct psim_call *call, int status, json_t *fault)
{
    (void)fault;
    text_body(call, status, PSIM_JSON, "{\"errors\":[]}");
}

static void shape_errors_text(struct psim_call *call, int status, json_t *fault)
{
    psim_answer_json_take(call, status, json_pack("{s:s}", "errors", text_of(fault, status)));
}

static void shape_problem(struct psim_call *call, int status, json_t *fault)
{
    psim_answer_json_take(call, status,
                          json_pack("{s:s, s:i, s:s}", "title", reason(status), "status", status, "detail",
                                    text_of(fault, status)));
    call->answer->content_type = "application/problem+json";
}

/* A complete HTTP message whose JSON breaks off; the fate "truncate" breaks off the message itself. */
static void shape_truncated(struct psim_call *call, int status, json_t *fault)
{
    (void)fault;
    if (call->answer->body_len == 0)
        text_body(call, status, PSIM_JSON, "{\"ssh_keys\":[{\"id\":\"");
    else
        call->answer->body_len /= 2;
    call->answer->status = status;
}

static size_t size_of(json_t *fault, size_t fallback, size_t max)
{
    json_t *size = json_object_get(fault, "size");
    size_t value = json_integer_value(size) > 0 ? (size_t)json_integer_value(size) : fallback;
    return value > max ? max : value;
}

static void shape_huge(struct psim_call *call, int status, json_t *fault)
{
    size_t size = size_of(fault, HUGE_DEFAULT, 1u << 28);
    bool object = call->answer->body_len > 2 && call->answer->body[0] == '{';
    struct psim_buf body = {0};
    char *padding = psim_alloc(size + 1);
    memset(padding, 'x', size);
    psim_adds(&body, "{\"padding\":\"");
    psim_add(&body, padding, size);
    psim_adds(&body, object ? "\"," : "\"}");
    if (object)
        psim_add(&body, call->answer->body + 1, call->answer->body_len - 1);
    free(padding);
    psim_answer_take(call, status, PSIM_JSON, body.data, body.len);
}

static void shape_deep(struct psim_call *call, int status, json_t *fault)
{
    size_t depth = size_of(fault, 100000, 1u << 24);
    struct psim_buf body = {0};
    psim_adds(&body, "{\"ssh_keys\":");
    for (size_t i = 0; i < depth; i++)
        psim_add(&body, "[", 1);
    for (size_t i = 0; i < depth; i++)
        psim_add(&body, "]", 1);
    psim_adds(&body, "}");
    psim_answer_take(call, status, PSIM_JSON, body.data, body.len);
}

static void shape_no_id(struct psim_call *call, int status, json_t *fault)
{
    json_t *body = json_loadb(call->answer->body, call->answer->body_len, 0, NULL);
    (void)fault;
    json_object_del(body, "id");
    psim_answer_json_take(call, status, body != NULL ? body : json_object());
}

static void nullify(json_t *object)
{
    static const char *const optional[] = {"owner",      "entity",      "user", "tags",
                                           "updated_at", "fingerprint", "meta"};
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (json_object_get(object, optional[i]) != NULL)
            json_object_set_new(object, optional[i], json_null());
}

/* Optional members null, and a member that no client knows (packet 1.4). */
static void shape_nulls(struct psim_call *call, int status, json_t *fault)
{
    json_t *body = json_loadb(call->answer->body, call->answer->body_len, 0, NULL), *key;
    size_t i;
    (void)fault;
    if (body == NULL)
        body = json_object();
    nullify(body);
    json_array_foreach(json_object_get(body, "ssh_keys"), i, key)
    {
        nullify(key);
    }
    json_object_set_new(body, "unheard_of", json_pack("{s:[i,n]}", "of", 1));
    psim_answer_json_take(call, status, body);
}

static const struct shape {
    const char *name;
    void (*make)(struct psim_call *call, int status, json_t *fault);
} shapes[] = {
    {"json", shape_json},
    {"html", shape_html},
    {"empty", shape_empty},
    {"empty-object", shape_empty_object},
    {"array", shape_array},
    {"string", shape_string},
    {"error-null", shape_error_null},
    {"errors-empty", shape_errors_empty},
    {"errors-text", shape_errors_text},
    {"problem", shape_problem},
    {"truncated", shape_truncated},
    {"huge", shape_huge},
    {"deep", shape_deep},
    {"no-id", shape_no_id},
    {"nulls", shape_nulls},
};

bool psim_shape(struct psim_call *call, const char *name, int status, json_t *fault)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0) {
            shapes[i].make(call, status, fault);
            return true;
        }
    return false;
}

bool psim_shape_known(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return true;
    return false;
}

/* What is left at the address after the end of the service (packet 9): pages without the marks of the API. */
void psim_sunset(struct psim_call *call)
{
    switch (call->sim->switches.sunset) {
    case PACKET_SIM_SUNSET_HTML_200: shape_html(call, 200, NULL); break;
    case PACKET_SIM_SUNSET_HTML_404: shape_html(call, 404, NULL); break;
    case PACKET_SIM_SUNSET_GONE_410: shape_html(call, 410, NULL); break;
    default: call->answer->fate = SIM_RESET; break;
    }
}
