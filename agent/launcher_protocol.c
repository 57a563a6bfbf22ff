/* launcher_protocol.c - frames between the agent and its launcher */
#include "agent/launcher_protocol.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

/* ---- packing ---- */

static void put_u32(struct buffer *out, uint32_t n)
{
    buffer_append(out, &n, sizeof n);
}

static void put_u64(struct buffer *out, uint64_t n)
{
    buffer_append(out, &n, sizeof n);
}

static void put_text(struct buffer *out, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);

    put_u32(out, length);
    buffer_append(out, text, length);
}

static void put_texts(struct buffer *out, char *const texts[])
{
    uint32_t n = 0;

    while (texts && texts[n])
        n++;
    put_u32(out, n);
    for (uint32_t i = 0; i < n; i++)
        put_text(out, texts[i]);
}

/* The length in front of a frame is filled in at its end. */
static size_t begin_frame(struct buffer *out)
{
    size_t start = buffer_length(out);

    put_u32(out, 0);
    put_u32(out, LAUNCHER_PROTOCOL_VERSION);
    return start;
}

static void end_frame(struct buffer *out, size_t start)
{
    size_t size = buffer_length(out) - start - sizeof(uint32_t);

    CHECK(size <= UINT32_MAX);
    memcpy(buffer_data(out) + start, &(uint32_t){ (uint32_t)size }, sizeof(uint32_t));
}

void launch_request_pack(const struct launch_request *r, struct buffer *out)
{
    size_t start = begin_frame(out);

    put_u64(out, r->number);
    put_text(out, r->folder);
    put_text(out, r->directory);
    put_text(out, r->program);
    put_texts(out, r->argv);
    put_texts(out, r->envp);
    put_text(out, r->out);
    put_text(out, r->err);
    put_u32(out, r->set_user);
    put_u32(out, r->uid);
    put_u32(out, r->gid);
    put_u32(out, r->n_groups);
    buffer_append(out, r->groups, r->n_groups * sizeof *r->groups);
    end_frame(out, start);
}

void launch_answer_pack(const struct launch_answer *a, struct buffer *out)
{
    size_t start = begin_frame(out);

    put_u64(out, a->number);
    put_u32(out, (uint32_t)a->code);
    put_text(out, a->text);
    put_u32(out, (uint32_t)a->pid);
    put_u64(out, a->start_time);
    end_frame(out, start);
}

/* ---- unpacking: the first that does not fit makes the rest fail, too ---- */

struct reader { const char *at, *end; bool bad; };

static void get_bytes(struct reader *r, void *out, size_t size)
{
    if (r->bad || (size_t)(r->end - r->at) < size) {
        r->bad = true;
        memset(out, 0, size);
        return;
    }
    memcpy(out, r->at, size);
    r->at += size;
}

static uint32_t get_u32(struct reader *r)
{
    uint32_t n;

    get_bytes(r, &n, sizeof n);
    return n;
}

static uint64_t get_u64(struct reader *r)
{
    uint64_t n;

    get_bytes(r, &n, sizeof n);
    return n;
}

/* Never NULL. */
static char *get_text(struct reader *r)
{
    uint32_t length = get_u32(r);
    char *text;

    if (r->bad || (size_t)(r->end - r->at) < length || memchr(r->at, '\0', length)) {
        r->bad = true;
        return mem_strdup("");
    }
    text = mem_strndup(r->at, length);
    r->at += length;
    return text;
}

/* A count of things that take at least `least` bytes each. */
static uint32_t get_count(struct reader *r, size_t least)
{
    uint32_t n = get_u32(r);

    if ((size_t)(r->end - r->at) / least < n)
        r->bad = true;
    return r->bad ? 0 : n;
}

static char **get_texts(struct reader *r)
{
    uint32_t n = get_count(r, sizeof(uint32_t));
    char **texts = mem_array((size_t)n + 1, sizeof *texts);

    for (uint32_t i = 0; i < n; i++)
        texts[i] = get_text(r);
    return texts;
}

/* 1 and a reader of what is behind the version; 0 and -1 as the header says. */
static int open_frame(const struct buffer *in, struct reader *ret_reader, struct error *err)
{
    const char *data = buffer_data(in);
    uint32_t size, version;

    if (buffer_length(in) < sizeof size)
        return 0;
    memcpy(&size, data, sizeof size);
    if (size < sizeof version || size > LAUNCHER_FRAME_MAX)
        return error_set(err, EPROTO, "a frame of %u bytes", size);
    if (buffer_length(in) < sizeof size + size)
        return 0;
    *ret_reader = (struct reader){ data + sizeof size, data + sizeof size + size, false };
    version = get_u32(ret_reader);
    if (version != LAUNCHER_PROTOCOL_VERSION)
        return error_set(err, EPROTO, "a frame of version %u, known is %d", version,
                         LAUNCHER_PROTOCOL_VERSION);
    return 1;
}

static int close_frame(struct buffer *in, const struct reader *r, struct error *err)
{
    if (r->bad || r->at != r->end)
        return error_set(err, EPROTO, "a frame whose fields do not fit its length");
    buffer_consume(in, (size_t)(r->end - buffer_data(in)));
    return 1;
}

int launch_request_unpack(struct buffer *in, struct launch_request *ret_request, struct error *err)
{
    struct launch_request q;
    struct reader r;
    int got = open_frame(in, &r, err);

    if (got <= 0)
        return got;
    q = (struct launch_request){ .number = get_u64(&r) };
    q.folder = get_text(&r);
    q.directory = get_text(&r);
    q.program = get_text(&r);
    q.argv = get_texts(&r);
    q.envp = get_texts(&r);
    q.out = get_text(&r);
    q.err = get_text(&r);
    q.set_user = get_u32(&r) != 0;
    q.uid = get_u32(&r);
    q.gid = get_u32(&r);
    q.n_groups = get_count(&r, sizeof *q.groups);
    q.groups = mem_array(q.n_groups, sizeof *q.groups);
    get_bytes(&r, q.groups, q.n_groups * sizeof *q.groups);
    if (close_frame(in, &r, err) < 0) {
        launch_request_release(&q);
        return -1;
    }
    *ret_request = q;
    return 1;
}

int launch_answer_unpack(struct buffer *in, struct launch_answer *ret_answer, struct error *err)
{
    struct launch_answer a;
    struct reader r;
    int got = open_frame(in, &r, err);

    if (got <= 0)
        return got;
    a = (struct launch_answer){ .number = get_u64(&r) };
    a.code = (int)get_u32(&r);
    a.text = get_text(&r);
    a.pid = (pid_t)get_u32(&r);
    a.start_time = get_u64(&r);
    if (close_frame(in, &r, err) < 0) {
        launch_answer_release(&a);
        return -1;
    }
    *ret_answer = a;
    return 1;
}

static void free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        mem_free(texts[i]);
    mem_free(texts);
}

void launch_request_release(struct launch_request *r)
{
    mem_free(r->folder);
    mem_free(r->directory);
    mem_free(r->program);
    free_texts(r->argv);
    free_texts(r->envp);
    mem_free(r->out);
    mem_free(r->err);
    mem_free(r->groups);
    *r = (struct launch_request){ .number = 0 };
}

void launch_answer_release(struct launch_answer *a)
{
    mem_free(a->text);
    *a = (struct launch_answer){ .number = 0 };
}
