/* base/log.c -- writes one line for each event to stderr: JSON as Gardener's programs do, or readable text
 * (gardener 12.3). Owns level, format and logger name of this process; allocates nothing, so it also works
 * when memory is out. Never blocks longer than one write. Called by everybody. */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/blackbox.h"
#include "base/clock.h"
#include "base/escape.h"

/* The kernel keeps a write of up to PIPE_BUF to a pipe in one piece, so lines of siblings never mix. */
#define LINE_MAX_BYTES PIPE_BUF
#define TEXT_MAX_BYTES 1536u /* of one value, escaped; more is cut off and marked */
#define TAIL_ROOM      32u   /* for "truncated":true} and the newline */

static const char *log_logger = "";
static enum log_level log_least = LEVEL_INFO;
static bool log_as_text;

struct line {
    char buf[LINE_MAX_BYTES];
    size_t len;
    size_t room; /* len may not grow beyond this */
    bool cut;
};

void log_open(const char *logger, enum log_level least, bool format_text)
{
    log_logger = logger ? logger : "";
    log_least = least;
    log_as_text = format_text;
}

void log_set_level(enum log_level least)
{
    log_least = least;
}

enum log_level log_get_level(void)
{
    return log_least;
}

int log_level_parse(const char *text, enum log_level *level)
{
    static const struct {
        const char *text;
        enum log_level level;
    } known[] = {{"debug", LEVEL_DEBUG}, {"info", LEVEL_INFO}, {"error", LEVEL_ERROR}};

    for (size_t i = 0; text && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(text, known[i].text) == 0) {
            *level = known[i].level;
            return 0;
        }
    }
    return -1;
}

static bool put(struct line *line, const char *bytes, size_t n)
{
    if (n > line->room - line->len) {
        line->cut = true;
        return false;
    }
    memcpy(line->buf + line->len, bytes, n);
    line->len += n;
    return true;
}

static bool puts_line(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

static void put_quoted(struct line *line, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t start = line->len;
    size_t used;
    char out[ESCAPE_MAX];

    if (!put(line, "\"", 1))
        return;
    for (; *p; p += used) {
        size_t n = escape_one(p, &used, out);
        if (line->len - start + n > TEXT_MAX_BYTES || line->len + n + 5 > line->room) {
            puts_line(line, "...");
            line->cut = true;
            break;
        }
        put(line, out, n);
    }
    put(line, "\"", 1);
}

/* Writes a whole field or nothing. */
static void put_field(struct line *line, struct log_field field)
{
    size_t before = line->len;
    bool had_room;

    had_room = puts_line(line, log_as_text ? " " : ",");
    if (log_as_text) {
        had_room = had_room && puts_line(line, field.key) && puts_line(line, "=");
    } else {
        put_quoted(line, field.key);
        had_room = had_room && puts_line(line, ":");
    }
    if (field.text) {
        had_room = had_room && line->room - line->len >= 8;
        if (had_room)
            put_quoted(line, field.text);
    } else {
        char number[24];
        snprintf(number, sizeof(number), "%lld", (long long)field.number);
        had_room = had_room && puts_line(line, number);
    }
    if (!had_room) {
        line->len = before;
        line->cut = true;
    }
}

static void start_json(struct line *line, enum log_level level, const char *ts, const char *msg)
{
    static const char *const names[] = {"debug", "info", "info", "error"};

    puts_line(line, "{\"level\":\"");
    puts_line(line, names[level]);
    puts_line(line, "\",\"ts\":\"");
    puts_line(line, ts);
    puts_line(line, "\"");
    if (*log_logger)
        put_field(line, F_STR("logger", log_logger));
    put_field(line, F_STR("msg", msg));
    if (level == LEVEL_WARN)
        puts_line(line, ",\"warning\":true");
}

static void start_text(struct line *line, enum log_level level, const char *ts, const char *msg)
{
    static const char *const names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

    puts_line(line, ts);
    puts_line(line, " ");
    puts_line(line, names[level]);
    puts_line(line, " ");
    puts_line(line, log_logger);
    puts_line(line, *log_logger ? " " : "");
    put_quoted(line, msg);
}

static void end_line(struct line *line)
{
    line->room = sizeof(line->buf);
    if (line->cut)
        puts_line(line, log_as_text ? " truncated=true" : ",\"truncated\":true");
    puts_line(line, log_as_text ? "\n" : "}\n");
}

static void write_line(const struct line *line)
{
    size_t done = 0;

    while (done < line->len) {
        ssize_t n = write(STDERR_FILENO, line->buf + done, line->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n_fields)
{
    struct line line = {.len = 0, .room = LINE_MAX_BYTES - TAIL_ROOM, .cut = false};
    int saved = errno;
    char ts[CLOCK_TEXT_MAX];

    if (level < log_least)
        return;
    clock_text_millis(clock_now().wall_ms, ts);
    if (log_as_text)
        start_text(&line, level, ts, msg ? msg : "");
    else
        start_json(&line, level, ts, msg ? msg : "");
    for (size_t i = 0; i < n_fields; i++)
        put_field(&line, fields[i]);
    end_line(&line);
    write_line(&line);
    blackbox_line(line.buf, line.len);
    errno = saved;
}
