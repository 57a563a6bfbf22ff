/* guest.c - says hello to a greeter until it is welcome
 *
 * Hello -> greeter -> Welcome -> guest.  A message is lost with its connection,
 * so the guest says hello again each second.
 */
#include "docs/examples/guest.h"

#include <stdio.h>

#include "base/memory.h"
#include "docs/examples/greeting.pb-c.h"
#include "process/runtime.h"
#include "process/typed.h"

struct guest {
    struct process process;
    struct pid pid, greeter;
    char *name;
    struct timer again;
    struct promise *welcomed, *left;
};

#define WELCOMES(ON) ON(example__welcome, Example__Welcome, on_welcome, text)

CLASS(guest, "guest", guest_initialize, guest_exited, guest_finalize);
HANDLERS(guest, guest_handlers, WELCOMES);
CALL(guest, say_hello, nothing, NO_RELEASE);

static void guest_initialize(struct guest *g)
{
    process_install(&g->process, guest_handlers);
    process_link(&g->process, &g->greeter, LINK_REUSE);
    dispatch(&g->process.pid, say_hello);
}

static void say_hello(struct guest *g, struct nothing *args UNUSED)
{
    Example__Hello hello = EXAMPLE__HELLO__INIT;

    hello.name = g->name;
    process_send(&g->process, &g->greeter, &hello.base);
    g->again = delay(&g->process.pid, SECONDS(1), say_hello);
}

static void on_welcome(struct guest *g, const struct pid *from UNUSED, char *text)
{
    process_cancel(&g->again);
    if (promise_set(g->welcomed, &future_nothing, NULL)) /* the first one */
        printf("%s\n", text);
}

static void guest_exited(struct guest *g, const struct pid *peer)
{
    printf("%s: %s has gone\n", g->name, peer->id->bytes);
    promise_set(g->left, &future_nothing, NULL);
}

static void guest_finalize(struct guest *g)
{
    process_cancel(&g->again);
}

struct guest *guest_create(struct runtime *rt, const struct pid *greeter, const char *name,
                           struct error *err)
{
    struct guest *g = mem_alloc(sizeof *g);

    g->greeter = pid_dup(greeter);
    g->name = mem_strdup(name);
    g->welcomed = promise_create(&future_nothing);
    g->left = promise_create(&future_nothing);
    if (process_spawn(rt, &g->process, &guest_class, NULL, &g->pid, err) == 0)
        return g;
    guest_destroy(g);
    return NULL;
}

void guest_destroy(struct guest *g)
{
    if (g->pid.id) {
        process_terminate(&g->pid, TERMINATE_NOW);
        process_wait(&g->pid, SECONDS(60));
    }
    pid_release(&g->pid);
    pid_release(&g->greeter);
    promise_unref(g->welcomed);
    promise_unref(g->left);
    mem_free(g->name);
    mem_free(g);
}

struct future *guest_welcomed(struct guest *g)
{
    return promise_future(g->welcomed);
}

struct future *guest_left(struct guest *g)
{
    return promise_future(g->left);
}
