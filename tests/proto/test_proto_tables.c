/* test_proto_tables.c - is every generated message the one that Mesos has?
 *
 * The files in tables/ hold what is known of Mesos's messages, one a line; descriptors.inc
 * (made by the build from the generated headers) names all that we have.  Both must
 * say the same, but for the omissions that are listed here.
 */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/agent.pb-c.h"
#include "proto/allocator.pb-c.h"
#include "proto/authentication.pb-c.h"
#include "proto/duration.pb-c.h"
#include "proto/executor.pb-c.h"
#include "proto/flags.pb-c.h"
#include "proto/maintenance.pb-c.h"
#include "proto/master.pb-c.h"
#include "proto/mesos.pb-c.h"
#include "proto/messages.pb-c.h"
#include "proto/quota.pb-c.h"
#include "proto/registry.pb-c.h"
#include "proto/scheduler.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

enum { NAME_SIZE = 160, LINE_SIZE = 8192 };

/* A descriptor of either kind; the other pointer is NULL. */
struct type {
    const char *name;
    const ProtobufCMessageDescriptor *message;
    const ProtobufCEnumDescriptor *values;
};

static const ProtobufCMessageDescriptor *const messages[] = {
#define MESSAGE(symbol) &symbol,
#define ENUM(symbol)
#include "tests/proto/descriptors.inc"
#undef MESSAGE
#undef ENUM
};

static const ProtobufCEnumDescriptor *const enums[] = {
#define MESSAGE(symbol)
#define ENUM(symbol) &symbol,
#include "tests/proto/descriptors.inc"
};

enum { MESSAGES = sizeof(messages) / sizeof(*messages), ENUMS = sizeof(enums) / sizeof(*enums) };

static const struct table {
    const char *file, *package;
} tables[] = {
    { "mesos.txt", "mesos.v1" },
    { "messages.txt", "mesos.internal" },
    { "authentication.txt", "mesos.internal" },
    { "flags.txt", "mesos.internal" },
    { "registry.txt", "mesos.internal" },
    { "scheduler_v0.txt", "mesos.scheduler" },
    { "scheduler.txt", "mesos.v1.scheduler" },
    { "executor.txt", "mesos.v1.executor" },
    { "master.txt", "mesos.v1.master" },
    { "agent.txt", "mesos.v1.agent" },
    { "maintenance.txt", "mesos.v1.maintenance" },
    { "quota.txt", "mesos.v1.quota" },
    { "allocator.txt", "mesos.v1.allocator" },
    { "duration.txt", "google.protobuf" },
};

/* What Mesos has and we have not: no use for it, or not yet. */
static const char *const omitted[] = {
    "mesos.internal.Registry.Quota",
    "mesos.internal.Registry.quota_configs",
    "mesos.internal.Registry.quotas",
    "mesos.internal.Registry.resource_provider_registry",
    "mesos.internal.Registry.schedules",
    "mesos.internal.ResourceProviderCallMessage",
    "mesos.internal.ResourceProviderEventMessage",
    "mesos.v1.LinuxInfo.seccomp",
    "mesos.v1.ResourceProviderInfo.storage",
    "mesos.v1.ResourceStatistics.blkio_statistics",
    "mesos.v1.ResourceStatistics.net_rate_statistics",
    "mesos.v1.ResourceStatistics.net_snmp_statistics",
    "mesos.v1.ResourceStatistics.net_traffic_control_statistics",
    "mesos.v1.ResourceStatistics.perf",
    "mesos.v1.Volume.Source.csi_volume",
};

static bool is_omitted(const char *scope, const char *name)
{
    char full[NAME_SIZE];

    snprintf(full, sizeof(full), "%s.%s", scope, name);
    for (size_t i = 0; i < sizeof(omitted) / sizeof(*omitted); i++)
        if (strcmp(omitted[i], full) == 0)
            return true;
    return false;
}

static struct type type_find(const char *name)
{
    for (size_t i = 0; i < MESSAGES; i++)
        if (strcmp(messages[i]->name, name) == 0)
            return (struct type){ messages[i]->name, messages[i], NULL };
    for (size_t i = 0; i < ENUMS; i++)
        if (strcmp(enums[i]->name, name) == 0)
            return (struct type){ enums[i]->name, NULL, enums[i] };
    return (struct type){ NULL, NULL, NULL };
}

/* As protobuf resolves a name: in the message, in those around it, in the package; then
 * as a full name, or in mesos.v1, where SlaveX is AgentX. */
static struct type type_resolve(const char *scope, const char *name)
{
    char around[NAME_SIZE], full[2 * NAME_SIZE];
    struct type found;

    snprintf(around, sizeof(around), "%s", scope);
    for (char *dot = around; dot; dot = strrchr(around, '.')) {
        if (dot != around)
            *dot = '\0';
        snprintf(full, sizeof(full), "%s.%s", around, name);
        found = type_find(full);
        if (found.name)
            return found;
    }
    found = type_find(name);
    if (found.name)
        return found;
    bool slave = strncmp(name, "Slave", 5) == 0;
    snprintf(full, sizeof(full), "mesos.v1.%s%s", slave ? "Agent" : "", name + (slave ? 5 : 0));
    return type_find(full);
}

static const char *type_text(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32: return "int32";
    case PROTOBUF_C_TYPE_INT64: return "int64";
    case PROTOBUF_C_TYPE_UINT32: return "uint32";
    case PROTOBUF_C_TYPE_UINT64: return "uint64";
    case PROTOBUF_C_TYPE_DOUBLE: return "double";
    case PROTOBUF_C_TYPE_BOOL: return "bool";
    case PROTOBUF_C_TYPE_STRING: return "string";
    case PROTOBUF_C_TYPE_BYTES: return "bytes";
    default: return "";
    }
}

static void check_type(const char *scope, const ProtobufCFieldDescriptor *field, const char *type)
{
    if (field->type != PROTOBUF_C_TYPE_MESSAGE && field->type != PROTOBUF_C_TYPE_ENUM) {
        ck_assert_msg(strcmp(type_text(field->type), type) == 0, "%s.%s: not a %s", scope,
                      field->name, type);
        return;
    }

    struct type found = type_resolve(scope, type);
    const void *want = field->type == PROTOBUF_C_TYPE_MESSAGE ? (const void *)found.message
                                                              : (const void *)found.values;
    ck_assert_msg(want && field->descriptor == want, "%s.%s: not a %s", scope, field->name, type);
}

/* map<K,V> is on the wire a repeated message of key = 1 and value = 2. */
static void check_map(const char *scope, const ProtobufCFieldDescriptor *field, const char *type)
{
    char key[NAME_SIZE], value[NAME_SIZE];

    ck_assert_int_eq(sscanf(type, "map<%159[^,],%159[^>]>", key, value), 2);
    ck_assert_int_eq(field->type, PROTOBUF_C_TYPE_MESSAGE);
    ck_assert_int_eq(field->label, PROTOBUF_C_LABEL_REPEATED);

    const ProtobufCMessageDescriptor *entry = field->descriptor;
    ck_assert_uint_eq(entry->n_fields, 2);
    ck_assert_uint_eq(entry->fields[0].id, 1);
    ck_assert_uint_eq(entry->fields[1].id, 2);
    check_type(scope, &entry->fields[0], key);
    check_type(scope, &entry->fields[1], value);
}

static void check_default(const char *scope, const ProtobufCFieldDescriptor *field,
                          const char *text)
{
    const void *value = field->default_value;
    const ProtobufCEnumValue *named;
    bool same = false;

    if (!*text) {
        ck_assert_msg(!value, "%s.%s has a default", scope, field->name);
        return;
    }
    ck_assert_msg(value, "%s.%s has no default", scope, field->name);
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        same = *(const protobuf_c_boolean *)value == (strcmp(text, "true") == 0);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        same = *(const double *)value == strtod(text, NULL);
        break;
    case PROTOBUF_C_TYPE_STRING:
        same = strlen(value) + 2 == strlen(text) && strncmp(value, text + 1, strlen(value)) == 0;
        break;
    case PROTOBUF_C_TYPE_ENUM:
        named = protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, text);
        same = named && named->value == *(const int *)value;
        break;
    default:
        same = *(const int32_t *)value == strtol(text, NULL, 10);
    }
    ck_assert_msg(same, "%s.%s: the default is not %s", scope, field->name, text);
}

/* "3 tasks*:TaskInfo", "8 port:int32 =5051"; returns whether we should have it. */
static bool check_field(const ProtobufCMessageDescriptor *type, const char *text)
{
    unsigned number;
    char name[NAME_SIZE], kind[NAME_SIZE], preset[NAME_SIZE] = "";

    int n = sscanf(text, " %u %159[^: ]:%159s =%159s", &number, name, kind, preset);
    ck_assert_msg(n >= 3, "%s: cannot read \"%s\"", type->name, text);

    char last = name[strlen(name) - 1];
    ProtobufCLabel label = last == '!' ? PROTOBUF_C_LABEL_REQUIRED
        : last == '*' || strncmp(kind, "map<", 4) == 0 ? PROTOBUF_C_LABEL_REPEATED
        : PROTOBUF_C_LABEL_OPTIONAL;
    if (last == '!' || last == '*')
        name[strlen(name) - 1] = '\0';

    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(type, number);
    if (!field) {
        ck_assert_msg(is_omitted(type->name, name), "%s has no %u %s", type->name, number, name);
        return false;
    }
    ck_assert_str_eq(field->name, name);
    ck_assert_msg(field->label == label, "%s.%s: another label", type->name, name);
    if (strncmp(kind, "map<", 4) == 0)
        check_map(type->name, field, kind);
    else
        check_type(type->name, field, kind);
    check_default(type->name, field, preset);
    return true;
}

static void check_message(const ProtobufCMessageDescriptor *type, char *body)
{
    unsigned n = 0;
    char *rest;

    for (char *field = strtok_r(body, ";", &rest); field; field = strtok_r(NULL, ";", &rest))
        n += check_field(type, field);
    ck_assert_msg(n == type->n_fields, "%s has %u fields, Mesos's has %u", type->name,
                  type->n_fields, n);
}

static void check_enum(const ProtobufCEnumDescriptor *type, char *body)
{
    unsigned n = 0;
    char *rest;

    for (char *text = strtok_r(body, ",", &rest); text; text = strtok_r(NULL, ",", &rest), n++) {
        char name[NAME_SIZE];
        int number;

        ck_assert_int_eq(sscanf(text, " %159[^=]=%d", name, &number), 2);
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
        ck_assert_msg(value && strcmp(value->name, name) == 0, "%s has no %s = %d", type->name,
                      name, number);
    }
    ck_assert_msg(n == type->n_values, "%s has %u values, Mesos's has %u", type->name,
                  type->n_values, n);
}

static FILE *table_open(const struct table *table)
{
    const char *srcdir = getenv("srcdir");
    char path[1024];

    snprintf(path, sizeof(path), "%s/tests/proto/tables/%s", srcdir ? srcdir : ".", table->file);
    FILE *in = fopen(path, "r");
    ck_assert_msg(in, "cannot open %s", path);
    return in;
}

/* Reads a line "Name: body" or "Name (enum): body"; false at the end. */
static bool table_read(FILE *in, const char *package, char full[NAME_SIZE], bool *ret_enum,
                       char body[LINE_SIZE])
{
    char line[LINE_SIZE], name[NAME_SIZE];
    int end = 0;

    do {
        if (!fgets(line, sizeof(line), in))
            return false;
    } while (*line == '#');
    ck_assert(strchr(line, '\n'));
    line[strcspn(line, "\n")] = '\0';
    ck_assert_int_eq(sscanf(line, "%100[A-Za-z0-9_.]%n", name, &end), 1);
    snprintf(full, NAME_SIZE, "%.40s.%.100s", package, name);
    *ret_enum = strncmp(line + end, " (enum):", 8) == 0;
    ck_assert(*ret_enum || line[end] == ':');
    snprintf(body, LINE_SIZE, "%s", strchr(line, ':') + 1);
    return true;
}

static bool tables_have(const char *wanted)
{
    char full[NAME_SIZE], body[LINE_SIZE];
    bool found = false, is_enum;

    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables) && !found; i++) {
        FILE *in = table_open(&tables[i]);

        while (!found && table_read(in, tables[i].package, full, &is_enum, body))
            found = strcmp(full, wanted) == 0;
        fclose(in);
    }
    return found;
}

/* The entry type of a map stands in no table: check_map looks into it. */
static bool is_map_entry(const ProtobufCMessageDescriptor *type)
{
    const char *end = type->name + strlen(type->name);

    return end - type->name > 5 && strcmp(end - 5, "Entry") == 0 && type->n_fields == 2
        && strcmp(type->fields[0].name, "key") == 0 && strcmp(type->fields[1].name, "value") == 0;
}

START_TEST(every_message_and_enum_of_the_tables_is_ours)
{
    const struct table *table = &tables[_i];
    FILE *in = table_open(table);
    char full[NAME_SIZE], body[LINE_SIZE];
    bool is_enum;
    int lines = 0;

    for (; table_read(in, table->package, full, &is_enum, body); lines++) {
        struct type type = type_find(full);

        if (!type.name) {
            ck_assert_msg(is_omitted(table->package, full + strlen(table->package) + 1),
                          "there is no %s", full);
            continue;
        }
        ck_assert(is_enum == !type.message);
        if (is_enum)
            check_enum(type.values, body);
        else
            check_message(type.message, body);
    }
    fclose(in);
    ck_assert_int_ge(lines, 1);
}
END_TEST

START_TEST(every_message_and_enum_of_ours_is_in_the_tables)
{
    for (size_t i = 0; i < MESSAGES; i++)
        ck_assert_msg(is_map_entry(messages[i]) || tables_have(messages[i]->name),
                      "%s is in no table", messages[i]->name);
    for (size_t i = 0; i < ENUMS; i++)
        ck_assert_msg(enums[i] == &pb__capability_info__capability__descriptor
                          || tables_have(enums[i]->name),
                      "%s is in no table", enums[i]->name);
}
END_TEST

START_TEST(capabilities_are_those_of_linux_plus_1000)
{
    const ProtobufCEnumDescriptor *type = &pb__capability_info__capability__descriptor;

    ck_assert_int_eq(PB__CAPABILITY_INFO__CAPABILITY__UNKNOWN, 0);
    ck_assert_int_eq(PB__CAPABILITY_INFO__CAPABILITY__CHOWN, 1000 + 0);
    ck_assert_int_eq(PB__CAPABILITY_INFO__CAPABILITY__SYS_ADMIN, 1000 + 21);
    ck_assert_int_eq(PB__CAPABILITY_INFO__CAPABILITY__AUDIT_READ, 1000 + 37);
    ck_assert_uint_eq(type->n_values, 1 + 38);
}
END_TEST

START_TEST(an_unset_enum_reads_as_the_first_that_mesos_declares)
{
    Pb__Task task = PB__TASK__INIT;
    Pb__ContainerInfo container = PB__CONTAINER_INFO__INIT;

    ck_assert_int_eq(task.status_update_state, PB__TASK_STATE__TASK_STAGING);
    ck_assert_int_eq(container.type, PB__CONTAINER_INFO__TYPE__DOCKER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proto_tables");
    TCase *tests = tcase_create("tables");
    SRunner *runner = srunner_create(suite);

    tcase_add_loop_test(tests, every_message_and_enum_of_the_tables_is_ours, 0,
                        sizeof(tables) / sizeof(*tables));
    tcase_add_test(tests, every_message_and_enum_of_ours_is_in_the_tables);
    tcase_add_test(tests, capabilities_are_those_of_linux_plus_1000);
    tcase_add_test(tests, an_unset_enum_reads_as_the_first_that_mesos_declares);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
