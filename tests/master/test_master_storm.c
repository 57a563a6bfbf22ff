/* test_master_storm.c - agents and schedulers that do everything at any time, in any order
 *
 * Nobody behaves: players say random things, valid and not, links break, agents
 * fall silent and come back.  The master's books are checked before every step
 * of the world; afterwards a well-behaved agent and scheduler get on with it.
 */
#include "tests/master/master_place.h"
#include "tests/unit.h"

enum { AGENTS = 3, SCHEDULERS = 3, TASKS = 400 };

struct storm_task {
    char id[16];
    size_t agent;
    const char *framework;
    Pb__TaskState state;
};

struct storm {
    struct place w;
    struct player *agents[AGENTS], *schedulers[SCHEDULERS];
    const char *agent_ids[AGENTS], *frameworks[SCHEDULERS];
    struct storm_task tasks[TASKS];
    size_t n_tasks;
};

static size_t any(struct storm *s, size_t n)
{
    return (size_t)sim_random_below(s->w.sim, n);
}

/* What came is looked at, so that the players know ids, offers and tasks. */
static void read_agent(struct storm *s, size_t i)
{
    const ProtobufCMessage *msg;

    while ((msg = player_wait(&s->w, s->agents[i], &pb__slave_registered_message__descriptor,
                              NANOSECONDS(0))))
        s->agent_ids[i] = ((const Pb__SlaveRegisteredMessage *)msg)->slave_id->value;
    while ((msg = player_wait(&s->w, s->agents[i], &pb__run_task_message__descriptor,
                              NANOSECONDS(0)))) {
        const Pb__RunTaskMessage *run = (const Pb__RunTaskMessage *)msg;
        struct storm_task *t = &s->tasks[s->n_tasks % TASKS];

        snprintf(t->id, sizeof t->id, "%s", run->task->task_id->value);
        t->agent = i;
        t->framework = run->framework->id->value;
        t->state = PB__TASK_STATE__TASK_RUNNING;
        s->n_tasks++;
    }
}

static void read_scheduler(struct storm *s, size_t i)
{
    const ProtobufCMessage *msg;

    while ((msg = player_wait(&s->w, s->schedulers[i],
                              &pb__framework_registered_message__descriptor, NANOSECONDS(0))))
        s->frameworks[i] = ((const Pb__FrameworkRegisteredMessage *)msg)->framework_id->value;
    while (player_wait(&s->w, s->schedulers[i], &pb__framework_error_message__descriptor,
                       NANOSECONDS(0)))
        s->frameworks[i] = NULL;
}

static struct storm_task *any_task(struct storm *s)
{
    return s->n_tasks ? &s->tasks[any(s, s->n_tasks < TASKS ? s->n_tasks : TASKS)] : NULL;
}

/* ---- deeds ---- */

static Pb__Task *make_listed(struct storm *s, const struct storm_task *t, const char *agent)
{
    struct place *w = &s->w;
    MAKE(w, Pb__Task, pb__task__init, task);
    task->name = "t";
    task->task_id = make_task_id(w, t->id);
    task->framework_id = make_framework_id(w, t->framework);
    task->agent_id = make_agent_id(w, agent);
    task->state = t->state;
    task->resources = make_resources(w, "cpus:1;mem:64", &task->n_resources);
    return task;
}

static void come_back(struct storm *s, size_t i)
{
    Pb__Task *tasks[TASKS];
    Pb__FrameworkInfo *info = NULL;
    size_t n = 0;

    if (!s->agent_ids[i]) {
        say_register(&s->w, s->agents[i]);
        return;
    }
    for (size_t k = 0; k < s->n_tasks && k < TASKS; k++)
        if (s->tasks[k].agent == i && any(s, 5) > 0)
            tasks[n++] = make_listed(s, &s->tasks[k], s->agent_ids[i]);
    if (any(s, 2))
        info = make_framework_info(&s->w, s->frameworks[any(s, SCHEDULERS)], 60, true);
    if (info && !info->id)
        info = NULL;
    say_reregister(&s->w, s->agents[i], s->agent_ids[i], n, tasks, info);
}

static void leave(struct storm *s, size_t i)
{
    Pb__UnregisterSlaveMessage msg = PB__UNREGISTER_SLAVE_MESSAGE__INIT;

    if (!s->agent_ids[i])
        return;
    msg.slave_id = make_agent_id(&s->w, s->agent_ids[i]);
    say(s->agents[i], &msg.base);
    if (any(s, 2))
        s->agent_ids[i] = NULL;
}

static void update(struct storm *s)
{
    static const Pb__TaskState states[] = {
        PB__TASK_STATE__TASK_RUNNING,
        PB__TASK_STATE__TASK_FINISHED,
        PB__TASK_STATE__TASK_KILLED,
    };
    struct storm_task *t = any_task(s);

    if (!t || !s->agent_ids[t->agent])
        return;
    Pb__TaskState latest = states[any(s, ARRAY_SIZE(states))];

    say_update(&s->w, s->agents[t->agent], t->framework, s->agent_ids[t->agent], t->id,
               any(s, 2) ? latest : PB__TASK_STATE__TASK_RUNNING, latest, (uint8_t)any(s, 4));
    t->state = latest;
}

static void subscribe(struct storm *s, size_t i)
{
    const char *id = any(s, 8) ? s->frameworks[any(s, 4) ? i : any(s, SCHEDULERS)] : NULL;
    Pb__FrameworkInfo *info = make_framework_info(&s->w, id, any(s, 4) ? 600 : 0, any(s, 2));

    info->checkpoint = any(s, 4);
    say_subscribe(&s->w, s->schedulers[i], info, any(s, 2));
    if (id)
        s->frameworks[i] = id;
}

static void give_executor(struct storm *s, Pb__TaskInfo *task)
{
    struct place *w = &s->w;
    MAKE(w, Pb__ExecutorInfo, pb__executor_info__init, executor);
    executor->executor_id = make_executor_id(w, any(s, 2) ? "e" : "d");
    executor->command = task->command;
    executor->resources = make_resources(w, "cpus:0.5;mem:32", &executor->n_resources);
    task->command = NULL;
    task->executor = executor;
}

static void end_executor(struct storm *s, size_t i)
{
    Pb__ExitedExecutorMessage msg = PB__EXITED_EXECUTOR_MESSAGE__INIT;
    const char *framework = s->frameworks[any(s, SCHEDULERS)];

    if (!s->agent_ids[i] || !framework)
        return;
    msg.slave_id = make_agent_id(&s->w, s->agent_ids[i]);
    msg.framework_id = make_framework_id(&s->w, framework);
    msg.executor_id = make_executor_id(&s->w, any(s, 2) ? "e" : "d");
    say(s->agents[i], &msg.base);
}

static void accept(struct storm *s, size_t i)
{
    static const char *const sizes[] = { "cpus:1;mem:64", "cpus:1;mem:64", "cpus:9", "cpus:0" };
    const ProtobufCMessage *msg = player_wait(
        &s->w, s->schedulers[i], &pb__resource_offers_message__descriptor, NANOSECONDS(0));
    Pb__TaskInfo *tasks[3];
    size_t n = any(s, 4);

    if (!msg || !s->frameworks[i])
        return;
    const Pb__Offer *offer = ((const Pb__ResourceOffersMessage *)msg)->offers[0];

    for (size_t k = 0; k < n; k++) {
        char id[16];

        snprintf(id, sizeof id, "t%zu", any(s, 200));
        tasks[k] = make_task(&s->w, arena_strdup(&s->w.arena, id), offer->agent_id->value,
                             sizes[any(s, ARRAY_SIZE(sizes))]);
        if (any(s, 3) == 0)
            give_executor(s, tasks[k]);
    }
    for (size_t k = 0; k < 1 + any(s, 2); k++) /* at times twice */
        say_launch(&s->w, s->schedulers[i], s->frameworks[i], offer->id->value, n, tasks);
}

static void talk(struct storm *s, size_t i)
{
    struct storm_task *t = any_task(s);
    const char *f = s->frameworks[i];

    if (!t || !f || !s->agent_ids[t->agent])
        return;
    switch (any(s, 4)) {
    case 0:
        say_kill(&s->w, s->schedulers[i], f, t->id);
        break;
    case 1:
        say_reconcile(&s->w, s->schedulers[i], f, t->id, any(s, 2) ? s->agent_ids[t->agent] : NULL);
        break;
    default:
        say_acknowledge(&s->w, s->schedulers[i], f, s->agent_ids[t->agent], t->id,
                        (uint8_t)any(s, 4));
    }
}

static void scheduler_call(struct storm *s, size_t i, PbScheduler__Call__Type type)
{
    if (s->frameworks[i])
        say(s->schedulers[i], &make_call(&s->w, s->frameworks[i], type)->base);
}

static void storm_step(struct storm *s)
{
    size_t a = any(s, AGENTS), f = any(s, SCHEDULERS);

    if (!s->agent_ids[a])
        come_back(s, a);
    if (!s->frameworks[f])
        subscribe(s, f);
    switch (any(s, 16)) {
    case 0:
        come_back(s, a);
        break;
    case 1:
        if (any(s, 4) == 0)
            subscribe(s, f);
        break;
    case 2:
        if (any(s, 4) > 0)
            break;
        sim_break_connections(s->w.node, any(s, 2) ? s->agents[a]->node : s->schedulers[f]->node);
        break;
    case 3:
        s->agents[a]->mute = any(s, 4) == 0;
        sim_run_for(s->w.sim, SECONDS(any(s, 30)));
        break;
    case 4:
        if (any(s, 8) == 0)
            leave(s, a);
        break;
    case 5:
        if (any(s, 16) == 0)
            scheduler_call(s, f, PB_SCHEDULER__CALL__TYPE__TEARDOWN);
        break;
    case 6:
        scheduler_call(s, f,
                       any(s, 8) ? PB_SCHEDULER__CALL__TYPE__REVIVE
                                 : PB_SCHEDULER__CALL__TYPE__SUPPRESS);
        break;
    case 7:
        talk(s, f);
        break;
    case 8:
        end_executor(s, a);
        break;
    case 9:
    case 10:
        update(s);
        break;
    default:
        accept(s, f);
    }
    sim_run_for(s->w.sim, MILLISECONDS(any(s, 20)));
    for (size_t i = 0; i < AGENTS; i++)
        read_agent(s, i);
    for (size_t i = 0; i < SCHEDULERS; i++)
        read_scheduler(s, i);
}

/* Whatever was, newcomers are served as ever. */
static void check_service(struct storm *s)
{
    struct player *agent = place_add(&s->w, "slave(1)", 5099);
    struct player *scheduler = place_add(&s->w, "scheduler-9", 6099);
    const char *framework, *id = join(&s->w, agent);

    framework = subscribe_new(&s->w, scheduler, true);
    for (;;) {
        const Pb__ResourceOffersMessage *msg =
            EXPECT(&s->w, scheduler, pb__resource_offers_message, Pb__ResourceOffersMessage);
        const Pb__Offer *offer = msg->offers[0];

        for (size_t i = 0; i < msg->n_offers; i++)
            if (strcmp(msg->offers[i]->agent_id->value, id) == 0)
                offer = msg->offers[i];
        if (strcmp(offer->agent_id->value, id) != 0)
            continue;
        Pb__TaskInfo *task = make_task(&s->w, "last", id, "cpus:1");

        say_launch(&s->w, scheduler, framework, offer->id->value, 1, &task);
        EXPECT(&s->w, agent, pb__run_task_message, Pb__RunTaskMessage);
        return;
    }
}

START_TEST(the_books_are_right_whatever_they_do)
{
    struct storm *s = mem_alloc(sizeof *s);

    place_start_seeded(&s->w, (uint64_t)_i + 1);
    for (size_t i = 0; i < AGENTS; i++)
        s->agents[i] = place_add(&s->w, "slave(1)", 5051);
    for (size_t i = 0; i < SCHEDULERS; i++)
        s->schedulers[i] = place_add(&s->w, "scheduler", 6000);
    for (int i = 0; i < 600; i++)
        storm_step(s);
    for (size_t i = 0; i < SCHEDULERS; i++)
        player_end(s->schedulers[i]);
    check_service(s);
    if (getenv("MASTER_PLACE_LOG"))
        fprintf(stderr, "seed %d: %zu tasks ran\n", _i + 1, s->n_tasks);
    place_stop(&s->w);
    mem_free(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("master_storm");
    TCase *tcase = tcase_create("master_storm");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 0);
    tcase_add_loop_test(tcase, the_books_are_right_whatever_they_do, 0, 10);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
