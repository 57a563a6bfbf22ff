/* host_real_pool.c - helper threads of the real host
 *
 * What blocks (a sync, a name server, a launch) is done here.  A thread is
 * started when work comes and none is idle; an idle one sleeps on the
 * condition and costs nothing.
 */
#include "process/host_real.h"

#include "base/check.h"

void host_real_pool_init(struct real_pool *p, unsigned limit)
{
    CHECK(limit <= POOL_THREADS);
    *p = (struct real_pool){ .limit = limit };
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    list_init(&p->jobs);
}

/* With the lock: the oldest job, or NULL. */
static struct real_post *take_job(struct real_pool *p)
{
    struct real_post *job = list_first(&p->jobs, struct real_post, link);

    if (job) {
        list_remove(&job->link);
        p->queued--;
    }
    return job;
}

static void *pool_thread(void *arg)
{
    struct real_pool *p = arg;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct real_post *job = take_job(p);

        if (job) {
            pthread_mutex_unlock(&p->lock);
            job->run(job->arg);
            pthread_mutex_lock(&p->lock);
        } else if (p->stopping) {
            break;
        } else {
            p->idle++;
            pthread_cond_wait(&p->changed, &p->lock);
            p->idle--;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* With the lock: one more thread, if the work wants one and the limit allows. */
static void grow(struct real_pool *p)
{
    if (p->queued > p->idle && p->threads < p->limit &&
        pthread_create(&p->ids[p->threads], NULL, pool_thread, p) == 0)
        p->threads++;
}

void host_real_pool_add(struct real_pool *p, struct real_post *job)
{
    bool alone;

    pthread_mutex_lock(&p->lock);
    list_append(&p->jobs, &job->link);
    p->queued++;
    grow(p);
    alone = p->threads == 0; /* the system gives us no thread: do it here */
    if (alone)
        take_job(p);
    else
        pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (alone)
        job->run(job->arg);
}

void host_real_pool_release(struct real_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->ids[i], NULL);
    CHECK(list_is_empty(&p->jobs));
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}

/* ---- a job that is waited for ---- */

struct call {
    struct real_post job;
    void (*fn)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
};

static void run_call(void *arg)
{
    struct call *c = arg;

    c->fn(c->arg);
    pthread_mutex_lock(&c->lock);
    c->done = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void host_real_pool_call(struct real_pool *p, void (*fn)(void *arg), void *arg)
{
    struct call c = { .fn = fn, .arg = arg };

    c.job = (struct real_post){ .run = run_call, .arg = &c };
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.changed, NULL);
    host_real_pool_add(p, &c.job);
    pthread_mutex_lock(&c.lock);
    while (!c.done)
        pthread_cond_wait(&c.changed, &c.lock);
    pthread_mutex_unlock(&c.lock);
    pthread_cond_destroy(&c.changed);
    pthread_mutex_destroy(&c.lock);
}
