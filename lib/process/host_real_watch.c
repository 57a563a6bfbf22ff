/* host_real_watch.c - the ends of OS processes, and signals
 *
 * A pidfd becomes readable when its process ends.  Whether it is the process
 * that was meant is asked after it was opened: the start time that /proc tells
 * then is that of the process behind the pidfd, or of nobody.  Where pidfds are
 * refused (some sandboxes) or cannot be had, a timer looks twenty times a second.
 *
 * No SIGCHLD: a child is reaped by its own pid, when its own pidfd says so.
 */
#include "process/host_real.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

struct real_watch {
    struct watch watch;
    struct real_loop *loop;
    struct list link;
    struct real_post start;
    struct event *event;
    int fd; /* -1: refused, or gone already */
    pid_t pid;
    uint64_t start_time;
    void (*ended)(void *arg);
    void *arg;
};

struct real_child {
    struct real_loop *loop;
    struct list link; /* of the loop, later of the host's orphans */
    struct real_post start;
    struct event *event;
    int fd;
    pid_t pid;
    child_ended_f ended;
    void *arg;
};

struct real_signal {
    struct list link;
    struct real_loop *loop;
    struct event *event;
    int signo;
    void (*received)(void *arg, int signo);
    void *arg;
};

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
}

/* Readable, or now and then where there is no pidfd. */
static struct event *add_event(struct real_loop *l, int fd, event_callback_fn fn, void *arg)
{
    const struct timeval now_and_then = { 0, 50000 };
    struct event *e = event_new(l->base, fd, EV_PERSIST | (fd >= 0 ? EV_READ : 0), fn, arg);

    CHECK(e && event_add(e, fd >= 0 ? NULL : &now_and_then) == 0);
    return e;
}

/* ---- start times ---- */

/* The 22nd field; the second is the command's name in parentheses, which may
 * hold blanks and parentheses itself. */
static int parse_start_time(const char *stat, uint64_t *ret_start_time)
{
    const char *p = strrchr(stat, ')');
    char *end;

    if (!p)
        return -1;
    for (int field = 2; field < 22; field++) {
        p = strchr(p + 1, ' ');
        if (!p)
            return -1;
    }
    *ret_start_time = strtoull(p + 1, &end, 10);
    return end == p + 1 ? -1 : 0;
}

int host_real_watch_start_time(struct host *h, pid_t pid, uint64_t *ret_start_time,
                               struct error *err)
{
    char path[40], stat[1024];
    struct error failure;

    (void)h;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (host_real_file_read_small(path, stat, sizeof stat, &failure) < 0) {
        if (failure.code == ENOENT || failure.code == ESRCH)
            return error_set(err, ESRCH, "There is no OS process %ld", (long)pid);
        return error_copy(err, &failure);
    }
    if (parse_start_time(stat, ret_start_time) < 0)
        return error_set(err, EBADMSG, "'%s' has no start time", path);
    return 0;
}

static int check_start_time(struct host *h, pid_t pid, uint64_t start_time, struct error *err)
{
    uint64_t found;

    if (host_real_watch_start_time(h, pid, &found, err) < 0)
        return -1;
    if (found != start_time)
        return error_set(err, ESRCH, "OS process %ld has ended, its number belongs to another now",
                         (long)pid);
    return 0;
}

/* ---- children ---- */

static void free_child(struct real_child *c)
{
    list_remove(&c->link);
    if (c->event)
        event_free(c->event);
    if (c->fd >= 0)
        close(c->fd);
    mem_free(c);
}

static void on_child(evutil_socket_t fd, short what, void *arg)
{
    struct real_child *c = arg;
    child_ended_f ended = c->ended;
    void *ended_arg = c->arg;
    int status = 0;
    pid_t got = waitpid(c->pid, &status, WNOHANG);

    (void)fd, (void)what;
    if (got == 0 || (got < 0 && errno == EINTR))
        return;
    CHECK(got == c->pid); /* nobody else waits for our children */
    free_child(c);
    if (ended)
        ended(ended_arg, status);
}

static void start_child(void *arg)
{
    struct real_child *c = arg;

    if (c->loop->finished) { /* reaped by the host */
        struct real_host *h = real_host(c->loop->loop.host);

        pthread_mutex_lock(&h->lock);
        list_append(&h->orphans, &c->link);
        pthread_mutex_unlock(&h->lock);
        return;
    }
    c->event = add_event(c->loop, c->fd, on_child, c);
    list_append(&c->loop->children, &c->link);
}

void host_real_watch_child(struct loop *loop, pid_t pid, int pidfd, child_ended_f ended, void *arg)
{
    struct real_child *c = mem_alloc(sizeof *c);

    *c = (struct real_child){ .loop = real_loop(loop),
                              .fd = pidfd >= 0 ? pidfd : open_pidfd(pid),
                              .pid = pid,
                              .ended = ended,
                              .arg = arg };
    list_init(&c->link);
    c->start = (struct real_post){ .run = start_child, .arg = c };
    host_real_loop_post(c->loop, &c->start);
}

void host_real_watch_forget(struct real_host *h)
{
    list_each_safe (c, &h->orphans, struct real_child, link) {
        waitpid(c->pid, NULL, WNOHANG);
        free_child(c);
    }
}

/* ---- others ---- */

/* Not when it cannot be found out, for want of descriptors for example. */
static bool is_gone(const struct real_watch *w)
{
    struct error err;

    return check_start_time(w->watch.host, w->pid, w->start_time, &err) < 0 && err.code == ESRCH;
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct real_watch *w = arg;

    (void)fd, (void)what;
    if (w->fd < 0 && !is_gone(w))
        return;
    event_del(w->event);
    w->ended(w->arg); /* may close w */
}

static void start_watch(void *arg)
{
    struct real_watch *w = arg;

    if (w->loop->finished)
        return;
    w->event = add_event(w->loop, w->fd, on_watch, w);
    if (w->fd < 0)
        event_active(w->event, EV_TIMEOUT, 0);
    list_append(&w->loop->watches, &w->link);
}

struct watch *host_real_watch_open(struct loop *loop, pid_t pid, uint64_t start_time,
                                   void (*ended)(void *arg), void *arg)
{
    struct real_watch *w = mem_alloc(sizeof *w);

    *w = (struct real_watch){ .watch = { loop->host },
                              .loop = real_loop(loop),
                              .fd = open_pidfd(pid),
                              .pid = pid,
                              .start_time = start_time,
                              .ended = ended,
                              .arg = arg };
    list_init(&w->link);
    if (w->fd >= 0 && check_start_time(loop->host, pid, start_time, NULL) < 0) {
        close(w->fd);
        w->fd = -1;
    }
    w->start = (struct real_post){ .run = start_watch, .arg = w };
    host_real_loop_post(w->loop, &w->start);
    return &w->watch;
}

static void stop_watch(void *arg)
{
    struct real_watch *w = arg;

    list_remove(&w->link);
    if (w->event)
        event_free(w->event);
    w->event = NULL;
}

void host_real_watch_close(struct watch *watch)
{
    struct real_watch *w = (struct real_watch *)watch;

    host_real_loop_call(w->loop, stop_watch, w);
    if (w->fd >= 0)
        close(w->fd);
    mem_free(w);
}

/* A negative pid means the process group of that leader. */
static int signal_group(struct host *h, pid_t pid, uint64_t start_time, int signo,
                        struct error *err)
{
    if (pid >= -1 || check_start_time(h, -pid, start_time, err) < 0)
        return pid < -1 ? -1 : error_set(err, ESRCH, "There is no OS process %ld", (long)pid);
    if (kill(pid, signo) < 0)
        return error_errno(err, "Failed to signal the process group %ld", (long)-pid);
    return 0;
}

/* For groups, and where pidfds are refused, there is a moment between the
 * question and the signal, in which the number could come to belong to another. */
int host_real_watch_signal(struct host *h, pid_t pid, uint64_t start_time, int signo,
                           struct error *err)
{
    int fd, status = -1;

    if (pid <= 0)
        return signal_group(h, pid, start_time, signo, err);
    fd = open_pidfd(pid);
    if (check_start_time(h, pid, start_time, err) == 0) {
        status =
            fd >= 0 ? (int)syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0) : kill(pid, signo);
        if (status < 0)
            error_errno(err, "Failed to signal OS process %ld", (long)pid);
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* ---- signals to ourselves ---- */

/* libevent delivers the signals of an OS process to one base only: all are
 * received on the loop that first asked for one, and told on their own. */

struct signal_request {
    struct real_signal *signal;
    struct real_loop *receiver;
    int code; /* 0, or why not */
};

struct receipt {
    struct real_post post;
    struct real_signal signal; /* a copy: the loops may end in any order */
};

static void tell_signal(void *arg)
{
    struct receipt *r = arg;

    if (host_real_loop_is_current(&r->signal.loop->loop)) /* else it has stopped */
        r->signal.received(r->signal.arg, r->signal.signo);
    mem_free(r);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct receipt *r = mem_alloc(sizeof *r);

    (void)signo, (void)what;
    r->signal = *(struct real_signal *)arg;
    r->post = (struct real_post){ .run = tell_signal, .arg = r };
    host_real_loop_post(r->signal.loop, &r->post);
}

static void start_signal(void *arg)
{
    struct signal_request *request = arg;
    struct real_signal *s = request->signal;

    list_each (other, &request->receiver->signals, struct real_signal, link)
        if (other->signo == s->signo)
            request->code = EEXIST;
    if (request->receiver->finished)
        request->code = ESHUTDOWN;
    if (request->code)
        return;
    s->event = evsignal_new(request->receiver->base, s->signo, on_signal, s);
    CHECK(s->event);
    if (event_add(s->event, NULL) < 0) {
        event_free(s->event);
        request->code = EINVAL;
        return;
    }
    list_append(&request->receiver->signals, &s->link);
}

static struct real_loop *receiver_of_signals(struct real_loop *l)
{
    struct real_host *h = real_host(l->loop.host);
    struct real_loop *receiver;

    pthread_mutex_lock(&h->lock);
    if (!h->signal_loop)
        h->signal_loop = l;
    receiver = h->signal_loop;
    pthread_mutex_unlock(&h->lock);
    return receiver;
}

int host_real_watch_on_signal(struct loop *loop, int signo, void (*received)(void *arg, int signo),
                              void *arg, struct error *err)
{
    struct real_signal *s = mem_alloc(sizeof *s);
    struct signal_request request = { .signal = s,
                                      .receiver = receiver_of_signals(real_loop(loop)) };

    *s = (struct real_signal){
        .loop = real_loop(loop), .signo = signo, .received = received, .arg = arg
    };
    host_real_loop_call(request.receiver, start_signal, &request);
    if (!request.code)
        return 0;
    mem_free(s);
    errno = request.code;
    return error_errno(err, "Failed to handle signal %d", signo);
}

/* ---- the loop's end ---- */

void host_real_watch_detach_all(struct real_loop *l)
{
    struct real_host *h = real_host(l->loop.host);

    list_each_safe (w, &l->watches, struct real_watch, link)
        stop_watch(w);
    list_each_safe (c, &l->children, struct real_child, link) {
        event_free(c->event);
        c->event = NULL;
    }
    pthread_mutex_lock(&h->lock);
    list_splice(&h->orphans, &l->children);
    if (h->signal_loop == l)
        h->signal_loop = NULL;
    pthread_mutex_unlock(&h->lock);
    list_each_safe (s, &l->signals, struct real_signal, link) {
        list_remove(&s->link);
        event_free(s->event);
        mem_free(s);
    }
}
