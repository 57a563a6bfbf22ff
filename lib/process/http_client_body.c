/* http_client_body.c - an answer's body out of what the connection carries */
#include "process/http_client_body.h"

#include <string.h>

enum state { CHUNK_LINE, CHUNK_DATA, CHUNK_END, TRAILER };

void http_client_body_begin(struct http_client_body *b, enum http_client_body_kind kind,
                            uint64_t length, size_t line_limit, uint64_t max_framing)
{
    *b = (struct http_client_body){
        .kind = kind, .left = length, .line_limit = line_limit, .max_framing = max_framing
    };
    if (kind == HTTP_CLIENT_BODY_NONE || (kind == HTTP_CLIENT_BODY_LENGTH && length == 0))
        b->end = HTTP_CLIENT_BODY_WHOLE;
}

static size_t refuse(struct http_client_body *b, const char *reason)
{
    b->end = HTTP_CLIENT_BODY_BAD;
    b->reason = reason;
    return 0;
}

static size_t take_data(struct http_client_body *b, size_t size, struct http_part *ret_piece)
{
    size_t n = size < b->left ? size : (size_t)b->left;

    ret_piece->length = n;
    b->left -= n;
    return n;
}

/* ---- chunks ---- */

/* The line's length without its end, which is there; -1: it is not whole, or refused. */
static long find_line(struct http_client_body *b, const char *data, size_t size)
{
    const char *end = memchr(data, '\n', size);

    if ((end ? (size_t)(end - data) : size) > b->line_limit) {
        refuse(b, "a line between chunks is too long");
        return -1;
    }
    if (!end)
        return -1;
    if (end == data || end[-1] != '\r') {
        refuse(b, "a line between chunks does not end with CR LF");
        return -1;
    }
    for (const char *p = data; p < end - 1; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f) {
            refuse(b, "a line between chunks has a control character");
            return -1;
        }
    return (long)(end - 1 - data);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1a;name=value": the extension is read over. */
static int parse_size(const char *line, size_t length, uint64_t *ret_size)
{
    uint64_t size = 0;
    size_t i;

    for (i = 0; i < length && hex_digit(line[i]) >= 0; i++) {
        if (i == 15) /* beyond what fits */
            return -1;
        size = size * 16 + (uint64_t)hex_digit(line[i]);
    }
    if (i == 0)
        return -1;
    while (i < length && (line[i] == ' ' || line[i] == '\t'))
        i++;
    *ret_size = size;
    return i == length || line[i] == ';' ? 0 : -1;
}

static size_t count_framing(struct http_client_body *b, size_t n)
{
    b->framing += n;
    if (b->max_framing && b->framing > b->max_framing)
        return refuse(b, "its chunks are too small");
    return n;
}

static size_t take_chunk_line(struct http_client_body *b, const char *data, size_t size)
{
    long length = find_line(b, data, size);

    if (length < 0)
        return 0;
    if (parse_size(data, (size_t)length, &b->left) < 0)
        return refuse(b, "a chunk's size is none");
    b->state = b->left > 0 ? CHUNK_DATA : TRAILER;
    return count_framing(b, (size_t)length + 2);
}

static size_t take_chunk_end(struct http_client_body *b, const char *data, size_t size)
{
    if (data[0] != '\r' || (size > 1 && data[1] != '\n'))
        return refuse(b, "a chunk is longer than its size says");
    if (size < 2)
        return 0;
    b->state = CHUNK_LINE;
    return count_framing(b, 2);
}

/* A field, which is read over, or the empty line behind the last. */
static size_t take_trailer(struct http_client_body *b, const char *data, size_t size)
{
    long length = find_line(b, data, size);

    if (length < 0)
        return 0;
    if (length == 0)
        b->end = HTTP_CLIENT_BODY_WHOLE;
    else if (data[0] == ':' || !memchr(data, ':', (size_t)length))
        return refuse(b, "a trailer is no header");
    b->left += (uint64_t)length;
    if (b->left > b->line_limit)
        return refuse(b, "its trailers are too long");
    return count_framing(b, (size_t)length + 2);
}

static size_t take_chunked(struct http_client_body *b, const char *data, size_t size,
                           struct http_part *ret_piece)
{
    size_t n;

    switch ((enum state)b->state) {
    case CHUNK_LINE:
        return take_chunk_line(b, data, size);
    case CHUNK_DATA:
        n = take_data(b, size, ret_piece);
        if (b->left == 0)
            b->state = CHUNK_END;
        return n;
    case CHUNK_END:
        return take_chunk_end(b, data, size);
    case TRAILER:
        return take_trailer(b, data, size);
    }
    return 0;
}

size_t http_client_body_take(struct http_client_body *b, const char *data, size_t size,
                             struct http_part *ret_piece)
{
    size_t n;

    *ret_piece = (struct http_part){ 0, 0 };
    if (b->end != HTTP_CLIENT_BODY_MORE || size == 0)
        return 0;
    switch (b->kind) {
    case HTTP_CLIENT_BODY_NONE:
        return 0;
    case HTTP_CLIENT_BODY_LENGTH:
        n = take_data(b, size, ret_piece);
        if (b->left == 0)
            b->end = HTTP_CLIENT_BODY_WHOLE;
        return n;
    case HTTP_CLIENT_BODY_CHUNKED:
        return take_chunked(b, data, size, ret_piece);
    case HTTP_CLIENT_BODY_TO_CLOSE:
        ret_piece->length = size;
        return size;
    }
    return 0;
}

void http_client_body_close(struct http_client_body *b)
{
    if (b->end != HTTP_CLIENT_BODY_MORE)
        return;
    if (b->kind == HTTP_CLIENT_BODY_TO_CLOSE)
        b->end = HTTP_CLIENT_BODY_WHOLE;
    else
        refuse(b, "the connection ended inside of it");
}
