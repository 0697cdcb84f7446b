/* tests/sim/packet-api/core/metros.c -- the list of metros (packet 3.2).
 * Owns the table; ids that no recording holds are made up but stable. Called by route.c. */
#include <stdio.h>
#include <strings.h>

#include "tests/sim/packet-api/core/internal.h"

static const struct metro {
    const char *code, *country, *name;
    const char *id; /* NULL: made up from the place in this table */
} metros[] = {
    {"am", "NL", "Amsterdam", "108b2cfb-246b-45e3-885a-bf3e82fce1a0"},
    {"at", "US", "Atlanta", NULL},
    {"ch", "US", "Chicago", NULL},
    {"da", "US", "Dallas", "d3d6b29f-042d-43b7-b3ce-0bf53d5754ca"},
    {"dc", "US", "Washington DC", "96a57b6d-c62c-41b5-ab8e-f8d63a7f9887"},
    {"dt", "US", "Detroit", NULL},
    {"fr", "DE", "Frankfurt", "b1ac82b2-616c-4405-9424-457ef6edf9ae"},
    {"hk", "HK", "Hong Kong", NULL},
    {"ho", "US", "Houston", NULL},
    {"kc", "US", "Kansas City", NULL},
    {"la", "US", "Los Angeles", NULL},
    {"ld", "GB", "London", NULL},
    {"mr", "FR", "Marseille", NULL},
    {"ny", "US", "New York", "932eecda-6808-44b9-a3be-3abef49796ef"},
    {"pa", "FR", "Paris", NULL},
    {"pi", "US", "Pittsburgh", NULL},
    {"px", "US", "Phoenix", NULL},
    {"se", "US", "Seattle", NULL},
    {"sg", "SG", "Singapore", NULL},
    {"sl", "KR", "Seoul", NULL},
    {"sv", "US", "Silicon Valley", "2991b022-b8c4-497e-8db7-5a407c3a209b"},
    {"sy", "AU", "Sydney", NULL},
    {"tr", "CA", "Toronto", NULL},
    {"ty", "JP", "Tokyo", NULL},
};

#define METROS (sizeof metros / sizeof *metros)

static void metro_id(size_t i, char *out)
{
    if (metros[i].id != NULL)
        memcpy(out, metros[i].id, PACKET_SIM_ID_LEN + 1);
    else
        snprintf(out, PACKET_SIM_ID_LEN + 1, "6d657472-6f00-4000-8000-%012zx", i + 1);
}

static json_t *metro_object(size_t i)
{
    char id[PACKET_SIM_ID_LEN + 1];
    metro_id(i, id);
    return json_pack("{s:s, s:s, s:s, s:s}", "id", id, "name", metros[i].name, "code", metros[i].code,
                     "country", metros[i].country);
}

static bool refused(struct psim_call *call)
{
    int status = call->sim->switches.project_token_metros;
    if (call->token->project == NULL || status == 200)
        return false;
    psim_answer_forbidden(call, status);
    return true;
}

void psim_metros_list(struct psim_call *call)
{
    if (refused(call))
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < METROS; i++)
        json_array_append_new(list, metro_object(i));
    psim_answer_json_take(call, 200, json_pack("{s:o}", "metros", list));
}

void psim_metro_read(struct psim_call *call)
{
    if (refused(call))
        return;
    for (size_t i = 0; i < METROS; i++) {
        char id[PACKET_SIM_ID_LEN + 1];
        metro_id(i, id);
        if (strcasecmp(id, call->id) == 0) {
            psim_answer_json_take(call, 200, metro_object(i));
            return;
        }
    }
    psim_answer_not_found(call);
}
