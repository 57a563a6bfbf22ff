/* http_parser.c - HTTP/1 from strangers' bytes
 *
 * A message is read line by line: the first line, fields, then the body, which
 * is of a known length, in chunks (each with a line in front, trailers behind),
 * or all until the end.  `at` is where the next line or piece begins, `scanned`
 * up to where it was searched for its end, so that every byte is looked at
 * once, however slowly they come.
 */
#include "process/http_parser.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"

enum state {
    FIRST_LINE,
    FIELDS,
    BODY,
    BODY_TO_END,
    CHUNK_LINE,
    CHUNK_DATA,
    CHUNK_END,
    TRAILERS,
    DONE,
    REFUSED
};

enum { WAIT = 0, GO_ON = 1, FAIL = -1 };

enum { FIRST_FIELDS = 4 }; /* room for them, which doubles */

void http_parser_init(struct http_parser *p, enum http_parser_kind kind,
                      const struct http_parser_limits *limits)
{
    memset(p, 0, sizeof *p);
    p->kind = kind;
    p->limits = *limits;
}

void http_parser_release(struct http_parser *p)
{
    mem_free(p->fields);
    p->fields = NULL;
    p->n_fields = p->capacity = 0;
    p->head_only = false;
}

void http_parser_restart(struct http_parser *p)
{
    memset(p, 0, offsetof(struct http_parser, kind));
}

void http_parser_expect_no_body(struct http_parser *p)
{
    p->no_body = true;
}

void http_parser_expect_head(struct http_parser *p)
{
    p->head_only = true;
}

static int refuse(struct http_parser *p, int status, const char *reason)
{
    p->state = REFUSED;
    p->status = status;
    p->reason = reason;
    return FAIL;
}

/* ---- characters ---- */

/* What a byte may be in: a name, a value, what stands around it, a request's target, and
 * that up to its '?'. */
enum { TOKEN = 1, TEXT = 2, BLANK = 4, TARGET = 8, PATH = 16 };
enum { URI = TEXT | TARGET | PATH, ANY = URI | TOKEN };

/* A CR is in nothing: whoever skips a class within a line stops at its end. */
static const unsigned char classes[256] = {
    ['\t'] = TEXT | BLANK, [' '] = TEXT | BLANK,  ['!'] = ANY,           ['"'] = URI,
    ['#'] = TOKEN | TEXT,  ['$' ... '\''] = ANY,  ['(' ... ')'] = URI,   ['*' ... '+'] = ANY,
    [','] = URI,           ['-' ... '.'] = ANY,   ['/'] = URI,           ['0' ... '9'] = ANY,
    [':' ... '>'] = URI,   ['?'] = TEXT | TARGET, ['@'] = URI,           ['A' ... 'Z'] = ANY,
    ['[' ... ']'] = URI,   ['^' ... 'z'] = ANY,   ['{'] = URI,           ['|'] = ANY,
    ['}'] = URI,           ['~'] = ANY,           [0x80 ... 0xff] = URI,
};

static inline bool is_in(char c, unsigned class)
{
    return classes[(unsigned char)c] & class;
}

/* Where the class ends: at the line's CR at the latest. */
static inline size_t skip(const char *data, size_t at, unsigned class)
{
    while (is_in(data[at], class))
        at++;
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Nearly all that differ do so in their lengths or first letters, and are not compared. */
static inline bool part_is(const char *data, struct http_part part, const char *word)
{
    return part.length == strlen(word) && ((data[part.at] ^ word[0]) & ~0x20) == 0 &&
           strncasecmp(data + part.at, word, part.length) == 0;
}

bool http_parser_list_has(const char *text, size_t length, const char *word)
{
    size_t n = strlen(word), at = 0;

    while (at < length) {
        size_t end = at;
        while (end < length && text[end] != ',')
            end++;
        size_t from = at, to = end;
        while (from < to && is_in(text[from], BLANK))
            from++;
        while (to > from && is_in(text[to - 1], BLANK))
            to--;
        if (to - from == n && strncasecmp(text + from, word, n) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

/* ---- lines ---- */

/* How long the lines may be, and what is said when they are longer. */
struct line_limit {
    size_t end;
    int status;
    const char *reason;
};

/* The line that begins at `at`, without its end; WAIT while it is not whole.
 * Being too long comes before all else that may be wrong with it, so that the
 * answer does not depend on how the bytes came. */
static inline int next_line(struct http_parser *p, const char *data, size_t size,
                            const struct line_limit *limit, struct http_part *ret_line)
{
    size_t from = p->scanned > p->at ? p->scanned : p->at;
    const char *end = size > from ? memchr(data + from, '\n', size - from) : NULL;

    if ((end ? (size_t)(end - data) + 1 : size) > limit->end)
        return refuse(p, limit->status, limit->reason);
    if (!end) {
        p->scanned = size;
        return WAIT;
    }
    size_t length = (size_t)(end - data) - p->at;
    if (length == 0 || end[-1] != '\r')
        return refuse(p, 400, "A line does not end with CR LF");
    ret_line->at = p->at;
    ret_line->length = length - 1;
    p->at = p->scanned = (size_t)(end - data) + 1;
    return GO_ON;
}

/* "HTTP/1.1": 400 when it is no version, 505 when it is another one. */
static int parse_version(struct http_parser *p, const char *text, size_t length)
{
    if (length != 8 || memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' || text[5] > '9' ||
        text[6] != '.' || text[7] < '0' || text[7] > '9')
        return refuse(p, 400, "Malformed HTTP version");
    if (text[5] != '1' || text[7] > '1')
        return refuse(p, 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here");
    p->minor = text[7] - '0';
    return GO_ON;
}

/* ---- the first line ---- */

/* Of "http://host..."; 0 for what is no URL. */
static size_t scheme_length(const char *target)
{
    size_t n = strncasecmp(target, "http://", 7) == 0    ? 7
               : strncasecmp(target, "https://", 8) == 0 ? 8
                                                         : 0;

    return is_in(target[n], TARGET) ? n : 0;
}

/* "/path?query", or "http://host/path?query". */
static void parse_target(struct http_parser *p, const char *data, size_t at)
{
    size_t scheme = data[at] == '/' ? 0 : scheme_length(data + at), path = at + scheme;

    if (scheme)
        while (data[path] != '/' && is_in(data[path], PATH))
            path++;
    size_t path_end = skip(data, path, PATH), query = path_end, end = path_end;
    p->has_query = data[path_end] == '?';
    if (p->has_query)
        end = skip(data, ++query, TARGET);
    p->target = (struct http_part){ at, end - at };
    p->path = (struct http_part){ path, path_end - path };
    p->query = (struct http_part){ query, end - query };
    if (scheme && p->path.length == 0) /* "http://host" means "http://host/" */
        p->path = (struct http_part){ at + scheme - 1, 1 };
}

static int parse_request_line(struct http_parser *p, const char *data, struct http_part line)
{
    size_t line_end = line.at + line.length, method_end = skip(data, line.at, TOKEN);

    p->method = (struct http_part){ line.at, method_end - line.at };
    if (p->method.length == 0 || p->method.length > 32 || data[method_end] != ' ')
        return refuse(p, 400, "Malformed request line");
    parse_target(p, data, method_end + 1);
    size_t end = p->target.at + p->target.length;
    if (end < line_end && data[end] != ' ')
        return refuse(p, 400, "The request's target has a character that is not allowed there");
    if (p->target.length == 0 || end == line_end)
        return refuse(p, 400, "Malformed request line");
    if (p->target.length > p->limits.uri_bytes)
        return refuse(p, 414, "The request's target is too long");
    return parse_version(p, data + end + 1, line_end - end - 1);
}

static int parse_status_line(struct http_parser *p, const char *data, struct http_part line)
{
    const char *text = data + line.at;

    if (line.length < 12 || text[8] != ' ' || (line.length > 12 && text[12] != ' '))
        return refuse(p, 400, "Malformed status line");
    for (size_t i = 9; i < 12; i++)
        if (text[i] < '0' || text[i] > '9')
            return refuse(p, 400, "Malformed status line");
    if (skip(text, 12, TEXT) < line.length)
        return refuse(p, 400, "Malformed status line");
    p->response_status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    return parse_version(p, text, 8);
}

static int run_first_line(struct http_parser *p, const char *data, size_t size)
{
    bool request = p->kind == HTTP_PARSER_REQUEST;
    struct line_limit limit = { p->at + p->limits.uri_bytes + 48, request ? 414 : 431,
                                request ? "The request's target is too long"
                                        : "The status line is too long" };
    struct http_part line;
    int result = next_line(p, data, size, &limit, &line);

    if (result != GO_ON)
        return result;
    if (line.length == 0 && line.at == 0) /* one empty line in front is read over (RFC 9112, 2.2) */
        return GO_ON;
    p->state = FIELDS;
    return request ? parse_request_line(p, data, line) : parse_status_line(p, data, line);
}

/* ---- fields ---- */

static inline int parse_field(struct http_parser *p, const char *data, struct http_part line,
                              struct http_field *ret)
{
    size_t name_end = skip(data, line.at, TOKEN), to = line.at + line.length;

    if (name_end == line.at || data[name_end] != ':')
        return refuse(p, 400,
                      is_in(data[line.at], BLANK) ? "A header is folded over several lines"
                                                  : "Malformed header");
    size_t from = skip(data, name_end + 1, BLANK);
    if (skip(data, from, TEXT) < to)
        return refuse(p, 400, "A header has a control character");
    while (to > from && is_in(data[to - 1], BLANK))
        to--;
    ret->name = (struct http_part){ line.at, name_end - line.at };
    ret->value = (struct http_part){ from, to - from };
    return GO_ON;
}

static int take_content_length(struct http_parser *p, const char *data, struct http_part value)
{
    uint64_t length = 0;

    if (value.length == 0)
        return refuse(p, 400, "Malformed Content-Length");
    for (size_t i = 0; i < value.length; i++) {
        char c = data[value.at + i];
        if (c < '0' || c > '9')
            return refuse(p, 400, "Malformed Content-Length");
        if (length <= UINT64_MAX / 16) /* beyond it stays beyond every limit */
            length = length * 10 + (uint64_t)(c - '0');
    }
    if (p->has_length && p->length != length)
        return refuse(p, 400, "Several Content-Lengths that differ");
    p->has_length = true;
    p->length = length;
    return GO_ON;
}

static int take_field(struct http_parser *p, const char *data, const struct http_field *f)
{
    if (part_is(data, f->name, "Content-Length"))
        return take_content_length(p, data, f->value);
    if (part_is(data, f->name, "Transfer-Encoding")) {
        if (p->chunked)
            return refuse(p, 400, "Several Transfer-Encodings");
        if (!part_is(data, f->value, "chunked"))
            return refuse(p, 501, "The only Transfer-Encoding that is understood is chunked");
        p->chunked = true;
    } else if (part_is(data, f->name, "Host")) {
        if (p->saw_host)
            return refuse(p, 400, "Several Host headers");
        p->saw_host = true;
    } else if (part_is(data, f->name, "Connection")) {
        const char *words = data + f->value.at;
        p->says_close |= http_parser_list_has(words, f->value.length, "close");
        p->says_keep_alive |= http_parser_list_has(words, f->value.length, "keep-alive");
    } else if (part_is(data, f->name, "Expect") && part_is(data, f->value, "100-continue")) {
        p->expects_continue = p->minor == 1;
    }
    return GO_ON;
}

static int grow_fields(struct http_parser *p)
{
    size_t most = p->limits.fields ? p->limits.fields : HTTP_PARSER_FIELDS;
    size_t capacity = p->capacity ? p->capacity * 2 : FIRST_FIELDS;

    if (p->capacity == most)
        return refuse(p, 431, "Too many headers");
    p->capacity = capacity < most ? capacity : most;
    p->fields = mem_realloc(p->fields, p->capacity * sizeof *p->fields);
    return GO_ON;
}

static int add_field(struct http_parser *p, const struct http_field *f)
{
    if (p->n_fields == p->capacity && grow_fields(p) < 0)
        return FAIL;
    p->fields[p->n_fields++] = *f;
    return GO_ON;
}

/* The head is complete: how will the body come? */
static int begin_body(struct http_parser *p)
{
    p->head_done = true;
    p->keep_alive = !p->says_close && (p->minor == 1 || p->says_keep_alive);
    if (p->chunked && p->has_length)
        return refuse(p, 400, "Both Content-Length and Transfer-Encoding");
    if (p->chunked && p->minor == 0)
        return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
    if (p->has_length && p->length > p->limits.body_bytes && !p->head_only)
        return refuse(p, 413, "The body is too long");

    p->body = (struct http_part){ p->at, 0 };
    if (p->head_only)
        p->state = DONE;
    else if (p->kind == HTTP_PARSER_RESPONSE &&
             (p->no_body || p->response_status < 200 || p->response_status == 204 ||
              p->response_status == 304))
        p->state = DONE;
    else if (p->chunked)
        p->state = CHUNK_LINE;
    else if (p->has_length || p->kind == HTTP_PARSER_REQUEST)
        p->state = BODY;
    else
        p->state = BODY_TO_END;
    p->raw_body = p->at;
    return GO_ON;
}

static int run_fields(struct http_parser *p, const char *data, size_t size)
{
    struct line_limit limit = { p->limits.head_bytes, 431, "The request's headers are too long" };
    struct http_part line;
    struct http_field f;
    int result;

    while ((result = next_line(p, data, size, &limit, &line)) == GO_ON && line.length > 0)
        if (parse_field(p, data, line, &f) < 0 || take_field(p, data, &f) < 0 ||
            add_field(p, &f) < 0)
            return FAIL;
    return result == GO_ON ? begin_body(p) : result;
}

/* ---- the body ---- */

static int run_body(struct http_parser *p, size_t size)
{
    if (size - p->body.at < p->length)
        return WAIT;
    p->body.length = (size_t)p->length;
    p->at = p->body.at + p->body.length;
    p->state = DONE;
    return GO_ON;
}

static int run_body_to_end(struct http_parser *p, size_t size)
{
    if (size - p->body.at > p->limits.body_bytes)
        return refuse(p, 413, "The body is too long");
    p->body.length = size - p->body.at;
    p->at = size;
    return WAIT;
}

/* What does not end up in the body is limited too: sizes, extensions, trailers. */
static bool framing_is_too_long(const struct http_parser *p)
{
    size_t framing = p->at - p->raw_body - p->body.length;

    return framing > p->limits.body_bytes && framing - p->limits.body_bytes > p->limits.head_bytes;
}

/* "1a;name=value": the extension is read over. */
static int parse_chunk_line(struct http_parser *p, const char *data, struct http_part line)
{
    const char *text = data + line.at;
    uint64_t chunk = 0;
    size_t i;

    for (i = 0; i < line.length && hex_digit(text[i]) >= 0; i++) {
        if (i == 16)
            return refuse(p, 413, "The body is too long");
        chunk = chunk * 16 + (uint64_t)hex_digit(text[i]);
    }
    if (i == 0)
        return refuse(p, 400, "Malformed chunk size");
    i = skip(text, i, BLANK);
    if (i < line.length && text[i] != ';')
        return refuse(p, 400, "Malformed chunk size");
    if (skip(text, i, TEXT) < line.length)
        return refuse(p, 400, "A chunk's extension has a control character");
    if (chunk > p->limits.body_bytes - p->body.length)
        return refuse(p, 413, "The body is too long");
    if (framing_is_too_long(p))
        return refuse(p, 413, "The body's chunks are too small");
    p->left = (size_t)chunk;
    p->trailers = p->at;
    p->state = chunk ? CHUNK_DATA : TRAILERS;
    return GO_ON;
}

static int run_chunk_line(struct http_parser *p, const char *data, size_t size)
{
    struct http_part line;
    struct line_limit limit = { p->at + p->limits.head_bytes, 400,
                                "A chunk's first line is too long" };
    int result = next_line(p, data, size, &limit, &line);

    return result == GO_ON ? parse_chunk_line(p, data, line) : result;
}

/* Waits for the whole chunk and puts it behind the ones before. */
static int run_chunk_data(struct http_parser *p, char *data, size_t size)
{
    if (size - p->at < p->left)
        return WAIT;
    if (p->body.length == 0)
        p->body.at = p->at;
    else
        memmove(data + p->body.at + p->body.length, data + p->at, p->left);
    p->body.length += p->left;
    p->at += p->left;
    p->state = CHUNK_END;
    return GO_ON;
}

static int run_chunk_end(struct http_parser *p, const char *data, size_t size)
{
    if (size > p->at && data[p->at] != '\r')
        return refuse(p, 400, "A chunk is longer than its size says");
    if (size - p->at < 2)
        return WAIT;
    if (data[p->at + 1] != '\n')
        return refuse(p, 400, "A chunk is longer than its size says");
    p->at += 2;
    p->state = CHUNK_LINE;
    return GO_ON;
}

static int run_trailers(struct http_parser *p, const char *data, size_t size)
{
    struct http_part line;
    struct http_field ignored;
    struct line_limit limit = { p->trailers + p->limits.head_bytes, 431,
                                "The trailers are too long" };
    int result = next_line(p, data, size, &limit, &line);

    if (result != GO_ON)
        return result;
    if (line.length > 0)
        return parse_field(p, data, line, &ignored);
    p->state = DONE;
    return GO_ON;
}

static int run_step(struct http_parser *p, char *data, size_t size)
{
    switch ((enum state)p->state) {
    case FIRST_LINE:
        return run_first_line(p, data, size);
    case FIELDS:
        return run_fields(p, data, size);
    case BODY:
        return run_body(p, size);
    case BODY_TO_END:
        return run_body_to_end(p, size);
    case CHUNK_LINE:
        return run_chunk_line(p, data, size);
    case CHUNK_DATA:
        return run_chunk_data(p, data, size);
    case CHUNK_END:
        return run_chunk_end(p, data, size);
    case TRAILERS:
        return run_trailers(p, data, size);
    case DONE:
        return WAIT;
    case REFUSED:
        return FAIL;
    }
    UNREACHABLE();
}

enum http_parser_result http_parser_run(struct http_parser *p, char *data, size_t size)
{
    int result;

    do
        result = run_step(p, data, size);
    while (result == GO_ON && p->state != DONE);
    if (p->state == REFUSED)
        return HTTP_PARSER_REFUSED;
    if (p->state != DONE)
        return HTTP_PARSER_MORE;
    p->consumed = p->at;
    return HTTP_PARSER_DONE;
}

enum http_parser_result http_parser_end(struct http_parser *p, size_t size)
{
    if (p->state == BODY_TO_END) {
        p->consumed = p->at;
        p->state = DONE;
    }
    if (p->state == DONE)
        return HTTP_PARSER_DONE;
    if (p->state == FIRST_LINE && size == 0)
        return HTTP_PARSER_MORE;
    if (p->state != REFUSED)
        refuse(p, 400, "The connection ended inside of a message");
    return HTTP_PARSER_REFUSED;
}

const struct http_part *http_parser_find(const struct http_parser *p, const char *data,
                                         const char *name)
{
    for (size_t i = 0; i < p->n_fields; i++)
        if (part_is(data, p->fields[i].name, name))
            return &p->fields[i].value;
    return NULL;
}
