/* launcher_link.h - one connection to the launcher
 *
 * It lives on a loop of the runtime; its functions may be called on any thread
 * and return at once.  What happens is told on the loop's thread by `tell`,
 * whose user hops to its actor from there; events of links that it has closed
 * may still arrive, hence the number.
 */
#ifndef LAUNCHER_LINK_H
#define LAUNCHER_LINK_H

#include <stdint.h>

struct error;
struct launch_answer;
struct launch_request;
struct launcher_link;
struct loop;
struct pid;
struct runtime;

struct launcher_link_events {
    void (*stands)(const struct pid *owner, uint64_t number);
    void (*answer)(const struct pid *owner, uint64_t number,
                   struct launch_answer *answer); /* takes answer */
    void (*broke)(const struct pid *owner, uint64_t number,
                  const struct error *why); /* or never stood */
};

struct launcher_link *launcher_link_open(struct runtime *rt, const char *path,
                                         const struct pid *owner, uint64_t number,
                                         const struct launcher_link_events *events);
/* Packed before this returns. */
void launcher_link_send(struct launcher_link *k, const struct launch_request *request);
void launcher_link_close(struct launcher_link *k);      /* NULL is fine */

/* Runs fn(arg) on the loop's thread, or at once when the runtime's loops have
 * stopped: then runtime_loop is NULL and nothing new is to be begun. */
void launcher_link_on_loop(struct runtime *rt, struct loop *loop, void (*fn)(void *arg), void *arg);

#endif
