/* bench_bare.c - the references within one OS process: the least that C needs
 *
 * A queue is a ring of functions and arguments under a mutex, without memory of
 * their own, of which the receiver takes all there is at once.
 *
 * A mailbox is a list under a mutex, likewise; bursts and their acknowledgement
 * are those of bench_local.c.
 */
#include <event2/event.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "proto/messages.pb-c.h"
#include "tests/bench/measure.h"

enum { BURST = 1000, FLYING = 4, BURSTS = 3000, THREADS = 5000, TIMERS = 10000, STEPS = 4000000 };

struct letter {
    struct letter *next;
    uint8_t *bytes;
    size_t size;
};

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct letter *first, **last;
    sem_t taken;
};

static void mailbox_put(struct mailbox *b, struct letter *l)
{
    bool was_empty;

    l->next = NULL;
    pthread_mutex_lock(&b->lock);
    was_empty = b->first == NULL;
    *b->last = l;
    b->last = &l->next;
    pthread_mutex_unlock(&b->lock);
    if (was_empty)
        pthread_cond_signal(&b->filled);
}

static struct letter *mailbox_take_all(struct mailbox *b)
{
    struct letter *all;

    pthread_mutex_lock(&b->lock);
    while (!b->first)
        pthread_cond_wait(&b->filled, &b->lock);
    all = b->first;
    b->first = NULL;
    b->last = &b->first;
    pthread_mutex_unlock(&b->lock);
    return all;
}

static void open_letter(struct letter *l)
{
    Pb__FrameworkToExecutorMessage *m;

    if (l->bytes) {
        m = pb__framework_to_executor_message__unpack(NULL, l->size, l->bytes);
        CHECK(m && m->data.len > 0);
        pb__framework_to_executor_message__free_unpacked(m, NULL);
        mem_free(l->bytes);
    }
    mem_free(l);
}

static void *receive_all(void *arg)
{
    struct mailbox *b = arg;
    size_t count = 0;

    while (count < (size_t)BURSTS * BURST)
        for (struct letter *l = mailbox_take_all(b), *next; l; l = next) {
            next = l->next;
            open_letter(l);
            if (++count % BURST == 0)
                sem_post(&b->taken);
        }
    return NULL;
}

static struct letter *write_letter(const ProtobufCMessage *body)
{
    struct letter *l = mem_alloc(sizeof *l);

    if (body) {
        l->bytes = mem_alloc(MEASURE_BODY);
        l->size = protobuf_c_message_pack(body, l->bytes);
    }
    return l;
}

static int flow(struct measure *m, const ProtobufCMessage *body)
{
    struct mailbox b = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };
    struct stopwatch watch;
    pthread_t receiver;

    b.last = &b.first;
    CHECK(sem_init(&b.taken, 0, 0) == 0);
    CHECK(pthread_create(&receiver, NULL, receive_all, &b) == 0);
    watch = measure_start();
    for (size_t i = 0; i < BURSTS; i++) {
        if (i >= FLYING)
            while (sem_wait(&b.taken) != 0)
                continue;
        for (size_t j = 0; j < BURST; j++)
            mailbox_put(&b, write_letter(body));
    }
    pthread_join(receiver, NULL);
    sem_destroy(&b.taken);
    return measure_finish(m, &watch, (double)BURSTS * BURST);
}

int bench_bare_mailbox(struct measure *m)
{
    return flow(m, NULL);
}

int bench_bare_copies(struct measure *m)
{
    struct measure_body *body = measure_body_create();

    flow(m, measure_body_message(body));
    measure_body_free(body);
    return 0;
}

/* ---- a queue ---- */

struct job {
    void (*run)(void *arg);
    void *arg;
};

/* Two rings: one is filled while the other is run. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *filling;
    size_t n;
    bool sleeps; /* the one who runs, or the one who fills */
};

enum { QUEUE = FLYING * BURST, JOBS = 5000000 };

static void wake_other(struct queue *q)
{
    if (q->sleeps)
        pthread_cond_signal(&q->changed);
    q->sleeps = false;
}

static void sleep_until_changed(struct queue *q)
{
    q->sleeps = true;
    pthread_cond_wait(&q->changed, &q->lock);
}

static void queue_put(struct queue *q, void (*run)(void *arg), void *arg)
{
    pthread_mutex_lock(&q->lock);
    while (q->n == QUEUE)
        sleep_until_changed(q);
    q->filling[q->n++] = (struct job){ run, arg };
    wake_other(q);
    pthread_mutex_unlock(&q->lock);
}

static void *run_all(void *arg)
{
    struct job *running = mem_array(QUEUE, sizeof *running), *filled;
    struct queue *q = arg;
    size_t n;

    for (size_t left = JOBS; left > 0; left -= n) {
        pthread_mutex_lock(&q->lock);
        while (q->n == 0)
            sleep_until_changed(q);
        filled = q->filling;
        n = q->n;
        q->filling = running;
        q->n = 0;
        wake_other(q);
        pthread_mutex_unlock(&q->lock);
        for (size_t i = 0; i < n; i++)
            filled[i].run(filled[i].arg);
        running = filled;
    }
    mem_free(running);
    return NULL;
}

static void count(void *arg)
{
    ++*(size_t *)arg;
}

int bench_bare_queue(struct measure *m)
{
    struct queue q = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    struct stopwatch watch;
    size_t counted = 0;
    pthread_t runner;

    q.filling = mem_array(QUEUE, sizeof *q.filling);
    CHECK(pthread_create(&runner, NULL, run_all, &q) == 0);
    watch = measure_start();
    for (size_t i = 0; i < JOBS; i++)
        queue_put(&q, count, &counted);
    pthread_join(runner, NULL);
    CHECK(counted == JOBS);
    mem_free(q.filling);
    return measure_finish(m, &watch, JOBS);
}

/* ---- lives: what else would have a state of its own and take events ---- */

static void *live(void *arg)
{
    return arg;
}

int bench_bare_threads(struct measure *m)
{
    struct stopwatch watch = measure_start();

    for (size_t i = 0; i < THREADS; i++) {
        pthread_t t;

        CHECK(pthread_create(&t, NULL, live, NULL) == 0);
        pthread_join(t, NULL);
    }
    return measure_finish(m, &watch, THREADS);
}

/* ---- timers: libevent's ---- */

static void never(evutil_socket_t fd UNUSED, short what UNUSED, void *arg UNUSED)
{
    UNREACHABLE();
}

static struct event *set_timer(struct event_base *base, uint64_t us)
{
    struct timeval t = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };
    struct event *e = event_new(base, -1, 0, never, NULL);

    CHECK(event_add(e, &t) == 0);
    return e;
}

int bench_bare_timers(struct measure *m)
{
    struct event_base *base = event_base_new();
    struct event **v = mem_array(TIMERS, sizeof(void *));
    struct stopwatch watch = measure_start();
    size_t rounds = 50;

    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < TIMERS; i++)
            v[i] = set_timer(base, 1000000 * (1000 + i % 7));
        for (size_t i = 0; i < TIMERS; i++)
            event_free(v[i]);
    }
    measure_finish(m, &watch, (double)(rounds * TIMERS));
    mem_free(v);
    event_base_free(base);
    return 0;
}

int bench_bare_timers_million(struct measure *m)
{
    struct event_base *base = event_base_new();
    struct event **v = mem_array(MEASURE_TIMERS, sizeof(void *));
    struct stopwatch watch;

    for (size_t i = 0; i < MEASURE_TIMERS; i++)
        v[i] = set_timer(base, measure_spread(i));
    watch = measure_start();
    for (size_t i = MEASURE_TIMERS; i < MEASURE_TIMERS + MEASURE_REPLACED; i++) {
        event_free(v[i % MEASURE_TIMERS]);
        v[i % MEASURE_TIMERS] = set_timer(base, measure_spread(i));
    }
    measure_finish(m, &watch, MEASURE_REPLACED);
    for (size_t i = 0; i < MEASURE_TIMERS; i++)
        event_free(v[i]);
    mem_free(v);
    event_base_free(base);
    return 0;
}

/* ---- steps: a queue of closures, on one thread ---- */

struct closure {
    struct closure *next;
    void (*run)(void *arg);
    void *arg;
};

static int closures(struct measure *m, size_t steps_each)
{
    struct closure *first = NULL, **last = &first;
    struct stopwatch watch = measure_start();
    size_t counted = 0;

    for (size_t i = 0; i < STEPS; i += BURST) {
        for (size_t j = 0; j < BURST; j++) {
            struct closure *c = mem_alloc(sizeof *c);

            c->run = count;
            c->arg = &counted;
            *last = c;
            last = &c->next;
        }
        while (first) {
            struct closure *c = first;

            first = c->next;
            c->run(c->arg);
            mem_free(c);
        }
        last = &first;
    }
    CHECK(counted == STEPS);
    return measure_finish(m, &watch, (double)STEPS / (double)steps_each);
}

int bench_bare_closures(struct measure *m)
{
    return closures(m, 1);
}

int bench_bare_round_trips(struct measure *m)
{
    return closures(m, 2);
}
