/* http_reader.h - an answer that is read while it comes
 *
 * Nothing is read ahead but a little: a server that sends faster than we read
 * waits, as TCP makes it.  Counted; when the last reference ends before the
 * answer has, the question is given up.
 *
 *     static void event_came(struct follower *f, struct bytes *piece, struct feed *op);
 *
 * follows an event stream: see docs/process.md, section "Asking over HTTP".
 */
#ifndef HTTP_READER_H
#define HTTP_READER_H

#include "process/bytes.h"
#include "process/http_client.h"
#include "process/typed.h"

struct http_reader;

/* What http_fetch_stream gives, when the head of the answer has come.  The reference
 * is the future's own: take one to keep it. */
struct http_opened { struct http_reader *reader; };
FUTURE_TYPE(http_opened, struct http_opened);

struct http_reader *http_reader_ref(struct http_reader *r);
void http_reader_unref(struct http_reader *r); /* NULL is fine */

int http_reader_status(const struct http_reader *r);
const char *http_reader_header(const struct http_reader *r, const char *name); /* NULL: none */

/* Of bytes: what has come, in any pieces; size 0 at the end, however often one
 * asks.  FAILED when the connection broke, a time-out passed or it was no HTTP.
 * Several may be asked for; a read that is discarded takes nothing.  When the runtime
 * has gone it is settled at once: with what had come of an answer that was whole, or
 * had failed, else DISCARDED.  All below is for while the runtime lives. */
struct future *http_reader_read(struct http_reader *r);
/* The rest of it; FAILED with EMSGSIZE when that is longer than the limit. */
struct future *http_reader_read_all(struct http_reader *r, size_t limit);

/* Each piece, as an event of self, the next only when fn has returned.  READY with
 * nothing at the end of the answer, else as http_reader_read.  op is the caller's
 * and must live until then. */
typedef void (*http_reader_f)(struct process *self, const struct bytes *piece, void *op);
struct future *http_reader_each(struct http_reader *r, struct process *self, http_reader_f fn,
                                void *op);

#endif
