/* test_agent_gc.c - old sandboxes go, and an agent may end while it looks for them */
#include <stdlib.h>

#include "agent/agent.h"
#include "agent_place.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/sim.h"
#include "tests/unit.h"

static void start(struct agent_place *p)
{
    *p = (struct agent_place){ .flags = { "--gc_delay=100secs" } };
    place_start(p);
    place_run(p, &(struct place_task){ .id = "t", .command = "sleep 1000" });
    place_await_state(p, "t", PB__TASK_STATE__TASK_RUNNING);
}

/* The only run's folder. */
static char *sandbox(struct agent_place *p)
{
    char *path = mem_printf("/var/lib/agent/slaves/%s/frameworks/%s/executors/t/runs", PLACE_AGENT,
                            PLACE_FRAMEWORK);
    struct error err;
    char **names, *found = NULL;
    size_t n;

    ck_assert_msg(host_list(p->agent_host, path, &names, &n, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], "latest") != 0)
            found = mem_printf("%s/%s", path, names[i]);
    host_free_names(names, n);
    mem_free(path);
    return found;
}

static bool is_there(struct agent_place *p, const char *path)
{
    struct file_info info;
    struct error err;

    return host_stat(p->agent_host, path, &info, &err) == 0;
}

START_TEST(a_sandbox_goes_gc_delay_after_its_run_has_ended)
{
    struct agent_place p;
    char *path;

    start(&p);
    path = sandbox(&p);
    place_pass(&p, MINUTES(10));
    ck_assert(is_there(&p, path)); /* it is in use */
    place_kill(&p, "t");
    place_await_state(&p, "t", PB__TASK_STATE__TASK_KILLED);
    place_pass(&p, SECONDS(90));
    ck_assert(is_there(&p, path));
    place_pass(&p, SECONDS(30));
    ck_assert(!is_there(&p, path));
    mem_free(path);
    place_stop(&p);
}
END_TEST

/* The helper thread still looks when the agent has gone, but its node has not. */
START_TEST(an_agent_may_end_while_it_looks)
{
    struct agent_place p;

    start(&p);
    for (int i = 0; i < 40; i++) {
        struct error err;

        place_stop_agent(&p);
        ck_assert_msg(place_start_agent(&p, &err) == 0, "%s", err.text);
        place_pass(&p, NANOSECONDS(SECONDS(10).ns + i * 100000));
        agent_destroy(p.agent);
        p.agent = NULL;
        place_pass(&p, SECONDS(1));
    }
    place_stop(&p);
}
END_TEST

UNIT(agent_gc, a_sandbox_goes_gc_delay_after_its_run_has_ended, an_agent_may_end_while_it_looks);
