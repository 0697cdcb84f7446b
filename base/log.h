/* base/log.h -- the one way to log: one JSON object a line on stderr, keys as Gardener's (gardener 12.3, item
 * 67). Owns the process's log state (level, format, logger name). Never logs a secret by itself: callers pass
 * fields, and no caller passes a token, a whole key or a raw body. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Not LOG_*: czmq.h brings syslog.h, and that has taken those names for macros. */
enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

/* One key and value of a line. Use the F_* makers; an empty key ends nothing, the count comes from the macro.
 */
struct log_field {
    const char *key;
    const char *text; /* NULL: use number */
    int64_t number;
};

static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = text ? text : ""};
}

#define F_STR(key_, text_)   log_text((key_), (text_))
#define F_INT(key_, number_) ((struct log_field){.key = (key_), .number = (int64_t)(number_)})

/* logger: the role's name, shown as "logger". format_text: one readable line instead of JSON
 * (--log-format=text). */
void log_open(const char *logger, enum log_level least, bool format_text);
void log_set_level(enum log_level least);
enum log_level log_get_level(void);
/* "debug", "info", "error" to a level. Returns 0, or -1 for any other text (gardener 9.2). */
int log_level_parse(const char *text, enum log_level *level);

/* Warnings are written with level "info" and the key "warning": true, since Gardener's loggers know three
 * levels. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n_fields);

#define log_fields_(...)                                                                                     \
    (const struct log_field[])                                                                               \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define log_count_(...)     (sizeof(log_fields_(__VA_ARGS__)) / sizeof(struct log_field))
#define log_debug(msg, ...) log_write(LEVEL_DEBUG, msg, log_fields_(__VA_ARGS__), log_count_(__VA_ARGS__))
#define log_info(msg, ...)  log_write(LEVEL_INFO, msg, log_fields_(__VA_ARGS__), log_count_(__VA_ARGS__))
#define log_warn(msg, ...)  log_write(LEVEL_WARN, msg, log_fields_(__VA_ARGS__), log_count_(__VA_ARGS__))
#define log_error(msg, ...) log_write(LEVEL_ERROR, msg, log_fields_(__VA_ARGS__), log_count_(__VA_ARGS__))

#endif
