/* node.h - a runtime on the real host, for tests */
#ifndef NODE_H
#define NODE_H

#include <check.h>

#include "base/compiler.h"
#include "base/error.h"
#include "process/host.h"
#include "process/runtime.h"

struct node { struct host *host; struct runtime *rt; };

/* Longer than anything lasts: a test that gets here hangs, and says so. */
#define LONG MINUTES(10)

UNUSED static struct node node_start(unsigned workers)
{
    struct runtime_options options = { .workers = workers };
    struct node n = { .host = host_real_create() };
    struct error err;

    n.rt = runtime_create(n.host, &options, &err);
    ck_assert_msg(n.rt != NULL, "%s", n.rt ? "" : err.text);
    return n;
}

UNUSED static void node_stop(struct node *n)
{
    runtime_destroy(n->rt);
    host_destroy(n->host);
}

UNUSED static void node_settle(struct node *n)
{
    ck_assert(runtime_clock_settle(n->rt, LONG));
}

#endif
