/* http.c - what a route's handler sees, and how it answers */
#include "process/http.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/future.h"
#include "process/http_private.h"
#include "process/runtime_private.h"

enum { ROOM = HTTP_REQUEST_BLOCK - sizeof(struct http_request) };
_Static_assert(sizeof(struct http_request) + 256 <= HTTP_REQUEST_BLOCK,
               "Most requests have all that they need in their block");

/* ---- life ---- */

void http_release_pairs(struct http_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free(pairs[i].key);
        mem_free(pairs[i].value);
    }
    mem_free(pairs);
}

/* Memory up to the request's end: in its block, if there is room.  The first of it may
 * be for anything that 8 bytes align, the rest is for text. */
static void *keep(struct http_request *r, size_t size)
{
    void *at = r->room + r->used;

    if (size > ROOM - r->used)
        return mem_realloc(NULL, size);
    r->used += (uint32_t)size;
    return at;
}

static void let_go(struct http_request *r, void *kept)
{
    if ((uintptr_t)kept - (uintptr_t)r->room >= ROOM)
        mem_free(kept);
}

static void request_free(struct http_request *r)
{
    http_release_pairs(r->query, r->n_query);
    http_release_pairs(r->form, r->n_form);
    promise_unref(r->closed);
    http_stream_release(r->stream);
    buffer_release(&r->inflated);
    pthread_mutex_destroy(&r->lock);
    let_go(r, r->raw);
    mem_free(r->decoded_path);
    mem_free(r->rest);
    mem_free(r->principal);
    http_release_pairs(r->variables, r->n_variables);
    let_go(r, r->content_type);
    let_go(r, r->parser.fields);
    buffer_release(&r->headers);
    buffer_release(&r->body);
    if (r->connection)
        http_connection_unref(r->connection);
    spares_put(r, HTTP_REQUEST_BLOCK);
}

void http_request_drop_memory(struct http_request *r)
{
    if (ref_put(&r->ref))
        request_free(r);
}

char *http_decode(const char *text, size_t length, struct error *err)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    if (http_is_plain(text, length))
        return mem_strndup(text, length);
    if (percent_decode(text, length, &out, err) < 0)
        return NULL;
    return buffer_take(&out, NULL);
}

/* The last of a repeated key wins, so it is found from the back. */
int http_decode_pairs(const char *text, size_t length, size_t max, struct http_pair **ret_pairs,
                      size_t *ret_n, struct error *err)
{
    const char *end = text + length;
    size_t n = 1;

    for (const char *c = text; c < end; c++)
        n += *c == '&' || *c == ';';
    if (n > max)
        return error_set(err, E2BIG, "more than %zu fields", max);
    *ret_pairs = mem_array(n, sizeof **ret_pairs);
    *ret_n = 0;
    while (text < end) {
        const char *stop = text;
        while (stop < end && *stop != '&' && *stop != ';')
            stop++;
        if (stop > text) {
            const char *equals = memchr(text, '=', (size_t)(stop - text));
            const char *key_end = equals ? equals : stop, *value = equals ? equals + 1 : stop;
            struct http_pair *pair = &(*ret_pairs)[(*ret_n)++];
            pair->key = http_decode(text, (size_t)(key_end - text), err);
            pair->value = pair->key ? http_decode(value, (size_t)(stop - value), err) : NULL;
            if (!pair->value)
                return -1;
        }
        text = stop + 1;
    }
    return 0;
}

static struct http_request *request_alloc(struct runtime *rt)
{
    struct http_request *r = spares_take(rt, HTTP_REQUEST_BLOCK);

    memset(r, 0, offsetof(struct http_request, parser));
    ref_init(&r->ref); /* the queue's */
    ref_get(&r->ref);  /* the hands' */
    ref_init(&r->hands);
    list_init(&r->link);
    r->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    r->runtime = rt;
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

/* With a NUL behind it, which takes the place of the blank or '?', it is text mostly. */
static int decode_path(struct http_request *r, struct error *err)
{
    struct http_part p = r->parser.path;
    char *text = r->raw + p.at;

    if (http_is_plain(text, p.length)) {
        text[p.length] = '\0';
        r->path = text;
        return 0;
    }
    r->path = r->decoded_path = http_decode(text, p.length, err);
    return r->path ? 0 : -1;
}

static size_t max_fields(const struct http_request *r)
{
    return runtime_get_options(r->runtime)->max_fields;
}

struct http_request *http_request_create(struct runtime *rt, const char *data, char *own,
                                         const struct http_parser *parser, struct error *err)
{
    struct http_request *r = request_alloc(rt);
    size_t n = parser->n_fields * sizeof *parser->fields;

    r->parser = *parser;
    r->parser.fields = n > 0 ? memcpy(keep(r, n), parser->fields, n) : NULL;
    r->raw = own ? own : memcpy(keep(r, parser->consumed + 1), data, parser->consumed);
    if (decode_path(r, err) < 0 ||
        (r->parser.has_query &&
         http_decode_pairs(r->raw + r->parser.query.at, r->parser.query.length, max_fields(r),
                           &r->query, &r->n_query, err) < 0)) {
        request_free(r);
        return NULL;
    }
    terminate_parts(r);
    r->close = !r->parser.keep_alive;
    r->keep_alive_1_0 = r->parser.keep_alive && r->parser.minor == 0;
    r->without_body = strcmp(http_request_method(r), "HEAD") == 0;
    return r;
}

static void set_answer(struct http_request *r, int status, const char *content_type)
{
    size_t size = content_type ? strlen(content_type) + 1 : 0;

    r->status = status;
    if (content_type)
        r->content_type = memcpy(keep(r, size), content_type, size);
}

static void set_body(struct http_request *r, const void *body, size_t size)
{
    if (size == 0)
        return;
    if (size <= ROOM - r->used) {
        r->short_body = memcpy(keep(r, size), body, size);
        r->short_size = (uint32_t)size;
    } else {
        buffer_append(&r->body, body, size);
    }
}

struct http_request *http_request_canned(struct runtime *rt, int status, const char *content_type,
                                         const void *body, size_t size)
{
    struct http_request *r = request_alloc(rt);

    memset(&r->parser, 0, sizeof r->parser);
    set_answer(r, status, content_type);
    set_body(r, body, size);
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

void http_request_target(const struct http_request *r, struct buffer *out)
{
    const struct http_parser *p = &r->parser;

    buffer_append(out, r->raw + p->path.at, p->path.length);
    if (p->has_query) {
        buffer_append(out, "?", 1);
        buffer_append(out, r->raw + p->query.at, p->query.length);
    }
}

const char *http_request_rest(const struct http_request *r)
{
    return r->rest ? r->rest : "";
}

const char *http_request_header(const struct http_request *r, const char *name)
{
    const struct http_part *value = http_parser_find(&r->parser, r->raw, name);

    return value ? r->raw + value->at : NULL;
}

static const char *find_pair(const struct http_pair *pairs, size_t n, const char *key)
{
    while (n-- > 0)
        if (strcmp(pairs[n].key, key) == 0)
            return pairs[n].value;
    return NULL;
}

const char *http_request_query(const struct http_request *r, const char *key)
{
    return find_pair(r->query, r->n_query, key);
}

static bool has_form(const struct http_request *r)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = http_request_header(r, "Content-Type");

    if (strcmp(http_request_method(r), "POST") != 0)
        return false;
    return !type || (strncasecmp(type, form, sizeof form - 1) == 0 &&
                     strchr("; \t", type[sizeof form - 1]) != NULL);
}

static void decode_form(struct http_request *r)
{
    struct http_pair *pairs = NULL;
    size_t n = 0, size;
    const char *body = http_request_body(r, &size);

    r->has_form = true;
    if (has_form(r) && http_decode_pairs(body, size, max_fields(r), &pairs, &n, NULL) < 0) {
        http_release_pairs(pairs, n);
        return;
    }
    r->form = pairs;
    r->n_form = n;
}

const char *http_request_form(struct http_request *r, const char *key)
{
    pthread_mutex_lock(&r->lock);
    if (!r->has_form)
        decode_form(r);
    pthread_mutex_unlock(&r->lock);
    return find_pair(r->form, r->n_form, key);
}

const char *http_request_variable(const struct http_request *r, const char *name)
{
    return find_pair(r->variables, r->n_variables, name);
}

const char *http_request_principal(const struct http_request *r)
{
    return r->principal;
}

const char *http_request_body(const struct http_request *r, size_t *ret_size)
{
    if (r->was_inflated) {
        if (ret_size)
            *ret_size = buffer_length(&r->inflated);
        return buffer_data(&r->inflated);
    }
    if (ret_size)
        *ret_size = r->parser.body.length;
    return r->raw + r->parser.body.at;
}

struct address http_request_peer(const struct http_request *r)
{
    return r->peer;
}

/* ---- its end ---- */

static struct future *already(enum http_request_end end)
{
    struct promise *p;
    struct future *f;

    if (end == HTTP_REQUEST_GONE)
        return future_ready(&future_nothing, NULL);
    p = promise_create(&future_nothing);
    f = promise_future(p);
    promise_unref(p); /* unsettled: DISCARDED */
    return f;
}

struct future *http_request_closed(struct http_request *r)
{
    enum http_request_end end = HTTP_REQUEST_OPEN;
    struct future *f = NULL;

    pthread_mutex_lock(&r->lock);
    if (atomic_compare_exchange_strong(&r->end, &end, HTTP_REQUEST_AWAITED))
        r->closed = promise_create(&future_nothing);
    if (r->closed)
        f = promise_future(r->closed);
    pthread_mutex_unlock(&r->lock);
    return f ? f : already(end);
}

void http_request_ends(struct http_request *r, enum http_request_end end)
{
    enum http_request_end before = HTTP_REQUEST_OPEN;
    struct promise *closed;

    if (atomic_compare_exchange_strong(&r->end, &before, end) || before != HTTP_REQUEST_AWAITED)
        return;
    pthread_mutex_lock(&r->lock);
    closed = r->closed;
    r->closed = NULL;
    if (closed)
        atomic_store(&r->end, end);
    pthread_mutex_unlock(&r->lock);
    if (closed && end == HTTP_REQUEST_GONE)
        promise_set(closed, &future_nothing, NULL);
    promise_unref(closed); /* unsettled: DISCARDED */
}

/* ---- answering ---- */

void http_request_begin_answer(struct http_request *r, int status, const char *content_type)
{
    CHECK(!atomic_exchange_explicit(&r->answered, true, memory_order_acq_rel));
    set_answer(r, status, content_type);
}

/* The body is there. */
static void finish_answer(struct http_request *r)
{
    http_request_ends(r, HTTP_REQUEST_DONE);
    http_connection_answered(r);
}

void http_answer(struct http_request *r, int status, const char *content_type, const void *body,
                 size_t size)
{
    http_request_begin_answer(r, status, content_type);
    set_body(r, body, size);
    finish_answer(r);
}

void http_answer_buffer(struct http_request *r, int status, const char *content_type,
                        struct buffer *body)
{
    http_request_begin_answer(r, status, content_type);
    r->body = *body;
    buffer_init(body);
    finish_answer(r);
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
    if (strcasecmp(name, "Content-Encoding") == 0)
        r->encoded = true;
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
