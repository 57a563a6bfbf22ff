/* guest.h - says hello to a greeter until it is welcome
 *
 * Neither knows on which node the other lives, nor whether its host is real:
 * real_node.c and two_nodes.c run them.
 */
#ifndef GUEST_H
#define GUEST_H

struct error;
struct future;
struct guest;
struct pid;
struct runtime;

struct guest *guest_create(struct runtime *rt, const struct pid *greeter, const char *name,
                           struct error *err);
void guest_destroy(struct guest *g);
struct future *guest_welcomed(struct guest *g); /* READY with nothing */
struct future *guest_left(struct guest *g);     /* READY with nothing: the link broke */

#endif
