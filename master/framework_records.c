/* framework_records.c - what a framework record is made of, and its end
 *
 * removed -> ShutdownFrameworkMessage to the agents; tasks KILLED, kept as completed
 */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/http/master_events.h"
#include "master/master_private.h"
#include "mesos/event_stream.h"
#include "mesos/framework_info.h"
#include "mesos/role.h"
#include "mesos/task_state.h"

static const Pb__FrameworkInfo *info_of(const struct framework_record *f)
{
    return (const Pb__FrameworkInfo *)f->info->body;
}

/* ---- what it says of itself ---- */

/* Roles are borrowed from the info; the caller frees the array. */
static const char **roles_of(const Pb__FrameworkInfo *info, size_t *ret_n)
{
    const char **roles;

    *ret_n = framework_info_role_count(info);
    roles = mem_array(*ret_n, sizeof *roles);
    for (size_t i = 0; i < *ret_n; i++)
        roles[i] = framework_info_role(info, i);
    return roles;
}

/* What may not change keeps its first value; old NULL: nothing to keep. */
static struct message *make_info(const Pb__FrameworkInfo *info, const struct framework_id *id,
                                 const Pb__FrameworkInfo *old)
{
    Pb__FrameworkInfo made = *info;
    Pb__FrameworkID pb_id = PB__FRAMEWORK_ID__INIT;

    pb_id.value = id->text->bytes;
    made.id = &pb_id;
    if (old) {
        if (strcmp(old->user, info->user) != 0 || old->checkpoint != info->checkpoint)
            log_warning(
                "framework %s: its user and checkpoint cannot change, they stay as they were",
                pb_id.value);
        made.user = old->user;
        made.has_checkpoint = old->has_checkpoint;
        made.checkpoint = old->checkpoint;
        made.principal = old->principal;
    }
    return message_create(&made.base);
}

static void take_info(struct framework_record *f, struct message *info)
{
    message_unref(f->info);
    f->info = info;
    f->partition_aware = framework_info_has(info_of(f), PARTITION_AWARE);
    f->checkpoint = info_of(f)->has_checkpoint && info_of(f)->checkpoint;
    text_unref(f->role);
    f->role = text_create(
        framework_info_role_count(info_of(f)) > 0 ? framework_info_role(info_of(f), 0) : ROLE_ANY);
}

void framework_records_set_info(struct framework_record *f, const Pb__FrameworkInfo *info)
{
    take_info(f, make_info(info, &f->id, info_of(f)));
}

/* ---- what the allocator knows of it ---- */

void framework_records_note_suppressed(struct framework_record *f, size_t n,
                                       const char *const *roles)
{
    framework_metrics_revive(f, 0, NULL);
    if (n > 0)
        framework_metrics_suppress(f, n, roles);
}

void framework_records_tell_allocator(struct master *m, struct framework_record *f,
                                      size_t n_suppressed, const char *const *suppressed)
{
    size_t n;
    const char **roles = roles_of(info_of(f), &n);

    allocator_add_framework(m->allocator, f->id, roles, n, suppressed, n_suppressed);
    mem_free(roles);
    framework_records_note_suppressed(f, n_suppressed, suppressed);
}

/* ---- in the books, and out of them ---- */

struct framework_record *framework_records_add(struct master *m, const struct framework_id *id,
                                               const Pb__FrameworkInfo *info, size_t n_suppressed,
                                               const char *const *suppressed)
{
    struct framework_record *f = mem_alloc(sizeof *f);

    f->id = framework_id_dup(id);
    list_init(&f->executors);
    list_init(&f->offers);
    list_init(&f->completed_tasks);
    list_init(&f->unreachable_tasks);
    list_init(&f->link);
    take_info(f, make_info(info, id, NULL));
    f->registered = master_wall(m);
    HASH_ADD_KEYPTR(hh, m->frameworks, f->id.text->bytes, f->id.text->length, f);
    framework_records_tell_allocator(m, f, n_suppressed, suppressed);
    return f;
}

void framework_records_let_go(struct framework_record *f)
{
    event_stream_unref(f->subscriber);
    f->subscriber = NULL;
}

void framework_records_destroy(struct framework_record *f)
{
    struct task_record *t, *next;

    process_cancel(&f->failover_timer);
    HASH_ITER(hh, f->tasks, t, next)
    {
        HASH_DEL(f->tasks, t);
        task_records_destroy(t);
    }
    list_each_safe (done, &f->completed_tasks, struct task_record, link)
        task_records_destroy(done);
    list_each_safe (away, &f->unreachable_tasks, struct task_record, link)
        task_records_destroy(away);
    list_each_safe (e, &f->executors, struct executor_record, framework_link)
        executor_records_destroy(e);
    framework_records_let_go(f);
    framework_id_release(&f->id);
    pid_release(&f->pid);
    message_unref(f->info);
    text_unref(f->role);
    resources_release(&f->used);
    framework_metrics_release(&f->metrics);
    mem_free(f);
}

/* ---- the end ---- */

static void shut_down(struct master *m, struct framework_record *f)
{
    Pb__ShutdownFrameworkMessage message = PB__SHUTDOWN_FRAMEWORK_MESSAGE__INIT;

    message.framework_id = info_of(f)->id;
    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        if (a->connected)
            process_send(&m->process, &a->pid, &message.base);
}

static void kill_task(struct master *m, struct task_record *t, const char *message)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    status.task_id = ((const Pb__Task *)t->info->body)->task_id;
    status.agent_id = ((const Pb__Task *)t->info->body)->agent_id;
    status.state = PB__TASK_STATE__TASK_KILLED;
    status.has_source = status.has_reason = status.has_timestamp = true;
    status.source = PB__TASK_STATUS__SOURCE__SOURCE_MASTER;
    status.reason = PB__TASK_STATUS__REASON__REASON_FRAMEWORK_REMOVED;
    status.timestamp = instant_seconds(master_wall(m));
    status.message = message;
    if (!task_state_is_terminal(t->state))
        task_records_update(m, t, &status, status.state);
    task_records_remove(m, t);
}

void framework_records_remove(struct master *m, struct framework_record *f, const char *why)
{
    char *message = mem_printf("Framework %s removed", framework_id_text(&f->id));
    struct task_record *t, *next;

    process_cancel(&f->failover_timer);
    f->active = false;
    allocator_deactivate_framework(m->allocator, f->id);
    offers_remove_of_framework(m, f, false);
    shut_down(m, f);
    HASH_ITER (hh, f->tasks, t, next)
        kill_task(m, t, message);
    mem_free(message);
    list_each_safe (e, &f->executors, struct executor_record, framework_link)
        executor_records_remove(m, e);
    allocator_remove_framework(m->allocator, f->id);
    f->connected = false;
    if (f->subscriber)
        event_stream_close(f->subscriber);
    framework_records_let_go(f);
    f->unregistered = master_wall(m);
    HASH_DEL(m->frameworks, f);
    log_info("framework %s (%s) removed: %s", framework_id_text(&f->id), info_of(f)->name, why);
    list_append(&m->completed_frameworks, &f->link);
    m->n_completed_frameworks++;
    master_events_framework_removed(m, f);
    while ((int64_t)m->n_completed_frameworks > m->options.max_completed_frameworks) {
        struct framework_record *oldest =
            list_first(&m->completed_frameworks, struct framework_record, link);

        list_remove(&oldest->link);
        m->n_completed_frameworks--;
        framework_records_destroy(oldest);
    }
}
