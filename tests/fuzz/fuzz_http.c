/* fuzz_http.c - any bytes at the HTTP parser
 *
 * The first byte chooses request or response and how the bytes come.  They are
 * parsed at once and in pieces, which must give the same; behind the last byte the
 * peer has closed.
 */
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/http_parser.h"
#include "tests/fuzz/fuzz.h"

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
    } else if (result == HTTP_PARSER_REFUSED) {
        CHECK(p.status >= 400 && p.status == q.status && p.reason);
    } else {
        result = http_parser_end(&p, length);
        CHECK(http_parser_end(&q, length) == result);
        CHECK(result != HTTP_PARSER_DONE || kind == HTTP_PARSER_RESPONSE);
    }
    http_parser_release(&p);
    http_parser_release(&q);
    mem_free(once);
    mem_free(pieces);
    return 0;
}
