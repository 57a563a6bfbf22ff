/* scheduler_call.c - a call of the v1 scheduler API: is it whole, and what is it to the master? */
#include "mesos/scheduler_call.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/error.h"
#include "process/proto.h"
#include "proto/scheduler.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

enum { UUID_SIZE = 16 };

/* Which part a call must have; types that are not here need none. */
#define TYPE(name) PB_SCHEDULER_V1__CALL__TYPE__##name
static const struct {
    PbSchedulerV1__Call__Type type;
    const char *part;
} needs[] = {
    { TYPE(SUBSCRIBE), "subscribe" },
    { TYPE(ACCEPT), "accept" },
    { TYPE(DECLINE), "decline" },
    { TYPE(ACCEPT_INVERSE_OFFERS), "accept_inverse_offers" },
    { TYPE(DECLINE_INVERSE_OFFERS), "decline_inverse_offers" },
    { TYPE(KILL), "kill" },
    { TYPE(SHUTDOWN), "shutdown" },
    { TYPE(ACKNOWLEDGE), "acknowledge" },
    { TYPE(ACKNOWLEDGE_OPERATION_STATUS), "acknowledge_operation_status" },
    { TYPE(RECONCILE), "reconcile" },
    { TYPE(RECONCILE_OPERATIONS), "reconcile_operations" },
    { TYPE(MESSAGE), "message" },
    { TYPE(REQUEST), "request" },
    { TYPE(UPDATE_FRAMEWORK), "update_framework" },
};

static int expect(const PbSchedulerV1__Call *call, const char *part, struct error *err)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(call->base.descriptor, part);

    CHECK(field);
    if (proto_count(&call->base, field) == 0)
        return error_set(err, EINVAL, "Expecting '%s' to be present", part);
    return 0;
}

static int check_part(const PbSchedulerV1__Call *call, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
        if (needs[i].type == call->type)
            return expect(call, needs[i].part, err);
    return 0;
}

/* A framework without id is a new one; both must say so. */
static int check_id(const PbSchedulerV1__Call *call, const Pb__FrameworkInfo *info,
                    const char *part, struct error *err)
{
    const char *of_call = call->framework_id ? call->framework_id->value : "";
    const char *of_info = info->id ? info->id->value : "";

    if (strcmp(of_call, of_info) != 0)
        return error_set(err, EINVAL, "'framework_id' differs from '%s.framework_info.id'", part);
    return 0;
}

static int check_principal(const Pb__FrameworkInfo *info, const char *principal,
                           struct error *err)
{
    if (!principal || !info->principal || strcmp(principal, info->principal) == 0)
        return 0;
    return error_set(err, EINVAL, "Authenticated principal '%s' does not match principal '%s' set "
                     "in `FrameworkInfo`", principal, info->principal);
}

static int check_uuid(const ProtobufCBinaryData *uuid, struct error *err)
{
    return uuid->len == UUID_SIZE ? 0 : error_set(err, EINVAL, "Not a valid UUID");
}

int scheduler_call_validate(const PbSchedulerV1__Call *call, const char *principal,
                            struct error *err)
{
    if (expect(call, "type", err) < 0)
        return -1;
    if (call->type != TYPE(SUBSCRIBE) && expect(call, "framework_id", err) < 0)
        return -1;
    if (check_part(call, err) < 0)
        return -1;

    switch (call->type) {
    case TYPE(SUBSCRIBE):
        if (check_id(call, call->subscribe->framework_info, "subscribe", err) < 0)
            return -1;
        return check_principal(call->subscribe->framework_info, principal, err);
    case TYPE(UPDATE_FRAMEWORK):
        if (check_id(call, call->update_framework->framework_info, "update_framework", err) < 0)
            return -1;
        return check_principal(call->update_framework->framework_info, principal, err);
    case TYPE(ACKNOWLEDGE):
        return check_uuid(&call->acknowledge->uuid, err);
    case TYPE(ACKNOWLEDGE_OPERATION_STATUS):
        return check_uuid(&call->acknowledge_operation_status->uuid, err);
    default:
        return 0;
    }
}

/* The same bytes as another type, which has the same fields. */
static ProtobufCMessage *as_type(const ProtobufCMessage *msg,
                                 const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    const struct proto_limits none = { SIZE_MAX, SIZE_MAX, SIZE_MAX };
    CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT;
    ProtobufCMessage *copy;

    proto_pack(msg, &bytes);
    copy = proto_parse(type, buffer_data(&bytes), buffer_length(&bytes), arena, &none, NULL);
    CHECK(copy);
    return copy;
}

static PbScheduler__Call__Subscribe *subscribe_to_v0(const PbSchedulerV1__Call__Subscribe *v1,
                                                     struct arena *arena)
{
    const PbSchedulerV1__Call__Subscribe *copy =
        (PbSchedulerV1__Call__Subscribe *)proto_dup(&v1->base, arena);
    PbScheduler__Call__Subscribe *v0 = arena_alloc(arena, sizeof(*v0));

    pb_scheduler__call__subscribe__init(v0);
    v0->framework_info = copy->framework_info;
    v0->has_force = v0->force = true;
    v0->n_suppressed_roles = copy->n_suppressed_roles;
    v0->suppressed_roles = copy->suppressed_roles;
    if (copy->offer_constraints)
        v0->offer_constraints = (PbScheduler__OfferConstraints *)as_type(
            &copy->offer_constraints->base, &pb_scheduler__offer_constraints__descriptor, arena);
    return v0;
}

PbScheduler__Call *scheduler_call_to_v0(const PbSchedulerV1__Call *call, struct arena *arena)
{
    PbSchedulerV1__Call rest = *call;
    PbScheduler__Call *v0;

    rest.subscribe = NULL;
    v0 = (PbScheduler__Call *)as_type(&rest.base, &pb_scheduler__call__descriptor, arena);
    if (call->subscribe)
        v0->subscribe = subscribe_to_v0(call->subscribe, arena);
    return v0;
}
