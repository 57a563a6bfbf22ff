/* http_executor.c - a custom executor that speaks HTTP to its agent */
#include "http_executor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "http_executor_link.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/message.h"

#define PATIENCE SECONDS(10)     /* for an acknowledgement; then it subscribes again */
#define LEAVE_TIME SECONDS(4)    /* for the last acknowledgements */

struct task {
    struct list link;
    char *id;
    struct message *info;        /* Pb__TaskInfo */
    struct instant due;          /* INSTANT_NEVER once its end is told */
    int status;                  /* that it will exit with */
    bool heard;                  /* an update of it was acknowledged */
};

struct update {
    struct list link;
    struct message *status;      /* Pb__TaskStatus */
    bool said;                   /* in this subscription */
    struct instant since;
};

struct http_executor {
    struct host *host;
    struct loop *loop;
    struct http_executor_link *link;
    struct http_executor_options options;
    struct http_executor_hooks hooks;
    void *arg;
    char *framework, *executor;
    bool checkpoint;
    struct duration backoff, recovery_timeout;
    bool subscribed, leaving, over;
    struct instant retry, lost, idle_since, leave_at;
    struct list tasks, updates;
};

static void make_call(const struct http_executor *x, PbExecutor__Call *call,
                      PbExecutor__Call__Type type, Pb__FrameworkID *framework,
                      Pb__ExecutorID *executor)
{
    pb_executor__call__init(call);
    pb__framework_id__init(framework);
    pb__executor_id__init(executor);
    framework->value = x->framework;
    executor->value = x->executor;
    call->framework_id = framework;
    call->executor_id = executor;
    call->has_type = true;
    call->type = type;
}

static void leave(struct http_executor *x)
{
    if (x->over)
        return;
    x->over = true;
    http_executor_link_close(x->link);
    if (x->hooks.left)
        x->hooks.left(x->arg);
}

static void wrong(struct http_executor *x, const char *what, const char *of)
{
    char text[200];

    snprintf(text, sizeof text, "executor %s: %s %.80s", x->executor, what, of);
    if (x->hooks.wrong)
        x->hooks.wrong(x->arg, text);
}

/* ---- updates ---- */

static const Pb__TaskStatus *status_of(const struct update *u)
{
    return (const Pb__TaskStatus *)u->status->body;
}

static void post_update(struct http_executor *x, struct update *u)
{
    PbExecutor__Call call;
    PbExecutor__Call__Update part = PB_EXECUTOR__CALL__UPDATE__INIT;
    Pb__FrameworkID framework;
    Pb__ExecutorID executor;

    make_call(x, &call, PB_EXECUTOR__CALL__TYPE__UPDATE, &framework, &executor);
    part.status = (Pb__TaskStatus *)u->status->body;
    call.update = &part;
    u->said = true;
    u->since = host_now(x->host);
    http_executor_link_call(x->link, &call);
}

static void tell(struct http_executor *x, const char *task, Pb__TaskState state)
{
    struct update *u = mem_alloc(sizeof *u);
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;
    uint8_t uuid[UUID_SIZE];

    host_uuid(x->host, uuid);
    id.value = task;
    status.task_id = &id;
    status.state = state;
    status.has_source = true;
    status.source = PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR;
    status.has_timestamp = true;
    status.timestamp = instant_seconds(host_wall(x->host));
    status.has_uuid = true;
    status.uuid = (ProtobufCBinaryData){ sizeof uuid, uuid };
    u->status = message_create(&status.base);
    list_append(&x->updates, &u->link);
    if (x->subscribed)
        post_update(x, u);
}

static void update_free(struct update *u)
{
    list_remove(&u->link);
    message_unref(u->status);
    mem_free(u);
}

/* ---- tasks ---- */

static struct task *find_task(struct http_executor *x, const char *id)
{
    list_each (t, &x->tasks, struct task, link)
        if (strcmp(t->id, id) == 0)
            return t;
    return NULL;
}

static void task_free(struct task *t)
{
    list_remove(&t->link);
    mem_free(t->id);
    message_unref(t->info);
    mem_free(t);
}

static bool runs(const struct task *t)
{
    return t->due.ns != INSTANT_NEVER.ns;
}

static void end_task(struct http_executor *x, struct task *t, Pb__TaskState state, int status)
{
    t->due = INSTANT_NEVER;
    if (x->hooks.ended)
        x->hooks.ended(x->arg, x->framework, t->id, status);
    tell(x, t->id, state);
}

static void launch(struct http_executor *x, const Pb__TaskInfo *info)
{
    CLEANUP(mem_free_p) char *text = mem_strndup((const char *)info->data.data, info->data.len);
    const char *sleep = strstr(text, "sleep "), *exit = strstr(text, "exit ");
    double seconds = sleep ? strtod(sleep + strlen("sleep "), NULL) : 0;
    struct task *t;

    if (x->leaving)
        return;
    if (find_task(x, info->task_id->value)) {
        wrong(x, "a second launch of task", info->task_id->value);
        return;
    }
    t = mem_alloc(sizeof *t);
    t->id = mem_strdup(info->task_id->value);
    t->info = message_create(&info->base);
    t->status = exit ? (int)strtol(exit + strlen("exit "), NULL, 10) << 8 : 0;
    t->due = instant_add(host_now(x->host), duration_from_seconds(seconds));
    list_append(&x->tasks, &t->link);
    if (x->hooks.started)
        x->hooks.started(x->arg, x->framework, t->id);
    tell(x, t->id, PB__TASK_STATE__TASK_RUNNING);
}

static void kill_task(struct http_executor *x, const char *id)
{
    struct task *t = find_task(x, id);

    if (t && runs(t))
        end_task(x, t, PB__TASK_STATE__TASK_KILLED, 9);
}

static void shut_down(struct http_executor *x)
{
    if (x->leaving)
        return;
    x->leaving = true;
    x->leave_at = instant_add(host_now(x->host), LEAVE_TIME);
    list_each (t, &x->tasks, struct task, link)
        if (runs(t))
            end_task(x, t, PB__TASK_STATE__TASK_KILLED, 9);
}

/* ---- the agent says ---- */

static void subscribed(struct http_executor *x, const PbExecutor__Event__Subscribed *s)
{
    if (x->subscribed)
        wrong(x, "a second SUBSCRIBED", "");
    if (strcmp(s->executor_info->executor_id->value, x->executor) != 0)
        wrong(x, "it is subscribed as", s->executor_info->executor_id->value);
    x->subscribed = true;
    x->lost = INSTANT_NEVER;
    list_each (u, &x->updates, struct update, link)
        if (!u->said)
            post_update(x, u);
}

static void acknowledged(struct http_executor *x, const PbExecutor__Event__Acknowledged *a)
{
    struct task *t = find_task(x, a->task_id->value);

    list_each_safe (u, &x->updates, struct update, link) {
        const Pb__TaskStatus *s = status_of(u);

        if (a->uuid.len != UUID_SIZE || memcmp(s->uuid.data, a->uuid.data, UUID_SIZE) != 0)
            continue;
        if (x->hooks.acknowledged)
            x->hooks.acknowledged(x->arg, a->uuid.data);
        if (t && task_state_is_terminal(s->state))
            task_free(t);
        else if (t)
            t->heard = true;
        update_free(u);
        return;
    }
    if (t || a->uuid.len != UUID_SIZE) /* else one that was said, and acknowledged, twice */
        wrong(x, "acknowledged is nothing that it said of task", a->task_id->value);
}

static void answer(struct http_executor *x)
{
    PbExecutor__Call call;
    PbExecutor__Call__Message part = PB_EXECUTOR__CALL__MESSAGE__INIT;
    Pb__FrameworkID framework;
    Pb__ExecutorID executor;
    unsigned n = 0;
    char text[20];

    list_each (t, &x->tasks, struct task, link)
        n += runs(t);
    snprintf(text, sizeof text, "%u", n);
    make_call(x, &call, PB_EXECUTOR__CALL__TYPE__MESSAGE, &framework, &executor);
    part.data = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
    call.message = &part;
    http_executor_link_call(x->link, &call);
}

static void on_event(void *arg, const PbExecutor__Event *e)
{
    struct http_executor *x = arg;

    if (!x->subscribed && !e->subscribed && e->type != PB_EXECUTOR__EVENT__TYPE__SHUTDOWN)
        wrong(x, "an event before SUBSCRIBED", "");
    if (e->subscribed)
        subscribed(x, e->subscribed);
    else if (e->launch)
        launch(x, e->launch->task);
    else if (e->launch_group)
        for (size_t i = 0; i < e->launch_group->task_group->n_tasks; i++)
            launch(x, e->launch_group->task_group->tasks[i]);
    else if (e->kill)
        kill_task(x, e->kill->task_id->value);
    else if (e->acknowledged)
        acknowledged(x, e->acknowledged);
    else if (e->message)
        answer(x);
    else if (e->type == PB_EXECUTOR__EVENT__TYPE__SHUTDOWN)
        shut_down(x);
    host_loop_wake(x->loop);
}

/* ---- subscriptions ---- */

static void subscribe(struct http_executor *x)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbExecutor__Call call;
    PbExecutor__Call__Subscribe part = PB_EXECUTOR__CALL__SUBSCRIBE__INIT;
    Pb__FrameworkID framework;
    Pb__ExecutorID executor;
    size_t n = 0, m = 0;

    make_call(x, &call, PB_EXECUTOR__CALL__TYPE__SUBSCRIBE, &framework, &executor);
    call.subscribe = &part;
    list_each (t, &x->tasks, struct task, link)
        n++;
    list_each (u, &x->updates, struct update, link)
        m++;
    part.unacknowledged_tasks = arena_alloc(&arena, (n + 1) * sizeof *part.unacknowledged_tasks);
    part.unacknowledged_updates =
        arena_alloc(&arena, (m + 1) * sizeof *part.unacknowledged_updates);
    list_each (t, &x->tasks, struct task, link)
        if (!t->heard)
            part.unacknowledged_tasks[part.n_unacknowledged_tasks++] =
                (Pb__TaskInfo *)t->info->body;
    list_each (u, &x->updates, struct update, link) {
        PbExecutor__Call__Update *update = arena_alloc(&arena, sizeof *update);

        pb_executor__call__update__init(update);
        update->status = (Pb__TaskStatus *)u->status->body;
        part.unacknowledged_updates[part.n_unacknowledged_updates++] = update;
        u->said = true;
        u->since = host_now(x->host);
    }
    x->retry = INSTANT_NEVER;
    http_executor_link_subscribe(x->link, &call);
}

static void on_broken(void *arg, int status)
{
    struct http_executor *x = arg;
    struct instant now = host_now(x->host);

    list_each (u, &x->updates, struct update, link)
        u->said = false;
    if (x->lost.ns == INSTANT_NEVER.ns)
        x->lost = now;
    if (status == 400 || x->leaving || (x->subscribed && !x->checkpoint)) {
        leave(x);
        return;
    }
    x->subscribed = false;
    x->retry = instant_add(now, host_random_duration(x->host, x->backoff));
    host_loop_wake(x->loop);
}

/* ---- time ---- */

static bool passed(struct http_executor *x, struct instant t)
{
    return !instant_before(host_now(x->host), t);
}

static void look_at_tasks(struct http_executor *x)
{
    list_each (t, &x->tasks, struct task, link)
        if (passed(x, t->due))
            end_task(x, t,
                     t->status ? PB__TASK_STATE__TASK_FAILED : PB__TASK_STATE__TASK_FINISHED,
                     t->status);
}

/* The agent does not answer, and the connection does not say why. */
static void look_at_updates(struct http_executor *x)
{
    list_each (u, &x->updates, struct update, link)
        if (u->said && passed(x, instant_add(u->since, PATIENCE))) {
            http_executor_link_close(x->link);
            on_broken(x, 0);
            return;
        }
}

static void look_at_ends(struct http_executor *x)
{
    bool busy = !list_is_empty(&x->tasks) || !list_is_empty(&x->updates);

    if (busy)
        x->idle_since = host_now(x->host);
    if ((x->leaving && (!busy || passed(x, x->leave_at))) ||
        (!busy && passed(x, instant_add(x->idle_since, x->options.idle))) ||
        (x->lost.ns != INSTANT_NEVER.ns && passed(x, instant_add(x->lost, x->recovery_timeout))))
        leave(x);
}

static void earlier(struct instant *t, struct instant other)
{
    if (instant_before(other, *t))
        *t = other;
}

static struct instant next_look(struct http_executor *x)
{
    struct instant t = x->retry;

    list_each (task, &x->tasks, struct task, link)
        earlier(&t, task->due);
    list_each (u, &x->updates, struct update, link)
        if (u->said)
            earlier(&t, instant_add(u->since, PATIENCE));
    earlier(&t, x->leave_at);
    if (x->lost.ns != INSTANT_NEVER.ns)
        earlier(&t, instant_add(x->lost, x->recovery_timeout));
    if (list_is_empty(&x->tasks) && list_is_empty(&x->updates))
        earlier(&t, instant_add(x->idle_since, x->options.idle));
    return t;
}

static bool turn(void *arg)
{
    struct http_executor *x = arg;

    if (x->over)
        return false;
    look_at_tasks(x);
    look_at_updates(x);
    if (!x->over && passed(x, x->retry))
        subscribe(x);
    look_at_ends(x);
    host_loop_deadline(x->loop, x->over ? INSTANT_NEVER : next_look(x));
    return false;
}

/* ---- life ---- */

static const char *variable(struct host *h, const char *name)
{
    size_t n = strlen(name);

    for (char *const *p = host_environment(h); *p; p++)
        if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
            return *p + n + 1;
    return NULL;
}

static struct duration time_of(struct host *h, const char *name, struct duration otherwise)
{
    const char *text = variable(h, name);
    struct duration d;

    return text && duration_parse(text, &d, NULL) == 0 ? d : otherwise;
}

static int need(struct host *h, const char *name, const char **ret_value, struct error *err)
{
    *ret_value = variable(h, name);
    return *ret_value ? 0 : error_set(err, EINVAL, "%s is not set", name);
}

struct http_executor *http_executor_start(struct host *h,
                                          const struct http_executor_options *options,
                                          const struct http_executor_hooks *hooks, void *arg,
                                          struct error *err)
{
    static const struct http_executor_link_events events = { on_event, on_broken };
    const char *agent, *framework, *executor, *checkpoint;
    struct http_executor *x;
    struct address address;

    if (need(h, "MESOS_AGENT_ENDPOINT", &agent, err) < 0 ||
        need(h, "MESOS_FRAMEWORK_ID", &framework, err) < 0 ||
        need(h, "MESOS_EXECUTOR_ID", &executor, err) < 0 ||
        need(h, "MESOS_CHECKPOINT", &checkpoint, err) < 0 ||
        address_parse(agent, &address, err) < 0)
        return NULL;
    x = mem_alloc(sizeof *x);
    x->host = h;
    x->options = *options;
    x->hooks = *hooks;
    x->arg = arg;
    x->framework = mem_strdup(framework);
    x->executor = mem_strdup(executor);
    x->checkpoint = strcmp(checkpoint, "1") == 0;
    x->backoff =
        NANOSECONDS(time_of(h, "MESOS_SUBSCRIPTION_BACKOFF_MAX", SECONDS(2)).ns / 2);
    x->recovery_timeout = time_of(h, "MESOS_RECOVERY_TIMEOUT", SECONDS(30));
    x->retry = x->idle_since = x->lost = host_now(h);
    x->leave_at = INSTANT_NEVER;
    list_init(&x->tasks);
    list_init(&x->updates);
    x->loop = host_loop_start(h, turn, x);
    x->link = http_executor_link_create(x->loop, address, options->json_calls,
                                        options->json_events, &events, x);
    host_loop_wake(x->loop);
    return x;
}

void http_executor_stop(struct http_executor *x)
{
    if (!x)
        return;
    x->over = true;
    host_loop_stop(x->loop);
    http_executor_link_destroy(x->link);
    list_each_safe (t, &x->tasks, struct task, link)
        task_free(t);
    list_each_safe (u, &x->updates, struct update, link)
        update_free(u);
    mem_free(x->framework);
    mem_free(x->executor);
    mem_free(x);
}
