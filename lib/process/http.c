/* http.c - what a route's handler sees, and how it answers */
#include "process/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/error.h"
#include "base/instant.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/http_private.h"

/* ---- life ---- */

static void request_free(struct http_request *r)
{
    for (size_t i = 0; i < r->n_query; i++) {
        mem_free(r->query[i].key);
        mem_free(r->query[i].value);
    }
    mem_free(r->query);
    mem_free(r->raw);
    mem_free(r->path);
    mem_free(r->rest);
    mem_free(r->content_type);
    http_parser_release(&r->parser);
    buffer_release(&r->headers);
    buffer_release(&r->body);
    if (r->connection)
        http_connection_unref(r->connection);
    mem_free(r);
}

void http_request_drop_memory(struct http_request *r)
{
    if (ref_put(&r->ref))
        request_free(r);
}

static char *decode(const char *text, size_t length, struct error *err)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    if (percent_decode(text, length, &out, err) < 0)
        return NULL;
    return buffer_take(&out, NULL);
}

/* "a=1&b=2": the last of a repeated key wins, so it is found from the back. */
static int decode_query(struct http_request *r, const char *text, size_t length, struct error *err)
{
    const char *end = text + length;
    size_t n = 1;

    for (const char *c = text; c < end; c++)
        n += *c == '&' || *c == ';';
    r->query = mem_array(n, sizeof *r->query);
    while (text < end) {
        const char *stop = text;
        while (stop < end && *stop != '&' && *stop != ';')
            stop++;
        if (stop > text) {
            const char *equals = memchr(text, '=', (size_t)(stop - text));
            const char *key_end = equals ? equals : stop, *value = equals ? equals + 1 : stop;
            struct http_pair *pair = &r->query[r->n_query++];
            pair->key = decode(text, (size_t)(key_end - text), err);
            pair->value = pair->key ? decode(value, (size_t)(stop - value), err) : NULL;
            if (!pair->value)
                return -1;
        }
        text = stop + 1;
    }
    return 0;
}

static struct http_request *request_alloc(struct runtime *rt)
{
    struct http_request *r = mem_alloc(sizeof *r);

    ref_init(&r->ref); /* the queue's */
    ref_get(&r->ref);  /* the hands' */
    ref_init(&r->hands);
    list_init(&r->link);
    atomic_init(&r->answered, false);
    r->runtime = rt;
    r->route_rest = "";
    return r;
}

/* Each part is followed by a byte that nobody needs any more: a blank, a line's
 * end, or the NUL behind all. */
static void terminate_parts(struct http_request *r)
{
    struct http_parser *p = &r->parser;

    r->raw[p->method.at + p->method.length] = '\0';
    for (size_t i = 0; i < p->n_fields; i++)
        r->raw[p->fields[i].value.at + p->fields[i].value.length] = '\0';
    r->raw[p->body.at + p->body.length] = '\0';
}

struct http_request *http_request_create(struct runtime *rt, char *raw, struct http_parser *parser,
                                         struct error *err)
{
    struct http_request *r = request_alloc(rt);

    r->raw = raw;
    r->parser = *parser;
    http_parser_init(parser, r->parser.kind, &r->parser.limits);
    r->path = decode(raw + r->parser.path.at, r->parser.path.length, err);
    if (!r->path || (r->parser.has_query &&
                     decode_query(r, raw + r->parser.query.at, r->parser.query.length, err) < 0)) {
        request_free(r);
        return NULL;
    }
    terminate_parts(r);
    r->close = !r->parser.keep_alive;
    r->keep_alive_1_0 = r->parser.keep_alive && r->parser.minor == 0;
    r->without_body = strcmp(http_request_method(r), "HEAD") == 0;
    return r;
}

struct http_request *http_request_canned(struct runtime *rt, int status, const char *content_type,
                                         const void *body, size_t size)
{
    struct http_request *r = request_alloc(rt);

    r->status = status;
    r->content_type = content_type ? mem_strdup(content_type) : NULL;
    buffer_append(&r->body, body, size);
    atomic_store_explicit(&r->answered, true, memory_order_relaxed);
    r->ready = true;
    return r;
}

struct http_request *http_request_ref(struct http_request *r)
{
    ref_get(&r->hands);
    return r;
}

void http_request_unref(struct http_request *r)
{
    if (!r || !ref_put(&r->hands))
        return;
    if (!atomic_load_explicit(&r->answered, memory_order_acquire))
        http_answer_error(r, 500, NULL);
    http_request_drop_memory(r);
}

/* ---- reading ---- */

const char *http_request_method(const struct http_request *r)
{
    return r->raw + r->parser.method.at;
}

const char *http_request_path(const struct http_request *r)
{
    return r->path;
}

const char *http_request_rest(const struct http_request *r)
{
    return r->route_rest;
}

const char *http_request_header(const struct http_request *r, const char *name)
{
    const struct http_part *value = http_parser_find(&r->parser, r->raw, name);

    return value ? r->raw + value->at : NULL;
}

const char *http_request_query(const struct http_request *r, const char *key)
{
    for (size_t i = r->n_query; i-- > 0;)
        if (strcmp(r->query[i].key, key) == 0)
            return r->query[i].value;
    return NULL;
}

const char *http_request_body(const struct http_request *r, size_t *ret_size)
{
    if (ret_size)
        *ret_size = r->parser.body.length;
    return r->raw + r->parser.body.at;
}

struct address http_request_peer(const struct http_request *r)
{
    return r->peer;
}

/* ---- answering ---- */

/* Whoever passes here first answers; a second one broke the rule. */
static void begin_answer(struct http_request *r, int status, const char *content_type)
{
    CHECK(!atomic_exchange_explicit(&r->answered, true, memory_order_acq_rel));
    r->status = status;
    r->content_type = content_type ? mem_strdup(content_type) : NULL;
}

void http_answer(struct http_request *r, int status, const char *content_type, const void *body,
                 size_t size)
{
    begin_answer(r, status, content_type);
    buffer_append(&r->body, body, size);
    http_connection_answered(r);
}

void http_answer_buffer(struct http_request *r, int status, const char *content_type,
                        struct buffer *body)
{
    begin_answer(r, status, content_type);
    r->body = *body;
    buffer_init(body);
    http_connection_answered(r);
}

void http_standard_body(int status, struct buffer *out)
{
    buffer_printf(out, "%d %s.", status, http_status_text(status));
}

void http_answer_error(struct http_request *r, int status, const char *fmt, ...)
{
    struct buffer body = BUFFER_INIT;

    if (fmt) {
        va_list args;
        va_start(args, fmt);
        char *text = mem_vprintf(fmt, args);
        va_end(args);
        buffer_append_text(&body, text);
        mem_free(text);
    } else {
        http_standard_body(status, &body);
    }
    http_answer_buffer(r, status, HTTP_TEXT_PLAIN, &body);
}

void http_answer_json(struct http_request *r, struct buffer *json)
{
    const char *function = http_request_query(r, "jsonp");
    struct buffer body = BUFFER_INIT;

    if (!function) {
        http_answer_buffer(r, 200, "application/json", json);
        return;
    }
    buffer_printf(&body, "%s(", function);
    buffer_append(&body, buffer_data(json), buffer_length(json));
    buffer_append_char(&body, ')');
    buffer_release(json);
    http_answer_buffer(r, 200, "text/javascript", &body);
}

/* Control characters are left out: a value may hold a stranger's text. */
void http_answer_header(struct http_request *r, const char *name, const char *value)
{
    buffer_printf(&r->headers, "%s: ", name);
    for (; *value; value++)
        if ((unsigned char)*value >= ' ' && *value != 0x7f)
            buffer_append_char(&r->headers, *value);
    buffer_append_text(&r->headers, "\r\n");
}

bool http_require_method(struct http_request *r, const char *method)
{
    if (strcmp(http_request_method(r), method) == 0)
        return true;
    if (strcmp(method, "GET") == 0 && strcmp(http_request_method(r), "HEAD") == 0)
        return true;
    http_answer_header(r, "Allow", method);
    http_answer_error(r, 405,
                      "405 Method Not Allowed. Expecting one of { '%s' }, but received '%s'.",
                      method, http_request_method(r));
    return false;
}

/* ---- how it is written ---- */

static const struct {
    int status;
    const char *text;
} statuses[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 203, "Non-Authoritative Information" },
    { 204, "No Content" },
    { 205, "Reset Content" },
    { 206, "Partial Content" },
    { 300, "Multiple Choices" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 305, "Use Proxy" },
    { 307, "Temporary Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Time-out" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Request Entity Too Large" },
    { 414, "Request-URI Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Requested range not satisfiable" },
    { 417, "Expectation Failed" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Time-out" },
    { 505, "HTTP Version not supported" },
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].text;
    return "Unknown";
}

/* The C library's strftime would speak the language of the environment. */
void http_format_date(struct instant wall, char text[HTTP_DATE_TEXT])
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(wall.ns / 1000000000);
    struct tm t;

    gmtime_r(&seconds, &t);
    snprintf(text, HTTP_DATE_TEXT, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday % 7],
             (unsigned)t.tm_mday % 32, months[t.tm_mon % 12], (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)t.tm_hour % 24, (unsigned)t.tm_min % 60, (unsigned)t.tm_sec % 61);
}

void http_format_head(struct buffer *out, const struct http_request *r, const char *date)
{
    buffer_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", r->status, http_status_text(r->status),
                  date);
    if (r->content_type)
        buffer_printf(out, "Content-Type: %s\r\n", r->content_type);
    if (buffer_length(&r->headers) > 0)
        buffer_append(out, buffer_data(&r->headers), buffer_length(&r->headers));
    if (r->close)
        buffer_append_text(out, "Connection: close\r\n");
    else if (r->keep_alive_1_0)
        buffer_append_text(out, "Connection: Keep-Alive\r\n");
    buffer_printf(out, "Content-Length: %zu\r\n\r\n", buffer_length(&r->body));
}
