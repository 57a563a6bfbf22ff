/* progress.h - how far a batch is, in one line: pure */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stddef.h>

#include "base/instant.h"

struct buffer;

struct progress {
    size_t total, succeeded, failed, running, retried;
    struct duration elapsed;                 /* since the first launch; 0: none yet */
};

/* "[#####.....]  50%  100/200 done, 3 failed, 8 running, 12.5/s, ETA 0:08", at
 * most `width` columns, without a newline; appended. */
void progress_bar(const struct progress *p, size_t width, struct buffer *out);
/* The same in words, without the bar. */
void progress_text(const struct progress *p, struct buffer *out);
/* "200 jobs: 198 succeeded, 2 failed, 3 retried; 12.3 s, 16.3 tasks/s" */
void progress_summary(const struct progress *p, struct buffer *out);

#endif
