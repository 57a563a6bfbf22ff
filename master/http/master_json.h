/* master_json.h - the pieces that the master's state endpoints are made of
 *
 * An object each, or, where it is said, only its keys, for who has more to say.
 */
#ifndef MASTER_JSON_H
#define MASTER_JSON_H

#include "master/master_private.h"

struct json_rope;
struct json_writer;

void master_json_put_time(struct json_writer *w, const char *key, struct instant t);
void master_json_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type, int value);

void master_json_agent_parts(struct json_writer *w, const struct agent_record *a); /* keys */
void master_json_recovered_agent(struct json_writer *w, const struct known_agent *k);
/* As it told them when it registered; borrowed. */
Pb__AgentInfo__Capability **master_json_agent_capabilities(const struct agent_record *a,
                                                           size_t *ret_n);

void master_json_task(struct json_writer *w, const struct task_record *t);

/* Keys: what /state-summary says of one, too. */
void master_json_framework_summary(struct json_writer *w, const struct framework_record *f);
void master_json_framework(struct json_rope *rope, const struct framework_record *f);
/* The sum of a framework's offers; the caller's. */
struct resources master_json_offered(const struct list *offers_of_framework);

#endif
