/* authentication.c - what all authenticators share, and several of them in turn */
#include "process/authentication.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "process/http.h"
#include "process/runtime.h"

static void release(void *value)
{
    struct authentication *a = value;

    mem_free(a->principal);
    mem_free(a->challenge);
    mem_free(a->text);
}

FUTURE_TYPE_DEFINE(authentication, struct authentication, release);

void authentication_init(struct authenticator *a, const struct authenticator_class *class)
{
    ref_init(&a->ref);
    a->class = class;
}

struct authenticator *authentication_ref(struct authenticator *a)
{
    ref_get(&a->ref);
    return a;
}

void authentication_unref(struct authenticator *a)
{
    if (a && ref_put(&a->ref))
        a->class->destroy(a);
}

struct future *authentication_accept(const char *principal)
{
    return authentication_ready(
        (struct authentication){ AUTHENTICATION_ACCEPTED,
                                 .principal = principal ? mem_strdup(principal) : NULL });
}

struct future *authentication_challenge(const char *challenge)
{
    return authentication_ready((struct authentication){ AUTHENTICATION_CHALLENGED,
                                                         .challenge = mem_strdup(challenge) });
}

struct future *authentication_forbid(const char *text)
{
    return authentication_ready((struct authentication){
        AUTHENTICATION_FORBIDDEN, .text = text ? mem_strdup(text) : NULL });
}

/* ---- several in turn ---- */

struct combination {
    struct authenticator authenticator;
    size_t n;
    struct authenticator *v[];
};

/* A request on its way through them. */
struct round {
    struct combination *combination; /* a reference */
    struct http_request *request;
    struct promise *promise;
    struct process *process;
    size_t next;
    struct buffer challenges;
    bool challenged, forbidden;
    char *forbidden_text;
};

static void end_round(struct round *o)
{
    buffer_release(&o->challenges);
    mem_free(o->forbidden_text);
    promise_unref(o->promise);
    http_request_unref(o->request);
    authentication_unref(&o->combination->authenticator);
    mem_free(o);
}

/* Nobody accepted: what is said then. */
static void conclude(struct round *o)
{
    if (o->challenged)
        promise_follow(o->promise, authentication_challenge(buffer_data(&o->challenges)));
    else if (o->forbidden)
        promise_follow(o->promise, authentication_forbid(o->forbidden_text));
    else
        promise_follow(o->promise, authentication_forbid(NULL));
}

static void note_refusal(struct round *o, const struct authentication *a)
{
    if (a->verdict == AUTHENTICATION_CHALLENGED) {
        buffer_append_text(&o->challenges, o->challenged ? ", " : "");
        buffer_append_text(&o->challenges, a->challenge ? a->challenge : "");
        o->challenged = true;
    } else if (!o->forbidden) {
        o->forbidden = true;
        o->forbidden_text = a->text ? mem_strdup(a->text) : NULL;
    }
}

/* True when the round is over with this one. */
static bool is_decided(struct round *o, struct future *f)
{
    if (future_state(f) != FUTURE_READY) {
        promise_follow(o->promise, future_ref(f));
        return true;
    }
    if (authentication_get(f)->verdict == AUTHENTICATION_ACCEPTED) {
        promise_follow(o->promise, future_ref(f));
        return true;
    }
    note_refusal(o, authentication_get(f));
    return false;
}

static void go_on(struct round *o);

static void one_has_answered(struct process *self UNUSED, struct future *f, void *op)
{
    struct round *o = op;

    if (is_decided(o, f))
        end_round(o);
    else
        go_on(o);
}

static void go_on(struct round *o)
{
    while (o->next < o->combination->n) {
        struct authenticator *a = o->combination->v[o->next++];
        struct future *f = a->class->authenticate(a, o->request);
        bool decided;

        if (future_state(f) == FUTURE_PENDING) {
            future_finally(f, o->process, one_has_answered, o);
            return;
        }
        decided = is_decided(o, f);
        future_unref(f);
        if (decided) {
            end_round(o);
            return;
        }
    }
    conclude(o);
    end_round(o);
}

static struct future *combination_authenticate(struct authenticator *a, struct http_request *r)
{
    struct round *o = mem_alloc(sizeof *o);
    struct future *f;

    o->combination = (struct combination *)authentication_ref(a);
    o->request = http_request_ref(r);
    o->promise = promise_create(&authentication_type);
    o->process = process_current();
    f = promise_future(o->promise);
    go_on(o);
    return f;
}

static void combination_destroy(struct authenticator *a)
{
    struct combination *c = (struct combination *)a;

    for (size_t i = 0; i < c->n; i++)
        authentication_unref(c->v[i]);
    mem_free(c);
}

struct authenticator *authentication_combine(struct authenticator *const v[], size_t n)
{
    static const struct authenticator_class class = { "combined", combination_authenticate,
                                                      combination_destroy };
    struct combination *c = mem_alloc(sizeof *c + n * sizeof c->v[0]);

    authentication_init(&c->authenticator, &class);
    c->n = n;
    for (size_t i = 0; i < n; i++)
        c->v[i] = v[i];
    return &c->authenticator;
}
