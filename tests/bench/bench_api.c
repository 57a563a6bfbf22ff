/* bench_api.c - the master's HTTP APIs under load, by the real program
 *
 * Fake agents with tasks fill it; the client is this file, with plain blocking
 * sockets, and both count in the CPU time of an operation.
 *
 *   events   status updates, from agents through the master to one subscriber
 *   calls    ACKNOWLEDGE, pipelined on one connection, until agents have them
 *   /state   of 1,000 agents with 10 tasks each, over one connection
 *   delay    of /health, which the same actor answers, while another asks for
 *            /state without end
 *   idle     1,000 schedulers that are subscribed and hear heartbeats
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "proto/scheduler.pb-c.h"
#include "tests/bench/bench_cluster.h"
#include "tests/bench/bench_idle.h"
#include "tests/bench/fake_agents.h"
#include "tests/bench/measure.h"

enum {
    EVENTS = 100000,
    CALLS = 60000,
    CALLS_AT_ONCE = 128,
    FEW_AGENTS = 100,
    MANY_AGENTS = 1000,
    TASKS_EACH = 10,
    STATES = 20,
    ASKED = 500,
    SCHEDULERS = 1000,
    READ = 1 << 18
};

/* ---- a connection ---- */

struct client {
    int fd;
    struct buffer in;
    char stream_id[100];
};

static void client_start(struct client *c, unsigned short port)
{
    *c = (struct client){ .fd = measure_connect(port) };
}

static void client_stop(struct client *c)
{
    close(c->fd);
    buffer_release(&c->in);
}

static void client_read(struct client *c)
{
    ssize_t n = read(c->fd, buffer_reserve(&c->in, READ), READ);

    CHECK(n > 0);
    buffer_commit(&c->in, (size_t)n);
}

/* The length of a head, which is read; 200 or 202. */
static size_t client_read_head(struct client *c)
{
    const char *end;

    while (!(end = memmem(buffer_data(&c->in), buffer_length(&c->in), "\r\n\r\n", 4)))
        client_read(c);
    CHECK(memcmp(buffer_data(&c->in), "HTTP/1.1 20", 11) == 0);
    return (size_t)(end + 4 - buffer_data(&c->in));
}

/* Its value, up to the line's end; the header is there. */
static const char *header(const struct client *c, size_t head, const char *name)
{
    const char *value = memmem(buffer_data(&c->in), head, name, strlen(name));

    CHECK(value);
    return value + strlen(name);
}

/* One answer with a length, thrown away; how long it was. */
static size_t client_skip_answer(struct client *c)
{
    size_t head = client_read_head(c),
           left = strtoul(header(c, head, "Content-Length: "), NULL, 10);
    size_t size = head + left;

    buffer_consume(&c->in, head);
    while (left > buffer_length(&c->in)) {
        left -= buffer_length(&c->in);
        buffer_clear(&c->in);
        client_read(c);
    }
    buffer_consume(&c->in, left);
    return size;
}

static size_t client_get(struct client *c, const char *path)
{
    char request[200];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: master\r\n\r\n", path);
    measure_write(c->fd, request, strlen(request));
    return client_skip_answer(c);
}

/* ---- a scheduler ---- */

static void post(struct buffer *out, const struct client *of, const char *media, const void *body,
                 size_t size)
{
    buffer_printf(out,
                  "POST /api/v1/scheduler HTTP/1.1\r\nHost: master\r\nContent-Type: %s\r\n"
                  "Accept: %s\r\nContent-Length: %zu\r\n",
                  media, media, size);
    if (of)
        buffer_printf(out, "Mesos-Stream-Id: %s\r\n", of->stream_id);
    buffer_append_text(out, "\r\n");
    buffer_append(out, body, size);
}

/* id NULL: a new framework. */
static void subscribe_json(struct buffer *body, const char *id)
{
    buffer_append_text(body, "{\"type\":\"SUBSCRIBE\",");
    if (id)
        buffer_printf(body, "\"framework_id\":{\"value\":\"%s\"},", id);
    buffer_append_text(body, "\"subscribe\":{\"framework_info\":{\"user\":\"nobody\","
                             "\"name\":\"bench\",\"checkpoint\":true,\"failover_timeout\":3600");
    if (id)
        buffer_printf(body, ",\"id\":{\"value\":\"%s\"}", id);
    buffer_append_text(body, "}}}");
}

/* It subscribes in JSON and hears events in the media type; no offers are wanted. */
static void client_subscribe(struct client *c, const char *media, const char *id)
{
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    const char *stream_id;
    size_t head;

    subscribe_json(&body, id);
    buffer_printf(&out,
                  "POST /api/v1/scheduler HTTP/1.1\r\nHost: master\r\n"
                  "Content-Type: application/json\r\nAccept: %s\r\nContent-Length: %zu\r\n\r\n",
                  media, buffer_length(&body));
    buffer_append(&out, buffer_data(&body), buffer_length(&body));
    measure_write(c->fd, buffer_data(&out), buffer_length(&out));
    head = client_read_head(c);
    stream_id = header(c, head, "Mesos-Stream-Id: ");
    snprintf(c->stream_id, sizeof c->stream_id, "%.*s", (int)strcspn(stream_id, "\r"), stream_id);
    buffer_consume(&c->in, head);
}

/* The next event, one chunk with one record; borrowed until the next. */
static const char *client_next(struct client *c, size_t *ret_size)
{
    for (;; client_read(c)) {
        const char *data = buffer_data(&c->in),
                   *body = memmem(data, buffer_length(&c->in), "\n", 1);
        const char *event;
        size_t size;

        if (!body++)
            continue;
        size = strtoul(data, NULL, 16);
        CHECK(size > 0);
        if (buffer_length(&c->in) < (size_t)(body - data) + size + 2)
            continue;
        event = (const char *)memchr(body, '\n', size) + 1;
        *ret_size = (size_t)(body + size - event);
        CHECK(*ret_size == strtoul(body, NULL, 10));
        buffer_consume(&c->in, (size_t)(body - data) + size + 2);
        return event;
    }
}

static bool is_update(const char *event, size_t size, bool json)
{
    if (json)
        return memmem(event, size, "\"type\":\"UPDATE\"", 15) != NULL;
    return size > 2 && event[0] == 0x08 && event[1] == PB_SCHEDULER_V1__EVENT__TYPE__UPDATE;
}

static void client_await_updates(struct client *c, size_t n, bool json)
{
    for (size_t got = 0, size; got < n;) {
        const char *event = client_next(c, &size);

        got += is_update(event, size, json);
    }
}

static const char *const media_types[] = { "application/x-protobuf", "application/json" };

/* ---- a master with agents ---- */

struct place {
    struct bench_cluster cluster;
    struct measure_node node;
    struct fake_agents *agents;
    unsigned short port;
};

static int place_start(struct place *p, struct measure *m, size_t agents)
{
    if (bench_cluster_start_master(&p->cluster, m) < 0)
        return -1;
    p->port = bench_cluster_master_port(&p->cluster);
    p->node = measure_node_start();
    p->agents = fake_agents_start(&p->node, p->cluster.master_address, agents, TASKS_EACH);
    return 0;
}

static void place_stop(struct place *p)
{
    fake_agents_stop(p->agents);
    measure_node_stop(&p->node);
    bench_cluster_stop(&p->cluster);
}

/* ---- events ---- */

static int events(struct measure *m, bool json)
{
    struct stopwatch watch;
    struct place p;
    struct client c;

    if (place_start(&p, m, FEW_AGENTS) < 0)
        return -1;
    client_start(&c, p.port);
    client_subscribe(&c, media_types[json], FAKE_FRAMEWORK);
    watch = measure_start();
    fake_agents_update(p.agents, EVENTS / FEW_AGENTS);
    client_await_updates(&c, EVENTS, json);
    measure_finish(m, &watch, EVENTS);
    client_stop(&c);
    place_stop(&p);
    return measure_finish_cpu(m, &watch, EVENTS);
}

int bench_api_events_protobuf(struct measure *m)
{
    return events(m, false);
}

int bench_api_events_json(struct measure *m)
{
    return events(m, true);
}

/* ---- calls ---- */

static void write_acknowledge_protobuf(struct buffer *out, const char *agent, const char *task,
                                       const uint8_t uuid[16])
{
    PbSchedulerV1__Call call = PB_SCHEDULER_V1__CALL__INIT;
    PbSchedulerV1__Call__Acknowledge acknowledge = PB_SCHEDULER_V1__CALL__ACKNOWLEDGE__INIT;
    Pb__FrameworkID framework_id = PB__FRAMEWORK_ID__INIT;
    Pb__AgentID agent_id = PB__AGENT_ID__INIT;
    Pb__TaskID task_id = PB__TASK_ID__INIT;
    size_t size;

    framework_id.value = FAKE_FRAMEWORK;
    agent_id.value = agent;
    task_id.value = task;
    acknowledge.agent_id = &agent_id;
    acknowledge.task_id = &task_id;
    acknowledge.uuid = (ProtobufCBinaryData){ 16, (uint8_t *)uuid };
    call.framework_id = &framework_id;
    call.has_type = true;
    call.type = PB_SCHEDULER_V1__CALL__TYPE__ACKNOWLEDGE;
    call.acknowledge = &acknowledge;
    size = protobuf_c_message_get_packed_size(&call.base);
    protobuf_c_message_pack(&call.base, (uint8_t *)buffer_reserve(out, size));
    buffer_commit(out, size);
}

static void write_acknowledge_json(struct buffer *out, const char *agent, const char *task)
{
    buffer_printf(out,
                  "{\"framework_id\":{\"value\":\"%s\"},\"type\":\"ACKNOWLEDGE\",\"acknowledge\":"
                  "{\"agent_id\":{\"value\":\"%s\"},\"task_id\":{\"value\":\"%s\"},"
                  "\"uuid\":\"AAECAwQFBgcICQoLDA0ODw==\"}}",
                  FAKE_FRAMEWORK, agent, task);
}

static void write_calls(struct buffer *out, const struct client *of, bool json, size_t first)
{
    static const uint8_t uuid[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;

    buffer_clear(out);
    for (size_t i = first; i < first + CALLS_AT_ONCE; i++) {
        char agent[FAKE_ID], task[FAKE_ID];

        fake_agents_id(i % FEW_AGENTS, agent);
        fake_agents_task_id(i % FEW_AGENTS, i / FEW_AGENTS % TASKS_EACH, task);
        buffer_clear(&body);
        if (json)
            write_acknowledge_json(&body, agent, task);
        else
            write_acknowledge_protobuf(&body, agent, task, uuid);
        post(out, of, media_types[json], buffer_data(&body), buffer_length(&body));
    }
}

/* The next lot leaves before the answers to the one before are read. */
static void run_calls(struct client *c, const struct client *of, bool json)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    size_t sent = 0, answered = 0;

    while (answered < CALLS) {
        if (sent < CALLS) {
            write_calls(&out, of, json, sent);
            measure_write(c->fd, buffer_data(&out), buffer_length(&out));
            sent += CALLS_AT_ONCE;
        }
        while (answered + (sent < CALLS ? CALLS_AT_ONCE : 0) < sent) {
            client_skip_answer(c);
            answered++;
        }
    }
}

static int calls(struct measure *m, bool json)
{
    struct stopwatch watch;
    struct place p;
    struct client events, c;

    if (place_start(&p, m, FEW_AGENTS) < 0)
        return -1;
    client_start(&events, p.port);
    client_subscribe(&events, media_types[json], FAKE_FRAMEWORK);
    fake_agents_update(p.agents, TASKS_EACH); /* something to acknowledge */
    client_await_updates(&events, FEW_AGENTS * TASKS_EACH, json);
    client_start(&c, p.port);
    watch = measure_start();
    run_calls(&c, &events, json);
    fake_agents_await_acknowledgements(p.agents, CALLS);
    measure_finish(m, &watch, CALLS);
    client_stop(&c);
    client_stop(&events);
    place_stop(&p);
    return measure_finish_cpu(m, &watch, CALLS);
}

int bench_api_calls_protobuf(struct measure *m)
{
    return calls(m, false);
}

int bench_api_calls_json(struct measure *m)
{
    return calls(m, true);
}

/* ---- the state of a large cluster ---- */

int bench_api_state(struct measure *m)
{
    struct stopwatch watch;
    struct client c;
    struct place p;
    double bytes = 0;

    if (place_start(&p, m, MANY_AGENTS) < 0)
        return -1;
    client_start(&c, p.port);
    watch = measure_start();
    for (size_t i = 0; i < STATES; i++)
        bytes += (double)client_get(&c, "/state");
    measure_finish(m, &watch, bytes / 1e6);
    client_stop(&c);
    place_stop(&p);
    return measure_finish_cpu(m, &watch, bytes / 1e6);
}

struct load {
    unsigned short port;
    _Atomic bool stop;
};

static void *ask_for_state(void *arg)
{
    struct load *load = arg;
    struct client c;

    client_start(&c, load->port);
    while (!atomic_load(&load->stop))
        client_get(&c, "/state");
    client_stop(&c);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* In microseconds; of a hundred answers one was later. */
static double p99_of_health(unsigned short port)
{
    double late[ASKED];
    struct client c;

    client_start(&c, port);
    for (size_t i = 0; i < ASKED; i++) {
        struct stopwatch watch = measure_start();

        client_get(&c, "/master/health");
        late[i] = measure_wall(&watch) * 1e6;
    }
    client_stop(&c);
    qsort(late, ASKED, sizeof *late, by_size);
    return late[ASKED * 99 / 100];
}

static int delay(struct measure *m, bool loaded)
{
    struct load load = { 0 };
    pthread_t thread;
    struct place p;

    if (place_start(&p, m, MANY_AGENTS) < 0)
        return -1;
    load.port = p.port;
    if (loaded)
        CHECK(pthread_create(&thread, NULL, ask_for_state, &load) == 0);
    m->figure = p99_of_health(p.port);
    m->cpu = MEASURE_NAN;
    atomic_store(&load.stop, true);
    if (loaded)
        CHECK(pthread_join(thread, NULL) == 0);
    place_stop(&p);
    return 0;
}

int bench_api_delay_loaded(struct measure *m)
{
    return delay(m, true);
}

int bench_api_delay_quiet(struct measure *m)
{
    return delay(m, false);
}

/* ---- idle schedulers ---- */

enum { SETTLE = 2, WATCH = 16 };        /* seconds: a heartbeat each 15 */

static void allow_many_files(void)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int schedulers(struct measure *m, bool memory)
{
    static struct client clients[SCHEDULERS];
    struct bench_cluster cluster;
    double before;

    allow_many_files();
    if (bench_cluster_start_master(&cluster, m) < 0)
        return -1;
    before = bench_idle_memory_of(cluster.master);
    for (size_t i = 0; i < SCHEDULERS; i++) {
        client_start(&clients[i], bench_cluster_master_port(&cluster));
        client_subscribe(&clients[i], media_types[0], NULL);
    }
    sleep(SETTLE);
    m->figure = (bench_idle_memory_of(cluster.master) - before) * 1024 / SCHEDULERS;
    m->cpu = MEASURE_NAN;
    if (!memory) {
        before = bench_idle_ms_of(cluster.master);
        sleep(WATCH);
        m->figure = (bench_idle_ms_of(cluster.master) - before) / WATCH;
    }
    for (size_t i = 0; i < SCHEDULERS; i++)
        client_stop(&clients[i]);
    bench_cluster_stop(&cluster);
    return 0;
}

int bench_api_schedulers_cpu(struct measure *m)
{
    return schedulers(m, false);
}

int bench_api_schedulers_memory(struct measure *m)
{
    return schedulers(m, true);
}
