/* ids.h - the names of agents, frameworks, tasks, executors, offers, containers
 *
 * Each kind is a type of its own, so that one cannot be passed for another.  An
 * id holds one reference to an immutable text that was validated before the id
 * existed: 1 to 255 bytes, no control characters, no '/' or '\', not "." or
 * "..", therefore always fit to be the name of a folder.  The empty id is all
 * zeros.  Maps keep the id of the object that they hold; uthash takes
 * id.text->bytes and id.text->length as the key.
 *
 *     struct task_id id;
 *     if (task_id_parse(info->task_id->value, &id, &err) < 0) ...
 *     task_id_release(&id);
 */
#ifndef IDS_H
#define IDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/text.h"

struct error;

/* What all kinds are made of; `kind` is for the error: "task id". */
int ids_parse(const char *text, const char *kind, struct text **ret_text, struct error *err);

/* For each kind:
 *     parse      from text of strangers; NULL text is an error too
 *     dup        a new reference; the empty id gives the empty id
 *     release    empty afterwards
 *     assign     release, then dup
 *     text       "" when empty; valid as long as the id */
#define IDS_TYPE(type, kind)                                                                       \
    struct type { struct text *text; };                                                            \
    UNUSED static inline int type##_parse(const char *text, struct type *ret_id, struct error *err)\
    { return ids_parse(text, kind, &ret_id->text, err); }                                          \
    UNUSED static inline struct type type##_dup(const struct type *id)                             \
    { return (struct type){ text_ref(id->text) }; }                                                \
    UNUSED static inline void type##_release(struct type *id)                                      \
    { text_unref(id->text); id->text = NULL; }                                                     \
    UNUSED static inline void type##_assign(struct type *id, const struct type *from)              \
    { struct text *old = id->text; id->text = text_ref(from->text); text_unref(old); }             \
    UNUSED static inline bool type##_equal(const struct type *a, const struct type *b)             \
    { return text_equal(a->text, b->text); }                                                       \
    UNUSED static inline bool type##_is_empty(const struct type *id)                               \
    { return id->text == NULL; }                                                                   \
    UNUSED static inline const char *type##_text(const struct type *id)                            \
    { return id->text ? id->text->bytes : ""; }                                                    \
    struct type

IDS_TYPE(agent_id, "agent id");
IDS_TYPE(framework_id, "framework id");
IDS_TYPE(task_id, "task id");
IDS_TYPE(executor_id, "executor id");
IDS_TYPE(offer_id, "offer id");
IDS_TYPE(container_id, "container id");

#endif
