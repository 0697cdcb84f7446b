/* base/clock.c -- asks the kernel for the time and turns it into RFC 3339 text and back. Knows no time zones
 * and no locale, allocates nothing, never waits. Called by shells and by log.c. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define DAY_S         86400
#define FIRST_SECOND  (-62167219200ll) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND   253402300799ll   /* 9999-12-31T23:59:59Z */
#define DAYS_PER_400Y 146097
#define DAYS_0000_03_01                                                                                      \
    719468 /* from there to 1970-01-01; years that start in March end with the leap day                      \
            */

struct civil {
    int year, month, day;
};

static int64_t read_ms(clockid_t id)
{
    struct timespec t = {0, 0};

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t origin_ms; /* 0: not known yet */

int64_t clock_origin(void)
{
    if (origin_ms == 0)
        origin_ms = read_ms(CLOCK_REALTIME) - read_ms(CLOCK_BOOTTIME);
    return origin_ms;
}

void clock_set_origin(int64_t ms)
{
    origin_ms = ms;
}

struct instant clock_now(void)
{
    int64_t boot_ms = read_ms(CLOCK_BOOTTIME);

    return (struct instant){
        .boot_ms = boot_ms, .wall_ms = read_ms(CLOCK_REALTIME), .steady_ms = boot_ms + clock_origin()};
}

static int64_t floor_div(int64_t n, int64_t by)
{
    return n / by - (n % by < 0);
}

/* Days since 1970 to a date and back, by 400-year eras that begin on March 1st. */
static struct civil civil_of_days(int64_t days)
{
    int64_t z = days + DAYS_0000_03_01;
    int64_t era = floor_div(z, DAYS_PER_400Y);
    int64_t in_era = z - era * DAYS_PER_400Y;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t march_month = (5 * in_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;

    return (struct civil){.year = (int)(year + era * 400 + (month <= 2)),
                          .month = (int)month,
                          .day = (int)(in_year - (153 * march_month + 2) / 5 + 1)};
}

static int64_t days_of_civil(struct civil date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t in_era = year - era * 400;
    int64_t march_month = date.month > 2 ? date.month - 3 : date.month + 9;
    int64_t in_year = (153 * march_month + 2) / 5 + date.day - 1;

    return era * DAYS_PER_400Y + in_era * 365 + in_era / 4 - in_era / 100 + in_year - DAYS_0000_03_01;
}

/* units_per_s: 1000 or 1000000; digits: how many of the fraction are shown. Moments outside the years 0 to
 * 9999 have no RFC 3339 text and become the nearest one that has. */
static void write_text(int64_t units, int64_t units_per_s, int digits, char *buf)
{
    int64_t seconds = floor_div(units, units_per_s);
    int64_t fraction = units % units_per_s + (units % units_per_s < 0 ? units_per_s : 0);

    if (seconds < FIRST_SECOND) {
        seconds = FIRST_SECOND;
        fraction = 0;
    }
    if (seconds > LAST_SECOND) {
        seconds = LAST_SECOND;
        fraction = units_per_s - 1;
    }
    struct civil date = civil_of_days(floor_div(seconds, DAY_S));
    int of_day = (int)(seconds - floor_div(seconds, DAY_S) * DAY_S);
    int n = snprintf(buf, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", date.year, date.month, date.day,
                     of_day / 3600, of_day / 60 % 60, of_day % 60);
    if (digits > 0)
        snprintf(buf + n, CLOCK_TEXT_MAX - (size_t)n, ".%0*dZ", digits, (int)fraction);
    else
        snprintf(buf + n, CLOCK_TEXT_MAX - (size_t)n, "Z");
}

void clock_text_seconds(int64_t wall_ms, char *buf)
{
    write_text(wall_ms, 1000, 0, buf);
}

void clock_text_micro(int64_t wall_us, char *buf)
{
    write_text(wall_us, 1000000, 6, buf);
}

void clock_text_millis(int64_t wall_ms, char *buf)
{
    write_text(wall_ms, 1000, 3, buf);
}

/* What is left of the text. */
struct text {
    const char *at, *end;
};

static bool take_char(struct text *t, char wanted)
{
    if (t->at == t->end || *t->at != wanted)
        return false;
    t->at++;
    return true;
}

static bool take_digits(struct text *t, int count, int max, int *out)
{
    int n = 0;

    for (int i = 0; i < count; i++, t->at++) {
        if (t->at == t->end || *t->at < '0' || *t->at > '9')
            return false;
        n = n * 10 + (*t->at - '0');
    }
    *out = n;
    return n <= max;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct text *t, struct civil *date)
{
    return take_digits(t, 4, 9999, &date->year) && take_char(t, '-') && take_digits(t, 2, 12, &date->month) &&
           take_char(t, '-') && take_digits(t, 2, 31, &date->day) && date->month >= 1 && date->day >= 1 &&
           date->day <= days_in(date->year, date->month);
}

/* No leap second: Go, which wrote every time we read, has none. */
static bool take_time(struct text *t, int *of_day)
{
    int hour, minute, second;

    if (!take_digits(t, 2, 23, &hour) || !take_char(t, ':') || !take_digits(t, 2, 59, &minute) ||
        !take_char(t, ':') || !take_digits(t, 2, 59, &second))
        return false;
    *of_day = hour * 3600 + minute * 60 + second;
    return true;
}

/* Digits past the third are read and cut off. */
static bool take_fraction(struct text *t, int *millis)
{
    int scale = 100;
    int digits = 0;

    *millis = 0;
    if (!take_char(t, '.'))
        return true;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++, digits++, scale /= 10)
        *millis += (*t->at - '0') * scale;
    return digits > 0;
}

static bool take_offset(struct text *t, int *seconds)
{
    int hour, minute;

    *seconds = 0;
    if (take_char(t, 'Z'))
        return true;
    int sign = take_char(t, '-') ? -1 : take_char(t, '+') ? 1 : 0;
    if (sign == 0 || !take_digits(t, 2, 23, &hour) || !take_char(t, ':') || !take_digits(t, 2, 59, &minute))
        return false;
    *seconds = sign * (hour * 3600 + minute * 60);
    return true;
}

int clock_parse(const char *text, size_t len, int64_t *wall_ms)
{
    struct text t = {text, text ? text + len : NULL};
    struct civil date = {0, 0, 0};
    int of_day = 0;
    int millis = 0;
    int offset = 0;

    if (!take_date(&t, &date) || !take_char(&t, 'T') || !take_time(&t, &of_day) ||
        !take_fraction(&t, &millis) || !take_offset(&t, &offset) || t.at != t.end)
        return -1;
    *wall_ms = (days_of_civil(date) * DAY_S + of_day - offset) * 1000 + millis;
    return 0;
}
