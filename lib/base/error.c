/* error.c - why something failed: a code and a sentence */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* vsnprintf into text, ended by "..." when it does not fit, on one line. */
static void PRINTF(2, 0) format_sentence(struct error *err, const char *fmt, va_list args)
{
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);

    if (n < 0)
        err->text[0] = '\0';
    if (n >= (int)sizeof err->text)
        memcpy(err->text + sizeof err->text - 4, "...", 4);
    for (char *p = err->text; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
}

/* Adds ": tail", as far as there is room. */
static void append_tail(struct error *err, const char *tail)
{
    size_t used = strlen(err->text);
    int n = snprintf(err->text + used, sizeof err->text - used, ": %s", tail);

    if (n >= (int)(sizeof err->text - used))
        memcpy(err->text + sizeof err->text - 4, "...", 4);
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
    struct error fresh = { .code = code };
    va_list args;

    if (!err)
        return -1;
    va_start(args, fmt);
    format_sentence(&fresh, fmt, args);       /* the arguments may point into *err */
    va_end(args);
    *err = fresh;
    return -1;
}

int error_errno(struct error *err, const char *fmt, ...)
{
    struct error fresh = { .code = errno };
    char reason[100];
    va_list args;

    if (!err)
        return -1;
    va_start(args, fmt);
    format_sentence(&fresh, fmt, args);
    va_end(args);
    append_tail(&fresh, strerror_r(fresh.code, reason, sizeof reason));
    *err = fresh;
    return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
    struct error fresh;
    va_list args;

    if (!err)
        return -1;
    fresh.code = err->code;
    va_start(args, fmt);
    format_sentence(&fresh, fmt, args);
    va_end(args);
    append_tail(&fresh, err->text);
    *err = fresh;
    return -1;
}

int error_copy(struct error *err, const struct error *from)
{
    if (err)
        *err = *from;
    return -1;
}
