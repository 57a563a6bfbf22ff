/* bench_json.c - writing a piece of cluster state as JSON, ours and jansson's
 *
 * Jansson has to build its tree first, as whoever writes with it has.  The texts
 * are there before.  The operation of this row is a megabyte.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/json_writer.h"
#include "tests/bench/measure.h"

enum { TASKS = 1000, ROUNDS = 50 };

static const char framework[] = "5f0e3c52-2b7f-4c65-a2a7-2b6e3f9f1d6a-0001";
static const char agent[] = "5f0e3c52-2b7f-4c65-a2a7-2b6e3f9f1d6a-S17";
static const char command[] = "sh -c \"grep -c 'a\\tb' /data/part-0001 > out\" # caf\303\251";

static void write_task(struct json_writer *w, const char *name, size_t i)
{
    json_begin_object(w);
    json_put_string(w, "id", name);
    json_put_string(w, "framework_id", framework);
    json_put_string(w, "slave_id", agent);
    json_put_string(w, "state", "TASK_RUNNING");
    json_put_string(w, "command", command);
    json_key(w, "resources");
    json_begin_object(w);
    json_key(w, "cpus");
    json_write_double(w, 0.1 + (double)(i % 16));
    json_key(w, "mem");
    json_write_double(w, 128);
    json_end_object(w);
    json_key(w, "timestamp");
    json_write_double(w, 1732281667.25 + (double)i);
    json_put_integer(w, "pid", (int64_t)i);
    json_key(w, "healthy");
    json_write_bool(w, i % 2 == 0);
    json_end_object(w);
}

struct names { char of[TASKS][16]; };

static size_t write_ours(const struct names *names, struct buffer *out)
{
    struct json_writer w;

    buffer_clear(out);
    json_writer_init(&w, out);
    json_begin_array(&w);
    for (size_t i = 0; i < TASKS; i++)
        write_task(&w, names->of[i], i);
    json_end_array(&w);
    return buffer_length(out);
}

static json_t *task_of_jansson(const char *name, size_t i)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:f, s:f}, s:f, s:I, s:b}", "id", name,
                     "framework_id", framework, "slave_id", agent, "state", "TASK_RUNNING",
                     "command", command, "resources", "cpus", 0.1 + (double)(i % 16), "mem", 128.0,
                     "timestamp", 1732281667.25 + (double)i, "pid", (json_int_t)i, "healthy",
                     i % 2 == 0);
}

static int append(const char *bytes, size_t size, void *out)
{
    buffer_append(out, bytes, size);
    return 0;
}

static size_t write_jansson(const struct names *names, struct buffer *out)
{
    json_t *all = json_array();

    buffer_clear(out);
    for (size_t i = 0; i < TASKS; i++)
        CHECK(json_array_append_new(all, task_of_jansson(names->of[i], i)) == 0);
    CHECK(json_dump_callback(all, append, out, JSON_COMPACT) == 0);
    json_decref(all);
    return buffer_length(out);
}

static int repeat(struct measure *m,
                  size_t (*write)(const struct names *names, struct buffer *out), size_t rounds)
{
    struct buffer out = BUFFER_INIT;
    struct names names;
    struct stopwatch watch;
    size_t size = 0;

    for (size_t i = 0; i < TASKS; i++)
        snprintf(names.of[i], sizeof names.of[i], "task-%06zu", i);
    watch = measure_start();
    for (size_t i = 0; i < rounds; i++)
        size += write(&names, &out);
    measure_finish(m, &watch, (double)size / 1e6);
    buffer_release(&out);
    return 0;
}

int bench_json_ours(struct measure *m)
{
    return repeat(m, write_ours, ROUNDS * 5);
}

int bench_json_jansson(struct measure *m)
{
    return repeat(m, write_jansson, ROUNDS);
}
