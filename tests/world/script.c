/* tests/world/script.c -- writes a world down as what its users do and who is killed when, so that tests/e2e
 * can play the same on real processes and a real API server: one JSON object a line, and the wishes last.
 * Called by kube.c, chaos.c, main.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/run.h"

static void say(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);

    puts(text);
    free(text);
    json_decref(line);
}

void script_request(const struct world *world, const char *method, const char *path, const char *body,
                    int status)
{
    if (world->script && !world->quiet)
        say(json_pack("{s:I, s:i, s:s, s:s, s:o}", "ms", (json_int_t)world->now.boot_ms, "status", status,
                      "method", method, "path", path, "body",
                      body ? json_loads(body, 0, NULL) : json_null()));
}

void script_kill(const struct world *world, unsigned role)
{
    if (world->script)
        say(json_pack("{s:I, s:s}", "ms", (json_int_t)world->now.boot_ms, "kill", role_name(role)));
}

static void say_wishes(const struct world *world)
{
    for (unsigned i = 0; i < world->n_objects; i++) {
        const struct wish *wish = &world->wishes[i];
        char ns[64], name[64], line[128] = "";

        object_namespace(i, ns, sizeof ns);
        object_name(i, name, sizeof name);
        if (wish->exists && wish->key)
            material_line(wish->key, line, sizeof line);
        say(json_pack("{s:s, s:s, s:b, s:s}", "namespace", ns, "name", name, "exists", wish->exists, "key",
                      line));
    }
}

bool script_print(uint64_t seed, const struct settings *settings)
{
    struct settings scripted = *settings;
    struct world world;

    scripted.script = true;
    world_open(&world, seed, &scripted);
    world_run(&world);
    say_wishes(&world);
    bool well = world.violation[0] == '\0';
    world_close(&world);
    return well;
}
