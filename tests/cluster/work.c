/* work.c - what a framework of the simulated cluster wants, and what it was told */
#include "work.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/memory.h"
#include "framework/scheduler.h"
#include "ledger.h"
#include "mesos/task_state.h"
#include "process/message.h"
#include "process/process.h"
#include "process/runtime.h"
#include "process/sim.h"

#define TICK SECONDS(30)
#define EXECUTOR_CPUS 0.1
#define EXECUTOR_MEM 32.0

/* The OS process: what is here dies with it. */
struct work_run {
    struct work *work;
    struct host *host;
    struct runtime *rt;
    struct scheduler *scheduler;
    bool suppressed;
};

/* ---- the list ---- */

struct work *work_create(struct ledger *l, unsigned number)
{
    struct work *w = mem_alloc(sizeof *w);

    w->ledger = l;
    w->number = number;
    w->checkpoint = true;
    w->failover_timeout = 7 * 24 * 3600;
    list_init(&w->tasks);
    list_init(&w->held);
    return w;
}

static void let_go(struct held_offer *h)
{
    list_remove(&h->link);
    message_unref(h->offer);
    mem_free(h);
}

static void let_all_go(struct work *w)
{
    list_each_safe (h, &w->held, struct held_offer, link)
        let_go(h);
}

void work_destroy(struct work *w)
{
    if (!w)
        return;
    let_all_go(w);
    list_each_safe (t, &w->tasks, struct work_task, link) {
        list_remove(&t->link);
        mem_free(t);
    }
    mem_free(w);
}

static bool is_waiting(const struct work *w)
{
    list_each (t, &w->tasks, struct work_task, link)
        if (!t->launched)
            return true;
    return false;
}

bool work_has_ended(const struct work *w)
{
    list_each (t, &w->tasks, struct work_task, link)
        if (!t->has_end)
            return false;
    return true;
}

unsigned work_count(const struct work *w, Pb__TaskState end)
{
    unsigned n = 0;

    list_each (t, &w->tasks, struct work_task, link)
        n += t->has_end && (t->has_uuid_end ? t->uuid_end : t->end) == end;
    return n;
}

/* ---- calls, from the scheduler's own events ---- */

struct run_args {
    struct work_run *run;
};

static bool is_alive(const struct work_run *r)
{
    return r->scheduler && r->work->run == r && !sim_host_is_dead(r->host);
}

static void call_later(struct work_run *r, struct duration d, process_call_f fn)
{
    struct run_args args = { r };

    process_delay(scheduler_pid(r->scheduler), d, fn, &args, sizeof args, NULL);
}

static void ask(struct work_run *r)
{
    struct work *w = r->work;
    struct scheduler_task *asked = mem_array(w->n_tasks + 1, sizeof *asked);
    size_t n = 0;

    list_each (t, &w->tasks, struct work_task, link)
        if (t->launched && !t->has_end)
            asked[n++] = (struct scheduler_task){ t->id, t->agent };
    if (n > 0)
        scheduler_reconcile(r->scheduler, n, asked);
    mem_free(asked);
}

static void say_kills(struct work_run *r)
{
    list_each (t, &r->work->tasks, struct work_task, link) {
        Pb__TaskID task = PB__TASK_ID__INIT;
        Pb__AgentID agent = PB__AGENT_ID__INIT;

        if (!t->kill || !t->launched || t->has_end)
            continue;
        task.value = t->id;
        agent.value = t->agent;
        scheduler_kill(r->scheduler, &task, &agent);
    }
}

/* Offers are wanted while a task waits. */
static void want(struct work_run *r)
{
    bool wanted = is_waiting(r->work);

    if (wanted == !r->suppressed)
        return;
    r->suppressed = !wanted;
    if (wanted)
        scheduler_revive(r->scheduler);
    else
        scheduler_suppress(r->scheduler);
}

static void call_want(struct process *self UNUSED, void *args)
{
    struct work_run *r = ((struct run_args *)args)->run;

    if (is_alive(r) && r->work->is_subscribed) {
        say_kills(r);
        want(r);
    }
}

static void take_offer(struct work_run *r, const Pb__Offer *o);

static void take_held(struct work_run *r)
{
    list_each_safe (h, &r->work->held, struct held_offer, link) {
        struct message *offer = message_ref(h->offer);

        let_go(h);
        take_offer(r, (const Pb__Offer *)offer->body);
        message_unref(offer);
    }
}

static void call_tick(struct process *self UNUSED, void *args)
{
    struct work_run *r = ((struct run_args *)args)->run;

    if (!is_alive(r))
        return;
    if (r->work->is_subscribed) {
        take_held(r);
        ask(r);
        say_kills(r);
        r->suppressed = r->suppressed || is_waiting(r->work); /* say it again */
        want(r);
    }
    call_later(r, TICK, call_tick);
}

static void call_teardown(struct process *self UNUSED, void *args)
{
    struct work_run *r = ((struct run_args *)args)->run;

    if (is_alive(r))
        scheduler_teardown(r->scheduler);
}

static void tell_run(struct work *w, process_call_f fn)
{
    struct run_args args = { w->run };

    if (w->run && w->run->scheduler)
        process_dispatch(scheduler_pid(w->run->scheduler), fn, &args, sizeof args, NULL);
}

struct work_task *work_add(struct work *w, const char *command, double cpus, double mem)
{
    struct work_task *t = mem_alloc(sizeof *t);

    t->work = w;
    snprintf(t->id, sizeof t->id, "task-%u-%u", w->number, ++w->n_tasks);
    snprintf(t->command, sizeof t->command, "%s", command);
    t->cpus = cpus;
    t->mem = mem;
    t->state = PB__TASK_STATE__TASK_STAGING;
    list_append(&w->tasks, &t->link);
    tell_run(w, call_want);
    return t;
}

void work_kill(struct work_task *t)
{
    t->kill = true;
    tell_run(t->work, call_want);
}

void work_teardown(struct work *w)
{
    tell_run(w, call_teardown);
}

/* ---- offers ---- */

static double amount(const Pb__Offer *o, const char *name)
{
    double sum = 0;

    for (size_t i = 0; i < o->n_resources; i++)
        if (strcmp(o->resources[i]->name, name) == 0 && o->resources[i]->scalar)
            sum += o->resources[i]->scalar->value;
    return sum;
}

static Pb__Resource *scalar(struct arena *arena, const char *name, double value)
{
    Pb__Resource *r = arena_alloc(arena, sizeof *r);

    pb__resource__init(r);
    r->name = name;
    r->type = PB__VALUE__TYPE__SCALAR;
    r->scalar = arena_alloc(arena, sizeof *r->scalar);
    pb__value__scalar__init(r->scalar);
    r->scalar->value = value;
    return r;
}

static Pb__Resource **cpus_and_mem(struct arena *arena, double cpus, double mem, size_t *ret_n)
{
    Pb__Resource **v = arena_alloc(arena, 2 * sizeof *v);

    v[0] = scalar(arena, "cpus", cpus);
    v[1] = scalar(arena, "mem", mem);
    *ret_n = 2;
    return v;
}

static Pb__CommandInfo *command_info(struct arena *arena, const char *text)
{
    Pb__CommandInfo *c = arena_alloc(arena, sizeof *c);

    pb__command_info__init(c);
    c->value = arena_strdup(arena, text);
    return c;
}

static void add_uri(struct arena *arena, Pb__CommandInfo *c, const char *text)
{
    c->n_uris = 1;
    c->uris = arena_alloc(arena, sizeof *c->uris);
    c->uris[0] = arena_alloc(arena, sizeof *c->uris[0]);
    pb__command_info__uri__init(c->uris[0]);
    c->uris[0]->value = arena_strdup(arena, text);
}

static Pb__ExecutorInfo *executor_info(struct arena *arena, const struct work *w, bool http)
{
    Pb__ExecutorInfo *e = arena_alloc(arena, sizeof *e);

    pb__executor_info__init(e);
    e->executor_id = arena_alloc(arena, sizeof *e->executor_id);
    pb__executor_id__init(e->executor_id);
    e->executor_id->value = http ? "custom-http" : "custom";
    e->framework_id = arena_alloc(arena, sizeof *e->framework_id);
    pb__framework_id__init(e->framework_id);
    e->framework_id->value = arena_strdup(arena, w->id);
    e->command = command_info(arena, http ? "exec sim-http-executor" : "exec sim-executor");
    e->resources = cpus_and_mem(arena, EXECUTOR_CPUS, EXECUTOR_MEM, &e->n_resources);
    return e;
}

static Pb__TaskInfo *task_info(struct arena *arena, const struct work_task *t)
{
    Pb__TaskInfo *info = arena_alloc(arena, sizeof *info);

    pb__task_info__init(info);
    info->name = t->id;
    info->task_id = arena_alloc(arena, sizeof *info->task_id);
    pb__task_id__init(info->task_id);
    info->task_id->value = t->id;
    info->agent_id = arena_alloc(arena, sizeof *info->agent_id);
    pb__agent_id__init(info->agent_id);
    info->agent_id->value = t->agent;
    info->resources = cpus_and_mem(arena, t->cpus, t->mem, &info->n_resources);
    if (!t->custom) {
        info->command = command_info(arena, t->command);
        if (t->uri)
            add_uri(arena, info->command, t->uri);
        return info;
    }
    info->executor = executor_info(arena, t->work, t->http);
    info->has_data = 1;
    info->data = (ProtobufCBinaryData){ strlen(t->command), (uint8_t *)t->command };
    return info;
}

/* The tasks that fit; each is on our list as launched before the call goes out. */
static size_t choose(struct work *w, const Pb__Offer *o, struct arena *arena, Pb__TaskInfo **tasks)
{
    double cpus = amount(o, "cpus"), mem = amount(o, "mem");
    size_t n = 0;

    list_each (t, &w->tasks, struct work_task, link) {
        double more_cpus = t->cpus + (t->custom ? EXECUTOR_CPUS : 0);
        double more_mem = t->mem + (t->custom ? EXECUTOR_MEM : 0);

        if (t->launched || more_cpus > cpus + 1e-6 || more_mem > mem + 1e-6)
            continue;
        cpus -= more_cpus;
        mem -= more_mem;
        t->launched = true;
        snprintf(t->agent, sizeof t->agent, "%s", o->agent_id->value);
        tasks[n++] = task_info(arena, t);
    }
    return n;
}

static void take_offer(struct work_run *r, const Pb__Offer *o)
{
    struct work *w = r->work;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    Pb__Offer__Operation operation = PB__OFFER__OPERATION__INIT, *operations[] = { &operation };
    Pb__Offer__Operation__Launch launch = PB__OFFER__OPERATION__LAUNCH__INIT;
    Pb__OfferID *ids[] = { o->id };
    Pb__TaskInfo **tasks = arena_alloc(&arena, (w->n_tasks + 1) * sizeof *tasks);
    size_t n = w->declines_all ? 0 : choose(w, o, &arena, tasks);

    w->offers_seen++;
    if (n == 0) {
        w->offers_declined++;
        scheduler_decline(r->scheduler, 1, ids, is_waiting(w) ? 1 : 5);
        return;
    }
    operation.has_type = 1;
    operation.type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation.launch = &launch;
    launch.n_task_infos = n;
    launch.task_infos = tasks;
    scheduler_accept(r->scheduler, 1, ids, 1, operations, 0);
}

/* Some are left lying for a while: until the next tick. */
static void hold(struct work_run *r, const Pb__Offer *o)
{
    struct held_offer *h = mem_alloc(sizeof *h);

    h->offer = message_create(&o->base);
    h->unknown = INSTANT_NEVER;
    list_append(&r->work->held, &h->link);
}

static void on_offers(void *arg, struct scheduler *s UNUSED, size_t n, Pb__Offer *const *offers)
{
    struct work_run *r = arg;

    if (!is_alive(r))
        return;
    for (size_t i = 0; i < n; i++)
        if (r->work->declines_all || host_random_below(r->host, 4) > 0)
            take_offer(r, offers[i]);
        else
            hold(r, offers[i]);
    want(r);
}

static void on_rescinded(void *arg, struct scheduler *s UNUSED, const Pb__OfferID *offer)
{
    struct work *w = ((struct work_run *)arg)->work;

    w->rescinds++;
    list_each_safe (h, &w->held, struct held_offer, link)
        if (strcmp(((const Pb__Offer *)h->offer->body)->id->value, offer->value) == 0)
            let_go(h);
}

/* ---- what it is told ---- */

static struct work_task *find(struct work *w, const char *id)
{
    list_each (t, &w->tasks, struct work_task, link)
        if (strcmp(t->id, id) == 0)
            return t;
    return NULL;
}

/* The truth: a command that is said to have finished did, and one that is said
 * never to have run did not; nor did one without its URI. */
static void compare_with_truth(struct work_task *t, const Pb__TaskStatus *status)
{
    struct ledger *l = t->work->ledger;
    struct ledger_task *truth = ledger_find(l, t->work->id, t->id);

    if (status->state == PB__TASK_STATE__TASK_FINISHED &&
        (!truth || !truth->ended || truth->status != 0))
        ledger_violate(l, "task %s is told as FINISHED, its command has not ended well", t->id);
    if (status->state == PB__TASK_STATE__TASK_DROPPED && truth)
        ledger_violate(l, "task %s is told as DROPPED, its command was started", t->id);
    if (t->uri && strstr(t->uri, "missing") && truth)
        ledger_violate(l, "the command of task %s was started without its URI", t->id);
}

static void record_uuid_end(struct work_task *t, const Pb__TaskStatus *status)
{
    struct ledger *l = t->work->ledger;

    if (!t->has_uuid_end) {
        t->has_uuid_end = true;
        t->uuid_end = status->state;
        memcpy(t->uuid, status->uuid.data, sizeof t->uuid);
        return;
    }
    if (t->uuid_end != status->state)
        ledger_violate(l, "task %s ended as %s and as %s", t->id, task_state_name(t->uuid_end),
                       task_state_name(status->state));
    else if (memcmp(t->uuid, status->uuid.data, sizeof t->uuid) != 0)
        ledger_violate(l, "the end of task %s, %s, came with two uuids", t->id,
                       task_state_name(status->state));
}

static void record_end(struct work_task *t, const Pb__TaskStatus *status)
{
    bool has_uuid = status->has_uuid && status->uuid.len == sizeof t->uuid;

    if (t->has_end && !has_uuid && status->state == PB__TASK_STATE__TASK_GONE)
        return;                         /* the answer to a question that is older than the end */
    compare_with_truth(t, status);
    t->told_end++;
    if (has_uuid)
        record_uuid_end(t, status);
    if (!has_uuid && status->state == PB__TASK_STATE__TASK_LOST && !t->work->partition_aware) {
        t->work->losses++; /* the master's word, which the task may outlive */
        if (!t->has_end)
            t->end = status->state;
        t->has_end = true;
        return;
    }
    if (t->has_end && t->end != status->state && t->end != PB__TASK_STATE__TASK_LOST)
        ledger_violate(t->work->ledger, "task %s ended as %s, and now as %s", t->id,
                       task_state_name(t->end), task_state_name(status->state));
    t->end = status->state;
    t->has_end = true;
}

struct ack_args {
    struct work_run *run;
    char task[48], agent[96];
    uint8_t uuid[16];
};

static void call_acknowledge(struct process *self UNUSED, void *args)
{
    struct ack_args *a = args;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID task = PB__TASK_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;

    if (!is_alive(a->run))
        return;
    task.value = a->task;
    agent.value = a->agent;
    status.task_id = &task;
    status.agent_id = &agent;
    status.has_uuid = 1;
    status.uuid = (ProtobufCBinaryData){ sizeof a->uuid, a->uuid };
    scheduler_acknowledge(a->run->scheduler, &status);
}

/* Sometimes much later, so that the update is sent again meanwhile. */
static void acknowledge_later(struct work_run *r, const Pb__TaskStatus *status)
{
    struct ack_args args = { .run = r };
    struct duration d = host_random_below(r->host, 10) == 0 ? SECONDS(25) : SECONDS(1);

    snprintf(args.task, sizeof args.task, "%s", status->task_id->value);
    snprintf(args.agent, sizeof args.agent, "%s", status->agent_id->value);
    memcpy(args.uuid, status->uuid.data, sizeof args.uuid);
    process_delay(scheduler_pid(r->scheduler), host_random_duration(r->host, d), call_acknowledge,
                  &args, sizeof args, NULL);
}

static void on_status(void *arg, struct scheduler *s UNUSED, const Pb__TaskStatus *status)
{
    struct work_run *r = arg;
    struct work_task *t;

    if (!is_alive(r))
        return;
    t = find(r->work, status->task_id->value);
    if (!t) {
        ledger_violate(r->work->ledger, "a status of task %s, which is not ours",
                       status->task_id->value);
        return;
    }
    t->state = status->state;
    snprintf(t->message, sizeof t->message, "%s", status->message ? status->message : "");
    if (task_state_is_terminal(status->state))
        record_end(t, status);
    if (status->has_uuid && r->work->explicit_acknowledgements)
        acknowledge_later(r, status);
}

static void on_registered(void *arg, struct scheduler *s UNUSED, const Pb__FrameworkID *id,
                          const Pb__MasterInfo *master UNUSED, bool failover UNUSED)
{
    struct work_run *r = arg;

    if (!is_alive(r))
        return;
    snprintf(r->work->id, sizeof r->work->id, "%s", id->value);
    r->work->is_subscribed = true;
    let_all_go(r->work); /* those of another subscription are void */
    r->suppressed = false;
    ask(r);
    say_kills(r);
    want(r);
}

static void on_disconnected(void *arg, struct scheduler *s UNUSED, const char *why UNUSED)
{
    struct work_run *r = arg;

    if (!is_alive(r))
        return;
    r->work->is_subscribed = false;
    let_all_go(r->work);
}

static void on_error(void *arg, struct scheduler *s UNUSED, const char *why)
{
    struct work_run *r = arg;

    if (!is_alive(r))
        return;
    r->work->is_out = true;
    r->work->is_subscribed = false;
    snprintf(r->work->error, sizeof r->work->error, "%s", why);
}

/* ---- the OS process ---- */

static Pb__FrameworkInfo *framework_info(const struct work *w, struct arena *arena)
{
    Pb__FrameworkInfo *info = arena_alloc(arena, sizeof *info);

    pb__framework_info__init(info);
    info->user = "root";
    info->name = arena_printf(arena, "work-%u", w->number);
    info->has_failover_timeout = 1;
    info->failover_timeout = w->failover_timeout;
    info->has_checkpoint = 1;
    info->checkpoint = w->checkpoint;
    if (w->id[0]) {
        info->id = arena_alloc(arena, sizeof *info->id);
        pb__framework_id__init(info->id);
        info->id->value = arena_strdup(arena, w->id);
    }
    if (w->partition_aware) {
        info->n_capabilities = 1;
        info->capabilities = arena_alloc(arena, sizeof *info->capabilities);
        info->capabilities[0] = arena_alloc(arena, sizeof *info->capabilities[0]);
        pb__framework_info__capability__init(info->capabilities[0]);
        info->capabilities[0]->has_type = 1;
        info->capabilities[0]->type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE;
    }
    return info;
}

int work_start(struct work *w, struct host *h, struct runtime *rt, const char *master,
               struct error *err)
{
    static const struct scheduler_callbacks callbacks = {
        .registered = on_registered,
        .disconnected = on_disconnected,
        .offers = on_offers,
        .rescinded = on_rescinded,
        .status = on_status,
        .error = on_error,
    };
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct scheduler_options options = {
        .master = master,
        .info = framework_info(w, &arena),
        .explicit_acknowledgements = w->explicit_acknowledgements,
    };
    struct work_run *r = mem_alloc(sizeof *r);

    r->work = w;
    r->host = h;
    r->rt = rt;
    r->scheduler = scheduler_create(rt, &options, &callbacks, r, err);
    if (!r->scheduler) {
        mem_free(r);
        return -1;
    }
    w->run = r;
    call_later(r, TICK, call_tick);
    return 0;
}

void work_stop(struct work *w)
{
    struct work_run *r = w->run;

    if (!r)
        return;
    w->run = NULL;
    w->is_subscribed = false;
    let_all_go(w);
    scheduler_destroy(r->scheduler);
    mem_free(r);
}
