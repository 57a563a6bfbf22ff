/* host_real_loop.c - loops of the real host: a thread and a libevent base each
 *
 * The thread polls, runs what was posted, gives the runtime its turn, and
 * polls again: without blocking when the turn left something over, so that
 * neither I/O nor actors starve.
 *
 * A wake is a system call only when the loop sleeps: the loop says so in
 * `state` before it blocks, and whoever finds it asleep rings the eventfd.
 * Where others wake it again and again at once, it lingers before it sleeps.
 * The deadline is a timerfd, set only when it must fire earlier than it is set
 * to (libevent's own precise timers cost a system call at every poll).  Both
 * descriptors are edge-triggered and never read.
 */
#include "process/host_real.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/context.h"
#include "base/memory.h"

enum { LINGERS = 5000, SHORT_SLEEP = 30000 }; /* ns */

/* ---- waking ---- */

bool host_real_loop_is_current(struct loop *loop)
{
    return pthread_equal(pthread_self(), real_loop(loop)->thread);
}

bool host_real_loop_is_mine(struct real_loop *l)
{
    return l->base == NULL || host_real_loop_is_current(&l->loop);
}

static void ring(struct real_loop *l)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(l->wake_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    CHECK(n == sizeof one);
}

void host_real_loop_wake(struct loop *loop)
{
    struct real_loop *l = real_loop(loop);

    /* What the caller queued before must be seen by the loop's exchange in
     * poll_once: therefore release there, acquire here is for its answer. */
    if (atomic_exchange_explicit(&l->state, LOOP_NOTIFIED, memory_order_acq_rel) == LOOP_ASLEEP)
        ring(l);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg; /* the turn comes after every poll */
}

/* ---- the deadline ---- */

static void arm(struct real_loop *l)
{
    struct itimerspec at = { { 0, 0 }, { 0, 0 } };
    int64_t ns = l->deadline.ns < 1 ? 1 : l->deadline.ns; /* 0 would disarm */

    at.it_value.tv_sec = (time_t)(ns / 1000000000);
    at.it_value.tv_nsec = (long)(ns % 1000000000);
    CHECK(timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
    l->armed = l->deadline;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct real_loop *l = arg;

    (void)fd, (void)what;
    l->armed = INSTANT_NEVER;
    if (!instant_before(host_real_now(l->loop.host), l->deadline))
        l->deadline = INSTANT_NEVER; /* has passed: the turn comes */
    else if (l->deadline.ns != INSTANT_NEVER.ns)
        arm(l); /* was moved to later meanwhile */
}

void host_real_loop_deadline(struct loop *loop, struct instant deadline)
{
    struct real_loop *l = real_loop(loop);

    CHECK(host_real_loop_is_mine(l));
    l->deadline = deadline;
    if (l->base && instant_before(deadline, l->armed))
        arm(l);
}

static const struct context *context_of(struct real_loop *l)
{
    return atomic_load_explicit(&l->loop.context, memory_order_acquire);
}

/* ---- posts ---- */

static void add_post(struct real_loop *l, struct real_post *p)
{
    list_append(&l->posts, &p->link);
    pthread_cond_broadcast(&l->changed);
}

static void run_posts(struct real_loop *l)
{
    struct list posts;

    list_init(&posts);
    pthread_mutex_lock(&l->lock);
    list_splice(&posts, &l->posts);
    pthread_mutex_unlock(&l->lock);
    while (!list_is_empty(&posts)) {
        struct real_post *p = list_first(&posts, struct real_post, link);

        list_remove(&p->link);
        p->run(p->arg);
    }
}

void host_real_loop_post(struct real_loop *l, struct real_post *p)
{
    bool now;

    pthread_mutex_lock(&l->lock);
    now = l->finished || host_real_loop_is_current(&l->loop);
    if (!now) {
        add_post(l, p);
        host_real_loop_wake(&l->loop);
    }
    pthread_mutex_unlock(&l->lock);
    if (now)
        p->run(p->arg);
}

struct call {
    struct real_post post;
    struct real_loop *loop;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void run_call(void *arg)
{
    struct call *c = arg;
    struct real_loop *l = c->loop;

    c->fn(c->arg);
    pthread_mutex_lock(&l->lock);
    c->done = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

void host_real_loop_call(struct real_loop *l, void (*fn)(void *arg), void *arg)
{
    struct call c = { .loop = l, .fn = fn, .arg = arg };

    c.post = (struct real_post){ .run = run_call, .arg = &c };
    pthread_mutex_lock(&l->lock);
    if (l->finished || host_real_loop_is_current(&l->loop)) {
        pthread_mutex_unlock(&l->lock);
        fn(arg);
        return;
    }
    add_post(l, &c.post);
    host_real_loop_wake(&l->loop);
    while (!c.done)
        pthread_cond_wait(&l->changed, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

/* ---- work off the loop ---- */

struct async {
    struct real_post job, post;
    struct real_loop *loop;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void async_done(void *arg)
{
    struct async *a = arg;
    struct real_loop *l = a->loop;

    a->done(a->arg);
    mem_free(a);
    pthread_mutex_lock(&l->lock);
    l->asyncs--;
    pthread_mutex_unlock(&l->lock);
}

static void async_work(void *arg)
{
    struct async *a = arg;
    struct real_loop *l = a->loop;

    if (!atomic_load(&l->stopping)) {
        const struct context *before = context_set(
            atomic_load_explicit(&l->loop.helpers_context, memory_order_acquire));

        a->work(a->arg);
        context_set(before);
    }
    pthread_mutex_lock(&l->lock);
    add_post(l, &a->post);
    host_real_loop_wake(&l->loop); /* with the lock: afterwards the loop may be gone */
    pthread_mutex_unlock(&l->lock);
}

void host_real_loop_async_on(struct loop *loop, struct real_pool *pool, void (*work)(void *),
                             void (*done)(void *), void *arg)
{
    struct real_loop *l = real_loop(loop);
    struct async *a;
    bool finished;

    pthread_mutex_lock(&l->lock);
    finished = l->finished;
    if (!finished)
        l->asyncs++;
    pthread_mutex_unlock(&l->lock);
    if (finished) {
        done(arg);
        return;
    }
    a = mem_alloc(sizeof *a);
    *a = (struct async){ .loop = l, .work = work, .done = done, .arg = arg };
    a->job = (struct real_post){ .run = async_work, .arg = a };
    a->post = (struct real_post){ .run = async_done, .arg = a };
    host_real_pool_add(pool, &a->job);
}

void host_real_loop_async(struct loop *loop, void (*work)(void *), void (*done)(void *), void *arg)
{
    host_real_loop_async_on(loop, &real_host(loop->host)->helpers, work, done, arg);
}

/* ---- the thread ---- */

/* Whether somebody wakes us within the time that falling asleep and being woken
 * would take; others may have the core meanwhile. */
static void linger(struct real_loop *l)
{
    struct instant end = instant_add(host_real_now(l->loop.host), NANOSECONDS(LINGERS));

    while (atomic_load_explicit(&l->state, memory_order_relaxed) == LOOP_AWAKE &&
           instant_before(host_real_now(l->loop.host), end))
        sched_yield();
}

/* False: there is something to do already. */
static bool fall_asleep(struct real_loop *l)
{
    int awake = LOOP_AWAKE;

    if (l->more)
        return false;
    if (l->lingers)
        linger(l);
    return atomic_compare_exchange_strong_explicit(&l->state, &awake, LOOP_ASLEEP,
                                                   memory_order_acq_rel, memory_order_acquire);
}

static void poll_once(struct real_loop *l)
{
    bool sleeps = fall_asleep(l);
    struct instant from = sleeps ? host_real_now(l->loop.host) : INSTANT_NEVER;
    int was;

    CHECK(event_base_loop(l->base, sleeps ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
    was = atomic_exchange_explicit(&l->state, LOOP_AWAKE, memory_order_acq_rel);
    if (sleeps)
        l->lingers = was == LOOP_NOTIFIED &&
                     instant_since(host_real_now(l->loop.host), from).ns < SHORT_SLEEP;
}

/* The done functions of all that was begun still run, and may begin more. */
static void finish(struct real_loop *l)
{
    pthread_mutex_lock(&l->lock);
    while (l->asyncs > 0 || !list_is_empty(&l->posts)) {
        if (list_is_empty(&l->posts)) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        run_posts(l);
        pthread_mutex_lock(&l->lock);
    }
    host_real_stream_detach_all(l);
    host_real_pipe_detach_all(l);
    host_real_watch_detach_all(l);
    l->finished = true;
    pthread_mutex_unlock(&l->lock);
}

static void *loop_thread(void *arg)
{
    struct real_loop *l = arg;

    pthread_mutex_lock(&l->lock);
    l->thread = pthread_self();
    l->started = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);

    while (!atomic_load_explicit(&l->stopping, memory_order_acquire)) {
        context_set(context_of(l));
        poll_once(l);
        run_posts(l);
        l->more = l->turn(l->arg);
    }
    finish(l);
    return NULL;
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    CHECK(config);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_require_features(config, EV_FEATURE_ET);
    base = event_base_new_with_config(config);
    event_config_free(config);
    CHECK(base);
    return base;
}

static struct event *add_edge(struct real_loop *l, int fd, event_callback_fn fn)
{
    struct event *e = event_new(l->base, fd, EV_READ | EV_PERSIST | EV_ET, fn, l);

    CHECK(e && event_add(e, NULL) == 0);
    return e;
}

static void init_loop(struct real_loop *l)
{
    l->deadline = l->armed = INSTANT_NEVER;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    list_init(&l->posts);
    list_init(&l->streams);
    list_init(&l->pipes);
    list_init(&l->listeners);
    list_init(&l->watches);
    list_init(&l->children);
    list_init(&l->signals);
    l->base = make_base();
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    CHECK(l->wake_fd >= 0 && l->timer_fd >= 0);
    l->wake_event = add_edge(l, l->wake_fd, on_wake);
    l->timer_event = add_edge(l, l->timer_fd, on_timer);
}

struct loop *host_real_loop_start(struct host *h, loop_turn_f turn, void *arg)
{
    struct real_loop *l = mem_alloc(sizeof *l);
    struct real_host *host = real_host(h);
    pthread_t thread;

    *l = (struct real_loop){ .loop = { h }, .turn = turn, .arg = arg };
    init_loop(l);
    pthread_mutex_lock(&host->lock);
    list_append(&host->loops, &l->of_host);
    pthread_mutex_unlock(&host->lock);

    CHECK(pthread_create(&thread, NULL, loop_thread, l) == 0);
    pthread_mutex_lock(&l->lock);
    while (!l->started)
        pthread_cond_wait(&l->changed, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return &l->loop;
}

/* The struct itself lives as long as the host: other loops may still wake it. */
void host_real_loop_stop(struct loop *loop)
{
    struct real_loop *l = real_loop(loop);

    if (!l->base)
        return;
    CHECK(!host_real_loop_is_current(loop));
    atomic_store_explicit(&l->stopping, true, memory_order_release);
    host_real_loop_wake(loop);
    CHECK(pthread_join(l->thread, NULL) == 0);
    event_free(l->wake_event);
    event_free(l->timer_event);
    event_base_free(l->base);
    l->base = NULL;
    close(l->timer_fd);
}

void host_real_loop_destroy(struct real_loop *l)
{
    CHECK(!l->base);
    close(l->wake_fd);
    list_remove(&l->of_host);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}
