/* status_updates.c - each task's stream of updates, each of them delivered
 *
 *   received   → stored, one at a time → acknowledged to its executor → in line
 *   the head   → forwarded, again after 10 s, doubling to 10 min, until the
 *                framework's acknowledgement has come and is stored
 *   the end    acknowledged → the task leaves the books
 *
 * An update that cannot be stored is tried again; until then nobody else hears
 * of it, and its executor keeps it.  Streams of refused tasks, which were never
 * stored, are not stored either: a restarted agent does not know the task, and
 * says so.  Until then a re-registration lists them, so that the master does not
 * answer for a task whose end is on its way.
 */
#include <errno.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/runtime.h"

#define RETRY_FIRST SECONDS(10)
#define RETRY_LAST MINUTES(10)
#define STORE_RETRY SECONDS(1)

struct task_update {
    struct message *body;                /* Pb__StatusUpdate, complete but for latest_state */
    struct container_id run;             /* of its executor, which waits for us; or empty */
    bool stored;
    struct list link;
};

struct seen_uuid { uint8_t bytes[UUID_SIZE]; };

struct update_stream {
    char *key;                           /* "<framework>/<task>" */
    struct framework_id framework;
    struct task_id task;
    bool kept;                           /* in the store */
    bool listed;                         /* refused: told to a master at a re-registration */
    struct message *info;                /* refused: Pb__FrameworkInfo; NULL: not known */
    struct list updates;                 /* not acknowledged; in order */
    struct seen_uuid *seen;              /* of all that ever came */
    size_t n_seen;
    bool storing, acknowledging;         /* a commit is on its way */
    bool in_flight;                      /* the head was forwarded and is not acknowledged */
    bool in_trouble;                     /* the store failed; said once */
    struct timer retry, store_retry;
    struct duration pause;
    UT_hash_handle hh;
};

struct stream_args { char *key; };
static void stream_args_release(struct stream_args *s) { mem_free(s->key); }
CALL(agent, send_again, stream_args, stream_args_release);
CALL(agent, store_again, stream_args, stream_args_release);

/* A commit about one update, looked up again by key and uuid. */
struct committing { char *key; uint8_t uuid[UUID_SIZE]; };
LAST(agent, update_stored, committing);
LAST(agent, acknowledgement_stored, committing);

#define MESSAGES(ON)                                                                               \
    ON(pb__status_update_acknowledgement_message, Pb__StatusUpdateAcknowledgementMessage,          \
       on_acknowledgement)
HANDLERS(agent, update_handlers, MESSAGES);

void status_updates_init(struct agent *a)
{
    process_install(&a->process, update_handlers);
}

/* ---- streams ---- */

static const Pb__StatusUpdate *body_of(const struct task_update *u)
{
    return (const Pb__StatusUpdate *)u->body->body;
}

static bool is_terminal(const struct task_update *u)
{
    return task_state_is_terminal(body_of(u)->status->state);
}

static struct task_update *head_of(const struct update_stream *s)
{
    return list_first(&s->updates, struct task_update, link);
}

static struct update_stream *find_key(struct agent *a, const char *key)
{
    struct update_stream *s;

    HASH_FIND(hh, a->streams, key, strlen(key), s);
    return s;
}

static struct update_stream *find(struct agent *a, const char *framework, const char *task)
{
    CLEANUP(mem_free_p) char *key = mem_printf("%s/%s", framework, task);

    return find_key(a, key);
}

static struct update_stream *find_or_add(struct agent *a, const Pb__StatusUpdate *u, bool kept)
{
    struct update_stream *s = find(a, u->framework_id->value, u->status->task_id->value);

    if (s)
        return s;
    s = mem_alloc(sizeof *s);
    s->key = mem_printf("%s/%s", u->framework_id->value, u->status->task_id->value);
    s->framework.text = text_create(u->framework_id->value);
    s->task.text = text_create(u->status->task_id->value);
    s->kept = kept;
    list_init(&s->updates);
    HASH_ADD_KEYPTR(hh, a->streams, s->key, strlen(s->key), s);
    return s;
}

static void update_destroy(struct task_update *u)
{
    list_remove(&u->link);
    message_unref(u->body);
    container_id_release(&u->run);
    mem_free(u);
}

static void stream_destroy(struct agent *a, struct update_stream *s)
{
    HASH_DEL(a->streams, s);
    process_cancel(&s->retry);
    process_cancel(&s->store_retry);
    list_each_safe(u, &s->updates, struct task_update, link)
        update_destroy(u);
    framework_id_release(&s->framework);
    task_id_release(&s->task);
    message_unref(s->info);
    mem_free(s->seen);
    mem_free(s->key);
    mem_free(s);
}

void status_updates_release(struct agent *a)
{
    struct update_stream *s, *next;

    HASH_ITER(hh, a->streams, s, next)
        stream_destroy(a, s);
}

/* The executor that waits for us to say that we have it, if one does. */
static struct hosted_executor *sender_of(struct agent *a, const struct task_update *u)
{
    const Pb__StatusUpdate *update = body_of(u);
    struct hosted_framework *f;
    struct hosted_executor *e;

    if (container_id_is_empty(&u->run))
        return NULL;
    f = hosted_framework_find(a, update->framework_id->value);
    e = f ? hosted_executor_find(f, update->executor_id->value) : NULL;
    return e && container_id_equal(&e->container, &u->run) ? e : NULL;
}

void status_updates_drop(struct agent *a, const struct hosted_framework *f)
{
    struct update_stream *s, *next;

    HASH_ITER(hh, a->streams, s, next)
        if (framework_id_equal(&s->framework, &f->id)) {
            list_each(u, &s->updates, struct task_update, link)
                if (!u->stored)
                    status_updates_acknowledge(a, sender_of(a, u), body_of(u));
            stream_destroy(a, s);
        }
}

/* ---- forward ---- */

/* What is stored last: what the master may believe. */
static Pb__TaskState latest_state(const struct update_stream *s)
{
    Pb__TaskState state = body_of(head_of(s))->status->state;

    list_each(u, &s->updates, struct task_update, link)
        if (u->stored)
            state = body_of(u)->status->state;
    return state;
}

static void send_head(struct agent *a, struct update_stream *s)
{
    Pb__StatusUpdate update = *body_of(head_of(s));
    Pb__StatusUpdateMessage msg = PB__STATUS_UPDATE_MESSAGE__INIT;
    char self[PID_TEXT];

    update.has_latest_state = 1;
    update.latest_state = latest_state(s);
    msg.update = &update;
    msg.pid = pid_text(&a->process.pid, self, sizeof self);
    process_send(&a->process, &a->master, &msg.base);
    s->in_flight = true;
    process_cancel(&s->retry);
    s->retry = delay(&a->process.pid, s->pause, send_again, .key = mem_strdup(s->key));
}

static void forward(struct agent *a, struct update_stream *s)
{
    struct task_update *head = head_of(s);

    if (a->state != AGENT_RUNNING || !head || !head->stored || s->in_flight || s->acknowledging)
        return;
    s->pause = RETRY_FIRST;
    send_head(a, s);
}

static void send_again(struct agent *a, struct stream_args *args)
{
    struct update_stream *s = find_key(a, args->key);

    if (!s || !s->in_flight || s->acknowledging || a->state != AGENT_RUNNING)
        return;
    s->pause = duration_min(duration_times(s->pause, 2), RETRY_LAST);
    log_info("update of task %s of framework %s sent again: it was not acknowledged",
             s->task.text->bytes, s->framework.text->bytes);
    send_head(a, s);
}

void status_updates_resume(struct agent *a)
{
    for (struct update_stream *s = a->streams; s; s = s->hh.next) {
        s->in_flight = false;
        forward(a, s);
    }
}

void status_updates_pause(struct agent *a)
{
    for (struct update_stream *s = a->streams; s; s = s->hh.next) {
        s->in_flight = false;
        process_cancel(&s->retry);
    }
}

/* ---- receive and store ---- */

static bool was_seen(const struct update_stream *s, const ProtobufCBinaryData *uuid)
{
    for (size_t i = 0; i < s->n_seen; i++)
        if (memcmp(s->seen[i].bytes, uuid->data, UUID_SIZE) == 0)
            return true;
    return false;
}

static struct task_update *add_update(struct update_stream *s, const Pb__StatusUpdate *update,
                                      const struct hosted_executor *e)
{
    struct task_update *u = mem_alloc(sizeof *u);

    u->body = message_create(&update->base);
    if (e)
        container_id_assign(&u->run, &e->container);
    list_append(&s->updates, &u->link);
    return u;
}

static void add_seen(struct update_stream *s, const ProtobufCBinaryData *uuid)
{
    s->seen = mem_realloc(s->seen, (s->n_seen + 1) * sizeof *s->seen);
    memcpy(s->seen[s->n_seen++].bytes, uuid->data, UUID_SIZE);
}

static struct task_update *find_update(struct update_stream *s, const uint8_t *uuid)
{
    list_each(u, &s->updates, struct task_update, link)
        if (memcmp(body_of(u)->uuid.data, uuid, UUID_SIZE) == 0)
            return u;
    return NULL;
}

void status_updates_acknowledge(struct agent *a, struct hosted_executor *e,
                                const Pb__StatusUpdate *update)
{
    Pb__StatusUpdateAcknowledgementMessage msg = PB__STATUS_UPDATE_ACKNOWLEDGEMENT_MESSAGE__INIT;
    Pb__AgentID id = PB__AGENT_ID__INIT;

    if (!e)
        return;
    id.value = agent_id_text(&a->id);
    msg.slave_id = &id;
    msg.framework_id = update->framework_id;
    msg.task_id = update->status->task_id;
    msg.uuid = update->uuid;
    executor_peer_send(a, e, &msg.base);
}

static struct committing *committing_create(const struct update_stream *s, const uint8_t *uuid)
{
    struct committing *op = mem_alloc(sizeof *op);

    op->key = mem_strdup(s->key);
    memcpy(op->uuid, uuid, UUID_SIZE);
    return op;
}

static void committing_destroy(struct committing *op)
{
    mem_free(op->key);
    mem_free(op);
}

/* One at a time, so that they are in the store in their order. */
static void store_next(struct agent *a, struct update_stream *s)
{
    if (s->storing)
        return;
    list_each(u, &s->updates, struct task_update, link) {
        if (u->stored)
            continue;
        s->storing = true;
        FINALLY(store_put_update(a->store, body_of(u)), update_stored, a,
                committing_create(s, body_of(u)->uuid.data));
        return;
    }
}

static void store_again(struct agent *a, struct stream_args *args)
{
    struct update_stream *s = find_key(a, args->key);

    if (s)
        store_next(a, s);
}

/* The update counts from here on. */
static void accept(struct agent *a, struct update_stream *s, struct task_update *u)
{
    const Pb__StatusUpdate *update = body_of(u);
    struct hosted_framework *f = hosted_framework_find(a, s->framework.text->bytes);
    struct hosted_task *t = f ? hosted_task_find(f, s->task.text->bytes) : NULL;

    u->stored = true;
    status_updates_acknowledge(a, sender_of(a, u), update);
    if (t && !task_state_is_terminal(t->state)) {
        t->state = update->status->state;
        hosted_task_add_status(t, update->status);
        log_info("task %s of framework %s is %s", s->task.text->bytes, s->framework.text->bytes,
                 task_state_name(t->state));
        if (task_state_is_terminal(t->state))
            agent_metrics_task_ended(a, t->state);
    }
    forward(a, s);
}

static void update_stored(struct agent *a, struct future *f, struct committing *op)
{
    struct update_stream *s = future_state(f) == FUTURE_DISCARDED ? NULL : find_key(a, op->key);
    struct task_update *u = s ? find_update(s, op->uuid) : NULL;

    if (u)
        s->storing = false;
    if (u && future_state(f) == FUTURE_FAILED) {
        if (!s->in_trouble)
            log_error("update of task %s of framework %s cannot be stored, trying again: %s",
                      s->task.text->bytes, s->framework.text->bytes, future_error(f)->text);
        s->in_trouble = true;
        s->store_retry =
            delay(&a->process.pid, STORE_RETRY, store_again, .key = mem_strdup(s->key));
    } else if (u) {
        s->in_trouble = false;
        accept(a, s, u);
        store_next(a, s);
    }
    committing_destroy(op);
}

static void receive(struct agent *a, struct update_stream *s, const Pb__StatusUpdate *update,
                    struct hosted_executor *e)
{
    struct task_update *u;

    if (was_seen(s, &update->uuid)) {
        u = find_update(s, update->uuid.data);
        if (!u || u->stored)
            status_updates_acknowledge(a, e, update);
        return;
    }
    add_seen(s, &update->uuid);
    u = add_update(s, update, e);
    if (s->kept)
        store_next(a, s);
    else
        accept(a, s, u);
}

void status_updates_receive(struct agent *a, const Pb__StatusUpdate *update,
                            struct hosted_executor *e)
{
    receive(a, find_or_add(a, update, true), update, e);
}

void status_updates_recover(struct agent *a, const Pb__StatusUpdate *update, bool acknowledged)
{
    struct update_stream *s = find_or_add(a, update, true);

    add_seen(s, &update->uuid);
    if (!acknowledged)
        add_update(s, update, NULL)->stored = true;
}

bool status_updates_finish(struct agent *a, const char *framework, const char *task)
{
    struct update_stream *s = find(a, framework, task);

    if (s && !list_is_empty(&s->updates))
        return true;
    if (s)
        stream_destroy(a, s);
    return false;
}

/* ---- made by the agent ---- */

static void make(struct agent *a, const struct refusal *r, bool kept)
{
    Pb__StatusUpdate update = PB__STATUS_UPDATE__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__TaskID task = PB__TASK_ID__INIT;
    uint8_t uuid[UUID_SIZE];

    host_uuid(runtime_host(a->runtime), uuid);
    framework.value = r->framework;
    executor.value = r->executor;
    agent.value = agent_id_text(&a->id);
    task.value = r->task;
    status.task_id = &task;
    status.state = task_state_as_told(r->state, r->partition_aware);
    status.message = r->message;
    status.has_source = status.has_reason = status.has_timestamp = status.has_uuid = 1;
    status.source = PB__TASK_STATUS__SOURCE__SOURCE_AGENT;
    status.reason = r->reason;
    status.timestamp = instant_seconds(runtime_wall(a->runtime));
    status.uuid = (ProtobufCBinaryData){ sizeof uuid, uuid };
    status.agent_id = &agent;
    status.executor_id = r->executor ? &executor : NULL;
    update.framework_id = &framework;
    update.executor_id = status.executor_id;
    update.slave_id = &agent;
    update.status = &status;
    update.timestamp = status.timestamp;
    update.has_uuid = 1;
    update.uuid = status.uuid;
    struct update_stream *s = find_or_add(a, &update, kept);
    if (!kept && r->info && !s->info)
        s->info = message_create(&r->info->base);
    receive(a, s, &update, NULL);
}

void status_updates_generate(struct agent *a, struct hosted_task *t, Pb__TaskState state,
                             Pb__TaskStatus__Reason reason, const char *message)
{
    struct refusal r = { .framework = t->executor->framework->id.text->bytes,
                         .task = t->id.text->bytes, .executor = t->executor->id.text->bytes,
                         .partition_aware = hosted_is_partition_aware(t->executor->framework),
                         .state = state, .reason = reason, .message = message };

    if (status_updates_has_end(a, t))
        return;
    make(a, &r, true);
}

void status_updates_refuse(struct agent *a, const struct refusal *r)
{
    if (find(a, r->framework, r->task))
        return;                          /* told already, not acknowledged yet */
    log_info("task %s of framework %s is %s: %s", r->task, r->framework,
             task_state_name(task_state_as_told(r->state, r->partition_aware)), r->message);
    make(a, r, false);
    if (r->executor && strcmp(r->executor, r->task) != 0)     /* a custom one */
        hosted_executors_tell_absent(a, r->framework, r->executor);
}

/* ---- refused tasks, as a re-registration tells them ---- */

static Pb__Task *refused_task(const struct update_stream *s, struct arena *arena)
{
    const Pb__StatusUpdate *update = body_of(head_of(s));
    Pb__Task *task = arena_alloc(arena, sizeof *task);

    pb__task__init(task);
    task->name = update->status->task_id->value;
    task->task_id = update->status->task_id;
    task->framework_id = update->framework_id;
    task->agent_id = update->slave_id;
    if (update->executor_id && strcmp(update->executor_id->value, task->name) != 0)
        task->executor_id = update->executor_id;
    task->state = update->status->state;
    return task;
}

static bool is_framework_listed(const Pb__ReregisterSlaveMessage *msg, const char *id)
{
    for (size_t i = 0; i < msg->n_frameworks; i++)
        if (msg->frameworks[i]->id && strcmp(msg->frameworks[i]->id->value, id) == 0)
            return true;
    return false;
}

void status_updates_list_refused(struct agent *a, Pb__ReregisterSlaveMessage *msg,
                                 struct arena *arena)
{
    size_t n = HASH_COUNT(a->streams);
    Pb__FrameworkInfo **frameworks =
        arena_alloc(arena, (msg->n_frameworks + n + 1) * sizeof *frameworks);
    Pb__Task **tasks = arena_alloc(arena, (msg->n_tasks + n + 1) * sizeof *tasks);

    memcpy(frameworks, msg->frameworks, msg->n_frameworks * sizeof *frameworks);
    memcpy(tasks, msg->tasks, msg->n_tasks * sizeof *tasks);
    msg->frameworks = frameworks;
    msg->tasks = tasks;
    for (struct update_stream *s = a->streams; s; s = s->hh.next) {
        if (s->kept || list_is_empty(&s->updates))
            continue;
        s->listed = true;
        msg->tasks[msg->n_tasks++] = refused_task(s, arena);
        if (s->info && !is_framework_listed(msg, s->framework.text->bytes))
            msg->frameworks[msg->n_frameworks++] = (Pb__FrameworkInfo *)s->info->body;
    }
}

bool status_updates_has_stream(struct agent *a, const char *framework, const char *task)
{
    return find(a, framework, task) != NULL;
}

bool status_updates_has_end(struct agent *a, const struct hosted_task *t)
{
    struct update_stream *s = find(a, t->executor->framework->id.text->bytes, t->id.text->bytes);

    if (task_state_is_terminal(t->state))
        return true;
    if (s)
        list_each(u, &s->updates, struct task_update, link)
            if (is_terminal(u))
                return true;
    return false;
}

/* ---- acknowledgements of the framework ---- */

static void on_acknowledgement(struct agent *a, const struct pid *from,
                               const Pb__StatusUpdateAcknowledgementMessage *msg)
{
    struct update_stream *s;
    struct task_update *head;

    if (!agent_is_master(a, from, "acknowledgement"))
        return;
    s = find(a, msg->framework_id->value, msg->task_id->value);
    head = s ? head_of(s) : NULL;
    if (!head || !head->stored || s->acknowledging || msg->uuid.len != UUID_SIZE ||
        memcmp(body_of(head)->uuid.data, msg->uuid.data, UUID_SIZE) != 0) {
        log_debug("acknowledgement for task %s ignored: its update is not in flight",
                  msg->task_id->value);
        return;
    }
    s->acknowledging = true;
    process_cancel(&s->retry);
    FINALLY(s->kept ? store_acknowledge(a->store, s->framework, s->task, &msg->uuid)
                    : future_ready(&future_nothing, NULL),
            acknowledgement_stored, a, committing_create(s, msg->uuid.data));
}

/* The end of a stream: its task is done, and what is not in the books is forgotten. */
static void end_stream(struct agent *a, struct update_stream *s)
{
    struct hosted_framework *f = hosted_framework_find(a, s->framework.text->bytes);
    struct hosted_task *t = f ? hosted_task_find(f, s->task.text->bytes) : NULL;
    bool kept = s->kept;

    if (s->listed)
        registration_list_is_old(a);
    if (kept && !t)                      /* its launch was given up, its end was stored */
        future_unref(store_remove_task(a->store, s->framework, s->task));
    stream_destroy(a, s);
    if (t && kept)
        hosted_task_complete(a, t);
}

static void acknowledgement_stored(struct agent *a, struct future *f, struct committing *op)
{
    struct update_stream *s = future_state(f) == FUTURE_DISCARDED ? NULL : find_key(a, op->key);
    struct task_update *u = s ? find_update(s, op->uuid) : NULL;
    bool ends;

    committing_destroy(op);
    if (!u)
        return;
    s->acknowledging = s->in_flight = false;
    if (future_state(f) == FUTURE_FAILED) {
        log_error("acknowledgement for task %s of framework %s cannot be stored, its update is "
                  "sent again: %s",
                  s->task.text->bytes, s->framework.text->bytes, future_error(f)->text);
        if (a->state == AGENT_RUNNING) { /* else it is sent when we are registered again */
            s->in_flight = true;
            s->retry = delay(&a->process.pid, s->pause, send_again, .key = mem_strdup(s->key));
        }
        return;
    }
    ends = is_terminal(u);
    update_destroy(u);
    if (ends && list_is_empty(&s->updates))
        end_stream(a, s);
    else
        forward(a, s);
}

int status_updates_check(const struct agent *a, struct error *err)
{
    for (struct update_stream *s = a->streams; s; s = s->hh.next) {
        if (s->in_flight && (list_is_empty(&s->updates) || !head_of(s)->stored))
            return error_set(err, EINVAL, "an update of task %s is in flight that is not stored",
                             s->task.text->bytes);
        if (s->in_flight && a->state != AGENT_RUNNING && s->retry.id != 0)
            return error_set(err, EINVAL, "an update of task %s is sent to no master",
                             s->task.text->bytes);
    }
    return 0;
}
