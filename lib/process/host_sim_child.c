/* host_sim_child.c - simulated OS processes: programs, pids, signals, ends
 *
 * host_spawn finds a program by the base name of its path, makes an OS process
 * on the same node, and has the program start in it a little later.  Its end,
 * by its own exit, a signal or a loss of power, tells the parent and whoever
 * watches it, each a little later; its own children live on unless they were
 * to die with it.  Pids count up from 300 after each boot of a node.
 *
 * Pipes are connections within the node, used in one direction; the program finds
 * its ends in its spec, as the parent finds its own.  There are no descriptors
 * and no other ways to make an OS process here, so these are refused.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host_sim_net.h"

struct program_row {
    struct list link; /* sim->programs */
    const struct sim_program *program;
};

struct sim_child {    /* what the parent is to be told */
    struct list link; /* loop->children */
    struct sim_loop *loop;
    struct sim_host *host; /* NULL: it has ended */
    child_ended_f ended;
    void *arg;
    int status;
    struct sim_event event;
};

struct sim_watch {
    struct watch base;
    struct list link;      /* node->watches */
    struct sim_host *host; /* the one that watches */
    struct sim_loop *loop; /* NULL: stopped */
    pid_t pid;
    uint64_t start_time;
    void (*ended)(void *arg);
    void *arg;
    bool busy, closed;
    struct sim_event event;
};

struct sim_signal {   /* on its way */
    struct list link; /* sim->signals */
    struct sim_node *node;
    pid_t pid;
    uint64_t start_time;
    int signo;
    struct sim_event event;
};

struct sim_handler {
    struct list link; /* host->handlers */
    struct sim_loop *loop;
    int signo;
    void (*received)(void *arg, int signo);
    void *arg;
};

/* News of the kernel: from 20 microseconds to a millisecond late. */
static void soon(struct sim *s, struct sim_event *e)
{
    sim_event_at(s, e, s->now + sim_pick(s, 20000, 1000000));
}

static struct sim_host *find_alive(struct sim_node *n, pid_t pid, uint64_t start_time)
{
    list_each (h, &n->hosts, struct sim_host, link)
        if (!h->dead && h->pid == pid && h->start_time == start_time)
            return h;
    return NULL;
}

/* ---- programs ---- */

void sim_program_add(struct sim *s, const struct sim_program *program)
{
    struct program_row *row = mem_alloc(sizeof *row);

    row->program = program;
    list_append(&s->programs, &row->link);
}

static const struct sim_program *find_program(struct sim *s, const char *path)
{
    const char *slash = strrchr(path, '/');

    list_each (row, &s->programs, struct program_row, link)
        if (strcmp(row->program->name, slash ? slash + 1 : path) == 0)
            return row->program;
    return NULL;
}

static char **strings_dup(char *const *strings)
{
    size_t n = 0;

    if (!strings)
        return NULL;
    while (strings[n])
        n++;
    char **copy = mem_array(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(strings[i]);
    return copy;
}

static void strings_free(char *const *strings)
{
    for (char *const *s = strings; s && *s; s++)
        mem_free(*s);
    mem_free((void *)strings);
}

static char *dup_or_null(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

/* What a new OS process is told, and what it has from its parent. */
static void spec_copy(struct child_spec *to, const struct child_spec *from, struct sim_host *parent)
{
    *to = *from;
    to->hooks = NULL; /* the parent's only */
    to->n_hooks = 0;
    to->pipes = mem_alloc(sizeof *to->pipes);
    to->path = mem_strdup(from->path);
    to->argv = strings_dup(from->argv);
    to->envp = strings_dup(from->envp ? from->envp : parent->base.ops->environment(&parent->base));
    to->directory = mem_strdup(
        from->directory ? from->directory : parent->base.ops->working_directory(&parent->base));
    to->in_path = dup_or_null(from->in_path);
    to->out_path = dup_or_null(from->out_path);
    to->err_path = dup_or_null(from->err_path);
    to->user = dup_or_null(from->set_user ? from->user : parent->spec.user);
    if (!from->set_user) {
        to->set_user = parent->spec.set_user;
        to->uid = parent->spec.uid;
        to->gid = parent->spec.gid;
    }
}

static void spec_release(struct child_spec *spec)
{
    mem_free((void *)spec->path);
    strings_free(spec->argv);
    strings_free(spec->envp);
    mem_free((void *)spec->directory);
    mem_free((void *)spec->in_path);
    mem_free((void *)spec->out_path);
    mem_free((void *)spec->err_path);
    mem_free((void *)spec->user);
    mem_free(spec->pipes);
}

static void program_start(struct sim_event *e)
{
    struct sim_host *h = container_of(e, struct sim_host, start);

    h->started = true;
    h->state = h->program->start(&h->base, &h->spec);
}

void sim_child_stop_program(struct sim_host *h)
{
    if (h->started)
        h->program->stop(h->state);
    sim_host_free(h);
}

static void program_stop(struct sim_event *e)
{
    sim_child_stop_program(container_of(e, struct sim_host, stop));
}

void sim_program_exit(struct host *host, int status)
{
    CHECK(sim_host(host)->program);
    sim_host_cease(sim_host(host), status, false);
}

/* ---- spawning ---- */

static int open_stdio(struct host *h, enum child_stdio kind, const char *path, unsigned modes,
                      struct error *err)
{
    struct file *f;

    if (kind != CHILD_PATH)
        return 0;
    if (h->ops->open(h, path, modes, 0644, &f, err) < 0)
        return -1;
    f->ops->close(f);
    return 0;
}

static int spawn_check(struct sim_host *h, const struct child_spec *spec, struct error *err)
{
    struct host *host = &h->base;
    struct file_info info;

    if (h->dead)
        return error_set(err, EIO, "cannot start %s: this OS process is dead", spec->path);
    if (spec->clone || spec->in == CHILD_FD || spec->out == CHILD_FD || spec->err == CHILD_FD)
        return error_set(err, ENOTSUP,
                         "cannot start %s: descriptors and clone functions are real ones' only",
                         spec->path);
    if (!find_program(sim_of(h), spec->path))
        return error_set(err, ENOENT, "cannot start %s: no such program", spec->path);
    if (spec->directory && host->ops->stat(host, spec->directory, &info, err) < 0)
        return -1;
    if (open_stdio(host, spec->in, spec->in_path, FILE_READ, err) < 0 ||
        open_stdio(host, spec->out, spec->out_path, FILE_WRITE | FILE_CREATE, err) < 0)
        return -1;
    return open_stdio(host, spec->err, spec->err_path, FILE_WRITE | FILE_CREATE, err);
}

static void child_free(struct sim_child *c)
{
    sim_event_cancel(sim_of(c->loop->host), &c->event);
    if (c->host)
        c->host->child = NULL;
    list_remove(&c->link);
    mem_free(c);
}

static void child_run(struct sim_event *e)
{
    struct sim_child *c = container_of(e, struct sim_child, event);
    struct sim_loop *l = c->loop;

    list_remove(&c->link);
    sim_enter(l);
    c->ended(c->arg, c->status);
    sim_leave(l);
    mem_free(c);
}

/* An end that stands; the empty path is what a pipe is known by. */
static struct sim_stream *open_end(struct sim_host *h)
{
    struct sim_stream *st = sim_net_stream_new(h, (struct address){ 0, 0 });

    st->state = STREAM_OPEN;
    st->path = mem_strdup("");
    return st;
}

static void open_pipe(struct sim_host *parent, struct sim_host *h, enum child_stdio kind,
                      struct stream **ret_ours, struct stream **ret_theirs)
{
    struct sim_stream *ours, *theirs;

    if (kind != CHILD_PIPE)
        return;
    ours = open_end(parent);
    theirs = open_end(h);
    sim_net_connection_create(sim_of(h), ours, theirs);
    *ret_ours = &ours->base;
    *ret_theirs = &theirs->base;
}

static void open_pipes(struct sim_host *parent, struct sim_host *h, struct child_pipes *ours)
{
    struct child_pipes *theirs = h->spec.pipes;

    *ours = (struct child_pipes){ NULL, NULL, NULL };
    open_pipe(parent, h, h->spec.in, &ours->in, &theirs->in);
    open_pipe(parent, h, h->spec.out, &ours->out, &theirs->out);
    open_pipe(parent, h, h->spec.err, &ours->err, &theirs->err);
}

static int run_hooks(const struct child_spec *spec, pid_t pid, struct error *err)
{
    for (size_t i = 0; i < spec->n_hooks; i++)
        if (spec->hooks[i].run(spec->hooks[i].arg, pid, err) < 0)
            return error_wrap(err, "cannot start %s", spec->path);
    return 0;
}

static struct sim_child *child_new(struct sim_loop *l, struct sim_host *h, child_ended_f ended,
                                   void *arg)
{
    struct sim_child *c = mem_alloc(sizeof *c);

    c->loop = l;
    c->host = h;
    c->ended = ended;
    c->arg = arg;
    sim_event_init(&c->event, child_run);
    list_append(&l->children, &c->link);
    return c;
}

int sim_child_spawn(struct loop *l, const struct child_spec *spec, child_ended_f ended, void *arg,
                    pid_t *ret_pid, struct error *err)
{
    struct sim_host *parent = sim_loop(l)->host;
    struct sim *s = sim_of(parent);
    struct child_pipes pipes;

    if (spawn_check(parent, spec, err) < 0)
        return -1;
    struct sim_host *h = sim_host_new(parent->node, spec->path);
    h->program = find_program(s, spec->path);
    h->parent = parent;
    spec_copy(&h->spec, spec, parent);
    sim_event_init(&h->start, program_start);
    sim_event_init(&h->stop, program_stop);
    if (run_hooks(spec, h->pid, err) < 0) {
        sim_host_cease(h, SIM_STATUS_KILLED, false);
        return -1;
    }
    open_pipes(parent, h, &pipes);
    if (spec->pipes)
        *spec->pipes = pipes;
    h->child = child_new(sim_loop(l), h, ended, arg);
    soon(s, &h->start);
    if (ret_pid)
        *ret_pid = h->pid;
    return 0;
}

/* ---- watching ---- */

static void watch_free(struct sim_watch *w)
{
    sim_event_cancel(sim_of(w->host), &w->event);
    list_remove(&w->link);
    mem_free(w);
}

static void watch_run(struct sim_event *e)
{
    struct sim_watch *w = container_of(e, struct sim_watch, event);
    struct sim_loop *l = w->loop;

    w->busy = true;
    sim_enter(l);
    w->ended(w->arg);
    sim_leave(l);
    w->busy = false;
    if (w->closed)
        watch_free(w);
}

struct watch *sim_child_watch(struct loop *l, pid_t pid, uint64_t start_time, void (*ended)(void *),
                              void *arg)
{
    struct sim_watch *w = mem_alloc(sizeof *w);

    w->loop = sim_loop(l);
    w->host = w->loop->host;
    w->base.host = &w->host->base;
    w->pid = pid;
    w->start_time = start_time;
    w->ended = ended;
    w->arg = arg;
    sim_event_init(&w->event, watch_run);
    list_append(&w->host->node->watches, &w->link);
    if (!w->host->dead && !find_alive(w->host->node, pid, start_time))
        soon(sim_of(w->host), &w->event);
    return &w->base;
}

void sim_child_watch_close(struct watch *base)
{
    struct sim_watch *w = (struct sim_watch *)base;

    w->closed = true;
    if (!w->busy)
        watch_free(w);
}

/* ---- signals ---- */

static bool is_ignored(int signo)
{
    return signo == 0 || signo == SIGCHLD || signo == SIGCONT || signo == SIGURG ||
           signo == SIGWINCH;
}

static struct sim_handler *find_handler(struct sim_host *h, int signo)
{
    list_each (r, &h->handlers, struct sim_handler, link)
        if (r->signo == signo)
            return r;
    return NULL;
}

static void deliver(struct sim_host *h, int signo)
{
    struct sim_handler *r = find_handler(h, signo);

    if (signo == SIGKILL) {
        sim_of(h)->counts.kills++;
        sim_host_cease(h, SIGKILL, true);
    } else if (h->program && h->program->signalled && h->started) {
        h->program->signalled(h->state, signo);
    } else if (r) {
        struct sim_loop *l = r->loop;
        sim_enter(l);
        r->received(r->arg, signo);
        sim_leave(l);
    } else if (!is_ignored(signo)) {
        sim_host_cease(h, signo, true);
    }
}

static void signal_run(struct sim_event *e)
{
    struct sim_signal *g = container_of(e, struct sim_signal, event);
    struct sim_host *h = find_alive(g->node, g->pid, g->start_time);
    int signo = g->signo;

    list_remove(&g->link);
    mem_free(g);
    if (h)
        deliver(h, signo);
}

static void signal_send(struct sim_host *to, int signo)
{
    struct sim_signal *g = mem_alloc(sizeof *g);

    g->node = to->node;
    g->pid = to->pid;
    g->start_time = to->start_time;
    g->signo = signo;
    sim_event_init(&g->event, signal_run);
    list_append(&sim_of(to)->signals, &g->link);
    soon(sim_of(to), &g->event);
}

int sim_child_signal(struct host *host, pid_t pid, uint64_t start_time, int signo,
                     struct error *err)
{
    /* A process group is the process that leads it. */
    struct sim_host *h = sim_host(host),
                    *to = find_alive(h->node, pid < -1 ? -pid : pid, start_time);

    if (h->dead)
        return error_set(err, EIO, "cannot signal %d: this OS process is dead", (int)pid);
    if (!to)
        return error_set(err, ESRCH, "cannot signal %d: no such OS process", (int)pid);
    if (signo < 0 || signo > 64 || signo == SIGSTOP || signo == SIGTSTP)
        return error_set(err, EINVAL, "cannot send signal %d to a simulated OS process", signo);
    signal_send(to, signo);
    return 0;
}

int sim_child_start_time(struct host *host, pid_t pid, uint64_t *ret_start_time, struct error *err)
{
    struct sim_host *me = sim_host(host);

    list_each (h, &me->node->hosts, struct sim_host, link)
        if (!me->dead && !h->dead && h->pid == pid) {
            *ret_start_time = h->start_time;
            return 0;
        }
    return error_set(err, ESRCH, "there is no OS process %d", (int)pid);
}

/* Simulated work takes no time, and memory is not counted. */
int sim_child_processes(struct host *host, struct host_process **ret_processes, size_t *ret_n,
                        struct error *err)
{
    struct sim_node *node = sim_host(host)->node;
    size_t n = 0;

    (void)err;
    list_each (h, &node->hosts, struct sim_host, link)
        n++;
    *ret_processes = mem_array(n, sizeof **ret_processes);
    *ret_n = 0;
    list_each (h, &node->hosts, struct sim_host, link)
        if (!h->dead)
            (*ret_processes)[(*ret_n)++] = (struct host_process){
                .pid = h->pid,
                .parent = h->parent && !h->parent->dead ? h->parent->pid : 1,
                .start_time = h->start_time,
            };
    return 0;
}

int sim_child_on_signal(struct loop *l, int signo, void (*received)(void *, int), void *arg,
                        struct error *err)
{
    struct sim_host *h = sim_loop(l)->host;

    if (find_handler(h, signo))
        return error_set(err, EEXIST, "signal %d has a handler already", signo);
    struct sim_handler *r = mem_alloc(sizeof *r);
    r->loop = sim_loop(l);
    r->signo = signo;
    r->received = received;
    r->arg = arg;
    list_append(&h->handlers, &r->link);
    return 0;
}

/* ---- ends ---- */

static void handler_free(struct sim_handler *r)
{
    list_remove(&r->link);
    mem_free(r);
}

void sim_child_loop_stopped(struct sim_loop *l)
{
    list_each_safe (c, &l->children, struct sim_child, link)
        child_free(c);
    list_each (w, &l->host->node->watches, struct sim_watch, link)
        if (w->loop == l) {
            sim_event_cancel(sim_of(l->host), &w->event);
            w->loop = NULL;
        }
    list_each_safe (r, &l->host->handlers, struct sim_handler, link)
        if (r->loop == l)
            handler_free(r);
}

static void tell_parent(struct sim_host *h, int status)
{
    struct sim_child *c = h->child;

    if (!c)
        return;
    h->child = NULL;
    c->host = NULL;
    c->status = status;
    if (!c->loop->host->dead)
        soon(sim_of(h), &c->event);
}

static void tell_watchers(struct sim_host *h)
{
    list_each (w, &h->node->watches, struct sim_watch, link)
        if (w->host == h)
            sim_event_cancel(sim_of(h), &w->event);
        else if (w->loop && !w->host->dead && w->pid == h->pid && w->start_time == h->start_time)
            soon(sim_of(h), &w->event);
}

static void orphan_children(struct sim_host *h)
{
    list_each (c, &h->node->hosts, struct sim_host, link) {
        if (c->parent != h)
            continue;
        c->parent = NULL;
        if (c->spec.dies_with_parent && !c->dead)
            signal_send(c, SIGKILL);
    }
}

void sim_child_cease(struct sim_host *h, int status)
{
    struct sim *s = sim_of(h);

    list_each (l, &h->loops, struct sim_loop, link)
        list_each (c, &l->children, struct sim_child, link)
            sim_event_cancel(s, &c->event);
    tell_parent(h, status);
    tell_watchers(h);
    orphan_children(h);
    if (h->program) {
        sim_event_cancel(s, &h->start);
        sim_event_now(s, &h->stop);
    }
}

void sim_child_free(struct sim_host *h)
{
    if (h->program) {
        sim_event_cancel(sim_of(h), &h->stop);
        spec_release(&h->spec);
    }
    list_each_safe (w, &h->node->watches, struct sim_watch, link)
        if (w->host == h)
            watch_free(w);
    list_each_safe (r, &h->handlers, struct sim_handler, link)
        handler_free(r);
}

void sim_child_forget(struct sim *s)
{
    list_each_safe (g, &s->signals, struct sim_signal, link) {
        sim_event_cancel(s, &g->event);
        list_remove(&g->link);
        mem_free(g);
    }
    list_each_safe (row, &s->programs, struct program_row, link) {
        list_remove(&row->link);
        mem_free(row);
    }
}
