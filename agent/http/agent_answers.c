/* agent_answers.c - frameworks, executors and tasks as the operator API has them */
#include "agent/agent_private.h"
#include "agent/http/agent_operator.h"
#include "mesos/task_state.h"
#include "proto/agent.pb-c.h"

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

/* ---- walking: frameworks that run first, then those that have ended ---- */

struct walk {
    struct arena *arena;
    void *to; /* the part that is filled */
};

typedef void (*executor_f)(struct walk *w, struct hosted_executor *e, bool completed);

static void each_executor_of(const struct hosted_framework *f, struct walk *w, executor_f fn)
{
    for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
        fn(w, e, false);
    list_each (e, &f->completed_executors, struct hosted_executor, link)
        fn(w, e, true);
}

static void each_executor(const struct agent *a, struct walk *w, executor_f fn)
{
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        each_executor_of(f, w, fn);
    list_each (f, &a->completed_frameworks, struct hosted_framework, link)
        each_executor_of(f, w, fn);
}

/* Lists of the arena whose length is not known before; room doubles at powers of two. */
static void *make_room(struct arena *arena, void *list, size_t n)
{
    void **old = list, **v;

    if (n & (n - 1))
        return list;
    v = arena_alloc(arena, (n ? 2 * n : 1) * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = old[i];
    return v;
}

#define APPEND(w, part, list, value)                                                               \
    do {                                                                                           \
        (part)->list = make_room((w)->arena, (part)->list, (part)->n_##list);                      \
        (part)->list[(part)->n_##list++] = (value);                                                \
    } while (0)

/* ---- frameworks ---- */

static PbAgent__Response__GetFrameworks__Framework *
make_framework(const struct hosted_framework *f, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetFrameworks__Framework,
        pb_agent__response__get_frameworks__framework__init, framework);

    framework->framework_info = (Pb__FrameworkInfo *)f->info->body;
    return framework;
}

PbAgent__Response__GetFrameworks *agent_answers_frameworks(const struct agent *a,
                                                           struct arena *arena)
{
    struct walk w = { arena, NULL };
    NEW(arena, PbAgent__Response__GetFrameworks, pb_agent__response__get_frameworks__init, all);

    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        APPEND(&w, all, frameworks, make_framework(f, arena));
    list_each (f, &a->completed_frameworks, struct hosted_framework, link)
        APPEND(&w, all, completed_frameworks, make_framework(f, arena));
    return all;
}

/* ---- executors ---- */

static void add_executor(struct walk *w, struct hosted_executor *e, bool completed)
{
    PbAgent__Response__GetExecutors *all = w->to;
    NEW(w->arena, PbAgent__Response__GetExecutors__Executor,
        pb_agent__response__get_executors__executor__init, executor);

    executor->executor_info = (Pb__ExecutorInfo *)e->info->body;
    if (completed)
        APPEND(w, all, completed_executors, executor);
    else
        APPEND(w, all, executors, executor);
}

PbAgent__Response__GetExecutors *agent_answers_executors(const struct agent *a,
                                                         struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetExecutors, pb_agent__response__get_executors__init, all);

    each_executor(a, &(struct walk){ arena, all }, add_executor);
    return all;
}

/* ---- tasks ---- */

static void add_tasks(struct walk *w, struct hosted_executor *e, bool completed UNUSED)
{
    PbAgent__Response__GetTasks *all = w->to;

    for (struct hosted_task *t = e->tasks; t; t = t->hh.next) {
        Pb__Task *task = hosted_task_to_protobuf(t, w->arena);

        if (task_state_is_terminal(t->state))
            APPEND(w, all, terminated_tasks, task);
        else if (t->sent)
            APPEND(w, all, launched_tasks, task);
        else
            APPEND(w, all, queued_tasks, task);
    }
    list_each (t, &e->completed_tasks, struct hosted_task, link)
        APPEND(w, all, completed_tasks, hosted_task_to_protobuf(t, w->arena));
}

PbAgent__Response__GetTasks *agent_answers_tasks(const struct agent *a, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetTasks, pb_agent__response__get_tasks__init, all);

    each_executor(a, &(struct walk){ arena, all }, add_tasks);
    return all;
}
