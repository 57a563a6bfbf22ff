/* conformance.c - asks a master and an agent what a real Mesos was asked, and compares the answers
 *
 *     conformance QUESTIONS.json GROUP MASTER AGENT         each HOST:PORT
 *
 * A question says whom to ask what ("ask": "GET /state", headers, a body) and what Mesos
 * answered: status, content type, and either its text, where * stands for ids, paths and numbers,
 * or the shape of its JSON: the keys of objects and the types of values; an array has the shape of
 * all of its elements together.  "as" names the question whose answer is the same.
 *
 * "differences" lists what is known to differ, and why; "*" in its patterns stands for anything.
 * What differs and is not listed is an error, and so is what is listed and does not differ, unless
 * it is said to do so "sometimes".
 */
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/memory.h"

enum { PATIENCE_MS = 20000 };

struct asking {
    json_t *questions, *differences;
    const char *group, *master, *agent;
    const char *name; /* of the question in hand */
    unsigned asked, wrong, known;
};

struct answer {
    struct buffer bytes;
    int status;
    char type[100]; /* empty: none */
    struct buffer body;
};

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "conformance: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

/* ---- asking ---- */

static int dial(const char *where)
{
    const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    char *host = mem_strdup(where), *port = strrchr(host, ':');
    struct addrinfo *list;
    int fd;

    if (!port)
        die("no HOST:PORT", where);
    *port++ = '\0';
    if (getaddrinfo(host, port, &hints, &list) != 0)
        die("no such host", where);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0)
        die("nobody is there", where);
    freeaddrinfo(list);
    mem_free(host);
    return fd;
}

static void send_question(int fd, const char *where, json_t *q)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    const char *body = json_string_value(json_object_get(q, "body"));
    json_t *header;
    size_t i;

    buffer_printf(&out, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n",
                  json_string_value(json_object_get(q, "ask")), where);
    json_array_foreach(json_object_get(q, "headers"), i, header)
        buffer_printf(&out, "%s\r\n", json_string_value(header));
    buffer_printf(&out, "Content-Length: %zu\r\n\r\n%s", body ? strlen(body) : 0, body ? body : "");
    if (send(fd, buffer_data(&out), buffer_length(&out), MSG_NOSIGNAL) !=
        (ssize_t)buffer_length(&out))
        die("cannot ask", where);
}

/* Up to the end of the connection. */
static void receive(int fd, struct buffer *in)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char bytes[65536];
    ssize_t n = 1;

    while (n > 0) {
        if (poll(&p, 1, PATIENCE_MS) == 0)
            die("no end of the answer", buffer_data(in));
        n = recv(fd, bytes, sizeof bytes, 0);
        if (n > 0)
            buffer_append(in, bytes, (size_t)n);
    }
}

static void unchunk(const char *chunks, struct buffer *out)
{
    size_t size;

    while ((size = strtoul(chunks, NULL, 16)) > 0) {
        const char *data = strstr(chunks, "\r\n") + 2;

        buffer_append(out, data, size);
        chunks = data + size + 2;
    }
}

static void parse_answer(struct answer *a)
{
    const char *head = buffer_data(&a->bytes), *end = strstr(head, "\r\n\r\n");
    bool chunked = false;

    if (!end)
        die("no answer", head);
    a->status = (int)strtol(head + strlen("HTTP/1.1 "), NULL, 10);
    for (const char *line = strstr(head, "\r\n"); line < end; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "Content-Type: ", 14) == 0)
            snprintf(a->type, sizeof a->type, "%.*s", (int)strcspn(line + 14, "\r"), line + 14);
        chunked = chunked || strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0;
    }
    end += 4;
    if (chunked)
        unchunk(end, &a->body);
    else
        buffer_append(&a->body, end, buffer_length(&a->bytes) - (size_t)(end - head));
}

static void answer_release(struct answer *a)
{
    buffer_release(&a->bytes);
    buffer_release(&a->body);
}

/* ---- differences ---- */

static bool matches(const char *pattern, const char *text)
{
    while (*pattern && *pattern != '*') {
        if (*pattern++ != *text++)
            return false;
    }
    if (!*pattern)
        return !*text;
    for (pattern++;; text++) {
        if (matches(pattern, text))
            return true;
        if (!*text)
            return false;
    }
}

static const char *text_of(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    return json_is_string(value) ? json_string_value(value) : "";
}

static json_t *find_difference(const struct asking *a, const char *what)
{
    json_t *d;
    size_t i;

    json_array_foreach(a->differences, i, d)
        if (matches(text_of(d, "question"), a->name) && matches(text_of(d, "what"), what))
            return d;
    return NULL;
}

static void note(struct asking *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct asking *a, const char *fmt, ...)
{
    char what[1000];
    va_list args;
    json_t *d;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    d = find_difference(a, what);
    if (d) {
        a->known++;
        json_object_set_new(d, "seen", json_true());
        return;
    }
    a->wrong++;
    printf("%s: %s\n", a->name, what);
}

/* ---- shapes ---- */

static const char *kind_of(const json_t *v)
{
    return json_is_object(v)    ? "object"
           : json_is_array(v)   ? "array"
           : json_is_string(v)  ? "string"
           : json_is_number(v)  ? "number"
           : json_is_boolean(v) ? "boolean"
                                : "null";
}

/* There only after such an event. */
static bool is_occasional(const char *key)
{
    return strcmp(key, "reregistered_time") == 0 || strcmp(key, "unregistered_time") == 0;
}

static void compare(struct asking *a, const char *where, json_t *shape, json_t *got);

static void compare_object(struct asking *a, const char *where, json_t *shape, json_t *got)
{
    const char *key;
    json_t *value;

    json_object_foreach(shape, key, value) {
        json_t *part = json_object_get(got, key);
        char *below = mem_printf("%s.%s", where, key);

        if (part)
            compare(a, below, value, part);
        else
            note(a, "%s is missing", below);
        mem_free(below);
    }
    json_object_foreach(got, key, value)
        if (!json_object_get(shape, key) && !is_occasional(key))
            note(a, "%s.%s is not known to Mesos", where, key);
}

/* What one of the two has, at any depth. */
static void merge(json_t *into, json_t *from)
{
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value) {
        json_t *old = json_object_get(into, key);

        if (json_is_object(old) && json_is_object(value))
            merge(old, value);
        else if (json_is_array(old) && json_is_array(value))
            json_array_extend(old, value);
        else
            json_object_set_new(into, key, json_deep_copy(value));
    }
}

/* Elements of an array that are objects are taken together. */
static void compare_array(struct asking *a, const char *where, json_t *shape, json_t *got)
{
    char *below = mem_printf("%s[]", where);
    json_t *all = json_object(), *element = NULL;
    size_t i;

    json_array_foreach(got, i, element)
        if (json_is_object(element))
            merge(all, element);
    if (json_array_size(shape) > 0 && json_array_size(got) == 0)
        note(a, "%s is empty", where);
    else if (json_array_size(shape) > 0)
        compare(a, below, json_array_get(shape, 0),
                json_object_size(all) ? all : json_array_get(got, 0));
    json_decref(all);
    mem_free(below);
}

static void compare(struct asking *a, const char *where, json_t *shape, json_t *got)
{
    const char *kind = json_is_string(shape) ? json_string_value(shape) : kind_of(shape);

    if (strcmp(kind, kind_of(got)) != 0)
        note(a, "%s is %s, not %s", *where ? where : "the body", kind_of(got), kind);
    else if (json_is_object(shape))
        compare_object(a, where, shape, got);
    else if (json_is_array(shape))
        compare_array(a, where, shape, got);
}

/* ---- a question ---- */

static json_t *find_question(const struct asking *a, const char *name)
{
    json_t *q;
    size_t i;

    json_array_foreach(a->questions, i, q)
        if (strcmp(text_of(q, "name"), name) == 0)
            return q;
    die("no such question", name);
    return NULL;
}

static void compare_body(struct asking *a, json_t *expected, const struct answer *got)
{
    const char *body = buffer_data(&got->body);
    json_t *shape = json_object_get(expected, "shape"), *json;

    if (!shape) {
        if (!matches(text_of(expected, "text"), body))
            note(a, "says '%.300s', not '%.300s'", body, text_of(expected, "text"));
        return;
    }
    json = json_loads(body, JSON_DECODE_ANY, NULL);
    if (json)
        compare(a, "", shape, json);
    else
        note(a, "the body is no JSON: %.100s", body);
    json_decref(json);
}

static void ask(struct asking *a, json_t *q)
{
    const char *where = strcmp(text_of(q, "at"), "agent") == 0 ? a->agent : a->master;
    json_t *expected = json_object_get(q, "as") ? find_question(a, text_of(q, "as")) : q;
    int status = (int)json_integer_value(json_object_get(q, "status"));
    CLEANUP(answer_release) struct answer got = { .status = 0 };
    int fd = dial(where);

    a->asked++;
    a->name = text_of(q, "name");
    send_question(fd, where, q);
    receive(fd, &got.bytes);
    close(fd);
    parse_answer(&got);
    if (got.status != status) {
        note(a, "%d, not %d: %.100s", got.status, status, buffer_data(&got.body));
        return;
    }
    if (strcmp(got.type, text_of(q, "type")) != 0)
        note(a, "Content-Type '%s', not '%s'", got.type, text_of(q, "type"));
    compare_body(a, expected, &got);
}

/* What is listed must be so, or the list is old. */
static void check_differences(struct asking *a)
{
    json_t *d;
    size_t i;

    json_array_foreach(a->differences, i, d)
        if (strcmp(text_of(d, "group"), a->group) == 0 && !json_object_get(d, "seen") &&
            !json_object_get(d, "sometimes")) {
            a->wrong++;
            printf("%s: '%s' is listed as a difference, and is none\n", text_of(d, "question"),
                   text_of(d, "what"));
        }
}

int main(int argc, char **argv)
{
    json_error_t err;
    json_t *all = argc == 5 ? json_load_file(argv[1], 0, &err) : NULL, *q;
    size_t i;

    if (!all)
        die("QUESTIONS.json GROUP MASTER AGENT", argc == 5 ? err.text : "are needed");
    struct asking a = { .questions = json_object_get(all, "questions"),
                        .differences = json_object_get(all, "differences"), .group = argv[2],
                        .master = argv[3], .agent = argv[4] };

    json_array_foreach(a.questions, i, q)
        if (strcmp(text_of(q, "group"), a.group) == 0)
            ask(&a, q);
    check_differences(&a);
    printf("%u asked, %u differences, %u of them known\n", a.asked, a.wrong + a.known, a.known);
    json_decref(all);
    return a.asked > 0 && a.wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
