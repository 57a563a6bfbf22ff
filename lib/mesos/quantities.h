/* quantities.h - how much of each name, whatever else is said about it
 *
 * The sums of scalars that quota, fair shares and min_allocatable_resources
 * reckon with: names with millis, sorted by name, none of them 0.  A value like
 * struct resources.
 */
#ifndef QUANTITIES_H
#define QUANTITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct error;
struct resources;
struct text;

struct quantity { struct text *name; int64_t millis; };
struct quantities { struct quantity *v; size_t n; };

#define QUANTITIES_INIT { NULL, 0 }

void quantities_release(struct quantities *q);
struct quantities quantities_dup(const struct quantities *q);

struct quantities quantities_of(const struct resources *r);
/* "cpus:4;mem:1024" */
int quantities_parse(const char *text, struct quantities *ret_q, struct error *err);
void quantities_format(const struct quantities *q, struct buffer *out);

int64_t quantities_get(const struct quantities *q, const char *name);          /* 0 if none */
/* 0 removes it.  The name is borrowed. */
void quantities_set(struct quantities *q, struct text *name, int64_t millis);
void quantities_add(struct quantities *to, const struct quantities *q);
/* Where more is taken than there is, nothing remains. */
void quantities_subtract(struct quantities *from, const struct quantities *q);
bool quantities_contain(const struct quantities *q, const struct quantities *part);

/* "cpus:0.01|mem:32": alternatives, of which one must be there for resources to
 * be worth an offer.  "" or none: anything is. */
struct allocatable { struct quantities *alternatives; size_t n; };
int quantities_parse_allocatable(const char *text, struct allocatable *ret_a, struct error *err);
void quantities_release_allocatable(struct allocatable *a);
bool quantities_are_allocatable(const struct quantities *q, const struct allocatable *a);

#endif
