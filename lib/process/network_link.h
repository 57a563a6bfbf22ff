/* network_link.h - who hears of the end of which connection
 *
 * A link ties a process of ours to a PID elsewhere; it waits in the list of the
 * connection that it lives on, and is found by its linker.  Nothing here locks:
 * the network's lock guards all of it, but for network_link_tell.
 */
#ifndef NETWORK_LINK_H
#define NETWORK_LINK_H

#include <stdint.h>

#include "base/list.h"

struct link;
struct linker;
struct pid;

struct network_links {
    struct link *links;     /* uthash, by linker, address and id of the peer */
    struct linker *linkers; /* uthash */
};

/* Adds a link to the list of the connection to this address, unless it is there. */
void network_link_add(struct network_links *n, struct list *of_connection, uint64_t address,
                      const struct pid *linker, const struct pid *peer);
/* The connection has ended: its links are forgotten, and become the caller's to tell. */
void network_link_take(struct network_links *n, struct list *of_connection, struct list *ret_links);
/* EXITED, once for each; empties the list.  Without the lock. */
void network_link_tell(struct list *links);
/* The linker is gone.  unused(arg, address) for each connection whose last link this was. */
void network_link_forget(struct network_links *n, const struct pid *linker,
                         void (*unused)(void *arg, uint64_t address), void *arg);

#endif
