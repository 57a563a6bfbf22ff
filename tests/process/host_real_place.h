/* host_real_place.h - what the tests of the real host share: a host with one loop
 *
 * Tests run deeds on the loop and wait for named events: no sleeps.
 */
#ifndef HOST_REAL_PLACE_H
#define HOST_REAL_PLACE_H

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"

struct place {
    struct host *host;
    struct loop *loop;
    char folder[64];
    void (*deed)(void *arg); /* written before `asked` */
    void *deed_arg;
    _Atomic bool asked;
    _Atomic int turns;
};

/* Something that a test waits for, in a number. */
struct event_count {
    struct host *host;
    _Atomic int n;
    int wanted;
};

static inline bool place_turn(void *arg)
{
    struct place *p = arg;

    p->turns++;
    if (p->asked) {
        p->deed(p->deed_arg);
        p->asked = false;
        host_notify(p->host);
    }
    return false;
}

static inline void place_open(struct place *p)
{
    *p = (struct place){ .folder = "/tmp/host_real.XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(p->folder));
    p->host = host_real_create();
    p->loop = host_loop_start(p->host, place_turn, p);
}

static inline void place_close(struct place *p)
{
    struct error err;

    host_loop_stop(p->loop);
    ck_assert_msg(host_remove_tree(p->host, p->folder, &err) == 0, "%s", err.text);
    ck_assert_int_ne(access(p->folder, F_OK), 0);
    host_destroy(p->host);
}

static inline bool place_deed_is_done(void *arg)
{
    return !((struct place *)arg)->asked;
}

/* Runs deed(arg) in a turn of the loop, and waits for its end. */
static inline void place_do(struct place *p, void (*deed)(void *arg), void *arg)
{
    p->deed = deed;
    p->deed_arg = arg;
    p->asked = true;
    host_loop_wake(p->loop);
    ck_assert(host_wait(p->host, place_deed_is_done, p, INSTANT_NEVER));
}

static inline void happened(struct event_count *c)
{
    c->n++;
    host_notify(c->host);
}

static inline bool has_happened(void *arg)
{
    struct event_count *c = arg;

    return c->n >= c->wanted;
}

static inline void await(struct event_count *c, int wanted)
{
    c->wanted = wanted;
    ck_assert(host_wait(c->host, has_happened, c, INSTANT_NEVER));
}

#endif
