/* progress.c - how far a batch is, in one line */
#include "framework/progress.h"

#include "base/buffer.h"

enum { BAR_LEAST = 4, BAR_MOST = 40 };

static size_t done(const struct progress *p)
{
    return p->succeeded + p->failed;
}

static double rate(const struct progress *p)
{
    double seconds = duration_seconds(p->elapsed);

    return seconds > 0 ? (double)done(p) / seconds : 0;
}

static void add_eta(const struct progress *p, struct buffer *out)
{
    double per_second = rate(p);
    double left = per_second > 0 ? (double)(p->total - done(p)) / per_second : -1;
    unsigned long seconds;

    if (left < 0 || left > 1e7)
        return;
    seconds = (unsigned long)(left + 0.5);
    if (seconds >= 3600)
        buffer_printf(out, ", ETA %lu:%02lu:%02lu", seconds / 3600, seconds / 60 % 60,
                      seconds % 60);
    else
        buffer_printf(out, ", ETA %lu:%02lu", seconds / 60, seconds % 60);
}

void progress_text(const struct progress *p, struct buffer *out)
{
    buffer_printf(out, "%zu/%zu done, %zu failed, %zu running", done(p), p->total, p->failed,
                  p->running);
    if (done(p) > 0) {
        buffer_printf(out, ", %.1f/s", rate(p));
        if (done(p) < p->total)
            add_eta(p, out);
    }
}

void progress_bar(const struct progress *p, size_t width, struct buffer *out)
{
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    size_t room, bar, full, start = buffer_length(out);

    buffer_printf(&text, " %3zu%%  ", p->total ? done(p) * 100 / p->total : 100);
    progress_text(p, &text);
    room = width > buffer_length(&text) + 2 ? width - buffer_length(&text) - 2 : 0;
    bar = room > BAR_MOST ? BAR_MOST : room;
    if (bar >= BAR_LEAST) {
        full = p->total ? done(p) * bar / p->total : bar;
        buffer_append_char(out, '[');
        for (size_t i = 0; i < bar; i++)
            buffer_append_char(out, i < full ? '#' : '.');
        buffer_append_char(out, ']');
    }
    buffer_append(out, buffer_data(&text), buffer_length(&text));
    if (buffer_length(out) - start > width)
        buffer_truncate(out, start + width);
}

void progress_summary(const struct progress *p, struct buffer *out)
{
    buffer_printf(out, "%zu job%s: %zu succeeded, %zu failed", p->total, p->total == 1 ? "" : "s",
                  p->succeeded, p->failed);
    if (done(p) < p->total)
        buffer_printf(out, ", %zu not run to their end", p->total - done(p));
    buffer_printf(out, ", %zu retried; %.1f s, %.1f tasks/s", p->retried,
                  duration_seconds(p->elapsed), rate(p));
}
