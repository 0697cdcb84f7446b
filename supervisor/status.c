/* supervisor/status.c -- what the supervisor says of itself and its processes, as the STATUS message; the
 * keys are those of `packetctl --json status`. Reads the tree, changes nothing. Called by control.c and
 * children.c. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/supervisor.h"

void status_text(int wait_status, char *buf, size_t size)
{
    if (WIFEXITED(wait_status)) {
        snprintf(buf, size, "exit %d: %s", WEXITSTATUS(wait_status), exit_sentence(WEXITSTATUS(wait_status)));
    } else if (WIFSIGNALED(wait_status)) {
        const char *name = sigabbrev_np(WTERMSIG(wait_status));
        snprintf(buf, size, "SIG%s%s", name ? name : "?", WCOREDUMP(wait_status) ? " (core dumped)" : "");
    } else {
        snprintf(buf, size, "wait status %d", wait_status);
    }
}

static void pack_row(struct pack *p, const struct tree_row *row)
{
    bool running = row->pid != 0, died = row->restarts > 0 || row->last_status != 0;
    bool waits = row->next_start_ms > 0;
    char how[STATUS_TEXT_MAX];

    pack_map(p, 8 + (row->key[0] != '\0') + (row->degraded[0] != '\0') + (died ? 1 : 0) + (waits ? 1 : 0) +
                    (running ? 1 : 0) + (row->gauges.len > 0));
    pack_member(p, "role", role_name(row->role));
    pack_member_int(p, "slot", (int64_t)row->slot);
    pack_member_int(p, "pid", row->pid);
    pack_member_int(p, "incarnation", (int64_t)row->incarnation);
    pack_member(p, "state", row->state);
    pack_member_int(p, "uptimeSeconds", row->uptime_ms / 1000);
    pack_member_int(p, "restarts", (int64_t)row->restarts);
    pack_member(p, "doing", row->doing);
    if (row->key[0] != '\0')
        pack_member(p, "object", row->key);
    if (row->degraded[0] != '\0')
        pack_member(p, "degraded", row->degraded);
    if (died) {
        status_text(row->last_status, how, sizeof how);
        pack_member(p, "lastExit", how);
    }
    if (waits)
        pack_member_int(p, "nextStartMs", row->next_start_ms);
    if (running)
        pack_member_int(p, "beatAgeMs", row->beat_age_ms);
    if (row->gauges.len > 0) {
        pack_text(p, "gauges");
        pack_value(p, row->gauges);
    }
}

/* Empty without an election. */
static void pack_leader(struct pack *p, const struct supervisor *s, struct instant now)
{
    const struct tree_leader *leader = tree_leader(s->tree);
    int64_t left = leader->write_until_ms - now.boot_ms;

    pack_map(p, leader->elected ? 6 : 0);
    if (!leader->elected)
        return;
    pack_member(p, "lease", leader->lease);
    pack_text(p, "leading");
    pack_bool(p, leader->leading && left > 0);
    pack_member(p, "holder", leader->holder);
    pack_member(p, "identity", s->identity);
    pack_member_int(p, "writeForMs", leader->leading && left > 0 ? left : 0);
    pack_member_int(p, "transitions", (int64_t)leader->transitions);
}

static uint64_t count_quarantined(const struct supervisor *s)
{
    const struct tree_suspect *at;
    uint64_t n = 0;

    for (unsigned i = 0; (at = tree_suspect(s->tree, i)) != NULL; i++)
        n += at->until != 0;
    return n;
}

/* A job may be over long before the next beat. */
static void pack_live(struct pack *p, const struct supervisor *s, struct tree_row *row)
{
    char key[2 * LIMIT_NAME + 2], doing[2 * LIMIT_NAME + 2];

    if (row->role == WORKER && crash_box_look(s, row->pid, key, doing, sizeof key) && doing[0] != '\0') {
        row->key = key;
        row->doing = doing;
    }
    pack_row(p, row);
}

void status_make(const struct supervisor *s, struct status_answer *answer)
{
    struct instant now = clock_now();
    struct tree_row row;
    uint32_t n = 0;

    while (tree_row(s->tree, n, now, &row))
        n++;
    pack_open(&answer->processes);
    pack_array(&answer->processes, n);
    for (uint32_t i = 0; i < n && tree_row(s->tree, i, now, &row); i++)
        pack_live(&answer->processes, s, &row);
    pack_open(&answer->leadership);
    pack_leader(&answer->leadership, s, now);
    answer->body = (struct msg_status){
        .version = SPAN(PROVIDER_PACKET_VERSION),
        .pid = (uint64_t)getpid(),
        .uptime_ms = (uint64_t)(now.boot_ms - s->started.boot_ms),
        .ready = tree_ready(s->tree),
        .processes = pack_result(&answer->processes),
        .leadership = pack_result(&answer->leadership),
        .held = tree_held(s->tree),
        .quarantined = count_quarantined(s),
    };
}

void status_pack_suspects(const struct supervisor *s, struct pack *p)
{
    int64_t now = clock_now().boot_ms;
    const struct tree_suspect *at;
    char struck[CLOCK_TEXT_MAX];
    uint32_t n = 0;

    while (tree_suspect(s->tree, n) != NULL)
        n++;
    pack_array(p, n);
    for (uint32_t i = 0; i < n && (at = tree_suspect(s->tree, i)) != NULL; i++) {
        int64_t left = (int64_t)at->until - now;

        clock_text_seconds((int64_t)at->struck * 1000, struck);
        pack_map(p, 7);
        pack_member(p, "object", at->key);
        pack_text(p, "quarantined");
        pack_bool(p, at->until != 0);
        pack_member_int(p, "strikes", (int64_t)at->strikes);
        pack_member_int(p, "times", (int64_t)at->terms);
        pack_member(p, "lastStrike", struck);
        pack_member(p, "cause", at->cause);
        pack_member_int(p, "nextTrialMs", at->until != 0 && left > 0 ? left : 0);
    }
}

void status_free(struct status_answer *answer)
{
    pack_close(&answer->processes);
    pack_close(&answer->leadership);
}
