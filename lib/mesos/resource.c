/* resource.c - one resource, in and out of protobuf */
#include "mesos/resource.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "mesos/role.h"
#include "process/message.h"
#include "process/proto.h"

typedef Pb__Resource__ReservationInfo reservation;

#define STATIC PB__RESOURCE__RESERVATION_INFO__TYPE__STATIC
#define DYNAMIC PB__RESOURCE__RESERVATION_INFO__TYPE__DYNAMIC

static const Pb__Resource *extra_of(const struct resource *r)
{
    return r->extra ? (const Pb__Resource *)r->extra->body : NULL;
}

/* ---- lives ---- */

struct resource resource_dup(const struct resource *r)
{
    return (struct resource){
        .name = text_ref(r->name),
        .role = text_ref(r->role),
        .allocation = text_ref(r->allocation),
        .extra = r->extra ? message_ref(r->extra) : NULL,
        .value = value_dup(&r->value),
    };
}

void resource_release(struct resource *r)
{
    text_unref(r->name);
    text_unref(r->role);
    text_unref(r->allocation);
    message_unref(r->extra);
    value_release(&r->value);
    *r = (struct resource){ 0 };
}

/* ---- questions ---- */

static bool is_same_extra(const struct resource *a, const struct resource *b)
{
    if (a->extra == b->extra)
        return true;
    return a->extra && b->extra && proto_equal(a->extra->body, b->extra->body);
}

bool resource_is_same_kind(const struct resource *a, const struct resource *b)
{
    return a->value.type == b->value.type && text_equal(a->name, b->name) &&
           text_equal(a->role, b->role) && text_equal(a->allocation, b->allocation) &&
           is_same_extra(a, b);
}

bool resource_equal(const struct resource *a, const struct resource *b)
{
    return resource_is_same_kind(a, b) && value_equal(&a->value, &b->value);
}

const Pb__Resource__DiskInfo *resource_disk(const struct resource *r)
{
    return r->extra ? extra_of(r)->disk : NULL;
}

bool resource_is_whole(const struct resource *r)
{
    const Pb__Resource__DiskInfo *disk = resource_disk(r);

    if (resource_is_shared(r) || (disk && disk->persistence))
        return true;
    return disk && disk->source &&
           disk->source->type != PB__RESOURCE__DISK_INFO__SOURCE__TYPE__PATH;
}

bool resource_is_named(const struct resource *r, const char *name)
{
    return text_is(r->name, name);
}

bool resource_is_reserved(const struct resource *r)
{
    return r->role != NULL;
}

bool resource_is_revocable(const struct resource *r)
{
    return r->extra && extra_of(r)->revocable;
}

bool resource_is_shared(const struct resource *r)
{
    return r->extra && extra_of(r)->shared;
}

bool resource_is_refined(const struct resource *r)
{
    return r->extra && extra_of(r)->n_reservations > 1;
}

bool resource_is_dynamically_reserved(const struct resource *r)
{
    const Pb__Resource *extra = extra_of(r);

    return extra && extra->n_reservations > 0 &&
           extra->reservations[extra->n_reservations - 1]->type == DYNAMIC;
}

bool resource_is_usable_by(const struct resource *r, const char *role)
{
    return !r->role || text_is(r->role, role) || role_is_below(role, r->role->bytes);
}

/* ---- from protobuf ---- */

static int validate_name(const char *name, struct error *err)
{
    if (!*name)
        return error_set(err, EINVAL, "A resource has no name");
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f || strchr("():;", *p))
            return error_set(err, EINVAL, "The resource name '%.60s' has a blank, a control "
                             "character, or one of ( ) : ;", name);
    return 0;
}

static int validate_stack(const Pb__Resource *pb, struct error *err)
{
    for (size_t i = 0; i < pb->n_reservations; i++) {
        const reservation *r = pb->reservations[i];

        if (!r->role || role_is_any(r->role))
            return error_set(err, EINVAL, "Reservation %zu has no role", i + 1);
        if (role_validate(r->role, err) < 0)
            return -1;
        if (!r->has_type || (r->type != STATIC && r->type != DYNAMIC))
            return error_set(err, EINVAL, "Reservation %zu is neither STATIC nor DYNAMIC", i + 1);
        if (i > 0 && r->type == STATIC)
            return error_set(err, EINVAL, "Only the first reservation may be STATIC");
        if (i > 0 && !role_is_below(r->role, pb->reservations[i - 1]->role))
            return error_set(err, EINVAL, "The role '%.60s' of a refined reservation is not below "
                             "'%.60s'", r->role, pb->reservations[i - 1]->role);
    }
    return 0;
}

static int validate_reservation(const Pb__Resource *pb, struct error *err)
{
    bool has_role = pb->role && !role_is_any(pb->role);

    if (pb->n_reservations > 0) {
        if (has_role || pb->reservation)
            return error_set(err, EINVAL, "'reservations' excludes 'role' and 'reservation'");
        return validate_stack(pb, err);
    }
    if (has_role && role_validate(pb->role, err) < 0)
        return -1;
    if (pb->reservation && !has_role)
        return error_set(err, EINVAL, "A reservation needs a role other than '*'");
    if (pb->reservation && (pb->reservation->has_type || pb->reservation->role))
        return error_set(err, EINVAL,
                         "'reservation' has no type and no role; 'reservations' has them");
    return 0;
}

static int validate(const Pb__Resource *pb, struct error *err)
{
    if (validate_name(pb->name, err) < 0)
        return -1;
    if (pb->type == PB__VALUE__TYPE__TEXT)
        return error_set(err, EINVAL, "It has the type TEXT; SCALAR, RANGES or SET is wanted");
    if (pb->scalar && pb->scalar->value < 0)
        return error_set(err, EINVAL, "Its amount %g is negative", pb->scalar->value);
    if (pb->allocation_info && pb->allocation_info->role &&
        role_validate(pb->allocation_info->role, err) < 0)
        return error_wrap(err, "The role that it is allocated to");
    return validate_reservation(pb, err);
}

/* A static reservation says no more than its role does. */
static bool is_plain_stack(const Pb__Resource *pb)
{
    const reservation *r = pb->n_reservations == 1 ? pb->reservations[0] : NULL;

    return pb->n_reservations == 0 || (r && r->type == STATIC && !r->principal && !r->labels &&
                                       r->base.n_unknown_fields == 0);
}

/* The rest: all fields but name, type, value, role and allocation. */
static struct message *take_extra(const Pb__Resource *pb)
{
    Pb__Resource rest = PB__RESOURCE__INIT;
    reservation dynamic = PB__RESOURCE__RESERVATION_INFO__INIT, *stack = &dynamic;

    rest.base.n_unknown_fields = pb->base.n_unknown_fields;
    rest.base.unknown_fields = pb->base.unknown_fields;
    rest.name = "";
    rest.provider_id = pb->provider_id;
    rest.disk = pb->disk;
    rest.revocable = pb->revocable;
    rest.shared = pb->shared;
    if (pb->reservation) {
        dynamic = *pb->reservation;
        dynamic.has_type = true;
        dynamic.type = DYNAMIC;
        dynamic.role = pb->role;
        rest.reservations = &stack;
        rest.n_reservations = 1;
    } else if (!is_plain_stack(pb)) {
        rest.reservations = pb->reservations;
        rest.n_reservations = pb->n_reservations;
    }
    if (!rest.provider_id && !rest.disk && !rest.revocable && !rest.shared &&
        !rest.n_reservations && !rest.base.n_unknown_fields)
        return NULL;
    return message_create(&rest.base);
}

static struct text *reserved_for(const Pb__Resource *pb)
{
    if (pb->n_reservations > 0)
        return text_create(pb->reservations[pb->n_reservations - 1]->role);
    return pb->role && !role_is_any(pb->role) ? text_create(pb->role) : NULL;
}

int resource_from_protobuf(const Pb__Resource *pb, struct resource *ret_r, struct error *err)
{
    struct value_fields fields = { pb->type, pb->scalar, pb->ranges, pb->set, NULL };
    struct value value;

    if (validate(pb, err) < 0 || value_from_fields(&fields, &value, err) < 0)
        return error_wrap(err, "Resource '%.60s'", pb->name);
    *ret_r = (struct resource){
        .name = text_create(pb->name),
        .role = reserved_for(pb),
        .extra = take_extra(pb),
        .value = value,
    };
    if (pb->allocation_info && pb->allocation_info->role)
        ret_r->allocation = text_create(pb->allocation_info->role);
    return 0;
}

/* ---- to protobuf ---- */

static reservation **stack_of_one(const char *role, struct arena *arena)
{
    reservation **stack = arena_alloc(arena, sizeof *stack);

    stack[0] = arena_alloc(arena, sizeof **stack);
    pb__resource__reservation_info__init(stack[0]);
    stack[0]->has_type = true;
    stack[0]->type = STATIC;
    stack[0]->role = role;
    return stack;
}

static void write_reserved(const struct resource *r, enum resource_form form, Pb__Resource *pb,
                           struct arena *arena)
{
    const char *role = arena_strdup(arena, r->role->bytes);

    if (form == RESOURCE_POST_REFINEMENT && pb->n_reservations == 0) {
        pb->reservations = stack_of_one(role, arena);
        pb->n_reservations = 1;
    } else if (form == RESOURCE_PRE_REFINEMENT && pb->n_reservations <= 1) {
        pb->role = role;
        if (pb->n_reservations == 1 && pb->reservations[0]->type == DYNAMIC) {
            pb->reservation = pb->reservations[0];
            pb->reservation->role = NULL;
            pb->reservation->has_type = false;
        }
        pb->reservations = NULL;
        pb->n_reservations = 0;
    }
}

Pb__Resource *resource_to_protobuf(const struct resource *r, enum resource_form form,
                                   struct arena *arena)
{
    struct value_fields fields = value_to_fields(&r->value, arena);
    Pb__Resource *pb;

    if (r->extra) {
        pb = (Pb__Resource *)proto_dup(r->extra->body, arena);
    } else {
        pb = arena_alloc(arena, sizeof *pb);
        pb__resource__init(pb);
    }
    pb->name = arena_strdup(arena, r->name->bytes);
    pb->type = fields.type;
    pb->scalar = fields.scalar;
    pb->ranges = fields.ranges;
    pb->set = fields.set;
    if (r->role)
        write_reserved(r, form, pb, arena);
    else if (form == RESOURCE_PRE_REFINEMENT)
        pb->role = arena_strdup(arena, ROLE_ANY);
    if (r->allocation) {
        pb->allocation_info = arena_alloc(arena, sizeof *pb->allocation_info);
        pb__resource__allocation_info__init(pb->allocation_info);
        pb->allocation_info->role = arena_strdup(arena, r->allocation->bytes);
    }
    return pb;
}

/* ---- text ---- */

static void say(struct buffer *out, const char **separator, const char *word, const char *name)
{
    buffer_printf(out, "%s%s%s", *separator, word, name);
    *separator = ", ";
}

void resource_format(const struct resource *r, struct buffer *out)
{
    const Pb__Resource *extra = extra_of(r);
    const char *separator = "(";

    buffer_append_text(out, r->name->bytes);
    if (r->role)
        say(out, &separator, "", r->role->bytes);
    if (resource_is_dynamically_reserved(r))
        say(out, &separator, "dynamic", "");
    if (extra && extra->disk && extra->disk->persistence)
        say(out, &separator, "volume ", extra->disk->persistence->id);
    else if (extra && extra->disk)
        say(out, &separator, "disk", "");
    if (extra && extra->provider_id)
        say(out, &separator, "provider ", extra->provider_id->value);
    if (resource_is_revocable(r))
        say(out, &separator, "revocable", "");
    if (resource_is_shared(r))
        say(out, &separator, "shared", "");
    if (r->allocation)
        say(out, &separator, "allocated: ", r->allocation->bytes);
    buffer_append_text(out, *separator == '(' ? ":" : "):");
    value_format(&r->value, out);
}
