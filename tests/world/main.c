/* tests/world/main.c -- runs worlds, one for each seed. Prints a failing seed, as little of it as still
 * fails, and the way there. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/world/coverage.h"
#include "tests/world/run.h"

struct options {
    uint64_t first, seeds;
    struct settings settings;
    unsigned jobs;
    bool expect_violation, coverage, all_pairs, boundaries, script;
};

struct totals {
    uint64_t worlds, steps, kills, posts, stale, comes, losses, virtual_ms;
    uint64_t failed; /* seed */
};

/* Returns whether the seed went well. */
static bool run_seed(uint64_t seed, const struct options *options, struct totals *totals)
{
    struct world world;

    world_open(&world, seed, &options->settings);
    world_run(&world);
    totals->worlds++;
    totals->steps += world.steps;
    totals->kills += world.kills;
    totals->posts += world.posts;
    totals->stale += world.stale_frames;
    totals->comes += world.comes;
    totals->losses += world.losses;
    totals->virtual_ms += (uint64_t)world.now.boot_ms;
    bool well = world.violation[0] == '\0';
    if (!well)
        printf("seed %lu: %s\n", seed, world.violation);
    world_close(&world);
    if (!well && !options->expect_violation && !options->settings.verbose)
        shrink_print(seed, &options->settings);
    return well;
}

/* "moves,twins" */
static uint64_t features(char *names)
{
    uint64_t off = 0;

    for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
        unsigned n = 0;
        while (plan_feature(n) && strcmp(plan_feature(n), name) != 0)
            n++;
        if (!plan_feature(n)) {
            fprintf(stderr, "world: no feature %s; there are:", name);
            for (n = 0; plan_feature(n); n++)
                fprintf(stderr, " %s", plan_feature(n));
            fprintf(stderr, "\n");
            exit(2);
        }
        off |= UINT64_C(1) << n;
    }
    return off;
}

static void parse(int argc, char **argv, struct options *options)
{
    static const struct option flags[] = {
        {"first", 1, NULL, 'f'},    {"seeds", 1, NULL, 'n'},     {"objects", 1, NULL, 'o'},
        {"verbose", 0, NULL, 'v'},  {"help", 0, NULL, 'h'},      {"expect-violation", 0, NULL, 'x'},
        {"coverage", 0, NULL, 'c'}, {"all-pairs", 0, NULL, 'a'}, {"jobs", 1, NULL, 'j'},
        {"off", 1, NULL, 'w'},      {"busy-ms", 1, NULL, 'b'},   {"boundaries", 0, NULL, 's'},
        {"script", 0, NULL, 'p'},   {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        switch (c) {
        case 'f': options->first = strtoull(optarg, NULL, 10); break;
        case 'n': options->seeds = strtoull(optarg, NULL, 10); break;
        case 'o': options->settings.objects = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'c': options->coverage = true; break;
        case 'a': options->all_pairs = true; break;
        case 'j': options->jobs = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'w': options->settings.off = features(optarg); break;
        case 'b': options->settings.busy_ms = (int64_t)strtoull(optarg, NULL, 10); break;
        case 's': options->boundaries = true; break;
        case 'p': options->script = true; break;
        case 'v': options->settings.verbose = true; break;
        case 'x': options->expect_violation = true; break;
        default:
            printf(
                "world: the whole tree in one program, on a virtual clock, from a seed\n\n"
                "  --first N             first seed (1)\n  --seeds N             how many (100)\n"
                "  --objects N           Infrastructure objects in each world, up to %u (drawn from the "
                "seed)\n"
                "  --off A,B             without these features (a wrong name prints all)\n"
                "  --busy-ms N           users and faults act this long\n"
                "  --boundaries          instead: one object's life, and at each message boundary each of\n"
                "                        Sieve's patterns (crash, unseen event, old view)\n"
                "  --expect-violation    end 0 at the first violation, 1 when there is none\n"
                "  --coverage            print which pairs of (state x fault) were not reached, and why\n"
                "  --verbose             print every line of the trace as it comes\n",
                WORLD_OBJECTS);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (options->jobs == 0)
        options->jobs = 1;
    if (options->settings.objects > WORLD_OBJECTS)
        options->settings.objects = WORLD_OBJECTS;
}

/* Seeds are dealt out in turn. All end when one has found something. */
static void run_share(const struct options *options, unsigned share, struct totals *all)
{
    struct totals *mine = &all[share];

    for (uint64_t i = share; i < options->seeds && !all[0].failed; i += options->jobs)
        if (!run_seed(options->first + i, options, mine)) {
            all[0].failed = options->first + i;
            return;
        }
}

static struct totals run_all(const struct options *options)
{
    struct totals *all =
        mmap(NULL, options->jobs * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct totals sum;

    if (all == MAP_FAILED)
        abort();
    fflush(stdout);
    for (unsigned i = 1; i < options->jobs; i++)
        if (fork() == 0) {
            run_share(options, i, all);
            fflush(stdout);
            _exit(0);
        }
    run_share(options, 0, all);
    int status;
    while (wait(&status) > 0)
        if (status != 0)
            all[0].failed =
                all[0].failed ? all[0].failed : options->first; /* a child broke down; it has said how */
    sum = all[0];
    for (unsigned i = 1; i < options->jobs; i++) {
        sum.worlds += all[i].worlds;
        sum.steps += all[i].steps;
        sum.kills += all[i].kills;
        sum.posts += all[i].posts;
        sum.stale += all[i].stale;
        sum.comes += all[i].comes;
        sum.losses += all[i].losses;
        sum.virtual_ms += all[i].virtual_ms;
    }
    munmap(all, options->jobs * sizeof *all);
    return sum;
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .seeds = 100, .jobs = 1};
    struct timespec start, end;

    parse(argc, argv, &options);
    log_open("world", options.settings.verbose ? LEVEL_INFO : LEVEL_ERROR, true);
    log_set_level(options.settings.verbose ? LEVEL_DEBUG : LEVEL_ERROR);
    cover_open();
    if (options.boundaries)
        return sieve_all(options.settings.verbose) != options.expect_violation ? 0 : 1;
    if (options.script)
        return script_print(options.first, &options.settings) ? 0 : 1;
    clock_gettime(CLOCK_MONOTONIC, &start);
    struct totals sum = run_all(&options);
    if (sum.failed && options.expect_violation)
        printf("found with seed %lu\n", sum.failed);
    if (sum.failed)
        return options.expect_violation ? 0 : 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    double hours = (double)sum.virtual_ms / 3600000.0;
    printf("%lu worlds, %.1f virtual hours (%.2f each second), %lu steps, %lu kills, %lu POSTs, %lu objects "
           "called in, %lu stale frames dropped, %lu leaderships lost: "
           "no violation\n",
           sum.worlds, hours, hours / seconds, sum.steps, sum.kills, sum.posts, sum.comes, sum.stale,
           sum.losses);
    unsigned open = options.coverage || options.all_pairs ? cover_print() : 0;
    return options.expect_violation || (options.all_pairs && open > 0) ? 1 : 0;
}
