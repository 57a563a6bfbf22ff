/* sim_launcher.c - the simulated launcher: agents ask, supervisors are started
 *
 * As launcher_serve.c: a lock, a socket, answers with the number of their
 * request.  A supervisor answers by a call, as over a pipe; what it says is
 * written to the agent by the launcher's own loop.
 */
#include "sim_launcher.h"

#include <errno.h>
#include <string.h>

#include "agent/launcher_protocol.h"
#include "agent/run.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "ledger.h"
#include "process/sim.h"
#include "sim_executor.h"
#include "sim_http_executor.h"
#include "sim_supervisor.h"

enum { READ_BYTES = 64 * 1024 };

struct link { /* an agent that is connected */
    struct list link;
    uint64_t number;
    struct launcher_instance *launcher;
    struct stream *stream;
    struct buffer in, out;
    bool broken;
};

struct child { /* a supervisor */
    struct list link;
    struct launcher_instance *launcher;
    uint64_t number, asker, request;
    bool answered;
};

struct launcher_instance {
    struct list link; /* ledger->launchers */
    uint64_t number;
    struct host *host;
    struct loop *loop;
    struct listener *listener;
    struct file *lock;
    struct list links, children;
    uint64_t next;
};

/* ---- to the agents ---- */

static void flush(struct link *k)
{
    while (!k->broken && buffer_length(&k->out) > 0) {
        struct stream_bytes v = { buffer_data(&k->out), buffer_length(&k->out) };
        struct error err;
        ssize_t n = stream_write(k->stream, &v, 1, &err);

        if (n > 0)
            buffer_consume(&k->out, (size_t)n);
        else if (n < 0 && err.code != EAGAIN)
            k->broken = true;
        else
            break;
    }
    if (!k->broken)
        stream_want(k->stream, true, buffer_length(&k->out) > 0);
}

static void link_free(struct link *k)
{
    stream_close(k->stream);
    list_remove(&k->link);
    buffer_release(&k->in);
    buffer_release(&k->out);
    mem_free(k);
}

static void answer(struct launcher_instance *l, uint64_t asker, const struct launch_answer *a)
{
    list_each (k, &l->links, struct link, link)
        if (k->number == asker)
            launch_answer_pack(a, &k->out);
}

/* ---- supervisors ---- */

static void settle(struct child *c, const struct launch_answer *a)
{
    struct launch_answer whole = *a;

    if (c->answered)
        return;
    c->answered = true;
    whole.number = c->request;
    answer(c->launcher, c->asker, &whole);
    host_loop_wake(c->launcher->loop);
}

void sim_supervisor_answer(struct ledger *ledger, uint64_t launcher, uint64_t number,
                           const struct launch_answer *a)
{
    list_each (l, &ledger->launchers, struct launcher_instance, link) {
        if (l->number != launcher || sim_host_is_dead(l->host))
            continue;
        list_each (c, &l->children, struct child, link)
            if (c->number == number)
                settle(c, a);
    }
}

static void child_free(struct child *c)
{
    list_remove(&c->link);
    mem_free(c);
}

/* Without an answer only when it was killed before. */
static void supervisor_ended(void *arg, int status UNUSED)
{
    struct child *c = arg;

    settle(c,
           &(struct launch_answer){ .code = ECHILD, .text = (char *)"the supervisor was killed" });
    child_free(c);
}

static void start(struct launcher_instance *l, struct link *k, const struct launch_request *r)
{
    CLEANUP(mem_free_p) char *launcher = mem_printf("%llu", (unsigned long long)l->number);
    CLEANUP(mem_free_p) char *number = mem_printf("%llu", (unsigned long long)++l->next);
    struct child_spec spec = { .path = "mesos-lite-run", .envp = r->envp };
    struct error err;
    size_t n = 0;
    pid_t pid;

    while (r->argv[n])
        n++;
    char **argv = mem_array(n + SUPERVISOR_ARGUMENTS + 1, sizeof *argv);
    argv[0] = (char *)"mesos-lite-run";
    argv[1] = launcher;
    argv[2] = number;
    argv[3] = r->folder;
    argv[4] = r->directory;
    memcpy(argv + SUPERVISOR_ARGUMENTS, r->argv, n * sizeof *argv);
    spec.argv = argv;

    struct child *c = mem_alloc(sizeof *c);
    c->launcher = l;
    c->number = l->next;
    c->asker = k->number;
    c->request = r->number;
    list_append(&l->children, &c->link);
    if (host_spawn(l->loop, &spec, supervisor_ended, c, &pid, &err) < 0) {
        settle(c, &(struct launch_answer){ .code = err.code, .text = err.text });
        child_free(c);
    }
    mem_free(argv);
}

/* ---- from the agents ---- */

static void take_requests(struct link *k)
{
    struct launch_request request;
    struct error err;
    int got;

    while ((got = launch_request_unpack(&k->in, &request, &err)) > 0) {
        start(k->launcher, k, &request);
        launch_request_release(&request);
    }
    k->broken = k->broken || got < 0;
}

static void on_readable(void *arg)
{
    struct link *k = arg;
    struct error err;
    ssize_t n = stream_read(k->stream, buffer_reserve(&k->in, READ_BYTES), READ_BYTES, &err);

    if (n > 0) {
        buffer_commit(&k->in, (size_t)n);
        take_requests(k);
    } else if (n == 0 || err.code != EAGAIN) {
        k->broken = true;
        stream_want(k->stream, false, false);
    }
}

static void on_writable(void *arg)
{
    flush(arg);
}

static void on_accepted(void *arg, struct stream *stream)
{
    static const struct stream_events events = { NULL, on_readable, on_writable };
    struct launcher_instance *l = arg;
    struct link *k = mem_alloc(sizeof *k);

    k->launcher = l;
    k->number = ++l->next;
    k->stream = stream;
    list_append(&l->links, &k->link);
    stream_attach(stream, l->loop, &events, k);
    stream_want(stream, true, false);
}

static bool turn(void *arg)
{
    struct launcher_instance *l = arg;

    list_each_safe (k, &l->links, struct link, link) {
        flush(k);
        if (k->broken)
            link_free(k);
    }
    return false;
}

/* ---- life ---- */

static int take_place(struct launcher_instance *l, const char *work_dir, struct error *err)
{
    CLEANUP(mem_free_p) char *lock = mem_printf("%s/meta/launcher.lock", work_dir);
    CLEANUP(mem_free_p) char *path = mem_printf("%s/meta/launcher.sock", work_dir);

    if (host_open(l->host, lock, FILE_WRITE | FILE_CREATE, 0600, &l->lock, err) < 0 ||
        file_lock(l->lock, err) < 0)
        return -1;
    l->listener = sim_listen_path(l->loop, path, on_accepted, l);
    return 0;
}

static void *launcher_start_program(struct host *h, const struct child_spec *spec)
{
    struct ledger *ledger = ledger_current();
    struct launcher_instance *l = mem_alloc(sizeof *l);
    struct error err;

    l->host = h;
    l->number = ++ledger->next_launcher;
    list_init(&l->links);
    list_init(&l->children);
    list_append(&ledger->launchers, &l->link);
    l->loop = host_loop_start(h, turn, l);
    if (take_place(l, strchr(spec->argv[1], '=') + 1, &err) < 0)
        sim_program_exit(h, (err.code == EAGAIN ? 0 : 1) << 8);
    return l;
}

static void launcher_stop_program(void *state)
{
    struct launcher_instance *l = state;

    list_each_safe (k, &l->links, struct link, link)
        link_free(k);
    list_each_safe (c, &l->children, struct child, link)
        child_free(c);
    host_listener_close(l->listener);
    file_close(l->lock);
    host_loop_stop(l->loop);
    list_remove(&l->link);
    mem_free(l);
}

int sim_launcher_kill(struct ledger *ledger, struct sim_node *n)
{
    list_each (l, &ledger->launchers, struct launcher_instance, link)
        if (sim_host_node(l->host) == n && l->lock && !sim_host_is_dead(l->host)) {
            sim_host_kill(l->host);
            return 0;
        }
    return -1;
}

const char *sim_launcher_variable(char *const *envp, const char *name)
{
    size_t length = strlen(name);

    for (; *envp; envp++)
        if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
            return *envp + length + 1;
    return NULL;
}

/* ---- the fetcher ---- */

struct fetching {
    struct host *host;
    struct loop *loop;
    bool fails;
};

static bool fetcher_turn(void *arg)
{
    struct fetching *f = arg;

    sim_program_exit(f->host, (f->fails ? 1 : 0) << 8);
    return false;
}

static void *fetcher_start_program(struct host *h, const struct child_spec *spec)
{
    struct fetching *f = mem_alloc(sizeof *f);
    const char *info = sim_launcher_variable(spec->envp, "MESOS_FETCHER_INFO");

    f->host = h;
    f->fails = !info || strstr(info, "missing");
    f->loop = host_loop_start(h, fetcher_turn, f);
    host_loop_deadline(f->loop, instant_add(host_now(h), SECONDS(1)));
    return f;
}

static void fetcher_stop_program(void *state)
{
    struct fetching *f = state;

    host_loop_stop(f->loop);
    mem_free(f);
}

void sim_launcher_add_programs(struct sim *s)
{
    static const struct sim_program launcher = { "mesos-lite-launcher", launcher_start_program,
                                                 NULL, launcher_stop_program };
    static const struct sim_program fetcher = { "mesos-lite-fetcher", fetcher_start_program, NULL,
                                                fetcher_stop_program };

    sim_program_add(s, &launcher);
    sim_program_add(s, &fetcher);
    sim_program_add(s, &sim_supervisor_program);
    sim_program_add(s, &sim_executor_program);
    sim_program_add(s, &sim_http_executor_program);
}
