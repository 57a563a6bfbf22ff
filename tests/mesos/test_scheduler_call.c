/* test_scheduler_call.c - which calls of the v1 scheduler API are whole, and their form in v0 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "mesos/scheduler_call.h"
#include "process/json_protobuf_parse.h"
#include "process/proto.h"
#include "proto/scheduler.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"
#include "tests/unit.h"

static struct arena arena;

#define INFO "\"framework_info\":{\"user\":\"u\",\"name\":\"n\",\"principal\":\"p\""
#define ID "\"framework_id\":{\"value\":\"f\"}"

static PbSchedulerV1__Call *call_of(const char *json)
{
    struct error err = { 0 };
    ProtobufCMessage *msg = json_protobuf_parse(&pb_scheduler_v1__call__descriptor, json,
                                                strlen(json), &arena, NULL, &err);

    ck_assert_msg(msg, "%s: %s", json, err.text);
    return (PbSchedulerV1__Call *)msg;
}

static void check_invalid(const char *json, const char *principal, const char *why)
{
    struct error err = { 0 };

    ck_assert_msg(scheduler_call_validate(call_of(json), principal, &err) < 0, "%s", json);
    ck_assert_str_eq(err.text, why);
    arena_release(&arena);
}

static void check_valid(const char *json, const char *principal)
{
    struct error err = { 0 };

    ck_assert_msg(scheduler_call_validate(call_of(json), principal, &err) == 0, "%s", err.text);
    arena_release(&arena);
}

START_TEST(a_call_has_a_type_and_but_for_subscribe_a_framework)
{
    check_invalid("{}", NULL, "Expecting 'type' to be present");
    check_invalid("{\"type\":\"FLY\"," ID "}", NULL, "Expecting 'type' to be present");
    check_invalid("{\"type\":\"SUPPRESS\"}", NULL, "Expecting 'framework_id' to be present");
    check_invalid("{\"type\":\"ACCEPT\"}", NULL, "Expecting 'framework_id' to be present");
    check_valid("{\"type\":\"SUPPRESS\"," ID "}", NULL);
    check_valid("{\"type\":\"UNKNOWN\"," ID "}", NULL);
    check_valid("{\"type\":\"SUBSCRIBE\",\"subscribe\":{" INFO "}}}", NULL);
}
END_TEST

/* Each type but those that stand alone wants the part of its own name. */
START_TEST(a_call_has_the_part_that_its_type_names)
{
    const ProtobufCEnumDescriptor *types = &pb_scheduler_v1__call__type__descriptor;
    static const char alone[] = "UNKNOWN TEARDOWN REVIVE SUPPRESS";

    for (unsigned i = 0; i < types->n_values; i++) {
        const char *name = types->values[i].name;
        char json[200], why[200], part[64];
        size_t n = strlen(name);

        for (size_t k = 0; k <= n; k++)
            part[k] = (char)(name[k] >= 'A' && name[k] <= 'Z' ? name[k] + 32 : name[k]);
        snprintf(json, sizeof json, "{\"type\":\"%s\"," ID "}", name);
        snprintf(why, sizeof why, "Expecting '%s' to be present", part);
        if (strstr(alone, name))
            check_valid(json, NULL);
        else
            check_invalid(json, NULL, why);
    }
}
END_TEST

START_TEST(the_ids_of_call_and_info_agree)
{
    static const char why[] = "'framework_id' differs from 'subscribe.framework_info.id'";

    check_invalid("{\"type\":\"SUBSCRIBE\",\"subscribe\":{" INFO ",\"id\":{\"value\":\"f\"}}}}",
                  NULL, why);
    check_invalid("{\"type\":\"SUBSCRIBE\"," ID ",\"subscribe\":{" INFO "}}}", NULL, why);
    check_valid("{\"type\":\"SUBSCRIBE\"," ID ",\"subscribe\":{" INFO
                ",\"id\":{\"value\":\"f\"}}}}", NULL);
    check_invalid("{\"type\":\"UPDATE_FRAMEWORK\"," ID ",\"update_framework\":{" INFO "}}}", NULL,
                  "'framework_id' differs from 'update_framework.framework_info.id'");
}
END_TEST

START_TEST(the_principal_is_the_authenticated_one_or_left_out)
{
    check_valid("{\"type\":\"SUBSCRIBE\",\"subscribe\":{" INFO "}}}", "p");
    check_invalid("{\"type\":\"SUBSCRIBE\",\"subscribe\":{" INFO "}}}", "q",
                  "Authenticated principal 'q' does not match principal 'p' set in "
                  "`FrameworkInfo`");
    check_valid("{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":{\"user\":\"u\","
                "\"name\":\"n\"}}}", "q");
}
END_TEST

START_TEST(an_acknowledgement_has_a_uuid)
{
    static const char begin[] = "{\"type\":\"ACKNOWLEDGE\"," ID ",\"acknowledge\":{\"agent_id\":"
                                "{\"value\":\"a\"},\"task_id\":{\"value\":\"t\"},\"uuid\":";
    char json[300];

    snprintf(json, sizeof json, "%s\"AAAA\"}}", begin);
    check_invalid(json, NULL, "Not a valid UUID");
    snprintf(json, sizeof json, "%s\"0oIQygVsQl+kOSJm9KlqXA==\"}}", begin);
    check_valid(json, NULL);
    check_invalid("{\"type\":\"ACKNOWLEDGE_OPERATION_STATUS\"," ID ",\"acknowledge_operation_status"
                  "\":{\"uuid\":\"\",\"operation_id\":{\"value\":\"o\"}}}", NULL,
                  "Not a valid UUID");
}
END_TEST

START_TEST(a_subscription_becomes_one_of_v0_with_its_own_numbers)
{
    PbSchedulerV1__Call *v1 = call_of(
        "{\"type\":\"SUBSCRIBE\"," ID ",\"subscribe\":{" INFO ",\"id\":{\"value\":\"f\"}},"
        "\"suppressed_roles\":[\"a\",\"b\"],\"offer_constraints\":{\"role_constraints\":{\"a\":"
        "{\"groups\":[{}]}}}}}");
    PbScheduler__Call *v0 = scheduler_call_to_v0(v1, &arena);

    ck_assert_ptr_eq(v0->base.descriptor, &pb_scheduler__call__descriptor);
    ck_assert_int_eq(v0->type, PB_SCHEDULER__CALL__TYPE__SUBSCRIBE);
    ck_assert_str_eq(v0->framework_id->value, "f");
    ck_assert(v0->subscribe->has_force && v0->subscribe->force);
    ck_assert_uint_eq(v0->subscribe->n_suppressed_roles, 2);
    ck_assert_str_eq(v0->subscribe->suppressed_roles[1], "b");
    ck_assert(proto_equal(&v0->subscribe->framework_info->base,
                          &v1->subscribe->framework_info->base));
    ck_assert_ptr_ne(v0->subscribe->framework_info, v1->subscribe->framework_info);
    ck_assert_str_eq(v0->subscribe->offer_constraints->role_constraints[0]->key, "a");
    ck_assert_uint_eq(v0->subscribe->offer_constraints->role_constraints[0]->value->n_groups, 1);
    ck_assert(v1->subscribe);
    arena_release(&arena);
}
END_TEST

START_TEST(any_other_call_has_the_same_bytes_in_v0)
{
    PbSchedulerV1__Call *v1 = call_of("{\"type\":\"KILL\"," ID ",\"kill\":{\"task_id\":{\"value\":"
                                      "\"t\"},\"kill_policy\":{\"grace_period\":{\"nanoseconds\":"
                                      "5}}},\"revive\":{\"roles\":\"r\"}}");
    PbScheduler__Call *v0 = scheduler_call_to_v0(v1, &arena);
    struct buffer a = BUFFER_INIT, b = BUFFER_INIT;

    proto_pack(&v1->base, &a);
    proto_pack(&v0->base, &b);
    ck_assert_ptr_eq(v0->base.descriptor, &pb_scheduler__call__descriptor);
    ck_assert_uint_eq(buffer_length(&a), buffer_length(&b));
    ck_assert_mem_eq(buffer_data(&a), buffer_data(&b), buffer_length(&a));
    ck_assert_str_eq(v0->kill->task_id->value, "t");
    buffer_release(&a);
    buffer_release(&b);
    arena_release(&arena);
}
END_TEST

UNIT(scheduler_call, a_call_has_a_type_and_but_for_subscribe_a_framework,
     a_call_has_the_part_that_its_type_names, the_ids_of_call_and_info_agree,
     the_principal_is_the_authenticated_one_or_left_out, an_acknowledgement_has_a_uuid,
     a_subscription_becomes_one_of_v0_with_its_own_numbers,
     any_other_call_has_the_same_bytes_in_v0);
