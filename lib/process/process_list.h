/* process_list.h - /__processes__: who is there, and what waits for whom
 *
 * A mailbox belongs to its slot's turn: only there may be looked what is in it.
 * So who wants the list says that it is wanted; each slot then shows its mailbox
 * at the beginning of its next turn.  A process that has no turn within a second
 * (it is busy with one event all the time) is told with the number of its events
 * only.
 */
#ifndef PROCESS_LIST_H
#define PROCESS_LIST_H

struct error;
struct event;
struct process_list;
struct runtime;
struct slot;

struct process_list *process_list_create(struct runtime *rt);
void process_list_destroy(struct process_list *l); /* NULL is fine */
int process_list_spawn(struct runtime *rt, struct error *err);

/* In the slot's turn, when rt->is_listed. */
void process_list_look(struct slot *s);

#endif
