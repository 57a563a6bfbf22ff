/* http_connection.h - an accepted connection, and the shard of a worker
 *
 * Accepted connections are dealt out to the workers in turn; those of one
 * worker are a shard, which nobody else touches.  A connection is counted: its
 * requests keep it after the peer has gone.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "process/http_private.h"

struct error;
struct event;
struct http_connection;
struct http_server;
struct http_shard;
struct pid;
struct runtime;
struct stream;
struct worker;

struct http_shard {
    struct http_server *server;
    struct runtime *runtime;
    struct worker *worker;
    struct list connections;
    struct list waiting; /* for the rest of a request; the longest-waiting first */
    struct list writing; /* those that write at the turn's end */
    struct turn_hook turn_end;
    struct buffer output; /* empty: memory for who writes, and is done with it at once */
    bool alarm_is_set;
    size_t n_requests, max_requests; /* whose answers are not written */
    bool date_is_known;              /* of this turn; who asks for it writes at its end */
    int64_t date_second; /* of the text below; 0: none yet */
    char date[HTTP_DATE_TEXT];
};

/* http_connection.c.  Takes the stream; on the shard's worker. */
void http_connection_open(struct http_shard *shard, struct stream *stream);
void http_connection_close(struct http_connection *c);
void http_connection_expire(struct http_shard *shard); /* 408 to those that waited too long */
void http_connection_close_all(struct http_shard *shard);
/* http_connection_output.c: a shard's turn_end. */
void http_connection_write_all(struct turn_hook *turn_end);

/* http_server.c.  The runtime is whole: what has arrived may be answered. */
void http_server_open(struct http_server *s);
void http_server_closed(struct http_server *s); /* one connection less */
void http_server_count(struct runtime *rt, const char *counter);
void http_server_set_alarm(struct http_shard *shard); /* to expire, after the time-out */
const char *http_server_date(struct http_shard *shard);

/* http_route.c: to the process that it is for, or answers it.  Takes r's
 * reference of the hands. */
void http_route_request(struct http_request *r);
/* The request that an event of a mailbox is; NULL: it is none. */
const struct http_request *http_route_queued(const struct event *e);

#endif
