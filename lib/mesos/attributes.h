/* attributes.h - what an agent says about itself: "rack:abc;level:10"
 *
 * Text <-> protobuf.  A value is a number, [ranges], a {set}, or else a text;
 * only the first ':' ends the name.
 */
#ifndef MESOS_ATTRIBUTES_H
#define MESOS_ATTRIBUTES_H

#include <stddef.h>

#include "proto/mesos.pb-c.h"

struct arena;
struct buffer;
struct error;
struct json_writer;

/* The array and all it points at live in the arena. */
int attributes_parse(const char *text, struct arena *arena, Pb__Attribute ***ret_v, size_t *ret_n,
                     struct error *err);
int attributes_validate(Pb__Attribute *const *v, size_t n, struct error *err);
/* Of valid ones: "rack:abc;level:10", and the object of the state endpoints. */
void attributes_format(Pb__Attribute *const *v, size_t n, struct buffer *out);
void attributes_write(Pb__Attribute *const *v, size_t n, struct json_writer *w);

#endif
