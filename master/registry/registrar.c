/* registrar.c - changes of the registry: checked, stored, then answered
 *
 * The picture in memory changes at once, so that the next change is checked
 * against it; the answer waits for the store, which keeps the order.  A change
 * that changes nothing waits as well when the one that made it so is on its way:
 * a put of what is there already is stored again, which is cheap and rare.
 */
#include "master/registry/registrar.h"

#include <errno.h>
#include <uthash.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/message.h"
#include "process/metrics.h"
#include "process/metrics_timer.h"
#include "process/runtime.h"

struct registered {
    struct registry_agent agent;
    UT_hash_handle hh;
};

struct registrar {
    struct process process;
    struct pid pid;                  /* of the process, for those outside */
    struct registry *registry;
    struct registered *agents;       /* by id, in the order of admission */
    struct gauge *queued, *size;
    struct metrics_timer *store_time, *fetch_time;
    double n_queued, bytes;          /* bytes: of all that is remembered */
};

FUTURE_TYPE_DEFINE(registrar_changed, bool, NULL);

static void agent_release(struct registry_agent *agent)
{
    agent_id_release(&agent->id);
    message_unref(agent->info);
}

static void snapshot_release(void *value)
{
    struct registry_snapshot *s = value;

    for (size_t i = 0; i < s->n; i++)
        agent_release(&s->agents[i]);
    mem_free(s->agents);
}

FUTURE_TYPE_DEFINE(registry_snapshot, struct registry_snapshot, snapshot_release);

struct change_args {
    struct agent_id id;
    enum registry_agent_state state;
    struct message *info;
};

static void change_args_release(struct change_args *a)
{
    agent_id_release(&a->id);
    message_unref(a->info);
}

struct change_op { bool changed; struct instant begun; };

CLASS(registrar, "registrar", registrar_initialize, registrar_exited, registrar_finalize);
ASK(registrar, recover, nothing, NO_RELEASE);
ASK(registrar, change, change_args, change_args_release);
ASK(registrar, forget, change_args, change_args_release);
STEP(registrar, change_stored, change_op);
LAST(registrar, change_done, change_op);

/* ---- life ---- */

struct registrar *registrar_create(struct runtime *rt, struct registry *registry, struct error *err)
{
    struct registrar *r = mem_alloc(sizeof *r);

    r->registry = registry;
    r->queued = metrics_gauge(rt, "registrar/queued_operations");
    r->size = metrics_gauge(rt, "registrar/registry_size_bytes");
    r->store_time = metrics_timer(rt, "registrar/state_store", DAYS(1));
    r->fetch_time = metrics_timer(rt, "registrar/state_fetch", DAYS(1));
    if (process_spawn(rt, &r->process, &registrar_class, NULL, &r->pid, err) < 0) {
        registry->ops->destroy(registry);
        mem_free(r);
        return NULL;
    }
    return r;
}

void registrar_destroy(struct registrar *r)
{
    struct registered *a, *next;

    if (!r)
        return;
    process_terminate(&r->pid, TERMINATE_NOW);
    process_wait(&r->pid, DAYS(1));
    r->registry->ops->destroy(r->registry);
    HASH_ITER (hh, r->agents, a, next) {
        HASH_DEL(r->agents, a);
        agent_release(&a->agent);
        mem_free(a);
    }
    pid_release(&r->pid);
    mem_free(r);
}

static void registrar_initialize(struct registrar *r)
{
    (void)r;
}

static void registrar_exited(struct registrar *r, const struct pid *peer)
{
    (void)r;
    (void)peer;
}

static void registrar_finalize(struct registrar *r)
{
    (void)r;
}

/* ---- recovery ---- */

static struct registered *find(struct registrar *r, const struct agent_id *id)
{
    struct registered *a;

    HASH_FIND(hh, r->agents, id->text->bytes, id->text->length, a);
    return a;
}

/* What there is of an agent, or was (sign -1). */
static void count_bytes(struct registrar *r, const struct registry_agent *agent, int sign)
{
    size_t n = agent->id.text->length;

    if (agent->info)
        n += protobuf_c_message_get_packed_size(agent->info->body);
    r->bytes += sign * (double)n;
    gauge_set(r->size, r->bytes);
}

static struct registered *add(struct registrar *r, const struct agent_id *id)
{
    struct registered *a = mem_alloc(sizeof *a);

    a->agent.id = agent_id_dup(id);
    HASH_ADD_KEYPTR(hh, r->agents, a->agent.id.text->bytes, a->agent.id.text->length, a);
    return a;
}

static int see(void *arg, const struct registry_agent *agent)
{
    struct registered *a = add(arg, &agent->id);

    a->agent.state = agent->state;
    a->agent.since = agent->since;
    if (agent->info)
        a->agent.info = message_ref(agent->info);
    count_bytes(arg, &a->agent, 1);
    return 0;
}

static struct registry_snapshot snapshot(struct registrar *r)
{
    struct registry_snapshot s = { 0 };
    struct registered *a, *next;

    s.agents = mem_array(HASH_COUNT(r->agents), sizeof *s.agents);
    HASH_ITER (hh, r->agents, a, next) {
        struct registry_agent *copy = &s.agents[s.n++];

        *copy = a->agent;
        copy->id = agent_id_dup(&a->agent.id);
        if (copy->info)
            message_ref(copy->info);
    }
    return s;
}

static struct future *recover(struct registrar *r, struct nothing *unused)
{
    struct instant begun = metrics_timer_begin(r->fetch_time);
    struct error err;

    (void)unused;
    if (r->registry->ops->load(r->registry, see, r, &err) < 0)
        return future_failed_with(&registry_snapshot_type, &err);
    metrics_timer_end(r->fetch_time, begun);
    return registry_snapshot_ready(snapshot(r));
}

struct future *registrar_recover(struct registrar *r)
{
    return ask(&r->pid, recover);
}

/* ---- changes ---- */

static struct future *follow(struct registrar *r, struct future *stored, bool changed)
{
    struct change_op *op = mem_alloc(sizeof *op);
    struct future *f;

    op->changed = changed;
    op->begun = metrics_timer_begin(r->store_time);
    gauge_set(r->queued, ++r->n_queued);
    f = THEN(stored, change_stored, r, op);
    FINALLY(future_ref(f), change_done, r, op);
    return f;
}

static struct future *change_stored(struct registrar *r, struct future *f, struct change_op *op)
{
    (void)r;
    (void)f;
    return registrar_changed_ready(op->changed);
}

static void change_done(struct registrar *r, struct future *f, struct change_op *op)
{
    metrics_timer_end(r->store_time, op->begun);
    mem_free(op);
    gauge_set(r->queued, --r->n_queued);
    if (future_state(f) == FUTURE_FAILED)
        log_error("the registry cannot be written: %s", future_error(f)->text);
}

static struct future *change(struct registrar *r, struct change_args *args)
{
    struct registered *a = find(r, &args->id);
    bool changed = !a || a->agent.state != args->state;

    if (!a && args->state != REGISTRY_ADMITTED)
        return future_failed(&registrar_changed_type, ENOENT, "agent %s is not in the registry",
                             agent_id_text(&args->id));
    if (a && a->agent.state == REGISTRY_GONE && args->state != REGISTRY_GONE)
        return future_failed(&registrar_changed_type, EPERM, "agent %s has been marked gone",
                             agent_id_text(&args->id));
    if (a)
        count_bytes(r, &a->agent, -1);
    else
        a = add(r, &args->id);
    if (changed)
        a->agent.since = runtime_wall(r->process.runtime);
    a->agent.state = args->state;
    if (args->info || args->state == REGISTRY_GONE) {
        message_unref(a->agent.info);
        a->agent.info = args->info ? message_ref(args->info) : NULL;
    }
    count_bytes(r, &a->agent, 1);
    return follow(r, r->registry->ops->put(r->registry, &a->agent), changed);
}

static struct future *forget(struct registrar *r, struct change_args *args)
{
    struct registered *a = find(r, &args->id);
    bool changed = a != NULL;

    if (a) {
        count_bytes(r, &a->agent, -1);
        HASH_DEL(r->agents, a);
        agent_release(&a->agent);
        mem_free(a);
    }
    return follow(r, r->registry->ops->remove(r->registry, args->id), changed);
}

static struct future *ask_change(struct registrar *r, struct agent_id id,
                                 enum registry_agent_state state, const Pb__AgentInfo *info)
{
    return ask(&r->pid, change, .id = agent_id_dup(&id), .state = state,
               .info = info ? message_create(&info->base) : NULL);
}

static struct future *ask_change_of(struct registrar *r, const Pb__AgentInfo *info)
{
    struct agent_id id;
    struct error err;
    struct future *f;

    if (agent_id_parse(info->id ? info->id->value : NULL, &id, &err) < 0)
        return future_failed_with(&registrar_changed_type, &err);
    f = ask_change(r, id, REGISTRY_ADMITTED, info);
    agent_id_release(&id);
    return f;
}

struct future *registrar_admit(struct registrar *r, const Pb__AgentInfo *info)
{
    return ask_change_of(r, info);
}

struct future *registrar_mark_unreachable(struct registrar *r, struct agent_id id)
{
    return ask_change(r, id, REGISTRY_UNREACHABLE, NULL);
}

struct future *registrar_mark_reachable(struct registrar *r, const Pb__AgentInfo *info)
{
    return ask_change_of(r, info);
}

struct future *registrar_mark_gone(struct registrar *r, struct agent_id id)
{
    return ask_change(r, id, REGISTRY_GONE, NULL);
}

struct future *registrar_remove(struct registrar *r, struct agent_id id)
{
    return ask(&r->pid, forget, .id = agent_id_dup(&id));
}
