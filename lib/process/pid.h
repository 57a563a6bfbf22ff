/* pid.h - the name of a process, wherever it lives
 *
 * Text form: `id@ip:port`; as a URL `http://ip:port/id`.  In memory a PID of
 * this runtime also knows the slot of its process, so that a local send hashes
 * and locks nothing; the generation tells whether the slot still holds that
 * process.  A PID of elsewhere has only address and id.  Equal means the same
 * address and id (FACTS 1.1).
 *
 * A PID owns a reference to its id text: copies are made by pid_dup and end in
 * pid_release; `const struct pid *` parameters are borrowed.  The empty PID is
 * all zeros; it stands for "nobody", and sends to it are dropped.
 */
#ifndef PID_H
#define PID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "process/address.h"

struct error;
struct runtime;

struct pid {
    struct runtime *runtime;      /* whose slot this is; NULL: only the text is known */
    uint32_t slot : 31;
    uint32_t json : 1;            /* pid_set_json */
    uint32_t generation;
    struct address address;
    struct text *id;              /* "slave(1)"; NULL in the empty PID */
};

struct pid pid_create(const char *id, struct address address);     /* not tied to a slot */
struct pid pid_dup(const struct pid *pid);
void pid_release(struct pid *pid);                                 /* empty afterwards */
void pid_assign(struct pid *pid, const struct pid *from);          /* release, then dup */

static inline bool pid_is_empty(const struct pid *pid) { return pid->id == NULL; }
bool pid_equal(const struct pid *a, const struct pid *b);

/* Messages sent to this PID, when it is of another node, go with a body of JSON
 * instead of protobuf.  A property of this copy and those made of it; equality
 * does not look at it.  The sender of a message that came in JSON has it. */
void pid_set_json(struct pid *pid, bool json);

/* Text.  Parsing is strict: an id of 1 to 255 bytes without '/', '@', control
 * characters or blanks, a numeric IP, a port from 1 to 65535.  It looks
 * nothing up: runtime_parse_pid (runtime.h) also finds the slot. */
struct text *pid_format(const struct pid *pid);                    /* caller's; "" when empty */
const char *pid_text(const struct pid *pid, char *out, size_t size);   /* truncated to size */
int pid_parse(const char *text, struct pid *ret_pid, struct error *err);
bool pid_is_id(const char *id, size_t length);                     /* by the rule above */

#define PID_TEXT 300

#endif
