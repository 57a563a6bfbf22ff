/* properties.h - what must hold in a simulated cluster
 *
 * Safety, at every moment: the books of master and agents (their own
 * check_invariants), no command started twice (ledger.c), one end for each
 * task, which is true (work.c), no update sent after its acknowledgement was
 * durably recorded, and no acknowledged commit of the registry lost.  The last
 * two are seen by standing between the product's own functions: programs with
 * this file are linked with PROPERTIES_LDFLAGS (tests-cluster.am).
 *
 * An offer that a subscribed framework holds is one of the master's, or has just
 * been taken back; where a connection may be half open this is not looked at.
 *
 * Convergence, when faults have stopped: properties_left_over.
 */
#ifndef PROPERTIES_H
#define PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>

struct cluster;

/* Between two steps; what it finds goes to the ledger. */
void properties_check(struct cluster *c);
/* Does anything of a task live on: in the master's books, at an agent, as an OS process? */
bool properties_left_over(struct cluster *c, char *what, size_t size);

#endif
