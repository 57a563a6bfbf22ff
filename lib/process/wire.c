/* wire.c - a message between processes, as HTTP
 *
 *   POST /<to>/<name> HTTP/1.1      the id as it is, not percent-encoded
 *   User-Agent: libprocess/<from>
 *   Libprocess-From: <from>
 *   Connection: Keep-Alive
 *   Host: <to's address>
 *   Content-Type: application/json  of a body that is JSON; protobuf has none
 *   Transfer-Encoding: chunked      then the body in one chunk; neither when it is empty
 */
#include "process/wire.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/http_parser.h"
#include "process/pid.h"

#define AGENT "libprocess/"
#define JSON "application/json"

/* All of a head but what depends on the body. */
static void put_head(struct buffer *out, const struct pid *from, const struct pid *to,
                     const char *name)
{
    char sender[PID_TEXT], host[ADDRESS_TEXT];

    pid_text(from, sender, sizeof sender);
    buffer_append_text(out, "POST /");
    if (to->id && to->id->length > 0) {
        buffer_append(out, to->id->bytes, to->id->length);
        buffer_append_char(out, '/');
    }
    buffer_append_text(out, name);
    buffer_append_text(out, " HTTP/1.1\r\nUser-Agent: " AGENT);
    buffer_append_text(out, sender);
    if (!pid_is_empty(from)) {
        buffer_append_text(out, "\r\nLibprocess-From: ");
        buffer_append_text(out, sender);
    }
    buffer_append_text(out, "\r\nConnection: Keep-Alive\r\nHost: ");
    buffer_append_text(out, address_format(to->address, host));
    buffer_append_text(out, "\r\n");
}

static void put_hex(struct buffer *out, size_t n)
{
    char digits[2 * sizeof n], *p = digits + sizeof digits;

    for (; n > 0; n >>= 4)
        *--p = "0123456789abcdef"[n & 15];
    buffer_append(out, p, (size_t)(digits + sizeof digits - p));
}

static void put_size(struct buffer *out, size_t size)
{
    if (size > 0) {
        buffer_append_text(out, "Transfer-Encoding: chunked\r\n\r\n");
        put_hex(out, size);
    }
    buffer_append_text(out, "\r\n");
}

void wire_begin(struct buffer *out, const struct pid *from, const struct pid *to, const char *name,
                size_t size)
{
    put_head(out, from, to, name);
    put_size(out, size);
}

/* Mostly the same text, so mostly a comparison of pointers. */
static bool is_head_of(const struct wire_head *h, const struct pid *from, const struct pid *to,
                       const char *name)
{
    return h->name == name && pid_equal(&h->to, to) && pid_equal(&h->from, from);
}

void wire_begin_again(struct buffer *out, struct wire_head *last, const struct pid *from,
                      const struct pid *to, const char *name, size_t size)
{
    if (!is_head_of(last, from, to, name)) {
        pid_assign(&last->from, from);
        pid_assign(&last->to, to);
        last->name = name;
        buffer_clear(&last->text);
        put_head(&last->text, from, to, name);
    }
    buffer_append(out, buffer_data(&last->text), buffer_length(&last->text));
    put_size(out, size);
}

void wire_head_release(struct wire_head *h)
{
    pid_release(&h->from);
    pid_release(&h->to);
    buffer_release(&h->text);
}

void wire_end(struct buffer *out, size_t size)
{
    if (size > 0)
        buffer_append_text(out, "\r\n0\r\n\r\n");
}

void wire_format(struct buffer *out, const struct pid *from, const struct pid *to, const char *name,
                 const void *body, size_t size)
{
    wire_begin(out, from, to, name, size);
    if (size > 0)
        buffer_append(out, body, size);
    wire_end(out, size);
}

void wire_format_json(struct buffer *out, const struct pid *from, const struct pid *to,
                      const char *name, const void *body, size_t size)
{
    put_head(out, from, to, name);
    buffer_append_text(out, "Content-Type: " JSON "\r\n");
    put_size(out, size);
    buffer_append(out, body, size);
    wire_end(out, size);
}

/* ---- the answer ---- */

#define ACCEPTED "HTTP/1.1 202 Accepted\r\nDate: "
#define NO_BODY "\r\nContent-Length: 0\r\n\r\n"
enum { DATE = sizeof "Thu, 01 Jan 1970 00:00:00 GMT" - 1 };

void wire_accept(struct buffer *out, const char *date, size_t n)
{
    char text[] = ACCEPTED "Thu, 01 Jan 1970 00:00:00 GMT" NO_BODY;
    char *room = buffer_reserve(out, n * strlen(text));

    memcpy(text + strlen(ACCEPTED), date, DATE);
    for (size_t i = 0; i < n; i++)
        memcpy(room + i * strlen(text), text, sizeof text - 1);
    buffer_commit(out, n * strlen(text));
}

size_t wire_accepted(const char *data, size_t length)
{
    size_t rest = strlen(ACCEPTED) + DATE, size = rest + strlen(NO_BODY);

    if (length < size || memcmp(data, ACCEPTED, strlen(ACCEPTED)) != 0 ||
        memcmp(data + rest, NO_BODY, strlen(NO_BODY)) != 0 ||
        memchr(data + strlen(ACCEPTED), '\r', DATE) || memchr(data + strlen(ACCEPTED), '\n', DATE))
        return 0;
    return size;
}

/* ---- what arrives ---- */

/* What follows the size and its line, or NULL; up to 7 digits, as we write them. */
static const char *read_size(const char *p, const char *end, size_t *ret_size)
{
    const char *first = p;
    size_t n = 0;

    for (; p < end && p < first + 7; p++)
        if (*p >= '0' && *p <= '9')
            n = n << 4 | (size_t)(*p - '0');
        else if (*p >= 'a' && *p <= 'f')
            n = n << 4 | (size_t)(*p - 'a' + 10);
        else
            break;
    if (p == first || end - p < 2 || memcmp(p, "\r\n", 2) != 0)
        return NULL;
    *ret_size = n;
    return p + 2;
}

size_t wire_repeats(const char *data, size_t length, const char *head, size_t head_length,
                    const char **ret_body, size_t *ret_size)
{
    static const char tail[] = "\r\n0\r\n\r\n";
    const char *end = data + length, *body;
    size_t size;

    if (length < head_length || memcmp(data, head, head_length) != 0)
        return 0;
    body = read_size(data + head_length, end, &size);
    if (!body || size == 0 || (size_t)(end - body) < size + strlen(tail) ||
        memcmp(body + size, tail, strlen(tail)) != 0)
        return 0;
    *ret_body = body;
    *ret_size = size;
    return (size_t)(body - data) + size + strlen(tail);
}

static bool agent_is_libprocess(const struct http_part *agent, const char *data)
{
    return agent && agent->length >= strlen(AGENT) &&
           memcmp(data + agent->at, AGENT, strlen(AGENT)) == 0;
}

bool wire_is_message(const struct http_parser *p, const char *data)
{
    if (p->method.length != 4 || memcmp(data + p->method.at, "POST", 4) != 0)
        return false;
    return http_parser_find(p, data, "Libprocess-From") ||
           agent_is_libprocess(http_parser_find(p, data, "User-Agent"), data);
}

bool wire_is_json(const struct http_parser *p, const char *data)
{
    const struct http_part *type = http_parser_find(p, data, "Content-Type");
    size_t length = strlen(JSON);

    return type && type->length >= length && strncasecmp(data + type->at, JSON, length) == 0 &&
           (type->length == length || strchr("; \t", data[type->at + length]));
}

static char *sender_of(const struct http_parser *p, const char *data)
{
    const struct http_part *from = http_parser_find(p, data, "Libprocess-From");
    size_t skip = 0;

    if (!from) {
        from = http_parser_find(p, data, "User-Agent");
        skip = strlen(AGENT);
    }
    return mem_strndup(data + from->at + skip, from->length - skip);
}

int wire_parse(const struct http_parser *p, const char *data, struct wire_message *ret_message,
               int *ret_status, struct error *err)
{
    const char *path = data + p->path.at, *end = path + p->path.length;
    CLEANUP(buffer_release) struct buffer id = BUFFER_INIT;

    if (p->path.length == 0 || path[0] != '/') {
        *ret_status = 400;
        return error_set(err, EINVAL, "Request URL path must start with '/'");
    }
    const char *slash = memchr(path + 1, '/', (size_t)(end - path) - 1);
    const char *id_end = slash ? slash : end;
    if (percent_decode(path + 1, (size_t)(id_end - path) - 1, &id, err) < 0) {
        *ret_status = 500;
        return -1;
    }
    ret_message->id = buffer_take(&id, NULL);
    ret_message->name = slash ? mem_strndup(slash + 1, (size_t)(end - slash) - 1) : mem_strdup("");
    ret_message->from = sender_of(p, data);
    return 0;
}

void wire_release(struct wire_message *m)
{
    mem_free(m->id);
    mem_free(m->name);
    mem_free(m->from);
    memset(m, 0, sizeof *m);
}
