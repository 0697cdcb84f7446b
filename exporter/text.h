/* exporter/text.h -- a growing string for pages. Owned by the caller: zero it, write, free text.data. */
#ifndef EXPORTER_TEXT_H
#define EXPORTER_TEXT_H

#include <stddef.h>

struct text {
    char *data; /* NUL-terminated once something was written */
    size_t len, room;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

#endif
