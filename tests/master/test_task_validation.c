/* test_task_validation.c - which tasks a master lets through, and what it says of the others */
#include "master/task_validation.h"
#include "base/text.h"
#include "tests/master/master_place.h"
#include "tests/unit.h"

/* Records by hand: no actor anywhere. */
struct books {
    struct place w;
    struct framework_record f;
    struct agent_record a;
    struct resources pool;
};

static void books_open(struct books *b)
{
    Pb__RegisterSlaveMessage registration = PB__REGISTER_SLAVE_MESSAGE__INIT;

    memset(b, 0, sizeof *b);
    ck_assert_int_eq(framework_id_parse("f", &b->f.id, NULL), 0);
    ck_assert_int_eq(agent_id_parse("a", &b->a.id, NULL), 0);
    b->f.info = message_create(&make_framework_info(&b->w, "f", 0, true)->base);
    b->f.role = text_create("*");
    list_init(&b->f.unreachable_tasks);
    list_init(&b->f.executors);
    list_init(&b->a.executors);
    registration.slave = make_agent_info(&b->w, NULL);
    b->a.registration = message_create(&registration.base);
    ck_assert_int_eq(resources_parse("cpus:4;mem:1024", "*", &b->pool, NULL), 0);
    resources_allocate(&b->pool, "*");
}

static void books_close(struct books *b)
{
    framework_id_release(&b->f.id);
    agent_id_release(&b->a.id);
    message_unref(b->f.info);
    message_unref(b->a.registration);
    text_unref(b->f.role);
    resources_release(&b->pool);
    arena_release(&b->w.arena);
}

static Pb__TaskInfo *good(struct books *b)
{
    return make_task(&b->w, "t", "a", "cpus:1;mem:32");
}

/* sentence NULL: it is valid. */
static void check_verdict(struct books *b, const Pb__TaskInfo *task, const char *sentence)
{
    struct task_validation v;
    struct buffer why = BUFFER_INIT;
    int verdict = task_validation_check(&b->f, &b->a, "*", task, &b->pool, &v, &why);

    ck_assert_str_eq(buffer_data(&why), sentence ? sentence : "");
    ck_assert_int_eq(verdict, sentence ? -1 : 0);
    if (verdict == 0)
        task_validation_release(&v);
    buffer_release(&why);
}

static Pb__ExecutorInfo *make_executor(struct books *b, const char *id, const char *resources)
{
    struct place *w = &b->w;
    MAKE(w, Pb__ExecutorInfo, pb__executor_info__init, e);
    MAKE(w, Pb__CommandInfo, pb__command_info__init, command);
    command->value = "./executor";
    e->executor_id = make_executor_id(w, id);
    e->command = command;
    e->resources = make_resources(w, resources, &e->n_resources);
    return e;
}

/* A test with books open, and a valid task to spoil. */
#define BOOKS_TEST(name)                                                                           \
    START_TEST(name)                                                                               \
    {                                                                                              \
        struct books b;                                                                            \
        books_open(&b);                                                                            \
        Pb__TaskInfo *t = good(&b);
#define BOOKS_END books_close(&b); } END_TEST

BOOKS_TEST(a_plain_task_is_valid)
    check_verdict(&b, t, NULL);
BOOKS_END

BOOKS_TEST(all_of_the_offer_may_be_used)
    t->resources = make_resources(&b.w, "cpus:4;mem:1024", &t->n_resources);
    check_verdict(&b, t, NULL);
BOOKS_END

BOOKS_TEST(ids_that_could_not_be_folders_are_refused)
    t->task_id->value = "t/../bad";
    check_verdict(&b, t, "'t/../bad' contains invalid characters");
    t->task_id->value = "";
    check_verdict(&b, t, "ID must not be empty");
    t->task_id->value = "..";
    check_verdict(&b, t, "'..' is not allowed as an ID");
    char *longest = mem_alloc(257);
    memset(longest, 'x', 256);
    t->task_id->value = longest;
    check_verdict(&b, t, "ID must not be longer than 255 bytes");
    longest[255] = '\0';
    check_verdict(&b, t, NULL);
    mem_free(longest);
BOOKS_END

BOOKS_TEST(an_unreachable_task_keeps_its_id)
    struct task_record away = { .framework = &b.f };

    ck_assert_int_eq(task_id_parse("t", &away.id, NULL), 0);
    list_append(&b.f.unreachable_tasks, &away.link);
    check_verdict(&b, t, "Task has duplicate ID: t");
    task_id_release(&away.id);
BOOKS_END

BOOKS_TEST(another_agent_than_the_offers_is_refused)
    t->agent_id->value = "b";
    check_verdict(&b, t, "Task uses invalid agent b while agent a is expected");
BOOKS_END

BOOKS_TEST(exactly_one_of_command_and_executor)
    const char *sentence =
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";

    t->executor = make_executor(&b, "e", "cpus:0.1");
    check_verdict(&b, t, sentence);
    t->command = NULL;
    check_verdict(&b, t, NULL);
    t->executor = NULL;
    check_verdict(&b, t, sentence);
BOOKS_END

BOOKS_TEST(a_task_needs_resources)
    t->resources = make_resources(&b.w, "cpus:0;mem:0", &t->n_resources);
    check_verdict(&b, t, "Task uses no resources");
BOOKS_END

BOOKS_TEST(negative_resources_are_refused)
    t->resources[0]->scalar->value = -1;
    struct task_validation v;
    struct buffer why = BUFFER_INIT;
    ck_assert_int_eq(task_validation_check(&b.f, &b.a, "*", t, &b.pool, &v, &why), -1);
    ck_assert_ptr_nonnull(strstr(buffer_data(&why), "Task uses invalid resources: "));
    buffer_release(&why);
BOOKS_END

BOOKS_TEST(task_and_executor_together_must_fit)
    t->command = NULL;
    t->executor = make_executor(&b, "e", "cpus:3.5");
    struct task_validation v;
    struct buffer why = BUFFER_INIT;
    ck_assert_int_eq(task_validation_check(&b.f, &b.a, "*", t, &b.pool, &v, &why), -1);
    ck_assert_ptr_nonnull(
        strstr(buffer_data(&why), "required by task and its executor is more than available"));
    buffer_release(&why);
    t->executor = make_executor(&b, "e", "cpus:3");
    check_verdict(&b, t, NULL);
BOOKS_END

BOOKS_TEST(resources_of_another_role_are_refused)
    Pb__Resource__AllocationInfo other = PB__RESOURCE__ALLOCATION_INFO__INIT;

    other.role = "prod";
    t->resources[0]->allocation_info = &other;
    check_verdict(&b, t,
                  "Task resources are allocated to role 'prod', those of the offers to role '*'");
BOOKS_END

BOOKS_TEST(a_running_executor_is_charged_once_and_must_be_the_same)
    struct executor_record e = { .framework = &b.f, .agent = &b.a };
    Pb__ExecutorInfo *info = make_executor(&b, "e", "cpus:3.5");

    ck_assert_int_eq(executor_id_parse("e", &e.id, NULL), 0);
    ck_assert_int_eq(
        resources_from_protobuf(info->resources, info->n_resources, &e.resources, NULL), 0);
    resources_allocate(&e.resources, "*");
    e.info = message_create(&info->base);
    list_append(&b.a.executors, &e.agent_link);
    t->command = NULL;
    t->executor = info;
    check_verdict(&b, t, NULL);
    t->executor = make_executor(&b, "e", "cpus:0.1");
    check_verdict(
        &b, t, "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.");
    executor_id_release(&e.id);
    resources_release(&e.resources);
    message_unref(e.info);
BOOKS_END

BOOKS_TEST(executors_are_custom_and_have_a_command)
    t->command = NULL;
    t->executor = make_executor(&b, "e", "cpus:0.1");
    t->executor->has_type = true;
    t->executor->type = PB__EXECUTOR_INFO__TYPE__DEFAULT;
    check_verdict(&b, t, "'ExecutorInfo.type' must be 'CUSTOM'");
    t->executor->type = PB__EXECUTOR_INFO__TYPE__CUSTOM;
    t->executor->command = NULL;
    check_verdict(&b, t, "'ExecutorInfo.command' must be set for 'CUSTOM' executor");
BOOKS_END

BOOKS_TEST(times_are_not_negative)
    Pb__KillPolicy policy = PB__KILL_POLICY__INIT;
    Pb__DurationInfo before = PB__DURATION_INFO__INIT;

    before.nanoseconds = -1;
    policy.grace_period = &before;
    t->kill_policy = &policy;
    check_verdict(&b, t, "Task's 'kill_policy.grace_period' must be non-negative");
    t->kill_policy = NULL;
    t->max_completion_time = &before;
    check_verdict(&b, t, "Task's 'max_completion_time' must be non-negative");
BOOKS_END

BOOKS_TEST(health_checks_say_what_to_do)
    Pb__HealthCheck health = PB__HEALTH_CHECK__INIT;
    Pb__HealthCheck__HTTPCheckInfo http = PB__HEALTH_CHECK__HTTPCHECK_INFO__INIT;

    t->health_check = &health;
    check_verdict(&b, t, "Task uses invalid health check: it says neither 'type' nor what to do");
    http.port = 80;
    health.http = &http;
    check_verdict(&b, t, NULL);
    http.path = "index.html";
    check_verdict(&b, t,
                  "Task uses invalid health check: the path 'index.html' must start with '/'");
    http.path = NULL;
    http.port = 0;
    check_verdict(&b, t, "Task uses invalid health check: the port 0 is none");
    http.port = 80;
    health.has_delay_seconds = true;
    health.delay_seconds = -1;
    check_verdict(&b, t, "Task uses invalid health check: its times must be non-negative");
BOOKS_END

BOOKS_TEST(limits_need_an_agent_that_enforces_them)
    Pb__TaskInfo__LimitsEntry entry = PB__TASK_INFO__LIMITS_ENTRY__INIT, *one = &entry;
    Pb__Value__Scalar two = PB__VALUE__SCALAR__INIT;
    Pb__AgentInfo__Capability can = PB__AGENT_INFO__CAPABILITY__INIT, *capability = &can;
    Pb__RegisterSlaveMessage registration = PB__REGISTER_SLAVE_MESSAGE__INIT;

    two.value = 2;
    entry.key = "cpus";
    entry.value = &two;
    t->n_limits = 1;
    t->limits = &one;
    check_verdict(&b, t, "Task has resource limits, which agent a cannot enforce");
    can.has_type = true;
    can.type = PB__AGENT_INFO__CAPABILITY__TYPE__TASK_RESOURCE_LIMITS;
    registration.slave = make_agent_info(&b.w, NULL);
    registration.n_agent_capabilities = 1;
    registration.agent_capabilities = &capability;
    message_unref(b.a.registration);
    b.a.registration = message_create(&registration.base);
    check_verdict(&b, t, NULL);
    two.value = 0.5;
    check_verdict(&b, t, "Task's limit of cpus is below what it requests");
    entry.key = "disk";
    check_verdict(&b, t, "Task's 'limits' may only be of cpus and mem");
BOOKS_END

UNIT(task_validation,
     a_plain_task_is_valid,
     all_of_the_offer_may_be_used,
     ids_that_could_not_be_folders_are_refused,
     an_unreachable_task_keeps_its_id,
     another_agent_than_the_offers_is_refused,
     exactly_one_of_command_and_executor,
     a_task_needs_resources,
     negative_resources_are_refused,
     task_and_executor_together_must_fit,
     resources_of_another_role_are_refused,
     a_running_executor_is_charged_once_and_must_be_the_same,
     executors_are_custom_and_have_a_command,
     times_are_not_negative,
     health_checks_say_what_to_do,
     limits_need_an_agent_that_enforces_them);
