/* list.h - intrusive, doubly linked, circular list
 *
 * A `struct list` is a head, or the member of an element.  An element that is
 * in no list points at itself, so removing it twice does no harm.
 */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct list { struct list *next, *prev; };

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_before(struct list *at, struct list *l)
{
    l->next = at;
    l->prev = at->prev;
    at->prev->next = l;
    at->prev = l;
}

static inline void list_append(struct list *head, struct list *l)
{
    list_insert_before(head, l);
}

static inline void list_prepend(struct list *head, struct list *l)
{
    list_insert_before(head->next, l);
}

static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* Moves all elements of `from` to the end of `head`; `from` is empty then. */
static inline void list_splice(struct list *head, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    list_init(from);
}

#define list_entry(l, type, member) container_of(l, type, member)
#define list_first(head, type, member)                                                             \
    (list_is_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_each(p, head, type, member)                                                           \
    for (type *p = list_entry((head)->next, type, member); &p->member != (head);                   \
         p = list_entry(p->member.next, type, member))
/* The body may remove p. */
#define list_each_safe(p, head, type, member)                                                      \
    for (type *p = list_entry((head)->next, type, member),                                         \
              *p##_next = list_entry(p->member.next, type, member);                                \
         &p->member != (head);                                                                     \
         p = p##_next, p##_next = list_entry(p->member.next, type, member))

#endif
