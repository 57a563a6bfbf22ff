/* test_store.c - what the agent remembers, and in which order it comes back */
#include "tests/unit.h"

#include <string.h>

#include "agent/store.h"
#include "base/buffer.h"
#include "base/error.h"
#include "process/future.h"
#include "process/runtime.h"
#include "process/sim.h"

#define PATH "/var/lib/agent/meta/agent.db"

struct store_place {
    struct sim *sim;
    struct sim_node *node;
    struct host *host;
    struct runtime *rt;
    struct store *store;
    struct container_id run;
    struct framework_id framework;
    struct executor_id executor;
    struct task_id task;
};

static void open_store(struct store_place *p)
{
    struct runtime_options options = { .bind = { 0x0a000001u, 5051 }, .workers = 1 };
    struct error err;

    p->host = sim_host_create(p->node, "agent");
    p->rt = runtime_create(p->host, &options, &err);
    ck_assert_ptr_nonnull(p->rt);
    ck_assert_int_eq(host_mkdirs(p->host, "/var/lib/agent/meta", 0755, &err), 0);
    ck_assert_msg(store_open(p->rt, PATH, &p->store, &err) == 0, "%s", err.text);
}

static void close_store(struct store_place *p)
{
    store_close(p->store);
    runtime_destroy(p->rt);
    host_destroy(p->host);
}

static void start(struct store_place *p)
{
    struct error err;

    p->sim = sim_create(1);
    p->node = sim_node_create(p->sim, "agent", 0x0a000001u);
    ck_assert_int_eq(container_id_parse("run-1", &p->run, &err), 0);
    ck_assert_int_eq(framework_id_parse("f", &p->framework, &err), 0);
    ck_assert_int_eq(executor_id_parse("e", &p->executor, &err), 0);
    ck_assert_int_eq(task_id_parse("t1", &p->task, &err), 0);
    open_store(p);
}

static void stop(struct store_place *p)
{
    close_store(p);
    sim_destroy(p->sim);
    container_id_release(&p->run);
    framework_id_release(&p->framework);
    executor_id_release(&p->executor);
    task_id_release(&p->task);
}

static void check_stored(struct store_place *p, struct future *f)
{
    ck_assert(future_wait(f, p->host, MINUTES(1)));
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_error(f) ? future_error(f)->text : "discarded");
    future_unref(f);
}

static Pb__FrameworkInfo framework_info(struct store_place *p, Pb__FrameworkID *id)
{
    Pb__FrameworkInfo info = PB__FRAMEWORK_INFO__INIT;

    *id = (Pb__FrameworkID)PB__FRAMEWORK_ID__INIT;
    id->value = p->framework.text->bytes;
    info.id = id;
    info.name = "name";
    info.user = "user";
    return info;
}

static struct future *put_framework(struct store_place *p, const char *pid)
{
    Pb__FrameworkID id;
    Pb__FrameworkInfo info = framework_info(p, &id);

    return store_put_framework(p->store, &info, pid);
}

static struct future *put_task_of(struct store_place *p, const char *id, bool with_run,
                                  const char *group)
{
    Pb__ExecutorInfo info = PB__EXECUTOR_INFO__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    Pb__TaskInfo task = PB__TASK_INFO__INIT, *one = &task;
    struct store_tasks tasks = { 1, &one, group };
    Pb__TaskID task_id = PB__TASK_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__FrameworkID framework_id;
    Pb__FrameworkInfo framework = framework_info(p, &framework_id);
    struct store_run run = { .id = p->run, .framework = p->framework, .executor = p->executor,
                             .sandbox = "/sandbox", .boot_id = "boot", .info = &info };

    executor.value = "e";
    info.executor_id = &executor;
    task_id.value = id;
    agent.value = "a";
    task.name = id;
    task.task_id = &task_id;
    task.agent_id = &agent;
    return with_run ? store_put_intent(p->store, &framework, "s@1.2.3.4:5", &run, &tasks)
                    : store_put_tasks(p->store, p->framework, p->run, &tasks);
}

static struct future *put_task(struct store_place *p, const char *id, bool with_run)
{
    return put_task_of(p, id, with_run, NULL);
}

static struct future *put_update(struct store_place *p, const char *task, const char *uuid,
                                 Pb__TaskState state)
{
    Pb__StatusUpdate u = PB__STATUS_UPDATE__INIT;
    Pb__TaskStatus s = PB__TASK_STATUS__INIT;
    Pb__TaskID task_id = PB__TASK_ID__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;

    task_id.value = task;
    framework.value = "f";
    s.task_id = &task_id;
    s.state = state;
    u.framework_id = &framework;
    u.status = &s;
    u.has_uuid = 1;
    u.uuid = (ProtobufCBinaryData){ 16, (uint8_t *)uuid };
    return store_put_update(p->store, &u);
}

/* Everything that is read, one word for each row. */
static int see_agent(void *arg, const Pb__AgentInfo *info, const char *boot_id,
                     struct error *err UNUSED)
{
    buffer_printf(arg, "agent:%s:%s ", info->hostname, boot_id);
    return 0;
}

static int see_framework(void *arg, const Pb__FrameworkInfo *info, const char *pid,
                         struct error *err UNUSED)
{
    buffer_printf(arg, "framework:%s:%s ", info->id->value, pid);
    return 0;
}

static int see_run(void *arg, const struct store_run *run, struct error *err UNUSED)
{
    buffer_printf(arg, "run:%s:%s:%s:%d:%s:%s:%s ", run->id.text->bytes,
                  run->framework.text->bytes, run->executor.text->bytes, run->builtin,
                  run->sandbox, run->boot_id, run->pid);
    return 0;
}

static int see_task(void *arg, struct container_id run, const Pb__TaskInfo *task,
                    const char *group, struct error *err UNUSED)
{
    buffer_printf(arg, "task:%s:%s%s%s ", run.text->bytes, task->task_id->value, group ? ":" : "",
                  group ? group : "");
    return 0;
}

static int see_update(void *arg, const Pb__StatusUpdate *u, bool acknowledged,
                      struct error *err UNUSED)
{
    buffer_printf(arg, "update:%s:%.4s:%s ", u->status->task_id->value, (char *)u->uuid.data,
                  acknowledged ? "done" : "open");
    return 0;
}

static void check_content(struct store_place *p, const char *expected)
{
    static const struct store_reader reader = { see_agent, see_framework, see_run, see_task,
                                                see_update };
    CLEANUP(buffer_release) struct buffer seen = BUFFER_INIT;
    struct error err;

    close_store(p);
    open_store(p);
    ck_assert_msg(store_recover(p->store, &reader, &seen, &err) == 0, "%s", err.text);
    ck_assert_str_eq(buffer_data(&seen), expected);
}

static void put_all(struct store_place *p)
{
    Pb__AgentInfo info = PB__AGENT_INFO__INIT;

    info.hostname = "host";
    future_unref(store_put_agent(p->store, &info, "boot"));
    future_unref(put_framework(p, "s@1.2.3.4:5"));
    future_unref(put_task(p, "t1", true));
    future_unref(put_task(p, "t2", false));
    future_unref(put_update(p, "t1", "aaaa000000000000", PB__TASK_STATE__TASK_STARTING));
    check_stored(p, put_update(p, "t1", "bbbb000000000000", PB__TASK_STATE__TASK_RUNNING));
}

START_TEST(an_empty_store_has_nothing)
{
    struct store_place p;

    start(&p);
    check_content(&p, "");
    stop(&p);
}
END_TEST

START_TEST(what_was_put_comes_back_in_its_order)
{
    struct store_place p;

    start(&p);
    put_all(&p);
    check_content(&p, "agent:host:boot framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: "
                      "task:run-1:t1 task:run-1:t2 update:t1:aaaa:open update:t1:bbbb:open ");
    stop(&p);
}
END_TEST

START_TEST(an_acknowledged_update_is_known_as_such)
{
    ProtobufCBinaryData uuid = { 16, (uint8_t *)"aaaa000000000000" };
    struct store_place p;

    start(&p);
    put_all(&p);
    check_stored(&p, store_acknowledge(p.store, p.framework, p.task, &uuid));
    check_stored(&p, put_update(&p, "t1", "aaaa000000000000", PB__TASK_STATE__TASK_FAILED));
    check_content(&p, "agent:host:boot framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: "
                      "task:run-1:t1 task:run-1:t2 update:t1:aaaa:done update:t1:bbbb:open ");
    stop(&p);
}
END_TEST

START_TEST(a_framework_that_moved_keeps_its_place)
{
    struct store_place p;

    start(&p);
    check_stored(&p, put_framework(&p, ""));
    check_stored(&p, put_framework(&p, "new@1.2.3.4:5"));
    check_content(&p, "framework:f:new@1.2.3.4:5 ");
    stop(&p);
}
END_TEST

START_TEST(the_pid_of_an_executor_belongs_to_its_run)
{
    struct store_place p;

    start(&p);
    check_stored(&p, put_task(&p, "t1", true));
    check_stored(&p, store_put_executor_pid(p.store, p.run, "executor(1)@1.2.3.4:5"));
    check_content(&p, "framework:f:s@1.2.3.4:5 "
                      "run:run-1:f:e:0:/sandbox:boot:executor(1)@1.2.3.4:5 task:run-1:t1 ");
    stop(&p);
}
END_TEST

START_TEST(a_run_is_remembered_once)
{
    struct store_place p;
    struct future *second;

    start(&p);
    check_stored(&p, put_task(&p, "t1", true));
    second = put_task(&p, "t2", true);
    ck_assert(future_wait(second, p.host, MINUTES(1)));
    ck_assert_int_eq(future_state(second), FUTURE_FAILED);
    future_unref(second);
    check_content(&p, "framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: task:run-1:t1 ");
    stop(&p);
}
END_TEST

START_TEST(a_group_is_known_by_its_name_and_goes_with_its_tasks)
{
    struct store_place p;

    start(&p);
    check_stored(&p, put_task_of(&p, "t1", true, "g"));
    check_stored(&p, put_task(&p, "t2", false));
    check_content(&p, "framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: "
                      "task:run-1:t1:g task:run-1:t2 ");
    check_stored(&p, store_remove_run(p.store, p.run));
    check_stored(&p, put_task(&p, "t1", true));
    check_content(&p, "framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: task:run-1:t1 ");
    stop(&p);
}
END_TEST

START_TEST(a_run_takes_the_place_of_an_earlier_one_that_could_not_be_removed)
{
    struct store_place p;

    start(&p);
    check_stored(&p, put_task(&p, "t1", true));
    check_stored(&p, put_update(&p, "t1", "aaaaaaaaaaaaaaaa", PB__TASK_STATE__TASK_FINISHED));
    container_id_release(&p.run);
    p.run.text = text_create("run-2");
    check_stored(&p, put_task(&p, "t2", true));
    check_content(&p, "framework:f:s@1.2.3.4:5 run:run-2:f:e:0:/sandbox:boot: task:run-2:t2 ");
    stop(&p);
}
END_TEST

START_TEST(a_task_goes_with_its_updates_and_a_run_with_its_tasks)
{
    struct store_place p;

    start(&p);
    put_all(&p);
    check_stored(&p, store_remove_task(p.store, p.framework, p.task));
    check_content(&p, "agent:host:boot framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: "
                      "task:run-1:t2 ");
    check_stored(&p, put_update(&p, "t2", "cccc000000000000", PB__TASK_STATE__TASK_RUNNING));
    check_stored(&p, store_remove_run(p.store, p.run));
    check_content(&p, "agent:host:boot framework:f:s@1.2.3.4:5 ");
    check_stored(&p, store_remove_framework(p.store, p.framework));
    check_content(&p, "agent:host:boot ");
    stop(&p);
}
END_TEST

START_TEST(forgetting_leaves_nothing)
{
    struct store_place p;

    start(&p);
    put_all(&p);
    check_stored(&p, store_forget(p.store));
    check_content(&p, "");
    stop(&p);
}
END_TEST

START_TEST(a_full_disk_fails_the_change_and_a_later_one_is_fine)
{
    struct store_place p;
    struct future *f;

    start(&p);
    check_stored(&p, put_framework(&p, ""));
    sim_disk_full(p.node, true);
    f = put_task(&p, "t1", true);
    ck_assert(future_wait(f, p.host, MINUTES(1)));
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert(*future_error(f)->text);
    future_unref(f);
    sim_disk_full(p.node, false);
    check_stored(&p, put_task(&p, "t1", true));
    check_content(&p, "framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: task:run-1:t1 ");
    stop(&p);
}
END_TEST

START_TEST(what_was_stored_survives_a_power_loss)
{
    struct store_place p;

    start(&p);
    put_all(&p);
    sim_node_crash(p.node);
    check_content(&p, "agent:host:boot framework:f:s@1.2.3.4:5 run:run-1:f:e:0:/sandbox:boot: "
                      "task:run-1:t1 task:run-1:t2 update:t1:aaaa:open update:t1:bbbb:open ");
    stop(&p);
}
END_TEST

UNIT(store, an_empty_store_has_nothing, what_was_put_comes_back_in_its_order,
     an_acknowledged_update_is_known_as_such, a_framework_that_moved_keeps_its_place,
     the_pid_of_an_executor_belongs_to_its_run, a_run_is_remembered_once,
     a_group_is_known_by_its_name_and_goes_with_its_tasks,
     a_run_takes_the_place_of_an_earlier_one_that_could_not_be_removed,
     a_task_goes_with_its_updates_and_a_run_with_its_tasks, forgetting_leaves_nothing,
     a_full_disk_fails_the_change_and_a_later_one_is_fine, what_was_stored_survives_a_power_loss);
