/* error.h - why something failed: a code and a sentence
 *
 * A function that may fail returns 0 / -1, or a pointer / NULL, and takes a
 * `struct error *err` last; err may be NULL.  On failure no `ret_` argument is
 * touched and nothing is half done.  The sentence is written for the operator:
 * it is what the log, the HTTP answer and the TASK_FAILED message show.
 */
#ifndef ERROR_H
#define ERROR_H

#include "base/compiler.h"

struct error {
    int code;           /* an errno value */
    char text[200];     /* one sentence, no newline, truncated with "..." */
};

/* Each returns -1, so that a caller may say `return error_set(...)`.  error_errno
 * takes the code from errno and ends the text with its meaning; error_wrap puts
 * "context: " in front. */
int error_set(struct error *err, int code, const char *fmt, ...) PRINTF(3, 4);
int error_errno(struct error *err, const char *fmt, ...) PRINTF(2, 3);
int error_wrap(struct error *err, const char *fmt, ...) PRINTF(2, 3);
int error_copy(struct error *err, const struct error *from);

#endif
