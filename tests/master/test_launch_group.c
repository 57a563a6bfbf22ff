/* test_launch_group.c - groups of tasks: all of them, or none */
#include "tests/master/scheduler_scene.h"

#include "tests/unit.h"

#define RESOURCE(name, n) "{\"name\":\"" name "\",\"type\":\"SCALAR\",\"scalar\":{\"value\":" n "}}"
#define SMALL "[" RESOURCE("cpus", "0.1") "," RESOURCE("mem", "32") "," RESOURCE("disk", "1") "]"
#define EXECUTOR(more, resources)                                                                  \
    "{" more "\"executor_id\":{\"value\":\"e\"},\"resources\":" resources "}"
#define COMMAND "\"command\":{\"value\":\"true\"},"
#define CUSTOM "\"type\":\"CUSTOM\"," COMMAND
#define TASK(id, more, cpus)                                                                       \
    "{\"name\":\"t\",\"task_id\":{\"value\":\"" id "\"},\"agent_id\":{\"value\":\"AGENT\"}," more  \
    "\"resources\":[" RESOURCE("cpus", cpus) "]}"
#define PAIR TASK("a", "", "0.1") "," TASK("b", COMMAND, "0.1")

/* Accepts the scene's offer with this group; AGENT in the tasks becomes the agent's id. */
static void launch_group(struct scene *s, const char *executor, const char *tasks)
{
    CLEANUP(buffer_release) struct buffer rest = BUFFER_INIT;
    const char *at;

    buffer_printf(&rest,
                  ",\"accept\":{\"offer_ids\":[{\"value\":\"%s\"}],\"operations\":[{\"type\":"
                  "\"LAUNCH_GROUP\",\"launch_group\":{\"executor\":%s,\"task_group\":{\"tasks\":[",
                  s->offer, executor);
    for (; (at = strstr(tasks, "AGENT")); tasks = at + strlen("AGENT")) {
        buffer_append(&rest, tasks, (size_t)(at - tasks));
        buffer_append_text(&rest, s->agent_id);
    }
    buffer_append_text(&rest, tasks);
    buffer_append_text(&rest, "]}}}],\"filters\":{\"refuse_seconds\":0}}");
    check_taken(s, "ACCEPT", buffer_data(&rest));
}

static void check_told(struct scene *s, const char *task, const char *why)
{
    char *event = next_event(s->stream, "UPDATE");
    char *id = mem_printf("\"task_id\":{\"value\":\"%s\"}", task);

    ck_assert_msg(strstr(event, id) != NULL, "no %s in %s", id, event);
    ck_assert_msg(strstr(event, why) != NULL, "no %s in %s", why, event);
    ck_assert_ptr_nonnull(strstr(event, "\"state\":\"TASK_ERROR\""));
    ck_assert_ptr_nonnull(strstr(event, "\"reason\":\"REASON_TASK_GROUP_INVALID\""));
    mem_free(event);
    mem_free(id);
}

/* The scene, with an agent that has a disk; the offer is of that one. */
static void scene_with_disk(struct scene *s)
{
    Pb__RegisterSlaveMessage msg = PB__REGISTER_SLAVE_MESSAGE__INIT;
    char *rest;

    scene_subscribed(s);
    rest = mem_printf(",\"decline\":{\"offer_ids\":[{\"value\":\"%s\"}],"
                      "\"filters\":{\"refuse_seconds\":100000}}", s->offer);
    check_taken(s, "DECLINE", rest);
    mem_free(rest);
    s->agent = place_add(&s->w, "slave(1)", 5052);
    msg.slave = make_agent_info(&s->w, NULL);
    msg.slave->port = 5052;
    msg.slave->resources = make_resources(&s->w, "cpus:4;mem:1024;disk:100",
                                          &msg.slave->n_resources);
    msg.version = "1.11.0";
    say(s->agent, &msg.base);
    s->agent_id = EXPECT(&s->w, s->agent, pb__slave_registered_message,
                         Pb__SlaveRegisteredMessage)->slave_id->value;
    offered(s);
}

/* Both tasks are told why, nothing goes out, and all is offered again. */
static void check_refused_group(struct scene *s, const char *executor, const char *tasks,
                                const char *why)
{
    launch_group(s, executor, tasks);
    check_told(s, "a", why);
    check_told(s, "b", why);
    offered(s);
    EXPECT_NONE(&s->w, s->agent, pb__run_task_group_message);
}

START_TEST(a_group_goes_out_as_one_message)
{
    struct scene s;
    const Pb__RunTaskGroupMessage *run;

    scene_with_disk(&s);
    launch_group(&s, EXECUTOR(CUSTOM, SMALL), PAIR);
    run = EXPECT(&s.w, s.agent, pb__run_task_group_message, Pb__RunTaskGroupMessage);
    ck_assert_uint_eq(run->task_group->n_tasks, 2);
    ck_assert_str_eq(run->task_group->tasks[0]->task_id->value, "a");
    ck_assert_str_eq(run->task_group->tasks[1]->task_id->value, "b");
    ck_assert_str_eq(run->task_group->tasks[1]->executor->executor_id->value, "e");
    ck_assert_str_eq(run->task_group->tasks[0]->resources[0]->allocation_info->role, "*");
    ck_assert_str_eq(run->executor->framework_id->value, s.framework);
    ck_assert_str_eq(run->executor->resources[0]->allocation_info->role, "*");
    ck_assert(run->has_launch_executor && run->launch_executor);
    offered(&s);
    check_taken(&s, "RECONCILE", ",\"reconcile\":{}");
    check_event(s.stream, "UPDATE", "TASK_STAGING");
    check_event(s.stream, "UPDATE", "TASK_STAGING");
    scene_stop(&s);
}
END_TEST

START_TEST(a_second_group_joins_the_executor_which_is_charged_once)
{
    struct scene s;
    const Pb__RunTaskGroupMessage *run;

    scene_with_disk(&s);
    launch_group(&s, EXECUTOR(CUSTOM, SMALL), PAIR);
    EXPECT(&s.w, s.agent, pb__run_task_group_message, Pb__RunTaskGroupMessage);
    offered(&s);
    launch_group(&s, EXECUTOR(CUSTOM, SMALL), TASK("c", "", "0.1"));
    run = EXPECT(&s.w, s.agent, pb__run_task_group_message, Pb__RunTaskGroupMessage);
    ck_assert_str_eq(run->task_group->tasks[0]->task_id->value, "c");
    ck_assert(run->has_launch_executor && !run->launch_executor);
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_for_the_default_executor_is_left_to_the_agent)
{
    struct scene s;

    scene_with_disk(&s);
    launch_group(&s, EXECUTOR("\"type\":\"DEFAULT\",", SMALL), PAIR);
    EXPECT(&s.w, s.agent, pb__run_task_group_message, Pb__RunTaskGroupMessage);
    scene_stop(&s);
}
END_TEST

START_TEST(one_bad_task_fails_its_group)
{
    static const struct { const char *executor, *tasks, *why; } wrong[] = {
        { EXECUTOR(CUSTOM, SMALL), TASK("a", "", "0.1") "," TASK("b", "", "100"),
          "is more than available" },
        { EXECUTOR(CUSTOM, SMALL), TASK("a", "", "0") "," TASK("b", "", "1"),
          "Task uses no resources" },
        { EXECUTOR(CUSTOM, SMALL), TASK("a", "", "0.1") "," TASK("b", "\"command\":{},", "1"),
          "a shell command needs 'value'" },
        { EXECUTOR(CUSTOM, SMALL),
          TASK("a", "", "1") "," TASK("b", "\"container\":{\"type\":\"DOCKER\"},", "1"),
          "Docker ContainerInfo is not supported on the task" },
        { EXECUTOR(CUSTOM, SMALL),
          TASK("a", "", "1") "," TASK("b", "\"executor\":" EXECUTOR(COMMAND, SMALL) ",", "1"),
          "The `ExecutorInfo` of task 'b' is different from executor 'e'" },
        { EXECUTOR(COMMAND, SMALL), PAIR, "'ExecutorInfo.type' must be 'DEFAULT' or 'CUSTOM'" },
        { EXECUTOR("\"type\":\"CUSTOM\",", SMALL), PAIR,
          "'ExecutorInfo.command' must be set for 'CUSTOM' executor" },
        { EXECUTOR("\"type\":\"DEFAULT\"," COMMAND, SMALL), PAIR,
          "'ExecutorInfo.command' must not be set for 'DEFAULT' executor" },
        { EXECUTOR(CUSTOM, "[" RESOURCE("mem", "32") "," RESOURCE("disk", "1") "]"), PAIR,
          "Executor 'e' uses less CPUs than the minimum required (0.01)" },
        { EXECUTOR(CUSTOM, "[" RESOURCE("cpus", "1") "," RESOURCE("disk", "1") "]"), PAIR,
          "Executor 'e' uses less memory than the minimum required (32MB)" },
        { EXECUTOR(CUSTOM, "[" RESOURCE("cpus", "1") "," RESOURCE("mem", "32") "]"), PAIR,
          "Executor 'e' uses no disk" },
    };
    struct scene s;

    scene_with_disk(&s);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_refused_group(&s, wrong[i].executor, wrong[i].tasks, wrong[i].why);
    scene_stop(&s);
}
END_TEST

START_TEST(tasks_of_one_id_are_no_group)
{
    struct scene s;

    scene_with_disk(&s);
    launch_group(&s, EXECUTOR(CUSTOM, SMALL), TASK("a", "", "1") "," TASK("a", "", "1"));
    check_told(&s, "a", "Task group has two tasks of ID 'a'");
    scene_stop(&s);
}
END_TEST

UNIT(launch_group, a_group_goes_out_as_one_message,
     a_second_group_joins_the_executor_which_is_charged_once,
     a_group_for_the_default_executor_is_left_to_the_agent, one_bad_task_fails_its_group,
     tasks_of_one_id_are_no_group);
