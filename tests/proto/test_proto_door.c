/* test_proto_door.c - what the door for protobuf lets in, and what it says to the rest */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "process/proto.h"
#include "proto/mesos.pb-c.h"
#include "proto/messages.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

/* Bytes as a literal, and how many; a literal ends where a hex digit must not go on. */
#define BYTES(literal) literal, sizeof(literal) - 1

static struct arena arena;
static struct error err;

static void setup(void)
{
    err = (struct error){ 0 };
}

static void teardown(void)
{
    arena_release(&arena);
}

static void *parse(const ProtobufCMessageDescriptor *type, const void *bytes, size_t size)
{
    return proto_parse(type, bytes, size, &arena, NULL, &err);
}

static void check_refused(const ProtobufCMessageDescriptor *type, const void *bytes, size_t size,
                          int code, const char *why)
{
    ck_assert_ptr_null(parse(type, bytes, size));
    ck_assert_str_eq(err.text, why);
    ck_assert_int_eq(err.code, code);
}

static void check_packs_to(const void *msg, const void *bytes, size_t size)
{
    struct buffer packed = BUFFER_INIT;

    proto_pack(msg, &packed);
    ck_assert_uint_eq(buffer_length(&packed), size);
    ck_assert_mem_eq(buffer_data(&packed), bytes, size);
    buffer_release(&packed);
}

static void check_format(const void *msg, const char *text)
{
    struct buffer line = BUFFER_INIT;

    proto_format(msg, &line);
    ck_assert_str_eq(buffer_data(&line), text);
    buffer_release(&line);
}

/* A message within `depth - 1` others: each wraps what is there as field 2, before it
 * stands the required field 1 (both of ContainerID). */
static void nest(struct buffer *to, size_t depth)
{
    Pb__ContainerID *ids = calloc(depth, sizeof(*ids));

    for (size_t i = 0; i < depth; i++) {
        ids[i] = (Pb__ContainerID)PB__CONTAINER_ID__INIT;
        ids[i].value = "c";
        ids[i].parent = i ? &ids[i - 1] : NULL;
    }
    proto_pack(&ids[depth - 1].base, to);
    free(ids);
}

START_TEST(a_message_is_read)
{
    Pb__Address *msg = parse(&pb__address__descriptor, BYTES("\x0a\x03" "foo" "\x18\xba\x27"));

    ck_assert_ptr_nonnull(msg);
    ck_assert_str_eq(msg->hostname, "foo");
    ck_assert_ptr_null(msg->ip);
    ck_assert_int_eq(msg->port, 5050);
}
END_TEST

START_TEST(no_bytes_are_a_message_without_required_fields)
{
    ck_assert_ptr_nonnull(parse(&pb__machine_id__descriptor, NULL, 0));
    check_refused(&pb__address__descriptor, NULL, 0, EBADMSG, "port: required field is missing");
}
END_TEST

START_TEST(unset_fields_have_their_defaults)
{
    Pb__FrameworkInfo *msg = parse(&pb__framework_info__descriptor, BYTES("\x0a\x01u\x12\x01n"));

    ck_assert_ptr_nonnull(msg);
    ck_assert_str_eq(msg->role, "*");
    ck_assert(!msg->has_checkpoint && !msg->checkpoint);
    check_packs_to(msg, BYTES("\x0a\x01u\x12\x01n"));
}
END_TEST

START_TEST(a_string_that_equals_its_default_stays_set)
{
    const char bytes[] = "\x0a\x01u\x12\x01n\x32\x01*";
    Pb__FrameworkInfo *msg = parse(&pb__framework_info__descriptor, BYTES(bytes));

    check_packs_to(msg, BYTES(bytes));
    check_packs_to(proto_dup(&msg->base, &arena), BYTES(bytes));
}
END_TEST

START_TEST(empty_strings_and_bytes_are_set)
{
    const char bytes[] = "\x0a\x02\x0a\x00\x10\x01\x1a\x00\x22\x00\x5a\x00";
    Pb__TaskStatus *status = parse(&pb__task_status__descriptor, BYTES(bytes));

    ck_assert_ptr_nonnull(status);
    ck_assert_str_eq(status->task_id->value, "");
    ck_assert_str_eq(status->message, "");
    ck_assert(status->has_data && status->has_uuid && status->data.len == 0);
    check_packs_to(status, BYTES(bytes));
    ck_assert_ptr_nonnull(parse(&pb__uuid__descriptor, BYTES("\x0a\x00")));
}
END_TEST

START_TEST(negative_numbers_are_read)
{
    const char bytes[] = "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    Pb__TimeInfo *time = parse(&pb__time_info__descriptor, BYTES(bytes));
    Pb__CheckStatusInfo__Command *command =
        parse(&pb__check_status_info__command__descriptor, BYTES(bytes));

    ck_assert_int_eq(time->nanoseconds, -1);
    ck_assert_int_eq(command->exit_code, -1);
    check_packs_to(command, BYTES(bytes));
}
END_TEST

START_TEST(an_error_names_the_path_of_the_field)
{
    check_refused(&pb__reregister_slave_message__descriptor,
                  BYTES("\x12\x0e\x0a\x01h\x1a\x09\x0a\x01" "a\x10\x00\x1a\x02\x09\x00"),
                  EBADMSG, "slave.resources[0].scalar.value: truncated");
    check_refused(&pb__reregister_slave_message__descriptor,
                  BYTES("\x12\x0f\x0a\x01h\x1a\x05\x0a\x01" "a\x10\x03\x1a\x03\x0a\x01\xc3"),
                  EBADMSG, "slave.resources[1].name: invalid UTF-8");
}
END_TEST

START_TEST(a_missing_required_field_is_refused_with_its_path)
{
    check_refused(&pb__register_slave_message__descriptor, BYTES("\x0a\x02\x40\x01"), EBADMSG,
                  "slave.hostname: required field is missing");
    check_refused(&pb__register_slave_message__descriptor, BYTES(""), EBADMSG,
                  "slave: required field is missing");
}
END_TEST

START_TEST(nul_and_invalid_utf8_are_refused_in_strings_only)
{
    check_refused(&pb__task_id__descriptor, BYTES("\x0a\x03" "a\0b"), EBADMSG,
                  "value: NUL in a string");
    check_refused(&pb__task_id__descriptor, BYTES("\x0a\x02\xc0\x80"), EBADMSG,
                  "value: invalid UTF-8");
    check_refused(&pb__task_id__descriptor, BYTES("\x0a\x03\xed\xa0\x80"), EBADMSG,
                  "value: invalid UTF-8");
    Pb__UUID *uuid = parse(&pb__uuid__descriptor, BYTES("\x0a\x03\x00\xff\xc0"));
    ck_assert_ptr_nonnull(uuid);
    ck_assert_mem_eq(uuid->value.data, "\x00\xff\xc0", 3);
}
END_TEST

START_TEST(a_deeply_nested_body_is_refused)
{
    struct buffer bytes = BUFFER_INIT;

    nest(&bytes, 6000);
    ck_assert_uint_ge(buffer_length(&bytes), 34000);
    ck_assert_ptr_null(parse(&pb__container_id__descriptor, buffer_data(&bytes),
                             buffer_length(&bytes)));
    ck_assert_int_eq(err.code, EMSGSIZE);
    ck_assert(strncmp(err.text, "...parent.parent.", 17) == 0);
    ck_assert_ptr_nonnull(strstr(err.text, ".parent: messages are nested too deeply"));
    buffer_release(&bytes);
}
END_TEST

START_TEST(the_depth_limit_is_exact)
{
    struct buffer bytes = BUFFER_INIT;

    nest(&bytes, 100);
    ck_assert_ptr_nonnull(parse(&pb__container_id__descriptor, buffer_data(&bytes),
                                buffer_length(&bytes)));
    buffer_clear(&bytes);
    nest(&bytes, 101);
    ck_assert_ptr_null(parse(&pb__container_id__descriptor, buffer_data(&bytes),
                             buffer_length(&bytes)));
    buffer_release(&bytes);
}
END_TEST

START_TEST(the_size_limit_is_exact)
{
    struct proto_limits limits = { .size = 3, .depth = 1, .count = 0 };

    ck_assert_ptr_nonnull(
        proto_parse(&pb__task_id__descriptor, BYTES("\x0a\x01t"), &arena, &limits, &err));
    ck_assert_ptr_null(
        proto_parse(&pb__task_id__descriptor, BYTES("\x0a\x02tt"), &arena, &limits, &err));
    ck_assert_str_eq(err.text, "a message of 4 bytes, where 3 are allowed");
    ck_assert_int_eq(err.code, EMSGSIZE);
}
END_TEST

/* What costs: `bytes` need `count` of a type without required fields. */
static void check_cost(const ProtobufCMessageDescriptor *type, const void *bytes, size_t size,
                       size_t count)
{
    struct proto_limits limits = PROTO_LIMITS;

    limits.count = count;
    ck_assert_ptr_nonnull(proto_parse(type, bytes, size, &arena, &limits, &err));
    limits.count = count - 1;
    ck_assert_ptr_null(proto_parse(type, bytes, size, &arena, &limits, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "too many elements"));
    ck_assert_int_eq(err.code, EMSGSIZE);
}

START_TEST(the_count_limit_counts_elements_messages_and_unknown_fields)
{
    check_cost(&pb__value__set__descriptor, BYTES("\x0a\x00\x0a\x00\x0a\x00"), 3);
    check_cost(&pb__labels__descriptor, BYTES("\x0a\x03\x0a\x01k\x0a\x03\x0a\x01k"), 2);
    check_cost(&pb__domain_info__descriptor,
               BYTES("\x0a\x0a\x0a\x03\x0a\x01r\x12\x03\x0a\x01z"), 3);
    check_cost(&pb__machine_id__descriptor, BYTES("\x48\x00\x48\x00"), 2);
    check_cost(&pb__capability_info__descriptor, BYTES("\x0a\x03\x00\x00\x01"), 3);
}
END_TEST

START_TEST(truncated_bytes_are_refused)
{
    check_refused(&pb__task_id__descriptor, BYTES("\x0a"), EBADMSG, "value: truncated");
    check_refused(&pb__task_id__descriptor, BYTES("\x0a\x02t"), EBADMSG, "value: truncated");
    check_refused(&pb__task_id__descriptor, BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01t"),
                  EBADMSG, "value: truncated");
    check_refused(&pb__task_id__descriptor, BYTES("\x8a"), EBADMSG, "truncated");
    check_refused(&pb__metric__descriptor, BYTES("\x0a\x01m\x11\x00\x00\x00"), EBADMSG,
                  "value: truncated");
    check_refused(&pb__task_id__descriptor, BYTES("\x4d\x00\x00\x00"), EBADMSG, "truncated");
}
END_TEST

START_TEST(overlong_varints_are_refused)
{
    check_refused(&pb__time_info__descriptor,
                  BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), EBADMSG,
                  "nanoseconds: overlong varint");
    check_refused(&pb__time_info__descriptor,
                  BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), EBADMSG,
                  "nanoseconds: overlong varint");
    check_refused(&pb__time_info__descriptor,
                  BYTES("\x88\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), EBADMSG,
                  "overlong varint");
    /* More bytes than needed are as good as any within ten. */
    Pb__TimeInfo *time = parse(&pb__time_info__descriptor, BYTES("\x88\x80\x00\x81\x80\x00"));
    ck_assert_ptr_nonnull(time);
    ck_assert_int_eq(time->nanoseconds, 1);
}
END_TEST

START_TEST(tags_that_cannot_be_are_refused)
{
    check_refused(&pb__task_id__descriptor, BYTES("\x02\x01t"), EBADMSG, "invalid field number");
    check_refused(&pb__task_id__descriptor, BYTES("\x8a\x80\x80\x80\x10\x01t"), EBADMSG,
                  "invalid field number");
    check_refused(&pb__task_id__descriptor, BYTES("\x0e\x01t"), EBADMSG,
                  "value: invalid wire type");
    check_refused(&pb__task_id__descriptor, BYTES("\x0f\x01t"), EBADMSG,
                  "value: invalid wire type");
    check_refused(&pb__task_id__descriptor, BYTES("\x7b\x7c"), EBADMSG,
                  "groups are not supported");
    check_refused(&pb__task_id__descriptor, BYTES("\x7c"), EBADMSG, "groups are not supported");
}
END_TEST

START_TEST(unknown_fields_survive)
{
    const char bytes[] = "\x0a\x01t" "\x48\x96\x01" "\x55\x01\x02\x03\x04"
                         "\x59\x01\x02\x03\x04\x05\x06\x07\x08" "\x62\x02\xff\x00";
    Pb__TaskID *id = parse(&pb__task_id__descriptor, BYTES(bytes));

    ck_assert_ptr_nonnull(id);
    ck_assert_uint_eq(id->base.n_unknown_fields, 4);
    check_packs_to(id, BYTES(bytes));
    check_packs_to(proto_dup(&id->base, &arena), BYTES(bytes));
    check_format(id, "value: \"t\" 9: <2 bytes> 10: <4 bytes> 11: <8 bytes> 12: <3 bytes>");
}
END_TEST

START_TEST(a_field_of_another_wire_type_is_unknown)
{
    Pb__MachineID *id = parse(&pb__machine_id__descriptor, BYTES("\x08\x05"));

    ck_assert_ptr_nonnull(id);
    ck_assert_ptr_null(id->hostname);
    check_packs_to(id, BYTES("\x08\x05"));
    check_refused(&pb__task_id__descriptor, BYTES("\x08\x05"), EBADMSG, "value: wrong wire type");
}
END_TEST

START_TEST(an_unknown_enum_value_reads_as_unset_and_survives)
{
    const char bytes[] = "\x0a\x03\x0a\x01t\x10\x01\x48\x63";
    Pb__TaskStatus *status = parse(&pb__task_status__descriptor, BYTES(bytes));

    ck_assert_ptr_nonnull(status);
    ck_assert(!status->has_source);
    ck_assert_int_eq(status->source, PB__TASK_STATUS__SOURCE__SOURCE_MASTER);
    check_packs_to(status, BYTES(bytes));
}
END_TEST

START_TEST(the_last_known_enum_value_stands)
{
    Pb__TaskStatus *status = parse(&pb__task_status__descriptor,
                                   BYTES("\x0a\x03\x0a\x01t\x10\x01\x48\x02\x48\x63"));

    ck_assert(status->has_source);
    ck_assert_int_eq(status->source, PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR);
    ck_assert_uint_eq(status->base.n_unknown_fields, 1);
}
END_TEST

START_TEST(an_unknown_value_of_a_required_enum_is_refused_with_its_path)
{
    check_refused(&pb__task_status__descriptor, BYTES("\x0a\x03\x0a\x01t\x10\x63"), EBADMSG,
                  "state: unknown enum value");
    check_refused(&pb__status_update_message__descriptor,
                  BYTES("\x0a\x16\x0a\x03\x0a\x01" "f\x22\x06\x0a\x02\x0a\x00\x10\x63"
                        "\x29\x00\x00\x00\x00\x00\x00\x00\x00"),
                  EBADMSG, "update.status.state: unknown enum value");
}
END_TEST

START_TEST(repeated_enums_keep_their_known_values_and_the_others_survive)
{
    Pb__CapabilityInfo *info = parse(&pb__capability_info__descriptor,
                                     BYTES("\x08\xe8\x07\x08\x63\x08\xe9\x07"));

    ck_assert_uint_eq(info->n_capabilities, 2);
    ck_assert_int_eq(info->capabilities[1], PB__CAPABILITY_INFO__CAPABILITY__DAC_OVERRIDE);
    check_packs_to(info, BYTES("\x08\xe8\x07\x08\xe9\x07\x08\x63"));
}
END_TEST

START_TEST(packed_repeated_fields_are_read)
{
    /* statuses = 200, 201 packed, and 202 alone */
    Pb__HealthCheck__HTTPCheckInfo *http =
        parse(&pb__health_check__httpcheck_info__descriptor,
              BYTES("\x08\x50\x22\x04\xc8\x01\xc9\x01\x20\xca\x01"));

    ck_assert_uint_eq(http->n_statuses, 3);
    ck_assert_uint_eq(http->statuses[1], 201);
    ck_assert_uint_eq(http->statuses[2], 202);
    check_refused(&pb__health_check__httpcheck_info__descriptor,
                  BYTES("\x08\x50\x22\x03\xc8\x01\xc9"), EBADMSG, "statuses[1]: truncated");

    Pb__CapabilityInfo *info =
        parse(&pb__capability_info__descriptor, BYTES("\x0a\x05\xe8\x07\x63\xe9\x07"));
    ck_assert_uint_eq(info->n_capabilities, 2);
    check_packs_to(info, BYTES("\x08\xe8\x07\x08\xe9\x07\x08\x63"));
}
END_TEST

START_TEST(a_sub_message_in_pieces_is_merged)
{
    /* MachineInfo.id twice: hostname in one, ip in the other; the later hostname stands. */
    Pb__MachineInfo *info =
        parse(&pb__machine_info__descriptor,
              BYTES("\x0a\x06\x0a\x01" "a\x12\x01" "i\x10\x01\x0a\x03\x0a\x01" "b"));

    ck_assert_ptr_nonnull(info);
    ck_assert_str_eq(info->id->hostname, "b");
    ck_assert_str_eq(info->id->ip, "i");
    check_packs_to(info, BYTES("\x0a\x06\x0a\x01" "b\x12\x01" "i\x10\x01"));
}
END_TEST

START_TEST(pieces_are_merged_at_every_depth_and_lists_grow)
{
    Pb__Value *value = parse(&pb__value__descriptor,
                             BYTES("\x1a\x06\x0a\x04\x08\x01\x10\x02" "\x08\x01"
                                   "\x1a\x06\x0a\x04\x08\x03\x10\x04"));

    ck_assert_uint_eq(value->ranges->n_range, 2);
    ck_assert_uint_eq(value->ranges->range[0]->end, 2);
    ck_assert_uint_eq(value->ranges->range[1]->begin, 3);

    Pb__DomainInfo *domain =
        parse(&pb__domain_info__descriptor,
              BYTES("\x0a\x05\x0a\x03\x0a\x01r" "\x0a\x05\x12\x03\x0a\x01z"));
    ck_assert_ptr_nonnull(domain);
    ck_assert_str_eq(domain->fault_domain->region->name, "r");
    ck_assert_str_eq(domain->fault_domain->zone->name, "z");
}
END_TEST

START_TEST(a_map_is_a_list_of_entries)
{
    const char bytes[] = "\x0a\x0f\x0a\x01r\x12\x0a\x0a\x08\x0a\x06\x0a\x02\x08\x01\x12\x00";
    PbScheduler__OfferConstraints *constraints =
        parse(&pb_scheduler__offer_constraints__descriptor, BYTES(bytes));

    ck_assert_ptr_nonnull(constraints);
    ck_assert_uint_eq(constraints->n_role_constraints, 1);
    ck_assert_str_eq(constraints->role_constraints[0]->key, "r");
    ck_assert_uint_eq(constraints->role_constraints[0]->value->n_groups, 1);
    check_packs_to(constraints, BYTES(bytes));
}
END_TEST

START_TEST(subscribe_of_v0_has_force_before_the_suppressed_roles)
{
    PbScheduler__Call__Subscribe *subscribe =
        parse(&pb_scheduler__call__subscribe__descriptor,
              BYTES("\x0a\x06\x0a\x01u\x12\x01n\x10\x01\x1a\x01r"));

    ck_assert_ptr_nonnull(subscribe);
    ck_assert(subscribe->force);
    ck_assert_str_eq(subscribe->suppressed_roles[0], "r");
}
END_TEST

START_TEST(a_copy_is_equal_and_its_own)
{
    char bytes[] = "\x0a\x12\x0a\x01h\x1a\x0b\x0a\x03" "cpu\x10\x00\x1a\x02\x48\x00\x40\x01"
                   "\x12\x01v";
    struct arena own = ARENA_INIT;

    Pb__RegisterSlaveMessage *msg =
        parse(&pb__register_slave_message__descriptor, BYTES(bytes));
    ck_assert_ptr_null(msg);                            /* Scalar.value is required */
    bytes[14] = '\x2a';                                 /* Set has nothing required */
    msg = parse(&pb__register_slave_message__descriptor, BYTES(bytes));
    ck_assert_msg(msg, "%s", err.text);

    Pb__RegisterSlaveMessage *copy = (Pb__RegisterSlaveMessage *)proto_dup(&msg->base, &own);
    ck_assert(proto_equal(&copy->base, &msg->base));
    arena_release(&arena);
    check_packs_to(copy, BYTES(bytes));
    arena_release(&own);
}
END_TEST

START_TEST(equal_means_type_and_bytes)
{
    const ProtobufCMessage *a = parse(&pb__task_id__descriptor, BYTES("\x0a\x01" "a"));
    const ProtobufCMessage *b = parse(&pb__task_id__descriptor, BYTES("\x0a\x01" "b"));
    const ProtobufCMessage *other = parse(&pb__offer_id__descriptor, BYTES("\x0a\x01" "a"));

    ck_assert(proto_equal(a, a));
    ck_assert(!proto_equal(a, b));
    ck_assert(!proto_equal(a, other));
}
END_TEST

START_TEST(pack_appends)
{
    struct buffer to = BUFFER_INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;

    id.value = "t";
    buffer_append_text(&to, "head");
    proto_pack(&id.base, &to);
    ck_assert_uint_eq(proto_packed_size(&id.base), 3);
    ck_assert_mem_eq(buffer_data(&to), "head\x0a\x01t", 7);
    buffer_release(&to);
}
END_TEST

START_TEST(a_message_is_one_line_for_the_log)
{
    Pb__TaskStatus *status =
        parse(&pb__task_status__descriptor,
              BYTES("\x0a\x05\x0a\x03\"\n\\\x10\x01\x31\x00\x00\x00\x00\x00\x00\xf8\x3f\x40\x01"
                    "\x5a\x02\x01\xff\x62\x00"));

    ck_assert_msg(status, "%s", err.text);
    check_format(status, "task_id { value: \"\\\"\\012\\\\\" } state: TASK_RUNNING timestamp: 1.5 "
                         "healthy: true uuid: 01ff labels { }");
}
END_TEST

/* xorshift64: the same mutations every time. */
static uint64_t dice(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void mutate(struct buffer *bytes, uint64_t *state)
{
    size_t n = buffer_length(bytes), at = dice(state) % n;
    char *data = buffer_data(bytes);

    switch (dice(state) % 5) {
    case 0:
        data[at] = (char)dice(state);
        break;
    case 1:
        data[at] = (char)(data[at] ^ 1 << dice(state) % 8);
        break;
    case 2:
        buffer_truncate(bytes, at + 1);
        break;
    case 3:
        buffer_append_char(bytes, (char)dice(state));
        break;
    default:                                            /* the same piece twice */
        buffer_reserve(bytes, n - at);
        buffer_append(bytes, buffer_data(bytes) + at, n - at);
    }
}

/* What comes in once comes in again, the same. */
static bool check_stable(const struct buffer *bytes)
{
    struct buffer packed = BUFFER_INIT, line = BUFFER_INIT;
    const ProtobufCMessageDescriptor *type = &pb__resource_offers_message__descriptor;
    ProtobufCMessage *msg = parse(type, buffer_data(bytes), buffer_length(bytes));

    if (msg) {
        proto_pack(msg, &packed);
        proto_format(msg, &line);
        ProtobufCMessage *again = parse(type, buffer_data(&packed), buffer_length(&packed));
        ck_assert_msg(again, "%s", err.text);
        ck_assert(proto_equal(msg, again));
        ck_assert(proto_equal(msg, proto_dup(msg, &arena)));
    }
    buffer_release(&packed);
    buffer_release(&line);
    arena_release(&arena);
    return msg != NULL;
}

START_TEST(mutated_messages_are_refused_or_stable)
{
    static const char valid[] =
        "\x0a\x3f" "\x0a\x03\x0a\x01o" "\x12\x03\x0a\x01" "f" "\x1a\x03\x0a\x01" "a" "\x22\x04host"
        "\x2a\x13\x0a\x04" "cpus\x10\x00\x1a\x09\x09\x00\x00\x00\x00\x00\x00\x20\x40"
        "\x2a\x13\x0a\x05ports\x10\x01\x22\x08\x0a\x06\x08\x98\xf2\x01\x10\x01"
        "\x12\x05pid@1";
    uint64_t state = 42;
    int passed = 0;

    for (int i = 0; i < 20000; i++) {
        struct buffer bytes = BUFFER_INIT;

        buffer_append(&bytes, valid, sizeof(valid) - 1);
        for (uint64_t n = dice(&state) % 4; n > 0; n--)
            mutate(&bytes, &state);
        passed += check_stable(&bytes);
        buffer_release(&bytes);
    }
    ck_assert_int_gt(passed, 6000);                     /* a quarter is not mutated at all */
    ck_assert_int_lt(passed, 19000);
}
END_TEST

static void add_tests(TCase *door)
{
    tcase_add_test(door, a_message_is_read);
    tcase_add_test(door, no_bytes_are_a_message_without_required_fields);
    tcase_add_test(door, unset_fields_have_their_defaults);
    tcase_add_test(door, a_string_that_equals_its_default_stays_set);
    tcase_add_test(door, empty_strings_and_bytes_are_set);
    tcase_add_test(door, negative_numbers_are_read);
    tcase_add_test(door, an_error_names_the_path_of_the_field);
    tcase_add_test(door, a_missing_required_field_is_refused_with_its_path);
    tcase_add_test(door, nul_and_invalid_utf8_are_refused_in_strings_only);
    tcase_add_test(door, a_deeply_nested_body_is_refused);
    tcase_add_test(door, the_depth_limit_is_exact);
    tcase_add_test(door, the_size_limit_is_exact);
    tcase_add_test(door, the_count_limit_counts_elements_messages_and_unknown_fields);
    tcase_add_test(door, truncated_bytes_are_refused);
    tcase_add_test(door, overlong_varints_are_refused);
    tcase_add_test(door, tags_that_cannot_be_are_refused);
    tcase_add_test(door, unknown_fields_survive);
    tcase_add_test(door, a_field_of_another_wire_type_is_unknown);
    tcase_add_test(door, an_unknown_enum_value_reads_as_unset_and_survives);
    tcase_add_test(door, the_last_known_enum_value_stands);
    tcase_add_test(door, an_unknown_value_of_a_required_enum_is_refused_with_its_path);
    tcase_add_test(door, repeated_enums_keep_their_known_values_and_the_others_survive);
    tcase_add_test(door, packed_repeated_fields_are_read);
    tcase_add_test(door, a_sub_message_in_pieces_is_merged);
    tcase_add_test(door, pieces_are_merged_at_every_depth_and_lists_grow);
    tcase_add_test(door, a_map_is_a_list_of_entries);
    tcase_add_test(door, subscribe_of_v0_has_force_before_the_suppressed_roles);
    tcase_add_test(door, a_copy_is_equal_and_its_own);
    tcase_add_test(door, equal_means_type_and_bytes);
    tcase_add_test(door, pack_appends);
    tcase_add_test(door, a_message_is_one_line_for_the_log);
    tcase_add_test(door, mutated_messages_are_refused_or_stable);
}

int main(void)
{
    Suite *suite = suite_create("proto_door");
    TCase *door = tcase_create("door");
    SRunner *runner = srunner_create(suite);

    tcase_add_checked_fixture(door, setup, teardown);
    add_tests(door);
    suite_add_tcase(suite, door);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
