/* packetctl/top.c -- the live screen: every second the status, and below it the latest runs. Holds what has
 * been drawn and nothing else. Called by main.c. */
#include <curses.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "packetctl/packetctl.h"

#define EVERY_MS 1000

/* Colour pairs of curses begin with 1. */
static int pair_of(enum look look)
{
    return COLOR_PAIR(1 + (int)look);
}

/* One line, cut at the screen's edge. */
static void draw_row(int y, struct value row)
{
    char role[32], state[16], up[24], doing[200], object[520], last[200];
    bool runs = cell_number(row, "pid") != 0;

    cell(row, "state", state, sizeof state);
    mvprintw(y, 0, "%-14s %4" PRId64 "  %-8" PRId64 " ", cell(row, "role", role, sizeof role),
             cell_number(row, "slot"), cell_number(row, "pid"));
    attron(pair_of(look_of(state)));
    printw("%-9s", state);
    attroff(pair_of(look_of(state)));
    printw("%-8s %8" PRId64 "  ",
           runs ? cell_duration(cell_number(row, "uptimeSeconds"), up, sizeof up) : "-",
           cell_number(row, "restarts"));
    if (runs)
        printw("%s %s", cell(row, "doing", doing, sizeof doing), cell(row, "object", object, sizeof object));
    else
        printw("%s; next start in %.1f s", cell(row, "lastExit", last, sizeof last),
               (double)cell_number(row, "nextStartMs") / 1000);
}

static int draw_status(const struct message *answer, const struct command_line *line)
{
    const struct msg_status *status = &answer->body.status;
    char up[24];
    int y = 2;

    (void)line;
    erase();
    mvprintw(0, 0, "pid %" PRIu64 ", up %s, %s%s; quarantined %" PRIu64 "; q ends", status->pid,
             cell_duration((int64_t)(status->uptime_ms / 1000), up, sizeof up),
             status->ready ? "ready" : "NOT READY", status->held ? ", DRAINED" : "", status->quarantined);
    attron(A_REVERSE);
    mvprintw(1, 0, "%-14s %4s  %-8s %-9s%-8s %8s  %s", "ROLE", "SLOT", "PID", "STATE", "UP", "RESTARTS",
             "DOING");
    clrtoeol();
    attroff(A_REVERSE);
    for (struct value_iter it = value_each(status->processes); value_next(&it) && y < LINES - 2;)
        draw_row(y++, it.item);
    move(y, 0);
    return PACKETCTL_OK;
}

static int draw_runs(const struct message *answer, const struct command_line *line)
{
    char time[40], result[16], object[520], text[300];
    int y = getcury(stdscr) + 1;

    (void)line;
    attron(A_REVERSE);
    mvprintw(y++, 0, "%-24s  %-10s %9s  %s", "LATEST RUNS", "RESULT", "TOOK", "OBJECT, WHAT IT SAID");
    attroff(A_REVERSE);
    for (struct value_iter it = value_each(value_get(answer->body.explanation.answer, "runs"));
         value_next(&it) && y < LINES; y++)
        mvprintw(y, 0, "%-24s  %-10s %7.3f s  %s  %s", cell(it.item, "time", time, sizeof time),
                 cell(it.item, "result", result, sizeof result),
                 (double)cell_number(it.item, "tookMs") / 1000,
                 cell(it.item, "object", object, sizeof object), cell(it.item, "text", text, sizeof text));
    return PACKETCTL_OK;
}

static int ask_status(const struct command_line *line)
{
    return ask(line, MSG_ASK_STATUS, &(struct msg_ask_status){0}, MSG_STATUS, draw_status);
}

static void begin(void)
{
    initscr();
    cbreak();
    noecho();
    curs_set(0);
    timeout(EVERY_MS);
    if (colour_refused() || start_color() == ERR)
        return;
    use_default_colors();
    init_pair(1 + LOOK_GOOD, COLOR_GREEN, -1);
    init_pair(1 + LOOK_WAITS, COLOR_YELLOW, -1);
    init_pair(1 + LOOK_BAD, COLOR_RED, -1);
}

int top(const struct command_line *line)
{
    int code;

    if (line->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fprintf(stderr, "packetctl: top is for a terminal; programs ask packetctl --json status\n");
        return PACKETCTL_USAGE;
    }
    code = ask(line, MSG_ASK_STATUS, &(struct msg_ask_status){0}, MSG_STATUS, show_nothing);
    if (code != PACKETCTL_OK)
        return code;
    begin();
    while ((code = ask_status(line)) == PACKETCTL_OK) {
        ask(line, MSG_ASK_EXPLAIN, &(struct msg_ask_explain){0}, MSG_EXPLANATION, draw_runs);
        refresh();
        if (getch() == 'q')
            break;
    }
    endwin();
    return code;
}
