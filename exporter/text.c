/* exporter/text.c -- a growing string. Called by health.c and metrics.c. */
#include "exporter/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

void text_add(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return;
    if (text->len + (size_t)n + 1 > text->room) {
        text->room = 2 * text->room + (size_t)n + 1;
        text->data = x_realloc(text->data, text->room);
    }
    va_start(args, format);
    vsnprintf(text->data + text->len, (size_t)n + 1, format, args);
    va_end(args);
    text->len += (size_t)n;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}
