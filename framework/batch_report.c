/* batch_report.c - what the user is told: lines, a bar, a summary; all on stderr
 *
 * On a terminal the bar is the last line; it is wiped away before anything else
 * is written, and drawn again by the next tick.
 */
#include <stdarg.h>
#include <string.h>

#include "base/memory.h"
#include "framework/batch_private.h"
#include "process/runtime.h"

#define WORD_EVERY SECONDS(10)

static const char wipe[] = "\r\033[K";

static void write_to(struct batch *b, enum batch_stream stream, const void *data, size_t size)
{
    if (b->sink_is_broken && stream == BATCH_STDOUT)
        return;
    if (b->sink.write(b->sink.arg, stream, data, size) == 0 || stream == BATCH_STDERR)
        return;
    b->sink_is_broken = true;
    batch_report_line(b, "nobody reads our output any more");
    batch_stop(b);
}

static void wipe_bar(struct batch *b)
{
    if (b->bar_is_drawn)
        b->sink.write(b->sink.arg, BATCH_STDERR, wipe, strlen(wipe));
    b->bar_is_drawn = false;
}

static void write_line(struct batch *b, const struct buffer *text)
{
    wipe_bar(b);
    write_to(b, BATCH_STDERR, buffer_data(text), buffer_length(text));
}

void batch_report_line(struct batch *b, const char *fmt, ...)
{
    CLEANUP(buffer_release) struct buffer line = BUFFER_INIT;
    va_list args;
    char *text;

    va_start(args, fmt);
    text = mem_vprintf(fmt, args);
    va_end(args);
    buffer_printf(&line, "mesos-lite-framework: %s\n", text);
    mem_free(text);
    write_line(b, &line);
}

void batch_report_output(struct batch *b, enum batch_stream stream, const char *data, size_t size)
{
    if (size == 0)
        return;
    wipe_bar(b);
    write_to(b, stream, data, size);
}

static struct progress progress_of(const struct batch *b, struct instant until)
{
    struct progress p = { .total = b->jobs.n, .succeeded = b->jobs.n_succeeded,
                          .failed = b->jobs.n_failed, .running = b->jobs.n_running,
                          .retried = b->jobs.n_retried };

    if (b->first_launch.ns != 0 && instant_before(b->first_launch, until))
        p.elapsed = instant_since(until, b->first_launch);
    return p;
}

static void draw_bar(struct batch *b)
{
    CLEANUP(buffer_release) struct buffer line = BUFFER_INIT;
    struct progress p = progress_of(b, batch_now(b));

    buffer_append_char(&line, '\r');
    progress_bar(&p, b->sink.width > 1 ? b->sink.width - 1 : 1, &line);
    buffer_append_text(&line, "\033[K");
    b->sink.write(b->sink.arg, BATCH_STDERR, buffer_data(&line), buffer_length(&line));
    b->bar_is_drawn = true;
}

static double largest(const struct batch *b, const char *name)
{
    return (double)resources_millis(&b->largest, name) / 1000;
}

/* Commands wait, nothing runs: why? */
static void tell_why_nothing_runs(struct batch *b)
{
    if (!b->has_offer) {
        batch_report_line(b, "still no offer from master %s: it has no agents, or their resources "
                             "are in use",
                          b->options->master);
    } else if (!batch_plan_fits(&b->largest, &b->need)) {
        batch_report_line(b, "a task needs cpus:%g; mem:%g; disk:%g, and that fits no agent so "
                             "far: the largest offer had cpus:%g; mem:%g; disk:%g (see --cpus, "
                             "--mem, --disk)",
                          b->options->cpus, b->options->mem, b->options->disk, largest(b, "cpus"),
                          largest(b, "mem"), largest(b, "disk"));
    } else {
        batch_report_line(b, "no offer that fits for a while: the resources are in use");
    }
}

static void tell_that_master_is_away(struct batch *b, double seconds)
{
    const char *master = b->options->master;
    bool is_here = strncmp(master, "127.", 4) == 0 || strncmp(master, "localhost", 9) == 0;
    bool hears_here_only = runtime_address(b->runtime).ip >> 24 == 127;

    batch_report_line(b, "no answer from master %s for %.0f s%s%s; trying again%s", master, seconds,
                      b->trouble ? ": " : "", b->trouble ? b->trouble : "",
                      hears_here_only && !is_here
                          ? " (we listen on 127.0.0.1, where it cannot answer: see --ip)"
                          : "");
}

/* Without a terminal, and when something is odd: a word now and then. */
static void say_a_word(struct batch *b)
{
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    struct progress p = progress_of(b, batch_now(b));
    double seconds = duration_seconds(instant_since(batch_now(b), b->since));

    if (!b->subscribed) {
        tell_that_master_is_away(b, seconds);
    } else if (b->phase == BATCH_STOPPING) {
        batch_updates_kill_all(b); /* a kill may have been lost */
        batch_report_line(b, "waiting for the end of %zu task%s", b->jobs.n_running,
                          b->jobs.n_running == 1 ? "" : "s");
    } else if (b->phase == BATCH_WORKING && b->jobs.n_running == 0 && b->jobs.n_waiting > 0) {
        tell_why_nothing_runs(b);
    } else if (!b->sink.is_terminal) {
        progress_text(&p, &text);
        batch_report_line(b, "%s", buffer_data(&text));
    }
}

void batch_report_tick(struct batch *b)
{
    if (b->phase == BATCH_OVER)
        return;
    if (!instant_before(batch_now(b), b->next_word)) {
        b->next_word = instant_add(batch_now(b), WORD_EVERY);
        say_a_word(b);
    }
    if (b->sink.is_terminal && b->subscribed)
        draw_bar(b);
}

void batch_report_summary(struct batch *b)
{
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    struct progress p = progress_of(b, b->last_end);

    progress_summary(&p, &text);
    batch_report_line(b, "%s", buffer_data(&text));
    if (b->lost_outputs > 0)
        batch_report_line(b, "%zu output%s could not be fetched or kept", b->lost_outputs,
                          b->lost_outputs == 1 ? "" : "s");
}
