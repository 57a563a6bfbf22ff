/* fuzz_http.c - any bytes at the HTTP parser
 *
 * The first byte chooses request or response and how the bytes come.  They are
 * parsed at once and in pieces, which must give the same; a request that is a
 * message is read as one, and written again when its sender and receiver are
 * PIDs.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "process/http_parser.h"
#include "process/pid.h"
#include "process/wire.h"

static const struct http_parser_limits limits = { 256, 1024, 512 };

static enum http_parser_result run(struct http_parser *p, char *data, size_t size, size_t step)
{
    enum http_parser_result result = HTTP_PARSER_MORE;

    for (size_t have = 0; result == HTTP_PARSER_MORE && have < size;) {
        have = size - have < step ? size : have + step;
        result = http_parser_run(p, data, have);
    }
    return result;
}

static void check_part(struct http_part part, size_t size)
{
    CHECK(part.at <= size && part.length <= size - part.at);
}

/* What was found lies within the message. */
static void check_parts(const struct http_parser *p, size_t size)
{
    CHECK(p->consumed <= size && p->body.length <= limits.body_bytes);
    check_part(p->body, p->consumed);
    check_part(p->target, p->consumed);
    check_part(p->path, p->consumed);
    check_part(p->query, p->consumed);
    for (size_t i = 0; i < p->n_fields; i++) {
        check_part(p->fields[i].name, p->consumed);
        check_part(p->fields[i].value, p->consumed);
    }
}

static void read_message(const struct http_parser *p, const char *data)
{
    struct pid from = { 0 }, to = pid_create("a", (struct address){ 1, 1 });
    struct buffer out = BUFFER_INIT;
    struct wire_message m;
    int status = 0;

    if (wire_is_message(p, data)) {
        if (wire_parse(p, data, &m, &status, NULL) < 0) {
            CHECK(status == 400 || status == 500);
        } else {
            pid_parse(m.from, &from, NULL);
            wire_format(&out, &from, &to, m.name, data + p->body.at, p->body.length);
            wire_release(&m);
        }
    }
    buffer_release(&out);
    pid_release(&from);
    pid_release(&to);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    enum http_parser_kind kind = bytes[0] & 1 ? HTTP_PARSER_RESPONSE : HTTP_PARSER_REQUEST;
    size_t step = (bytes[0] >> 1) % 32 + 1, length = size - 1;
    char *once = mem_dup(bytes + 1, length), *pieces = mem_dup(bytes + 1, length);
    struct http_parser p, q;

    http_parser_init(&p, kind, &limits);
    http_parser_init(&q, kind, &limits);
    enum http_parser_result result = run(&p, once, length, length);
    CHECK(run(&q, pieces, length, step) == result);
    if (result == HTTP_PARSER_DONE) {
        check_parts(&p, length);
        CHECK(p.consumed == q.consumed && p.body.length == q.body.length);
        CHECK(memcmp(once + p.body.at, pieces + q.body.at, p.body.length) == 0);
        if (kind == HTTP_PARSER_REQUEST)
            read_message(&p, once);
    } else if (result == HTTP_PARSER_REFUSED) {
        CHECK(p.status >= 400 && p.status == q.status && p.reason);
    }
    http_parser_release(&p);
    http_parser_release(&q);
    mem_free(once);
    mem_free(pieces);
    return 0;
}
