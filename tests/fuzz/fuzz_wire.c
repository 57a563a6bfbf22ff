/* fuzz_wire.c - any bytes as what a peer sends: messages, one behind the other, and answers
 *
 * What is found without the parser (a head that comes again, our own 202) must be
 * what the parser finds.  A message that is written again must be read as the same.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/http_parser.h"
#include "process/pid.h"
#include "process/wire.h"
#include "tests/fuzz/fuzz.h"

static const struct http_parser_limits limits = { 512, 2048, 1 << 20 };

/* How many bytes the message in front has; 0: there is none. */
static size_t parse(struct http_parser *p, enum http_parser_kind kind, char *data, size_t size)
{
    http_parser_init(p, kind, &limits);
    return http_parser_run(p, data, size) == HTTP_PARSER_DONE ? p->consumed : 0;
}

static void check_same(const struct wire_message *a, const struct wire_message *b)
{
    CHECK(strcmp(a->id, b->id) == 0 && strcmp(a->name, b->name) == 0 &&
          strcmp(a->from, b->from) == 0);
}

/* Only what has a PID on both ends can be written; a name stands in the path as it is. */
static void check_again(const struct wire_message *m, const char *body, size_t size, bool json)
{
    struct pid from = { 0 }, to = { 0 };
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct wire_message again;
    struct http_parser p;
    int status;

    if (pid_parse(m->from, &from, NULL) == 0 && pid_is_id(m->id, strlen(m->id)) &&
        !strpbrk(m->id, "%+?#")) {
        to = pid_create(m->id, (struct address){ 0x7f000001, 5050 });
        (json ? wire_format_json : wire_format)(&out, &from, &to, m->name, body, size);
        CHECK(parse(&p, HTTP_PARSER_REQUEST, buffer_data(&out), buffer_length(&out)) ==
              buffer_length(&out));
        CHECK(wire_is_message(&p, buffer_data(&out)));
        CHECK(wire_is_json(&p, buffer_data(&out)) == json);
        CHECK(wire_parse(&p, buffer_data(&out), &again, &status, NULL) == 0);
        check_same(m, &again);
        CHECK(p.body.length == size &&
              (size == 0 || memcmp(buffer_data(&out) + p.body.at, body, size) == 0));
        wire_release(&again);
        http_parser_release(&p);
    }
    pid_release(&from);
    pid_release(&to);
}

/* The head that is kept: up to and with the empty line. */
static void check_repeats(const char *data, size_t size, const char *next, size_t rest)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4), *body;
    struct http_parser p;
    size_t length, n;

    if (!end)
        return;
    n = wire_repeats(next, rest, data, (size_t)(end + 4 - data), &body, &length);
    if (n == 0)
        return;
    CHECK(n <= rest && body >= next && body + length <= next + n);
    char *copy = mem_dup(next, rest);
    if (parse(&p, HTTP_PARSER_REQUEST, copy, rest) > 0) {
        CHECK(p.consumed == n && p.body.length == length);
        CHECK(memcmp(copy + p.body.at, body, length) == 0);
    }
    http_parser_release(&p);
    mem_free(copy);
}

/* The bytes of the message in front; 0: no more. */
static size_t take_message(const char *data, size_t size)
{
    char *copy = mem_dup(data, size);
    struct wire_message m;
    struct http_parser p;
    struct error err;
    int status = 0;
    size_t n = parse(&p, HTTP_PARSER_REQUEST, copy, size);

    if (n > 0 && wire_is_message(&p, copy)) {
        if (wire_parse(&p, copy, &m, &status, &err) == 0) {
            check_again(&m, copy + p.body.at, p.body.length, wire_is_json(&p, copy));
            wire_release(&m);
        } else {
            CHECK((status == 400 || status == 500) && err.text[0]);
        }
        if (p.minor == 1 && http_parser_find(&p, copy, "Transfer-Encoding"))
            check_repeats(data, n, data + n, size - n);
    }
    http_parser_release(&p);
    mem_free(copy);
    return n;
}

static void check_answers(const char *data, size_t size)
{
    size_t n = wire_accepted(data, size);
    struct http_parser p;

    if (n == 0)
        return;
    char *copy = mem_dup(data, size);
    size_t parsed = parse(&p, HTTP_PARSER_RESPONSE, copy, size);
    CHECK(parsed == 0 || (parsed == n && p.response_status == 202)); /* a date may be anything */
    http_parser_release(&p);
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *data = (const char *)bytes;
    size_t n;

    if (size == 0)
        return 0;
    check_answers(data, size);
    while (size > 0 && (n = take_message(data, size)) > 0) {
        data += n;
        size -= n;
    }
    return 0;
}
