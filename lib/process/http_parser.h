/* http_parser.h - HTTP/1 from strangers' bytes
 *
 * Strict, incremental and pure: the caller keeps the bytes of one message in
 * one piece, and calls http_parser_run each time there are more, with all of
 * them from the message's first byte on.  Nothing is copied: what was found is
 * told as positions in those bytes.  A chunked body is put together in place,
 * over the bytes of chunks that were read already; a body in one chunk is not
 * moved at all.
 *
 * What is not clearly one message is refused, so that nobody in front of us
 * can have understood it otherwise: bare line feeds, folded lines, a blank
 * before a colon, both Content-Length and Transfer-Encoding, lengths that
 * differ, control characters.  A refusal is a status and a sentence.
 */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_parser_kind { HTTP_PARSER_REQUEST, HTTP_PARSER_RESPONSE };
enum http_parser_result { HTTP_PARSER_MORE, HTTP_PARSER_DONE, HTTP_PARSER_REFUSED };

/* Each of the first three must be set.  Extensions of chunks and trailers are read over; together
 * with the other framing they may be as long as a body and a head. */
struct http_parser_limits {
    size_t uri_bytes;  /* then 414 */
    size_t head_bytes; /* then 431; also of a chunk's first line and of the trailers */
    size_t body_bytes; /* then 413 */
    size_t fields;     /* then 431; 0: HTTP_PARSER_FIELDS */
};

#define HTTP_PARSER_FIELDS 256

struct http_part {
    size_t at, length;
}; /* a place in the bytes */
struct http_field {
    struct http_part name, value;
};

struct http_parser {
    /* Of a request or response whose head is complete. */
    struct http_part method, target; /* of requests */
    struct http_part path, query;    /* of the target, as they came; query without '?' */
    int minor;                       /* HTTP/1.minor: 0 or 1 */
    int response_status;             /* of responses */
    bool head_done, has_query;
    bool keep_alive; /* what the peer wants */
    bool expects_continue;
    size_t n_fields; /* of `fields`, see below */

    /* When DONE: the body, and how many bytes the whole message has. */
    struct http_part body;
    size_t consumed;

    /* When REFUSED. */
    const char *reason;
    int status;

    int state; /* from here on all is the parser's own, but for `fields` */
    size_t at, scanned, trailers, left, raw_body;
    uint64_t length;
    bool has_length, chunked, no_body, saw_host, says_close, says_keep_alive;

    enum http_parser_kind kind; /* from here on all outlives the message */
    bool head_only;
    struct http_parser_limits limits;
    struct http_field *fields;
    size_t capacity;
};

void http_parser_init(struct http_parser *p, enum http_parser_kind kind,
                      const struct http_parser_limits *limits);
void http_parser_release(struct http_parser *p); /* its memory, not its limits: may be restarted */
void http_parser_restart(struct http_parser *p); /* for the next message, with the same memory */

/* data[0] is the message's first byte.  REFUSED stays REFUSED until a restart. */
enum http_parser_result http_parser_run(struct http_parser *p, char *data, size_t size);
/* The peer has closed: DONE for a response that ends so, else REFUSED (or MORE
 * when nothing had come). */
enum http_parser_result http_parser_end(struct http_parser *p, size_t size);
/* Only the head is wanted: DONE behind it, with an empty body.  chunked, has_length
 * and length say how the body comes, which is not looked at; the limit of bodies
 * does not matter. */
void http_parser_expect_head(struct http_parser *p);
/* Of a response: that to a HEAD has no body whatever its head says. */
void http_parser_expect_no_body(struct http_parser *p);

/* The value of a field (any case of the name); NULL if absent. */
const struct http_part *http_parser_find(const struct http_parser *p, const char *data,
                                         const char *name);
/* Does a comma-separated list hold this word (any case)? */
bool http_parser_list_has(const char *text, size_t length, const char *word);

#endif
