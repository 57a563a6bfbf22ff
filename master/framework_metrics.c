/* framework_metrics.c - the numbers of each framework, as Mesos names them */
#include "master/framework_metrics.h"

#include <ctype.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/percent.h"
#include "base/text.h"
#include "master/master_private.h"
#include "mesos/framework_info.h"
#include "mesos/task_state.h"
#include "process/metrics.h"
#include "proto/scheduler.pb-c.h"

static const Pb__FrameworkInfo *info_of(const struct framework_record *f)
{
    return (const Pb__FrameworkInfo *)f->info->body;
}

/* ---- counting ---- */

static void count_type(uint64_t counts[FRAMEWORK_TYPES], int type)
{
    if (type >= 0 && type < FRAMEWORK_TYPES)
        counts[type]++;
}

void framework_metrics_count(struct framework_record *f, enum framework_count which)
{
    f->metrics.counts[which]++;
}

void framework_metrics_call(struct framework_record *f, int type)
{
    count_type(f->metrics.calls, type);
}

void framework_metrics_operation(struct framework_record *f, int type)
{
    count_type(f->metrics.operations, type);
}

void framework_metrics_ended(struct framework_record *f, Pb__TaskState state)
{
    count_type(f->metrics.ended, (int)state);
}

#define EVENT(name) PB_SCHEDULER_V1__EVENT__TYPE__##name

void framework_metrics_event(struct framework_record *f, const ProtobufCMessage *msg)
{
    static const struct {
        const ProtobufCMessageDescriptor *message;
        PbSchedulerV1__Event__Type event;
    } events[] = {
        { &pb__framework_registered_message__descriptor, EVENT(SUBSCRIBED) },
        { &pb__framework_reregistered_message__descriptor, EVENT(SUBSCRIBED) },
        { &pb__resource_offers_message__descriptor, EVENT(OFFERS) },
        { &pb__rescind_resource_offer_message__descriptor, EVENT(RESCIND) },
        { &pb__status_update_message__descriptor, EVENT(UPDATE) },
        { &pb__update_operation_status_message__descriptor, EVENT(UPDATE_OPERATION_STATUS) },
        { &pb__executor_to_framework_message__descriptor, EVENT(MESSAGE) },
        { &pb__lost_slave_message__descriptor, EVENT(FAILURE) },
        { &pb__exited_executor_message__descriptor, EVENT(FAILURE) },
        { &pb__framework_error_message__descriptor, EVENT(ERROR) },
    };

    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        if (events[i].message == msg->descriptor)
            count_type(f->metrics.events, (int)events[i].event);
}

/* ---- suppressed roles ---- */

static void forget_role(struct framework_metrics *m, const char *role)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->n_suppressed; i++)
        if (role && !text_is(m->suppressed[i], role))
            m->suppressed[kept++] = m->suppressed[i];
        else
            text_unref(m->suppressed[i]);
    m->n_suppressed = kept;
}

void framework_metrics_revive(struct framework_record *f, size_t n, const char *const *roles)
{
    if (n == 0)
        forget_role(&f->metrics, NULL);
    for (size_t i = 0; i < n; i++)
        forget_role(&f->metrics, roles[i]);
}

static void suppress_role(struct framework_metrics *m, const char *role)
{
    forget_role(m, role);
    m->suppressed = mem_realloc(m->suppressed, (m->n_suppressed + 1) * sizeof *m->suppressed);
    m->suppressed[m->n_suppressed++] = text_create(role);
}

void framework_metrics_suppress(struct framework_record *f, size_t n, const char *const *roles)
{
    for (size_t i = 0; i < n; i++)
        suppress_role(&f->metrics, roles[i]);
    for (size_t i = 0; n == 0 && i < framework_info_role_count(info_of(f)); i++)
        suppress_role(&f->metrics, framework_info_role(info_of(f), i));
}

void framework_metrics_release(struct framework_metrics *m)
{
    forget_role(m, NULL);
    mem_free(m->suppressed);
    m->suppressed = NULL;
}

/* ---- saying ---- */

struct saying {
    struct metrics_samples *to;
    struct buffer name; /* begins with the framework's prefix */
    size_t prefix;
};

static void say(struct saying *s, const char *group, const char *name, double value,
                enum metrics_kind kind)
{
    buffer_truncate(&s->name, s->prefix);
    buffer_append_text(&s->name, group);
    for (const char *c = name; *c; c++) {
        const char lower = (char)tolower((unsigned char)*c);

        buffer_append(&s->name, &lower, 1);
    }
    metrics_say(s->to, buffer_data(&s->name), value, kind);
}

/* Of each value of the enum but UNKNOWN; and their sum, by the group's name alone. */
static void say_types(struct saying *s, const char *group, const char *total,
                      const ProtobufCEnumDescriptor *type, const uint64_t counts[FRAMEWORK_TYPES])
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < type->n_values; i++) {
        int value = type->values[i].value;

        if (strcmp(type->values[i].name, "UNKNOWN") == 0 || value >= FRAMEWORK_TYPES)
            continue;
        sum += counts[value];
        say(s, group, type->values[i].name, (double)counts[value], METRICS_COUNTER);
    }
    say(s, total, "", (double)sum, METRICS_COUNTER);
}

static void say_tasks(struct saying *s, const struct framework_record *f)
{
    const ProtobufCEnumDescriptor *states = &pb__task_state__descriptor;
    uint64_t active[FRAMEWORK_TYPES] = { 0 };

    for (const struct task_record *t = f->tasks; t; t = t->hh.next)
        count_type(active, (int)t->state);
    active[PB__TASK_STATE__TASK_UNREACHABLE] = f->n_unreachable_tasks;
    for (unsigned i = 0; i < states->n_values; i++) {
        int state = states->values[i].value;
        bool ended = task_state_is_terminal((Pb__TaskState)state);

        if (state == PB__TASK_STATE__TASK_UNKNOWN)
            continue;
        say(s, ended ? "tasks/terminal/" : "tasks/active/", states->values[i].name,
            (double)(ended ? f->metrics.ended : active)[state],
            ended ? METRICS_COUNTER : METRICS_GAUGE);
    }
}

static void say_roles(struct saying *s, const struct framework_record *f)
{
    for (size_t i = 0; i < framework_info_role_count(info_of(f)); i++) {
        const char *role = framework_info_role(info_of(f), i);
        bool suppressed = false;

        for (size_t k = 0; k < f->metrics.n_suppressed; k++)
            suppressed = suppressed || text_is(f->metrics.suppressed[k], role);
        buffer_truncate(&s->name, s->prefix);
        buffer_printf(&s->name, "roles/%s/suppressed", role);
        metrics_say(s->to, buffer_data(&s->name), suppressed, METRICS_GAUGE);
    }
}

static void say_framework(struct metrics_samples *to, const struct framework_record *f)
{
    static const char *const offers[FRAMEWORK_COUNTS] = { "sent", "accepted", "declined",
                                                          "rescinded" };
    CLEANUP(buffer_release) struct buffer name = BUFFER_INIT;
    struct saying s = { .to = to };

    percent_encode(info_of(f)->name, strlen(info_of(f)->name), &name);
    buffer_printf(&s.name, "master/frameworks/%s/%s/", buffer_data(&name),
                  framework_id_text(&f->id));
    s.prefix = buffer_length(&s.name);
    say(&s, "subscribed", "", f->connected, METRICS_GAUGE);
    say_types(&s, "calls/", "calls", &pb_scheduler_v1__call__type__descriptor, f->metrics.calls);
    say_types(&s, "events/", "events", &pb_scheduler_v1__event__type__descriptor,
              f->metrics.events);
    say_types(&s, "operations/", "operations", &pb__offer__operation__type__descriptor,
              f->metrics.operations);
    for (size_t i = 0; i < FRAMEWORK_COUNTS; i++)
        say(&s, "offers/", offers[i], (double)f->metrics.counts[i], METRICS_COUNTER);
    say_tasks(&s, f);
    say_roles(&s, f);
    buffer_release(&s.name);
}

static void tell(struct process *self, struct metrics_samples *to)
{
    for (const struct framework_record *f = STATE_(master, self)->frameworks; f; f = f->hh.next)
        say_framework(to, f);
}

void framework_metrics_init(struct master *m)
{
    if (m->options.publish_per_framework_metrics)
        metrics_tell(&m->process, tell);
}
