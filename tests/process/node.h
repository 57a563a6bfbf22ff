/* node.h - a runtime for tests, on the real host or in a simulated world (place.h) */
#ifndef NODE_H
#define NODE_H

#include <check.h>

#include "base/compiler.h"
#include "base/error.h"
#include "process/runtime.h"
#include "tests/process/place.h"

struct node { struct host *host; struct runtime *rt; };

/* Longer than anything lasts: a test that gets here hangs, and says so. */
#define LONG MINUTES(10)

UNUSED static struct node node_start_with(struct runtime_options options)
{
    struct node n = { .host = place_host() };
    struct error err;

    n.rt = runtime_create(n.host, &options, &err);
    ck_assert_msg(n.rt != NULL, "%s", n.rt ? "" : err.text);
    return n;
}

UNUSED static struct node node_start(unsigned workers)
{
    return node_start_with((struct runtime_options){ .workers = workers });
}

UNUSED static void node_stop(struct node *n)
{
    runtime_destroy(n->rt);
    place_leave(n->host);
}

UNUSED static void node_settle(struct node *n)
{
    ck_assert(runtime_clock_settle(n->rt, LONG));
}

#endif
