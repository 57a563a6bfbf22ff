/* runtime.c - a node is made and ended
 *
 * The end: first the workers' loops stop, with which nothing is on its way any
 * more, neither I/O nor work off the actors' threads.  Then this thread takes
 * the workers' turns itself: it ends the processes one by one, the youngest
 * first, runs what they leave behind, drops timers and events that nobody will
 * take, and closes the connections.  So the end is the same on every host, also
 * where the OS process is already dead (a simulated kill -9).  What finalizers
 * send to other nodes is not sent any more: a program that wants its last words
 * to be heard ends its processes (process_terminate, process_wait) before.
 */
#include "process/core.h"

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/http_access.h"
#include "process/http_connection.h"
#include "process/process_list.h"
#include "process/proto.h"
#include "process/tls_private.h"

static const struct process_class executor_class = { "__executor__", NULL, NULL, NULL };

/* ---- options ---- */

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if (!o->field)                                                                             \
            o->field = (value);                                                                    \
    } while (0)

static void fill_in(struct runtime_options *o)
{
    static const struct proto_limits limits = PROTO_LIMITS;

    if (!o->bind.ip && !o->bind_any)
        o->bind.ip = 0x7f000001;
    DEFAULT(version, PACKAGE_VERSION);
    DEFAULT(max_connections, 65536);
    DEFAULT(max_head_bytes, (size_t)64 << 10);
    DEFAULT(max_body_bytes, (size_t)64 << 20);
    DEFAULT(max_output_bytes, (size_t)256 << 20);
    DEFAULT(max_mailbox_events, 100000);
    DEFAULT(head_timeout.ns, SECONDS(60).ns);
    DEFAULT(max_headers, 256);
    DEFAULT(max_fields, 10000);
    DEFAULT(max_pipelined, 128);
    DEFAULT(max_requests, 262144);
    DEFAULT(max_metrics, 100000);
    DEFAULT(max_message_depth, limits.depth);
    DEFAULT(max_message_elements, limits.count);
    DEFAULT(max_listed_events, 100);
    DEFAULT(max_listed_body, 1024);
    DEFAULT(max_listed_bytes, 8 << 20);
}

static struct instant log_clock(void *arg)
{
    return runtime_wall(arg);
}

/* ---- life ---- */

static struct runtime *allocate(struct host *host, const struct runtime_options *options)
{
    struct runtime *rt = mem_alloc(sizeof *rt);

    rt->host = host;
    if (options)
        rt->options = *options;
    fill_in(&rt->options);
    pthread_mutex_init(&rt->names_lock, NULL);
    pthread_mutex_init(&rt->filter_lock, NULL);
    list_init(&rt->resolutions);
    spares_depot_init(&rt->spares);
    rt->timers = timers_create(rt);
    if (!rt->options.log) {
        rt->own_log = log_create(NULL, NULL, log_clock, rt);
        rt->options.log = rt->own_log;
    }
    return rt;
}

/* Binding to all addresses without saying which one to advertise: PIDs then
 * name the loopback, which is right for one machine only. */
static struct address advertised(const struct runtime_options *o, struct address bound)
{
    struct address a = o->advertise;

    if (!a.ip)
        a.ip = bound.ip ? bound.ip : 0x7f000001;
    if (!a.port)
        a.port = bound.port;
    return a;
}

static int start(struct runtime *rt, struct error *err)
{
    unsigned n = rt->options.workers ? rt->options.workers : host_cpus(rt->host);
    struct address bound;

    worker_start_all(rt, n > 0 ? n : 1);
    rt->metrics = metrics_create(rt);
    rt->http_access = http_access_create();
    rt->process_list = process_list_create(rt);
    if (rt->options.tls && !(rt->tls = tls_create(rt, rt->options.tls, err)))
        return error_wrap(err, "TLS");
    rt->options.tls = NULL; /* the caller's */
    rt->network = network_create(rt);
    rt->http_server = http_server_create(rt, rt->options.bind, &bound, err);
    if (!rt->http_server)
        return -1;
    rt->address = advertised(&rt->options, bound);
    if (process_spawn(rt, &rt->executor, &executor_class, executor_class.name, NULL, err) < 0)
        return -1;
    if (builtins_spawn(rt, err) < 0 ||
        (rt->options.prepare && rt->options.prepare(rt, rt->options.prepare_arg, err) < 0))
        return -1;
    http_server_open(rt->http_server);
    return 0;
}

struct runtime *runtime_create(struct host *host, const struct runtime_options *options,
                               struct error *err)
{
    struct runtime *rt = allocate(host, options);

    if (start(rt, err) == 0)
        return rt;
    runtime_destroy(rt);
    return NULL;
}

/* False: there is none left. */
static bool find_youngest(struct runtime *rt, struct pid *ret_pid)
{
    struct slot *s;

    pthread_mutex_lock(&rt->names_lock);
    s = slot_numbered(rt, rt->names.youngest);
    if (s)
        *ret_pid = slot_pid(s);
    if (s)
        text_ref(s->id);
    pthread_mutex_unlock(&rt->names_lock);
    return s != NULL;
}

static void end_processes(struct runtime *rt)
{
    struct pid pid;

    while (find_youngest(rt, &pid)) {
        struct slot *s = slot_get(rt, pid.slot);

        process_terminate(&pid, TERMINATE_NOW);
        while (atomic_load(&s->generation) == pid.generation)
            worker_run_stopped(rt);
        pid_release(&pid);
    }
}

/* What timers and names in resolution hold may be requests and promises: these
 * end while connections and the other parts still stand. */
static void run_rest(struct runtime *rt)
{
    do {
        runtime_names_stop(rt);
        timers_drop_all(rt->timers);
    } while (worker_run_stopped(rt));
}

static void free_all(struct runtime *rt)
{
    slot_release_all(rt);
    worker_free_all(rt);
    timers_destroy(rt->timers);
    runtime_names_release(rt);
    spares_depot_release(&rt->spares);
    process_unknown_release(rt);
    pthread_mutex_destroy(&rt->names_lock);
    pthread_mutex_destroy(&rt->filter_lock);
    if (rt->own_log)
        log_destroy(rt->own_log);
    mem_free(rt);
}

void runtime_destroy(struct runtime *rt)
{
    const struct context *before;
    struct context here = { .actor = "", .event = "runtime_destroy" };

    if (!rt)
        return;
    here.log = runtime_log(rt);
    CHECK(!process_current());
    before = context_set(&here);
    worker_stop_all(rt);
    end_processes(rt);
    run_rest(rt);
    if (rt->http_server)
        http_server_destroy(rt->http_server);
    if (rt->network)
        network_destroy(rt->network);
    run_rest(rt);
    process_list_destroy(rt->process_list);
    http_access_destroy(rt->http_access);
    tls_destroy(rt->tls);
    if (rt->metrics)
        metrics_destroy(rt->metrics);
    context_set(before);
    free_all(rt);
}

/* ---- parts ---- */

struct host *runtime_host(struct runtime *rt)
{
    return rt->host;
}

struct address runtime_address(const struct runtime *rt)
{
    return rt->address;
}

struct log *runtime_log(struct runtime *rt)
{
    return rt->options.log;
}

struct process *runtime_executor(struct runtime *rt)
{
    return &rt->executor;
}

struct loop *runtime_loop(struct runtime *rt)
{
    struct worker *w = worker_current(rt);

    return worker_loop(w ? w : worker_next(rt));
}

void runtime_on_loop(struct runtime *rt, struct loop *l, void (*fn)(void *arg), void *arg)
{
    for (unsigned i = 0; i < rt->n_workers; i++)
        if (rt->workers[i].loop == l) {
            worker_post(&rt->workers[i], fn, arg);
            return;
        }
    UNREACHABLE();
}

struct network *runtime_network(struct runtime *rt)
{
    return rt->network;
}

struct http_server *runtime_http_server(struct runtime *rt)
{
    return rt->http_server;
}

struct metrics *runtime_metrics(struct runtime *rt)
{
    return rt->metrics;
}

struct http_access *runtime_http_access(struct runtime *rt)
{
    return rt->http_access;
}

struct tls *runtime_tls(struct runtime *rt)
{
    return rt->tls;
}

const char *runtime_scheme(const struct runtime *rt)
{
    return rt->tls ? "https" : "http";
}

struct proto_limits runtime_message_limits(const struct runtime *rt)
{
    return (struct proto_limits){ .size = rt->options.max_body_bytes,
                                  .depth = rt->options.max_message_depth,
                                  .count = rt->options.max_message_elements };
}

const struct runtime_options *runtime_get_options(const struct runtime *rt)
{
    return &rt->options;
}

/* ---- time ---- */

struct instant runtime_now(struct runtime *rt)
{
    return timers_now(rt->timers);
}

/* The host's wall clock, moved as far as the runtime's clock was moved. */
struct instant runtime_wall(struct runtime *rt)
{
    struct instant wall = host_wall(rt->host);

    return instant_add(wall, instant_since(timers_now(rt->timers), host_now(rt->host)));
}

void runtime_clock_pause(struct runtime *rt)
{
    timers_pause(rt->timers);
}

void runtime_clock_advance(struct runtime *rt, struct duration d)
{
    timers_advance(rt->timers, d);
}

void runtime_clock_advance_of(const struct pid *pid, struct duration d)
{
    CHECK(pid->runtime != NULL);
    timers_advance_of(pid->runtime->timers, pid, d);
}

void runtime_clock_resume(struct runtime *rt)
{
    timers_resume(rt->timers);
}

/* Nothing to do, no timer due, nothing in the helpers' hands; and nothing has
 * begun while we looked at one after the other. */
static bool is_settled(void *arg)
{
    struct runtime *rt = arg;
    uint64_t before, after;

    return worker_all_still(rt, &before) && !timers_has_due(rt->timers) &&
           !worker_has_helpers(rt) && worker_all_still(rt, &after) && before == after;
}

bool runtime_clock_settle(struct runtime *rt, struct duration timeout)
{
    CHECK(!process_current());
    return runtime_wait_for(rt, is_settled, rt, timeout);
}

/* ---- waiting from outside ---- */

bool runtime_wait_for(struct runtime *rt, bool (*done)(void *arg), void *arg,
                      struct duration timeout)
{
    bool is_done;

    /* Sequentially consistent: either we see the change or runtime_changed sees us. */
    atomic_fetch_add_explicit(&rt->waiting, 1, memory_order_seq_cst);
    is_done = host_wait(rt->host, done, arg, instant_add(host_now(rt->host), timeout));
    atomic_fetch_sub_explicit(&rt->waiting, 1, memory_order_seq_cst);
    return is_done;
}

void runtime_changed(struct runtime *rt)
{
    if (atomic_load_explicit(&rt->waiting, memory_order_seq_cst) > 0)
        host_notify(rt->host);
}

/* ---- seeing events ---- */

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[] = {
        [EVENT_MESSAGE] = "MESSAGE", [EVENT_DISPATCH] = "DISPATCH", [EVENT_FUTURE] = "FUTURE",
        [EVENT_HTTP] = "HTTP",       [EVENT_EXITED] = "EXITED",     [EVENT_TERMINATE] = "TERMINATE",
    };

    CHECK((size_t)kind < ARRAY_SIZE(names));
    return names[kind];
}

void runtime_set_filter(struct runtime *rt, runtime_filter_f filter, void *arg)
{
    pthread_mutex_lock(&rt->filter_lock);
    rt->filter = filter;
    rt->filter_arg = arg;
    atomic_store_explicit(&rt->has_filter, filter != NULL, memory_order_release);
    pthread_mutex_unlock(&rt->filter_lock);
}

static uint64_t read_count(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

void runtime_inject_exited(const struct pid *to, const struct pid *peer)
{
    process_deliver_exited(to, peer);
}

void runtime_counts(struct runtime *rt, struct runtime_counts *ret_counts)
{
    struct runtime_counts c = { 0 };

    for (unsigned i = 0; i < rt->n_workers; i++) {
        struct worker *w = &rt->workers[i];

        c.events += read_count(&w->events);
        c.messages_in += read_count(&w->messages_in);
        c.messages_out += read_count(&w->messages_out);
        c.http_requests += read_count(&w->http_requests);
        c.dropped_messages += read_count(&w->dropped);
    }
    *ret_counts = c;
}
