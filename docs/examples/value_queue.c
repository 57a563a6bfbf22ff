/* value_queue.c - a queue that is a process, behind a small object
 *
 * Who uses the object sees plain functions: no PID, no dispatch.  (The library
 * has a ready one, process/queue.h; this is how such a thing is made.)
 */
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/typed.h"

FUTURE_TYPE(value, int);
FUTURE_TYPE_DEFINE(value, int, NULL);

struct item {
    struct list link;
    int value;
};

struct waiting {
    struct list link;
    struct promise *promise;
};

struct value_queue {
    struct process process;
    struct pid pid; /* for those outside */
    struct list items, waiting;
};

struct put_args {
    int value;
};

CLASS(value_queue, "queue", queue_initialize, queue_exited, queue_finalize);
CALL(value_queue, put, put_args, NO_RELEASE);
ASK(value_queue, get, nothing, NO_RELEASE);

/* ---- the process ---- */

static void queue_initialize(struct value_queue *q)
{
    list_init(&q->items);
    list_init(&q->waiting);
}

static void queue_exited(struct value_queue *q UNUSED, const struct pid *peer UNUSED)
{
}

/* Values that nobody got go; who still waits sees DISCARDED. */
static void queue_finalize(struct value_queue *q)
{
    list_each_safe (i, &q->items, struct item, link)
        mem_free(i);
    list_each_safe (w, &q->waiting, struct waiting, link) {
        promise_unref(w->promise);
        mem_free(w);
    }
}

static void put(struct value_queue *q, struct put_args *args)
{
    struct waiting *first = list_first(&q->waiting, struct waiting, link);
    struct item *i;

    if (first) {
        list_remove(&first->link);
        value_set(first->promise, args->value);
        promise_unref(first->promise);
        mem_free(first);
        return;
    }
    i = mem_alloc(sizeof *i);
    i->value = args->value;
    list_append(&q->items, &i->link);
}

static struct future *get(struct value_queue *q, struct nothing *args UNUSED)
{
    struct item *first = list_first(&q->items, struct item, link);
    struct waiting *w;
    struct future *f;

    if (first) {
        list_remove(&first->link);
        f = value_ready(first->value);
        mem_free(first);
        return f;
    }
    w = mem_alloc(sizeof *w);
    w->promise = value_promise();
    list_append(&q->waiting, &w->link);
    return promise_future(w->promise);
}

/* ---- the object ---- */

static struct value_queue *value_queue_create(struct runtime *rt, struct error *err)
{
    struct value_queue *q = mem_alloc(sizeof *q);

    if (process_spawn(rt, &q->process, &value_queue_class, NULL, &q->pid, err) == 0)
        return q;
    mem_free(q);
    return NULL;
}

static void value_queue_destroy(struct value_queue *q)
{
    process_terminate(&q->pid, TERMINATE_NOW);
    process_wait(&q->pid, SECONDS(60));
    pid_release(&q->pid);
    mem_free(q);
}

static void value_queue_enqueue(struct value_queue *q, int value)
{
    dispatch(&q->pid, put, .value = value);
}

static struct future *value_queue_dequeue(struct value_queue *q)
{
    return ask(&q->pid, get);
}

/* ---- the program ---- */

/* Takes f. */
static void print(struct host *host, const char *who, struct future *f)
{
    future_wait(f, host, SECONDS(60));
    if (future_state(f) == FUTURE_READY)
        printf("%s got %d\n", who, *value_get(f));
    else
        printf("%s got nothing\n", who);
    future_unref(f);
}

int main(void)
{
    struct host *host = host_real_create();
    struct runtime_options options = { .workers = 2 };
    struct value_queue *q;
    struct future *early, *late;
    struct runtime *rt;
    struct error err;

    rt = runtime_create(host, &options, &err);
    if (!rt || !(q = value_queue_create(rt, &err))) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    early = value_queue_dequeue(q); /* there is nothing yet: it waits */
    value_queue_enqueue(q, 1);
    value_queue_enqueue(q, 2);
    print(host, "the early one", early);
    print(host, "the next one", value_queue_dequeue(q));
    late = value_queue_dequeue(q);
    value_queue_destroy(q);
    print(host, "the late one", late);
    runtime_destroy(rt);
    host_destroy(host);
    return 0;
}
