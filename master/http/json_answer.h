/* json_answer.h - answers that may be long, without making the master late
 *
 * The master writes what is new into the answer's rope; a long one is put
 * together off the actors' threads, and then answered.
 */
#ifndef JSON_ANSWER_H
#define JSON_ANSWER_H

#include "base/json_rope.h"

struct http_request;
struct runtime;

struct json_answer {
    struct json_rope rope;
    struct http_request *request;
    struct buffer body;
};

struct json_answer *json_answer_begin(struct http_request *r);
void json_answer_send(struct runtime *rt, struct json_answer *a); /* takes a */

#endif
