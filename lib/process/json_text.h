/* json_text.h - a tree of JSON from text that a stranger wrote
 *
 * jansson behind limits: the text is first walked for its nesting and its number of elements, since
 * the tree takes up to a hundred times the bytes of the text.  Strict UTF-8, no NUL; of a key that
 * occurs twice the last one counts.  An integer of 19 digits or more may come as a string: where
 * a number is wanted, a string that holds one is to be taken.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

struct error;
struct proto_limits;

/* A tree of the caller's (json_decref), of any kind; or NULL, and the code is EBADMSG: it is no
 * JSON ("syntax error at line 2 near: ..."), or EMSGSIZE: it is beyond a limit. */
json_t *json_text_load(const char *json, size_t size, const struct proto_limits *limits,
                       struct error *err);

#endif
