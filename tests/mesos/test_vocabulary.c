/* test_vocabulary.c - task states, framework infos, attributes, protobuf as JSON */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "mesos/attributes.h"
#include "mesos/framework_info.h"
#include "mesos/mesos_json.h"
#include "mesos/task_state.h"
#include "proto/master.pb-c.h"

#define STATE(name) PB__TASK_STATE__TASK_##name

START_TEST(terminal_states_are_the_eight_of_mesos)
{
    unsigned terminal = 0, active = 0;

    for (int i = 0; i < 14; i++) {
        terminal |= (unsigned)task_state_is_terminal((Pb__TaskState)i) << i;
        active |= (unsigned)task_state_is_active((Pb__TaskState)i) << i;
    }
    ck_assert_uint_eq(terminal, 1u << STATE(FINISHED) | 1u << STATE(FAILED) | 1u << STATE(KILLED) |
                                1u << STATE(ERROR) | 1u << STATE(LOST) | 1u << STATE(DROPPED) |
                                1u << STATE(GONE) | 1u << STATE(GONE_BY_OPERATOR));
    ck_assert_uint_eq(active, 1u << STATE(STAGING) | 1u << STATE(STARTING) | 1u << STATE(RUNNING) |
                              1u << STATE(KILLING));
}
END_TEST

START_TEST(frameworks_without_partition_awareness_are_told_lost)
{
    ck_assert_int_eq(task_state_as_told(STATE(GONE), false), STATE(LOST));
    ck_assert_int_eq(task_state_as_told(STATE(UNREACHABLE), false), STATE(LOST));
    ck_assert_int_eq(task_state_as_told(STATE(UNREACHABLE), true), STATE(UNREACHABLE));
    ck_assert_int_eq(task_state_as_told(STATE(FAILED), false), STATE(FAILED));
}
END_TEST

START_TEST(names_of_v0_say_slave_and_those_of_v1_agent)
{
    Pb__TaskStatus__Reason reason = PB__TASK_STATUS__REASON__REASON_AGENT_RESTARTED;
    Pb__TaskStatus__Source source = PB__TASK_STATUS__SOURCE__SOURCE_AGENT;

    ck_assert_str_eq(task_state_name(STATE(GONE_BY_OPERATOR)), "TASK_GONE_BY_OPERATOR");
    ck_assert_str_eq(task_state_reason_name(reason, TASK_STATE_V0), "REASON_SLAVE_RESTARTED");
    ck_assert_str_eq(task_state_reason_name(reason, TASK_STATE_V1), "REASON_AGENT_RESTARTED");
    ck_assert_str_eq(task_state_source_name(source, TASK_STATE_V0), "SOURCE_SLAVE");
    ck_assert_str_eq(task_state_source_name(source, TASK_STATE_V1), "SOURCE_AGENT");
    ck_assert_str_eq(task_state_name((Pb__TaskState)99), "TASK_UNKNOWN");
}
END_TEST

/* With names of v0 no "AGENT" is left. */
START_TEST(every_agent_reason_has_its_old_name)
{
    const ProtobufCEnumDescriptor *type = &pb__task_status__reason__descriptor;

    for (unsigned i = 0; i < type->n_values; i++)
        ck_assert_ptr_null(strstr(task_state_reason_name(
            (Pb__TaskStatus__Reason)type->values[i].value, TASK_STATE_V0), "AGENT"));
}
END_TEST

/* A framework with room for one capability. */
struct framework {
    Pb__FrameworkInfo info;
    Pb__FrameworkInfo__Capability capability, *capabilities;
};

static void framework_init(struct framework *f)
{
    pb__framework_info__init(&f->info);
    pb__framework_info__capability__init(&f->capability);
    f->info.user = "u";
    f->info.name = "n";
    f->capabilities = &f->capability;
    f->info.capabilities = &f->capabilities;
    f->info.n_capabilities = 1;
    f->capability.has_type = true;
    f->capability.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__MULTI_ROLE;
}

static void check_invalid(const Pb__FrameworkInfo *info, const char *reason)
{
    struct error err = { 0 };

    ck_assert_int_eq(framework_info_validate(info, NULL, 0, &err), -1);
    ck_assert_msg(strstr(err.text, reason), "'%s' lacks '%s'", err.text, reason);
}

START_TEST(roles_come_from_the_field_that_the_capability_says)
{
    const char *roles[] = { "a", "b" }, *unknown[] = { "c" };
    struct framework f;
    struct error err;

    framework_init(&f);
    ck_assert(framework_info_has(&f.info, MULTI_ROLE));
    ck_assert(!framework_info_has(&f.info, PARTITION_AWARE));
    ck_assert_uint_eq(framework_info_role_count(&f.info), 0);
    f.info.n_roles = 2;
    f.info.roles = roles;
    ck_assert_str_eq(framework_info_role(&f.info, 1), "b");
    ck_assert(framework_info_has_role(&f.info, "a"));
    ck_assert_int_eq(framework_info_validate(&f.info, roles, 2, &err), 0);
    ck_assert_int_eq(framework_info_validate(&f.info, unknown, 1, &err), -1);
    roles[1] = "a";
    check_invalid(&f.info, "'FrameworkInfo.roles' contains duplicate items: { a }");
    f.info.role = "x";
    check_invalid(&f.info,
                  "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable");
    framework_init(&f);
    f.capability.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE;
    ck_assert_str_eq(framework_info_role(&f.info, 0), "*");
    ck_assert_uint_eq(framework_info_role_count(&f.info), 1);
    f.info.n_roles = 1;
    f.info.roles = roles;
    check_invalid(&f.info, "'FrameworkInfo.roles' must not be set");
}
END_TEST

START_TEST(a_framework_has_so_many_roles_and_capabilities_and_no_more)
{
    static char names[FRAMEWORK_INFO_ROLES_MAX + 1][10];
    static const char *roles[FRAMEWORK_INFO_ROLES_MAX + 1];
    Pb__FrameworkInfo__Capability *many[FRAMEWORK_INFO_CAPABILITIES_MAX + 1];
    struct framework f;
    struct error err;

    framework_init(&f);
    for (int i = 0; i <= FRAMEWORK_INFO_ROLES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "r%d", i);
        roles[i] = names[i];
    }
    f.info.roles = roles;
    f.info.n_roles = FRAMEWORK_INFO_ROLES_MAX;
    ck_assert_int_eq(framework_info_validate(&f.info, roles, FRAMEWORK_INFO_ROLES_MAX, &err), 0);
    ck_assert_int_eq(framework_info_validate(&f.info, roles, FRAMEWORK_INFO_ROLES_MAX + 1, &err),
                     -1);
    f.info.n_roles++;
    check_invalid(&f.info, "There are 1001 FrameworkInfo.roles; at most 1000 are taken");
    framework_init(&f);
    for (int i = 0; i <= FRAMEWORK_INFO_CAPABILITIES_MAX; i++)
        many[i] = &f.capability;
    f.info.capabilities = many;
    f.info.n_capabilities = FRAMEWORK_INFO_CAPABILITIES_MAX + 1;
    check_invalid(&f.info, "There are 101 FrameworkInfo.capabilities; at most 100 are taken");
}
END_TEST

START_TEST(a_failover_timeout_must_be_a_duration)
{
    const double bad[] = { -1, NAN, INFINITY, 1e12 };
    struct framework f;
    struct error err;

    framework_init(&f);
    f.info.has_failover_timeout = true;
    for (size_t i = 0; i < 4; i++) {
        f.info.failover_timeout = bad[i];
        check_invalid(&f.info, "failover_timeout");
    }
    f.info.failover_timeout = 604800;
    ck_assert_int_eq(framework_info_validate(&f.info, NULL, 0, &err), 0);
    ck_assert_int_eq(framework_info_failover_timeout(&f.info).ns, WEEKS(1).ns);
}
END_TEST

START_TEST(attributes_are_read_written_and_shown)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct buffer text = BUFFER_INIT;
    struct json_writer w;
    Pb__Attribute **v;
    size_t n;

    ck_assert_int_eq(attributes_parse("rack:abc; level:10;range:[1-2];set:{x};url:a:b", &arena, &v,
                                      &n, NULL), 0);
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(v[0]->type, PB__VALUE__TYPE__TEXT);
    ck_assert_double_eq(v[1]->scalar->value, 10);
    ck_assert_int_eq(attributes_validate(v, n, NULL), 0);
    attributes_format(v, n, &text);
    ck_assert_str_eq(buffer_data(&text), "rack:abc;level:10;range:[1-2];set:{x};url:a:b");
    buffer_clear(&text);
    json_writer_init(&w, &text);
    attributes_write(v, n, &w);
    ck_assert_str_eq(buffer_data(&text), "{\"rack\":\"abc\",\"level\":10.0,\"range\":\"[1-2]\","
                                         "\"set\":\"{x}\",\"url\":\"a:b\"}");
    buffer_release(&text);
}
END_TEST

START_TEST(malformed_attributes_are_refused)
{
    const char *bad[] = { "rack", ":x", "a:1;b", "r:[2-1]", "x:" };
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct error err;
    Pb__Attribute **v;
    size_t n;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(attributes_parse(bad[i], &arena, &v, &n, &err) < 0, "%s", bad[i]);
}
END_TEST

static void check_json(const ProtobufCMessage *msg, const char *want)
{
    struct buffer text = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &text);
    mesos_json_write(&w, msg);
    ck_assert_str_eq(buffer_data(&text), want);
    buffer_release(&text);
}

START_TEST(json_has_names_base64_and_defaults_that_are_not_deprecated)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;
    uint8_t uuid[] = { 1, 2, 3, 4 };
    struct framework f;

    id.value = "t\"1";
    status.task_id = &id;
    status.state = STATE(RUNNING);
    status.has_uuid = true;
    status.uuid = (ProtobufCBinaryData){ sizeof uuid, uuid };
    status.has_timestamp = true;
    status.timestamp = 15;
    status.has_healthy = true;
    check_json(&status.base, "{\"task_id\":{\"value\":\"t\\\"1\"},\"state\":\"TASK_RUNNING\","
                             "\"timestamp\":15.0,\"healthy\":false,\"uuid\":\"AQIDBA==\"}");
    framework_init(&f);
    check_json(&f.info.base, "{\"user\":\"u\",\"name\":\"n\",\"failover_timeout\":0.0,"
                             "\"checkpoint\":false,\"capabilities\":[{\"type\":\"MULTI_ROLE\"}]}");
    f.info.role = "*";                                      /* set, though to the default's text */
    f.info.n_capabilities = 0;
    check_json(&f.info.base, "{\"user\":\"u\",\"name\":\"n\",\"failover_timeout\":0.0,"
                             "\"checkpoint\":false,\"role\":\"*\"}");
}
END_TEST

START_TEST(json_shows_the_empty_lists_of_the_operator_answers)
{
    PbMaster__Response__GetTasks tasks = PB_MASTER__RESPONSE__GET_TASKS__INIT;
    PbMaster__Response__GetOperations operations = PB_MASTER__RESPONSE__GET_OPERATIONS__INIT;

    check_json(&tasks.base, "{\"tasks\":[],\"completed_tasks\":[],\"unreachable_tasks\":[]}");
    check_json(&operations.base, "{}");
}
END_TEST

START_TEST(json_shows_maps_as_objects)
{
    Pb__OfferFilters__ResourceQuantities q = PB__OFFER_FILTERS__RESOURCE_QUANTITIES__INIT;
    Pb__OfferFilters__ResourceQuantities__QuantitiesEntry a =
        PB__OFFER_FILTERS__RESOURCE_QUANTITIES__QUANTITIES_ENTRY__INIT, b = a, c = a;
    Pb__OfferFilters__ResourceQuantities__QuantitiesEntry *entries[] = { &a, &b, &c };
    Pb__Value__Scalar one = PB__VALUE__SCALAR__INIT, two = one;

    one.value = 1.5;
    two.value = 2;
    a.key = "cpus";
    a.value = &one;
    b.key = "mem";
    b.value = &one;
    c.key = "cpus";
    c.value = &two;
    q.n_quantities = 3;
    q.quantities = entries;
    check_json(&q.base, "{\"quantities\":{\"mem\":{\"value\":1.5},\"cpus\":{\"value\":2.0}}}");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        terminal_states_are_the_eight_of_mesos,
        frameworks_without_partition_awareness_are_told_lost,
        names_of_v0_say_slave_and_those_of_v1_agent,
        every_agent_reason_has_its_old_name,
        roles_come_from_the_field_that_the_capability_says,
        a_framework_has_so_many_roles_and_capabilities_and_no_more,
     a_failover_timeout_must_be_a_duration,
        attributes_are_read_written_and_shown,
        malformed_attributes_are_refused,
        json_has_names_base64_and_defaults_that_are_not_deprecated,
        json_shows_the_empty_lists_of_the_operator_answers,
        json_shows_maps_as_objects,
    };
    Suite *s = suite_create("vocabulary");
    TCase *t = tcase_create("vocabulary");
    SRunner *r = srunner_create(s);
    int failed;

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
