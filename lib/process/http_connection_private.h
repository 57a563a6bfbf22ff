/* http_connection_private.h - a connection, as the three files that move its bytes know it
 *
 * http_connection.c reads, http_connection_message.c delivers what is a message,
 * http_connection_output.c writes.  All of it belongs to the shard's worker.
 */
#ifndef HTTP_CONNECTION_PRIVATE_H
#define HTTP_CONNECTION_PRIVATE_H

#include "process/http_connection.h"
#include "process/runtime_private.h"

/* Of a message that may come again, and what it said; name NULL: none. */
struct http_kept_head {
    struct buffer text;
    char *name;
    struct pid to, from;
};

struct http_connection {
    struct ref ref;
    struct http_shard *shard;
    struct stream *stream;      /* NULL: closed */
    struct list link;           /* shard->connections */
    struct list waiting;        /* shard->waiting, as long as we wait for the peer to move */
    struct list writing;        /* shard->writing: a reference */
    struct instant waits_since; /* for the rest of a request, or for it to read what is last */
    size_t progress;            /* bytes of a body, or that it read, since then */

    struct buffer in;
    struct http_parser parser;
    bool begun; /* the parser has seen a part of the first request in `in` */
    struct http_kept_head kept;
    bool at_end;  /* the peer sends nothing more */
    bool unheard; /* the peer takes no answers any more */
    bool last;    /* what it sends behind its last request is thrown away */
    bool closing; /* we read nothing more; closed when all is written */
    bool refused; /* ... because of what the peer has sent */
    bool paused;  /* until a mailbox has been emptied, or a body inflated */
    bool said_continue;

    struct list requests;     /* in order of arrival */
    size_t n_requests, held;  /* held: bytes that are ready, not yet below */
    struct buffer out, large; /* large: a body that is written from where it is */
};

static inline const struct runtime_options *http_connection_options(const struct http_connection *c)
{
    return runtime_get_options(c->shard->runtime);
}

/* Nothing it sends counts any more: it may only read what it is still to get. */
static inline bool http_connection_is_leaving(const struct http_connection *c)
{
    return c->closing || c->refused || c->at_end;
}

void http_connection_ref(struct http_connection *c);
/* From when on the peer must move; nothing if we wait already. */
void http_connection_wait(struct http_connection *c);
/* Takes requests out of what has come, as many as may be. */
void http_connection_parse(struct http_connection *c);
bool http_connection_may_read(const struct http_connection *c);
bool http_connection_may_take(const struct http_connection *c); /* one more request */
void http_connection_resume(void *arg); /* after a pause: takes the reference to the connection */

/* http_connection_message.c.  The request that the parser has just found, in data. */
void http_connection_receive_message(struct http_connection *c, const char *data);
/* One in JSON, which is answered like a request; takes r's reference of the hands. */
void http_connection_deliver_json(struct http_request *r);
/* Takes messages with the kept head from the front, as many as may be: their bytes. */
size_t http_connection_take_repeats(struct http_connection *c, const char *data, size_t size);
void http_connection_forget_head(struct http_connection *c);

/* http_connection_output.c */
struct buffer *http_connection_output(struct http_connection *c); /* `out`, to append to */
void http_connection_write_later(struct http_connection *c); /* at the turn's end */
void http_connection_enqueue(struct http_connection *c, struct http_request *r);
void http_connection_forget(struct http_connection *c, struct http_request *r);
/* An answer of ours, in its place among the others. */
void http_connection_say(struct http_connection *c, int status, const char *text, bool close);
/* Nothing is before it: what is appended to `out` stands in its place. */
bool http_connection_may_append(const struct http_connection *c);

#endif
