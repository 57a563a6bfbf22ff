/* http_executor_link.h - how an executor talks HTTP to its agent: a stream of events, and calls
 *
 * Two connections: the answer to SUBSCRIBE goes on for ever on one, all other calls go over the
 * other, one behind the other.  On one loop of a host, and without actors, as somebody would write
 * it who knows no libprocess.
 */
#ifndef HTTP_EXECUTOR_LINK_H
#define HTTP_EXECUTOR_LINK_H

#include <stdbool.h>

#include "process/address.h"
#include "proto/executor.pb-c.h"

struct http_executor_link;
struct loop;

struct http_executor_link_events {
    void (*event)(void *arg, const PbExecutor__Event *event);
    /* Both connections are gone.  status: with what a call was refused; 0: a connection ended. */
    void (*broken)(void *arg, int status);
};

struct http_executor_link *
http_executor_link_create(struct loop *loop, struct address agent, bool json_calls,
                          bool json_events, const struct http_executor_link_events *events,
                          void *arg);
void http_executor_link_destroy(struct http_executor_link *l);

/* The subscription; then the others, which may be given at once. */
void http_executor_link_subscribe(struct http_executor_link *l, const PbExecutor__Call *call);
void http_executor_link_call(struct http_executor_link *l, const PbExecutor__Call *call);
bool http_executor_link_is_open(const struct http_executor_link *l);
void http_executor_link_close(struct http_executor_link *l); /* no `broken` comes */

#endif
