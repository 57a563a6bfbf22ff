/* http_client_private.h - questions and the connections that carry them
 *
 *   http_client.c             asking: what a user calls
 *   http_client_ask.c         a question in bytes, from what the user gave
 *   http_client_exchange.c    a question and what becomes of it
 *   http_client_connection.c  a connection: its life, and whose turn it is
 *   http_client_transfer.c    bytes through it, both ways
 *   http_client_timeout.c     what takes too long
 *   http_client_pool.c        connections that are kept
 *   http_client_body.c        bodies
 *   http_reader.c, http_writer.c   answers and questions that are streams
 *
 * A connection, with the exchanges in its queue, belongs to its worker's thread.
 * Others post to it.  When the runtime ends the loops have stopped before the
 * executor, whose last (http_client_connection.c: runtime_ended) has it alone.
 */
#ifndef HTTP_CLIENT_PRIVATE_H
#define HTTP_CLIENT_PRIVATE_H

#include <pthread.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"
#include "base/ref.h"
#include "process/bytes_row.h"
#include "process/future_private.h"
#include "process/host.h"
#include "process/http_client.h"
#include "process/http_client_body.h"
#include "process/http_reader.h"
#include "process/http_url.h"
#include "process/http_writer.h"
#include "process/runtime_private.h"

/* ---- a writer ---- */

struct http_writer {
    struct ref ref;     /* the memory: the users' together, the exchange's */
    struct ref users;
    pthread_mutex_t lock; /* of all below */
    struct list pieces;   /* struct piece, to be sent */
    bool closed, dead;    /* dead: nothing is sent any more */
    struct http_exchange *exchange; /* while it may be sent; borrowed */
};

/* Whose body it is: one question's. */
int http_writer_attach(struct http_writer *w, struct http_exchange *e, struct error *err);
/* For the exchange, on its connection's thread. */
/* The next piece as it is sent, and whom to tell (NULL: nobody); false when there
 * is none for now.  The one behind the last says ret_last. */
bool http_writer_next(struct http_writer *w, struct buffer *out, struct promise **ret_told,
                      bool *ret_last);
void http_writer_die(struct http_writer *w); /* lets go of the exchange */

/* ---- a reader: the user's side of a streamed exchange ---- */

struct http_reader {
    struct ref users;
    struct http_exchange *exchange; /* a reference while there are users */
};

/* ---- an exchange ---- */

struct http_exchange {
    struct ref ref; /* the connection's or the pool's; the hook's; posts'; the reader's */
    struct hook discard_hook;
    struct list link; /* the connection's queue */
    uint64_t number;  /* its place in that */
    size_t late_at;   /* its place among those with a deadline; 0: it is not there */
    struct runtime *runtime;

    /* Constant: what was asked. */
    struct http_url url;
    char *method;
    bool streams, is_head, is_idempotent, wants_gzip;
    size_t max_head, max_body;
    struct duration connect_timeout, head_timeout, idle_timeout, timeout;
    struct instant deadline; /* of the whole */
    struct promise *promise; /* of http_response or http_opened; NULL: that is given */

    pthread_mutex_t lock;
    struct http_client *connection; /* under the lock; a reference, while in its queue */
    bool given_up;                  /* under the lock */

    /* The connection's. */
    struct buffer request; /* of which `sent` bytes are; then the writer's pieces */
    size_t sent;
    bool was_offered; /* to TLS, which may have sent of it what it has not taken yet */
    struct http_writer *writer; /* NULL: none */
    bool writer_began, writer_ended;
    struct promise *told; /* of the writer's piece that is being sent */
    bool is_sent;
    bool is_pooled, was_retried;
    bool was_left; /* its answer is read over */

    int status; /* of the answer; 0: its head has not come */
    char *head_text;
    struct http_header *headers;
    struct buffer body;
    uint64_t n_body;
    bool is_gzip;
    struct error failure; /* of inflating */
    struct http_reader reader;
    struct bytes_row row; /* of a streamed answer */
};

struct http_exchange *http_exchange_create(struct runtime *rt, const struct http_ask *ask,
                                           const struct http_url *origin, bool streams,
                                           struct error *err);
void http_exchange_ref(struct http_exchange *e);
void http_exchange_unref(struct http_exchange *e);
struct future *http_exchange_future(struct http_exchange *e); /* once, before it is sent */

/* Nobody wants the answer any more; any thread. */
void http_exchange_give_up(struct http_exchange *e);
bool http_exchange_is_given_up(struct http_exchange *e);
/* Of a streamed answer; any thread, also when the runtime has gone. */
struct future *http_exchange_read(struct http_exchange *e);
/* Which connection carries it: takes, or ends, a reference to c. */
void http_exchange_carry(struct http_exchange *e, struct http_client *c);
/* Tells the connection, if there is one, to look after it; any thread. */
void http_exchange_poke(struct http_exchange *e);

/* The answer; on the connection's thread. */
void http_exchange_head(struct http_exchange *e, const struct http_parser *p, const char *data);
int http_exchange_body(struct http_exchange *e, const char *data, size_t size, struct error *err);
void http_exchange_whole(struct http_exchange *e, struct loop *loop);
void http_exchange_fail(struct http_exchange *e, const struct error *err);
void http_exchange_discard(struct http_exchange *e); /* the runtime ends */
/* Does its reader have as much as it should before we read on? */
bool http_exchange_is_full(struct http_exchange *e);
/* The server may have seen something of it. */
static inline bool http_exchange_has_begun(const struct http_exchange *e)
{
    return e->sent > 0 || e->was_offered || e->writer_began;
}

/* http_client_ask.c: fills in what is constant, and the request. */
int http_client_ask_fill(struct http_exchange *e, const struct http_ask *ask,
                         const struct http_url *origin, struct error *err);
struct http_header *http_client_ask_headers(const struct http_parser *p, const char *data,
                                            char **ret_text);
const char *http_client_ask_find(const struct http_header *headers, const char *name);

/* ---- a connection ---- */

struct http_client {
    struct ref ref;   /* the memory: users', the executor's, posts', timers', exchanges' */
    struct ref users; /* handles; the pool's */
    struct runtime *runtime;
    struct worker *worker;
    struct http_url url;
    struct duration connect_timeout;
    bool is_pooled;   /* carries one at a time, and goes back to the pool */
    struct pid pool;
    struct promise *over; /* set when it has ended: the executor lets go of it */
    struct promise *disconnected;
    _Atomic bool runtime_gone, ended;

    struct address address; /* set before they are used, as is the next */
    struct error unresolved;

    struct stream *stream; /* the worker's thread, as all below */
    struct list queue;     /* exchanges, in the order they were asked */
    struct http_exchange *unsent; /* the first of the queue that is not wholly sent; NULL: none */
    uint64_t n_asked;
    struct http_exchange **late; /* those of the queue with a deadline: a heap, from 1 on */
    size_t n_late, late_capacity;
    bool is_lent; /* the pool's reference is ours meanwhile */
    bool connected, closing;
    struct buffer in;
    struct http_parser parser; /* of the answer to the first */
    struct http_client_body answer;
    size_t n_answered;
    struct instant began, sent, heard; /* when the connect began, bytes last left, came */
    struct timer timer;
    struct instant armed; /* what the timer is set to */
    struct error reason;  /* why it has ended */
};

struct http_client *http_client_create(struct runtime *rt, const struct http_url *url,
                                       struct duration connect_timeout);
/* Takes e.  Any thread. */
void http_client_submit(struct http_client *c, struct http_exchange *e);
void http_client_drop(struct http_client *c); /* the memory's reference */
/* On its thread: out of the queue; its reference is the caller's. */
void http_client_take_out(struct http_client *c, struct http_exchange *e);
/* e was given up; drops e. */
void http_client_leave(void *arg);
/* Runs fn(c) on its thread; fn drops c. */
void http_client_post(struct http_client *c, void (*fn)(void *arg));
void http_client_look(void *arg); /* looks after c, drops it */

/* On its thread: ends it; what is in the queue fails with err.  By the peer: a
 * question may be asked again elsewhere. */
enum http_client_fault { HTTP_CLIENT_OURS, HTTP_CLIENT_PEERS };
void http_client_end(struct http_client *c, const struct error *err,
                     enum http_client_fault fault);
/* Something has changed. */
void http_client_serve(struct http_client *c);
static inline struct http_exchange *http_client_first(struct http_client *c)
{
    return list_first(&c->queue, struct http_exchange, link);
}
/* Behind e, which is in the queue. */
static inline struct http_exchange *http_client_next(struct http_client *c,
                                                     struct http_exchange *e)
{
    return e->link.next == &c->queue ? NULL : list_entry(e->link.next, struct http_exchange, link);
}

/* http_client_transfer.c */
extern const struct stream_events http_client_events;
void http_client_send_out(struct http_client *c);
bool http_client_has_unsent(struct http_client *c);

/* http_client_timeout.c */
/* Whose deadline counts: what is in the queue. */
void http_client_timeout_add(struct http_client *c, struct http_exchange *e);
void http_client_timeout_remove(struct http_client *c, struct http_exchange *e);
void http_client_timeout_arm(struct http_client *c);
void http_client_timeout_cancel(struct http_client *c);

/* ---- the pool ---- */

/* Takes e.  Any thread. */
void http_client_pool_send(struct runtime *rt, struct http_exchange *e);
/* From a connection that is lent, on its thread: it has answered and may be kept; it
 * has broken, and e, which is taken, is to be asked again on a new one. */
void http_client_pool_keep(struct http_client *c);
void http_client_pool_again(struct http_client *c, struct http_exchange *e);

#endif
