/* wire.c - a message between processes, as HTTP
 *
 *   POST /<to>/<name> HTTP/1.1      the id as it is, not percent-encoded
 *   User-Agent: libprocess/<from>
 *   Libprocess-From: <from>
 *   Connection: Keep-Alive
 *   Host: <to's address>
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

void wire_begin(struct buffer *out, const struct pid *from, const struct pid *to, const char *name,
                size_t size)
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
    if (size > 0)
        buffer_printf(out, "Transfer-Encoding: chunked\r\n\r\n%zx", size);
    buffer_append_text(out, "\r\n");
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
