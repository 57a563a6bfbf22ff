/* launcher_serve.c - the launcher's work: agents ask, supervisors are forked
 *
 * One thread and one poll.  A request is a fork; the supervisor answers by a
 * pipe, and the agent that asked gets the answer if it is still connected.  A
 * peer that does not read is closed, never waited for.
 *
 * A supervisor that is killed leaves its command to PR_SET_PDEATHSIG; what that
 * command had started becomes our child, because we are a subreaper, and is
 * killed here: our children are supervisors and nothing else.
 *
 * SIGTERM gives the place free for the next launcher; we stay as the parent of
 * the runs that we have.
 */
#include "agent/launcher_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uthash.h>

#include "agent/descendants.h"
#include "agent/launcher_protocol.h"
#include "agent/supervisor.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    IDLE_MILLISECONDS = 10 * 1000,
    STARTS_MAX = 32,                      /* supervisors that have not answered yet */
    CONNECTIONS_MAX = 64,
    READ_BYTES = 64 * 1024,
    UNREAD_ANSWERS_MAX = 1024 * 1024,     /* bytes */
    POLLED_FIRST = 2                      /* the signals and the listener */
};

struct connection {
    struct list link;
    int fd;
    struct buffer in, out;
    bool broken;                          /* to be removed at the end of the turn */
    const struct pollfd *polled;          /* this turn's; NULL: came during it */
};

/* A supervisor that has not been reaped. */
struct child {
    pid_t pid;                            /* the key */
    int answer;                           /* the pipe, -1 when it has answered */
    uint64_t number;                      /* of the request */
    struct connection *asker;             /* NULL when it has gone */
    struct list starting;                 /* in `starts` until it has answered */
    const struct pollfd *polled;
    UT_hash_handle hh;
};

struct launcher_serve {
    int signals, listener, lock;
    const char *socket_name, *boot_id;
    bool stopping;
    struct list connections;
    struct list starts;
    unsigned n_connections, n_starts;
    struct child *children;
};

struct launcher_serve *launcher_serve_create(int signals, int listener, const char *socket_name,
                                             int lock, const char *boot_id)
{
    struct launcher_serve *s = mem_alloc(sizeof *s);

    s->signals = signals;
    s->listener = listener;
    s->lock = lock;
    s->socket_name = socket_name;
    s->boot_id = boot_id;
    list_init(&s->connections);
    list_init(&s->starts);
    return s;
}

/* ---- connections ---- */

static void remove_connection(struct launcher_serve *s, struct connection *c)
{
    list_each(child, &s->starts, struct child, starting)
        if (child->asker == c)
            child->asker = NULL;
    list_remove(&c->link);
    s->n_connections--;
    close(c->fd);
    buffer_release(&c->in);
    buffer_release(&c->out);
    mem_free(c);
}

static void flush(struct connection *c)
{
    while (!c->broken && buffer_length(&c->out) > 0) {
        ssize_t n = send(c->fd, buffer_data(&c->out), buffer_length(&c->out), MSG_NOSIGNAL);

        if (n > 0)
            buffer_consume(&c->out, (size_t)n);
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            c->broken = true;
    }
    if (buffer_length(&c->out) > UNREAD_ANSWERS_MAX) {
        log_warning("an agent does not read its answers: closed");
        c->broken = true;
    }
}

static void answer(struct connection *c, const struct launch_answer *a)
{
    launch_answer_pack(a, &c->out);
    flush(c);
}

static void refuse(struct connection *c, uint64_t number, const struct error *why)
{
    answer(c, &(struct launch_answer){
                  .number = number, .code = why->code, .text = (char *)why->text });
}

static void accept_agent(struct launcher_serve *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct ucred peer;
    socklen_t size = sizeof peer;
    struct connection *c;

    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != getuid() ||
        s->n_connections == CONNECTIONS_MAX) {
        log_warning("a connection of process %d of user %u is refused", (int)peer.pid,
                    (unsigned)peer.uid);
        close(fd);
        return;
    }
    c = mem_alloc(sizeof *c);
    c->fd = fd;
    list_append(&s->connections, &c->link);
    s->n_connections++;
    log_info("agent of process %d connected", (int)peer.pid);
}

/* ---- starts ---- */

static int check_request(const struct launch_request *r, struct error *err)
{
    if (r->folder[0] != '/' || r->directory[0] != '/')
        return error_set(err, EINVAL, "the folders of a run must be absolute paths");
    if (!r->program[0] || !r->argv[0])
        return error_set(err, EINVAL, "a run needs a program and its name as the first argument");
    return 0;
}

static void start(struct launcher_serve *s, struct connection *c, const struct launch_request *r)
{
    struct child *child;
    struct error err;
    int ends[2];
    pid_t pid;

    if (check_request(r, &err) < 0) {
        refuse(c, r->number, &err);
        return;
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        error_errno(&err, "cannot make a pipe");
        refuse(c, r->number, &err);
        return;
    }
    pid = fork();
    if (pid == 0)
        supervisor_run(r, s->boot_id, ends[1]);
    if (pid < 0)
        error_errno(&err, "cannot fork");
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        refuse(c, r->number, &err);
        return;
    }
    child = mem_alloc(sizeof *child);
    *child = (struct child){ .pid = pid, .answer = ends[0], .number = r->number, .asker = c };
    list_append(&s->starts, &child->starting);
    s->n_starts++;
    HASH_ADD_INT(s->children, pid, child);
}

/* The supervisor has written its answer, or ended without one. */
static void started(struct launcher_serve *s, struct child *child)
{
    struct supervisor_answer got;
    struct launch_answer a = { .number = child->number };
    ssize_t n = read(child->answer, &got, sizeof got);

    if (n == sizeof got) {
        a.code = got.code;
        a.text = got.text;
        a.pid = got.pid;
        a.start_time = got.start_time;
    } else {
        a.code = ECHILD;
        a.text = (char *)"the supervisor ended before it could start the run";
    }
    close(child->answer);
    child->answer = -1;
    list_remove(&child->starting);
    s->n_starts--;
    if (child->asker)
        answer(child->asker, &a);
    child->asker = NULL;
}

/* As many as may be on their way at once; the rest stays in the buffer. */
static void take_requests(struct launcher_serve *s, struct connection *c)
{
    struct launch_request request;
    struct error err;
    int got = 0;

    while (!c->broken && s->n_starts < STARTS_MAX &&
           (got = launch_request_unpack(&c->in, &request, &err)) > 0) {
        start(s, c, &request);
        launch_request_release(&request);
    }
    if (got < 0) {
        log_error("an agent does not speak our protocol: %s", err.text);
        c->broken = true;
    }
    if (buffer_length(&c->in) == 0)
        buffer_release(&c->in);              /* a fork copies what we hold */
}

static void receive(struct connection *c)
{
    ssize_t n = recv(c->fd, buffer_reserve(&c->in, READ_BYTES), READ_BYTES, 0);

    if (n > 0)
        buffer_commit(&c->in, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        c->broken = true;
}

/* ---- ends ---- */

static int is_stray(void *arg, pid_t pid)
{
    struct launcher_serve *s = arg;
    struct child *child;

    HASH_FIND_INT(s->children, &pid, child);
    return !child;
}

static void reap(struct launcher_serve *s)
{
    bool strays = false;
    struct child *child;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        HASH_FIND_INT(s->children, &pid, child);
        if (!child || WIFSIGNALED(status))
            strays = true;
        if (!child)
            continue;
        if (WIFSIGNALED(status))
            log_warning("supervisor %d was killed by signal %d", (int)pid, WTERMSIG(status));
        if (child->answer >= 0)
            started(s, child);
        HASH_DEL(s->children, child);
        mem_free(child);
    }
    if (strays)
        descendants_kill_children(is_stray, s);
}

/* Another launcher may take our place from here on. */
static void stop(struct launcher_serve *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    log_info("stopping; %u runs live", HASH_COUNT(s->children));
    unlink(s->socket_name);
    close(s->listener);
    close(s->lock);
    list_each(c, &s->connections, struct connection, link)
        c->broken = true;
}

static void take_signals(struct launcher_serve *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGCHLD)
            reap(s);
        else
            stop(s);
}

void launcher_serve_destroy(struct launcher_serve *s)
{
    struct child *child, *next;

    if (!s)
        return;
    stop(s);
    list_each_safe(c, &s->connections, struct connection, link)
        remove_connection(s, c);
    HASH_ITER(hh, s->children, child, next) {
        HASH_DEL(s->children, child);
        mem_free(child);
    }
    close(s->signals);
    mem_free(s);
}

/* ---- the loop ---- */

static nfds_t fill(struct launcher_serve *s, struct pollfd *polled)
{
    bool full = s->n_starts >= STARTS_MAX;
    nfds_t n = POLLED_FIRST;

    polled[0] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
    polled[1] = (struct pollfd){ .fd = s->stopping ? -1 : s->listener, .events = POLLIN };
    list_each(c, &s->connections, struct connection, link) {
        c->polled = &polled[n];
        polled[n++] = (struct pollfd){ .fd = c->fd, .events = (full ? 0 : POLLIN) |
                                       (buffer_length(&c->out) > 0 ? POLLOUT : 0) };
    }
    list_each(child, &s->starts, struct child, starting) {
        child->polled = &polled[n];
        polled[n++] = (struct pollfd){ .fd = child->answer, .events = POLLIN };
    }
    return n;
}

static void turn(struct launcher_serve *s, const struct pollfd *polled)
{
    if (polled[0].revents)
        take_signals(s);
    list_each_safe(child, &s->starts, struct child, starting)
        if (child->polled->revents)
            started(s, child);
    list_each(c, &s->connections, struct connection, link) {
        if (c->polled->revents & POLLOUT)
            flush(c);
        if (c->polled->revents & (POLLIN | POLLHUP | POLLERR))
            receive(c);
        take_requests(s, c);
    }
    if (polled[1].revents && !s->stopping)
        accept_agent(s);
    list_each_safe(c, &s->connections, struct connection, link)
        if (c->broken)
            remove_connection(s, c);
}

void launcher_serve_run(struct launcher_serve *s)
{
    struct pollfd polled[POLLED_FIRST + CONNECTIONS_MAX + STARTS_MAX];

    for (;;) {
        bool idle = s->n_connections == 0 && !s->children;
        int n;

        if (s->stopping && !s->children)
            return;
        n = poll(polled, fill(s, polled), idle ? IDLE_MILLISECONDS : -1);
        if (n == 0)
            return;
        if (n > 0)
            turn(s, polled);
        else if (errno != EINTR)
            log_error("poll failed");
    }
}
