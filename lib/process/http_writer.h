/* http_writer.h - a request's body that is sent while it is made
 *
 * Made first, given to one ask (http_client.h), written before, while and after
 * the connection stands.  Counted; one that ends unclosed gives the question up,
 * so that the server sees that it is not whole.
 */
#ifndef HTTP_WRITER_H
#define HTTP_WRITER_H

#include <stddef.h>

struct future;
struct http_writer;

struct http_writer *http_writer_create(void);
struct http_writer *http_writer_ref(struct http_writer *w);
void http_writer_unref(struct http_writer *w); /* NULL is fine */

/* Copies the bytes, which leave as one chunk; nothing for size 0.  READY with
 * nothing when the kernel has taken them: whoever has much to write waits for that.
 * FAILED when the question has been answered, or has failed, before. */
struct future *http_writer_write(struct http_writer *w, const void *data, size_t size);
void http_writer_close(struct http_writer *w);

#endif
