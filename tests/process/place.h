/* place.h - where a test stands: on the real host, or in a simulated world
 *
 * With TEST_SEED=n in the environment it is a world of that seed, else the real
 * host; the test is the same.  Each host is an OS process; all are on one machine.
 * The world begins with the first host and ends with the last one.
 */
#ifndef PLACE_H
#define PLACE_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "process/host.h"
#include "process/sim.h"

static struct {
    struct sim *world; /* NULL: real */
    struct sim_node *machine;
    unsigned hosts;
} test_place;

/* For worlds that are there on the real host, too. */
UNUSED static uint64_t place_seed(uint64_t otherwise)
{
    const char *seed = getenv("TEST_SEED");

    return seed ? strtoull(seed, NULL, 10) : otherwise;
}

/* Some tests want real threads or time. */
UNUSED static bool place_is_simulated(void)
{
    return getenv("TEST_SEED") != NULL;
}

/* Of something that is the same with every seed, fewer do. */
UNUSED static int place_many(int n)
{
    return place_is_simulated() ? n / 100 : n;
}

UNUSED static struct host *place_host(void)
{
    if (!place_is_simulated())
        return host_real_create();
    if (test_place.hosts++ == 0) {
        test_place.world = sim_create(place_seed(0));
        test_place.machine = sim_node_create(test_place.world, "one", 0x0a000001);
    }
    return sim_host_create(test_place.machine, "test");
}

/* Until done(arg); whoever makes it true says host_notify. */
UNUSED static void place_until(struct host *h, bool (*done)(void *arg), void *arg)
{
    ck_assert(host_wait(h, done, arg, instant_add(host_now(h), HOURS(1))));
}

UNUSED static void place_leave(struct host *h)
{
    host_destroy(h);
    if (test_place.world && --test_place.hosts == 0) {
        sim_destroy(test_place.world);
        test_place.world = NULL;
    }
}

#endif
