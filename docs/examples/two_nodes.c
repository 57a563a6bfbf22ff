/* two_nodes.c - the same actors in a simulated world, where everything can go wrong
 *
 * For an hour the greeter's machine refuses connections, then it does not.  Time
 * is virtual: the whole takes no time, and the same seed gives the same run,
 * event for event.
 */
#include <stdio.h>

#include "base/error.h"
#include "docs/examples/greeter.h"
#include "docs/examples/guest.h"
#include "process/future.h"
#include "process/pid.h"
#include "process/runtime.h"
#include "process/sim.h"

static bool is_settled(void *arg)
{
    return future_state(arg) != FUTURE_PENDING;
}

/* Takes f. */
static bool happens_within(struct sim *world, struct future *f, struct duration d)
{
    bool happened = sim_run_until(world, is_settled, f, d);

    future_unref(f);
    return happened;
}

static struct runtime *start(struct sim_node *node, uint32_t ip, struct host **ret_host)
{
    struct runtime_options options = { .bind = { .ip = ip, .port = 5050 }, .workers = 1 };

    *ret_host = sim_host_create(node, sim_node_name(node));
    return runtime_create(*ret_host, &options, NULL);
}

int main(void)
{
    enum { HERE = 0x0a000001, THERE = 0x0a000002 };
    struct sim *world = sim_create(42);
    struct sim_node *node_here = sim_node_create(world, "here", HERE);
    struct sim_node *node_there = sim_node_create(world, "there", THERE);
    struct host *host_here, *host_there;
    struct runtime *here = start(node_here, HERE, &host_here);
    struct runtime *there = start(node_there, THERE, &host_there);
    struct pid greeter;
    struct guest *guest;

    if (greeter_start(there, NULL) < 0 ||
        runtime_parse_pid(here, "greeter@10.0.0.2:5050", &greeter, NULL) < 0)
        return 1;
    sim_refuse_connects(node_there, true);
    guest = guest_create(here, &greeter, "Grace", NULL);
    if (!guest)
        return 1;
    printf("refused: %s\n",
           happens_within(world, guest_welcomed(guest), HOURS(1)) ? "welcome" : "not welcome");
    sim_refuse_connects(node_there, false);
    printf("open: %s\n",
           happens_within(world, guest_welcomed(guest), SECONDS(2)) ? "welcome" : "not welcome");

    guest_destroy(guest);
    pid_release(&greeter);
    runtime_destroy(there);
    runtime_destroy(here);
    host_destroy(host_there);
    host_destroy(host_here);
    sim_destroy(world);
    return 0;
}
