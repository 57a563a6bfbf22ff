/* http_client_body.h - an answer's body out of what the connection carries
 *
 * As strict as http_parser.h, but in pieces, as they come: nothing is kept.  Pure.
 *
 *     while ((n = http_client_body_take(&b, data, size, &piece)) > 0) {
 *         use(data + piece.at, piece.length);         may be empty
 *         data += n; size -= n;
 *     }
 *     b.end says whether it is whole, or no HTTP
 */
#ifndef HTTP_CLIENT_BODY_H
#define HTTP_CLIENT_BODY_H

#include "process/http_parser.h"

enum http_client_body_kind {
    HTTP_CLIENT_BODY_NONE,
    HTTP_CLIENT_BODY_LENGTH,
    HTTP_CLIENT_BODY_CHUNKED,
    HTTP_CLIENT_BODY_TO_CLOSE
};
enum http_client_body_end {
    HTTP_CLIENT_BODY_MORE,
    HTTP_CLIENT_BODY_WHOLE,
    HTTP_CLIENT_BODY_BAD
};

struct http_client_body {
    enum http_client_body_kind kind;
    enum http_client_body_end end;
    const char *reason; /* when BAD */
    uint64_t left;      /* of the length, or of the chunk; in trailers: what they had so far */
    int state;
    size_t line_limit;     /* of a chunk's first line, and of all trailers */
    uint64_t framing;      /* bytes that are no body */
    uint64_t max_framing;  /* 0: as many as there are chunks */
};

void http_client_body_begin(struct http_client_body *b, enum http_client_body_kind kind,
                            uint64_t length, size_t line_limit, uint64_t max_framing);
/* How many bytes are done with; 0: it wants more (a whole line), or has ended. */
size_t http_client_body_take(struct http_client_body *b, const char *data, size_t size,
                             struct http_part *ret_piece);
/* The connection has ended. */
void http_client_body_close(struct http_client_body *b);

#endif
