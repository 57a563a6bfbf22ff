/* repeat.c - a loop over futures
 *
 * iterate -> iterated -> body -> body_ended -> iterate ...; each arrow is an
 * event of the process, so nothing is ever deeper than one of them.  Steps are
 * lasts: they run also when the process ends, and then end the loop.
 */
#include "process/repeat.h"

#include "base/memory.h"
#include "process/future_private.h"

struct loop_state {
    struct ref ref; /* of the step that waits, and of the hook */
    struct hook hook;
    struct process *self;
    repeat_iterate_f iterate;
    repeat_body_f body;
    void *op;
    struct promise *result;
    pthread_mutex_t lock;
    struct future *current; /* (lock) what the loop waits for; NULL: nothing */
};

/* What a body gives to go on: told by its type, which is nobody else's. */
static const struct future_type again_type = { "again", 0, NULL };

struct future *repeat_again(void)
{
    return future_ready(&again_type, NULL);
}

static bool is_again(const struct future *f)
{
    const struct future *origin = f->source ? f->source : f;

    return future_state(f) == FUTURE_READY && origin->type == &again_type;
}

static void loop_unref(struct loop_state *l)
{
    if (!ref_put(&l->ref))
        return;
    future_unref(l->current);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

static struct future *set_current(struct loop_state *l, struct future *f)
{
    struct future *before;

    pthread_mutex_lock(&l->lock);
    before = l->current;
    l->current = f;
    pthread_mutex_unlock(&l->lock);
    return before;
}

/* A discard of the result was asked for; on any thread. */
static void on_discard(struct hook *h, struct future *f, struct list *work)
{
    struct loop_state *l = container_of(h, struct loop_state, hook);
    struct future *current = NULL;

    if (future_has_discard(f)) {
        pthread_mutex_lock(&l->lock);
        current = l->current ? future_ref(l->current) : NULL;
        pthread_mutex_unlock(&l->lock);
    }
    if (current)
        future_discard_into(current, work);
    future_unref(current);
    loop_unref(l);
}

/* Takes f.  The discard is looked at last: whoever asks for it later sees f. */
static void wait_for(struct loop_state *l, struct future *f, future_last_f last)
{
    future_unref(set_current(l, future_ref(f)));
    if (future_has_discard(promise_owner(l->result)))
        future_discard(f);
    future_finally(f, l->self, last, l);
}

/* Takes f. */
static void end(struct loop_state *l, struct future *f)
{
    struct promise *result = l->result;

    future_unref(set_current(l, NULL));
    promise_follow(result, f);
    promise_unref(result);
    loop_unref(l);
}

static void end_discarded(struct loop_state *l)
{
    promise_discard(l->result);
    promise_unref(l->result);
    future_unref(set_current(l, NULL));
    loop_unref(l);
}

static void body_ended(struct process *self, struct future *f, void *op);

static void iterated(struct process *self, struct future *f, void *op)
{
    struct loop_state *l = op;

    if (future_state(f) != FUTURE_READY)
        end(l, future_ref(f));
    else if (future_has_discard(promise_owner(l->result)))
        end_discarded(l);
    else
        wait_for(l, l->body(self, f, l->op), body_ended);
}

static void body_ended(struct process *self, struct future *f, void *op)
{
    struct loop_state *l = op;

    if (!is_again(f))
        end(l, future_ref(f));
    else if (future_has_discard(promise_owner(l->result)))
        end_discarded(l);
    else
        wait_for(l, l->iterate(self, l->op), iterated);
}

struct future *repeat(struct process *self, repeat_iterate_f iterate, repeat_body_f body, void *op)
{
    struct loop_state *l = mem_alloc(sizeof *l);
    struct future *result;
    struct list work;

    ref_init(&l->ref);
    ref_get(&l->ref); /* the hook's */
    l->self = self;
    l->iterate = iterate;
    l->body = body;
    l->op = op;
    l->result = promise_create(NULL);
    pthread_mutex_init(&l->lock, NULL);
    l->hook.for_discard = true;
    l->hook.fire = on_discard;
    result = promise_future(l->result);
    list_init(&work);
    future_hook(result, &l->hook, &work);
    wait_for(l, repeat_again(), body_ended); /* also outside of self's events */
    return result;
}
