/* packetctl/bundle.c -- all that packetctl can show, in one JSON object for whoever is asked for help. There
 * is no credential in any answer (design 7), so nothing has to be taken out. What cannot be had is named, and
 * the rest is there all the same. Called by main.c. */
#include <sys/utsname.h>

#include "base/clock.h"
#include "packetctl/packetctl.h"

static json_t *bundle; /* with_answer of ask() has no context */

static int add_status(const struct message *answer, const struct command_line *line)
{
    (void)line;
    json_object_set_new(bundle, "status", status_json(&answer->body.status));
    return PACKETCTL_OK;
}

static int add_quarantine(const struct message *answer, const struct command_line *line)
{
    (void)line;
    json_object_set_new(bundle, "quarantine", to_json(answer->body.quarantine.objects));
    return PACKETCTL_OK;
}

/* A watcher that cannot answer is in the status. */
static int add_events(const struct message *answer, const struct command_line *line)
{
    const struct msg_explanation *said = &answer->body.explanation;

    (void)line;
    if (said->refused.len == 0)
        json_object_set_new(bundle, "events", to_json(value_get(said->answer, "runs")));
    return PACKETCTL_OK;
}

static json_t *about(void)
{
    struct utsname kernel = {0};
    char when[CLOCK_TEXT_MAX];

    uname(&kernel);
    clock_text_seconds(clock_now().wall_ms, when);
    return json_pack("{s:s, s:s, s:s, s:s}", "time", when, "packetctl", PROVIDER_PACKET_VERSION, "kernel",
                     kernel.release, "machine", kernel.machine);
}

static void add_missing(void)
{
    static const char *const parts[] = {"status", "quarantine", "events", "crashes"};
    json_t *missing = json_array();

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!json_object_get(bundle, parts[i]))
            json_array_append_new(missing, json_string(parts[i]));
    json_object_set_new(bundle, "missing", missing);
}

int bundle_show(const struct command_line *line)
{
    json_t *crashes = crashes_read(line);

    bundle = json_pack("{s:o}", "about", about());
    int code = ask(line, MSG_ASK_STATUS, &(struct msg_ask_status){0}, MSG_STATUS, add_status);
    if (code == PACKETCTL_OK)
        code = ask(line, MSG_ASK_QUARANTINE, &(struct msg_ask_quarantine){0}, MSG_QUARANTINE, add_quarantine);
    if (code == PACKETCTL_OK)
        code = ask(line, MSG_ASK_EXPLAIN, &(struct msg_ask_explain){0}, MSG_EXPLANATION, add_events);
    if (crashes)
        json_object_set_new(bundle, "crashes", crashes);
    add_missing();
    int printed = print_json(bundle);
    return code != PACKETCTL_OK ? code : crashes ? printed : PACKETCTL_FAILED;
}
