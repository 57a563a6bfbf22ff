/* reminder.c - the clock in tests: a day passes, and nobody has waited for it */
#include <stdio.h>

#include "base/error.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/typed.h"

struct reminder {
    struct process process;
    int times;
};

CLASS(reminder, "reminder", reminder_initialize, reminder_exited, reminder_finalize);
CALL(reminder, remind, nothing, NO_RELEASE);

static void reminder_initialize(struct reminder *r)
{
    r->times = 0;
    delay(&r->process.pid, HOURS(1), remind);
}

static void remind(struct reminder *r, struct nothing *args UNUSED)
{
    r->times++;
    delay(&r->process.pid, HOURS(1), remind);
}

static void reminder_exited(struct reminder *r UNUSED, const struct pid *peer UNUSED)
{
}

static void reminder_finalize(struct reminder *r)
{
    printf("reminded %d times\n", r->times);
}

int main(void)
{
    struct host *host = host_real_create();
    struct runtime_options options = { .workers = 1 };
    struct error err = { 0, "" };
    struct runtime *rt = runtime_create(host, &options, &err);
    struct reminder reminder;

    if (!rt || process_spawn(rt, &reminder.process, &reminder_class, NULL, NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    runtime_clock_pause(rt);
    for (int hour = 0; hour < 24; hour++) {
        runtime_clock_settle(rt, SECONDS(60));
        runtime_clock_advance(rt, HOURS(1));
    }
    runtime_clock_settle(rt, SECONDS(60));
    runtime_destroy(rt);
    host_destroy(host);
    return 0;
}
