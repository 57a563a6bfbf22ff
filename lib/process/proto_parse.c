/* proto_parse.c - from bytes that a stranger wrote to a message
 *
 * A message is decoded in two walks over its own bytes (not those of what is
 * inside it): measure counts the elements of each repeated field, so that its
 * array is allocated once, and collects the pieces of each singular sub-message;
 * fill stores the values.  A message that occurs in pieces is decoded from the
 * list of them, which is what merging means: nothing is copied for it, and a
 * required field may stand in any piece.  Recursion ends at limits.depth.  What
 * measure has found is kept for fill, unless there is much of it.
 */
#include "process/proto.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/utf8.h"

enum { VARINT_MAX = 10, FIELDS_MAX = 256, PATH_SIZE = 128, MEMBERS_KEPT = 12 };

#define SINGULAR SIZE_MAX

/* A piece of a message's bytes.  `last` is kept in the first of a list only. */
struct span {
    const uint8_t *at, *end;
    struct span *next, *last;
};

/* Where we are, for the path in an error and the depth. */
struct frame {
    const struct frame *parent;
    const ProtobufCFieldDescriptor *field;
    size_t index;                       /* in a repeated field, or SINGULAR */
    size_t depth;
};

/* One field as it stands in the bytes. */
struct member {
    const ProtobufCFieldDescriptor *field;      /* NULL when unknown */
    uint32_t number;
    uint8_t wire;
    const uint8_t *raw;                 /* what follows the tag, a length included */
    const uint8_t *at, *end;            /* the value */
};

struct decoder {
    struct arena *arena;
    struct proto_limits limits;
    size_t count;
    struct error *err;
};

/* A message being decoded. */
struct target {
    ProtobufCMessage *msg;
    const struct frame *frame;
    uint64_t seen[FIELDS_MAX / 64];     /* by the index of the field, for required ones */
    unsigned next_field;                /* most messages have their fields in order */
    bool has_arrays, has_messages;      /* repeated or unknown fields, singular sub-messages */
    size_t n_members;                   /* also of those that are not kept */
    struct member members[MEMBERS_KEPT];
};

static ProtobufCMessage *message_decode(struct decoder *d, const ProtobufCMessageDescriptor *type,
                                        const struct span *spans, const struct frame *frame);

/* Errors */

/* "slave.resources[2].name", written from its end; a long path loses its beginning. */
static const char *path_format(const struct frame *frame, char path[PATH_SIZE])
{
    size_t at = PATH_SIZE - 1;

    path[at] = '\0';
    for (; frame && frame->field; frame = frame->parent) {
        char part[PATH_SIZE];
        bool last = path[at] == '\0';
        int n = frame->index == SINGULAR
            ? snprintf(part, sizeof(part), "%s%s", frame->field->name, last ? "" : ".")
            : snprintf(part, sizeof(part), "%s[%zu]%s", frame->field->name, frame->index,
                       last ? "" : ".");
        if (n < 0 || (size_t)n + 3 > at) {
            at -= 3;
            memcpy(path + at, "...", 3);
            break;
        }
        at -= (size_t)n;
        memcpy(path + at, part, (size_t)n);
    }
    return path + at;
}

static int refuse(const struct decoder *d, const struct frame *frame, int code, const char *why)
{
    char path[PATH_SIZE];
    const char *where = path_format(frame, path);

    return error_set(d->err, code, "%s%s%s", where, *where ? ": " : "", why);
}

static int refuse_field(const struct decoder *d, const struct frame *frame,
                        const ProtobufCFieldDescriptor *field, size_t index, const char *why)
{
    struct frame leaf = { frame, field, index, 0 };

    return refuse(d, &leaf, EBADMSG, why);
}

/* Every element, sub-message and unknown field is paid for: a stranger's two bytes
 * may cost us hundreds. */
static int charge(struct decoder *d, const struct frame *frame)
{
    if (d->count == d->limits.count)
        return refuse(d, frame, EMSGSIZE, "too many elements in the message");
    d->count++;
    return 0;
}

/* The bytes */

static const uint8_t *long_varint_read(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_MAX && at < end; i++, at++) {
        if (i == VARINT_MAX - 1 && *at > 1)
            return NULL;
        value |= (uint64_t)(*at & 0x7f) << (7 * i);
        if (*at < 0x80) {
            *ret_value = value;
            return at + 1;
        }
    }
    return NULL;
}

/* Behind the varint, or NULL: it ends too late or not at all, or exceeds 64 bits. */
static inline const uint8_t *varint_read(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    if (at < end && *at < 0x80) {
        *ret_value = *at;
        return at + 1;
    }
    return long_varint_read(at, end, ret_value);
}

static const char *varint_fault(const uint8_t *at, const uint8_t *end)
{
    return end - at < VARINT_MAX ? "truncated" : "overlong varint";
}

static uint64_t fixed_read(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint8_t type_wire(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

static bool enum_knows(const ProtobufCFieldDescriptor *field, uint64_t value)
{
    return protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value) != NULL;
}

static bool member_is_packed(const struct member *m)
{
    return m->wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED
        && type_wire(m->field->type) != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
}

/* A member is known when the type has its number with its wire type (packed or not, if
 * repeated), and its enum value. */
static bool member_is_known(const struct member *m)
{
    uint64_t value;

    if (!m->field)
        return false;
    if (member_is_packed(m))
        return m->field->label == PROTOBUF_C_LABEL_REPEATED;
    if (m->wire != type_wire(m->field->type))
        return false;
    return m->field->type != PROTOBUF_C_TYPE_ENUM
        || (varint_read(m->at, m->end, &value) && enum_knows(m->field, value));
}

/* Finds the value behind the tag; returns the end of the member, or NULL and why. */
static const uint8_t *member_delimit(struct member *m, const uint8_t *end, const char **ret_why)
{
    uint64_t n;

    *ret_why = "truncated";
    m->at = m->raw;
    switch (m->wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        m->end = varint_read(m->raw, end, &n);
        if (!m->end)
            *ret_why = varint_fault(m->raw, end);
        return m->end;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        n = m->wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        m->at = varint_read(m->raw, end, &n);
        if (!m->at) {
            *ret_why = varint_fault(m->raw, end);
            return NULL;
        }
        break;
    default:
        *ret_why = m->wire < 5 ? "groups are not supported" : "invalid wire type";
        return NULL;
    }
    if (n > (uint64_t)(end - m->at))
        return NULL;
    return m->end = m->at + n;
}

/* Fields are in the order of their numbers, most often in the bytes, too. */
static const ProtobufCFieldDescriptor *field_find(struct target *t, uint32_t number)
{
    const ProtobufCMessageDescriptor *type = t->msg->descriptor;
    const ProtobufCFieldDescriptor *field;
    unsigned i = t->next_field;

    if (i < type->n_fields && type->fields[i].id == number)
        field = &type->fields[i];
    else
        field = protobuf_c_message_descriptor_get_field(type, number);
    if (field && field->label != PROTOBUF_C_LABEL_REPEATED)
        t->next_field = (unsigned)(field - type->fields) + 1;
    return field;
}

/* Reads one member from *at on, and moves it behind. */
static int member_next(const struct decoder *d, struct target *t, const uint8_t **at,
                       const uint8_t *end, struct member *m)
{
    uint64_t tag;
    const char *why;

    m->raw = varint_read(*at, end, &tag);
    if (!m->raw)
        return refuse(d, t->frame, EBADMSG, varint_fault(*at, end));
    if (tag > UINT32_MAX || tag >> 3 == 0)
        return refuse(d, t->frame, EBADMSG, "invalid field number");
    m->number = (uint32_t)(tag >> 3);
    m->wire = tag & 7;
    m->field = field_find(t, m->number);

    *at = member_delimit(m, end, &why);
    if (!*at)
        return m->field ? refuse_field(d, t->frame, m->field, SINGULAR, why)
                        : refuse(d, t->frame, EBADMSG, why);
    if (!member_is_known(m))
        m->field = NULL;
    return 0;
}

/* Reads one element of a packed member. */
static const uint8_t *packed_next(const struct member *m, const uint8_t *at, uint64_t *ret_value)
{
    size_t size = proto_value_size(m->field->type);

    if (type_wire(m->field->type) == PROTOBUF_C_WIRE_TYPE_VARINT)
        return varint_read(at, m->end, ret_value);
    if ((size_t)(m->end - at) < size)
        return NULL;
    *ret_value = fixed_read(at, size);
    return at + size;
}

/* First walk: measure */

static void *slot(const struct target *t, unsigned offset)
{
    return (char *)t->msg + offset;
}

static int measure_packed(struct decoder *d, struct target *t, const struct member *m)
{
    size_t *n = slot(t, m->field->quantifier_offset);
    uint64_t value;

    t->has_arrays = true;
    for (const uint8_t *at = m->at, *next; at < m->end; at = next) {
        next = packed_next(m, at, &value);
        if (!next)
            return refuse_field(d, t->frame, m->field, *n, varint_fault(at, m->end));
        if (charge(d, t->frame) < 0)
            return -1;
        if (m->field->type == PROTOBUF_C_TYPE_ENUM && !enum_knows(m->field, value))
            t->msg->n_unknown_fields++;
        else
            ++*n;
    }
    return 0;
}

/* Until the walk is over, the pointer to a singular sub-message is one to its pieces. */
static void measure_piece(struct decoder *d, struct target *t, const struct member *m)
{
    struct span **first = slot(t, m->field->offset);
    struct span *piece = arena_zalloc(d->arena, sizeof(*piece));

    piece->at = m->at;
    piece->end = m->end;
    if (*first)
        (*first)->last->next = piece;
    else
        *first = piece;
    (*first)->last = piece;
}

static int measure_member(struct decoder *d, struct target *t, const struct member *m)
{
    if (m->field && m->field->label == PROTOBUF_C_LABEL_REPEATED && member_is_packed(m))
        return measure_packed(d, t, m);

    bool repeated = m->field && m->field->label == PROTOBUF_C_LABEL_REPEATED;
    bool message = m->field && m->field->type == PROTOBUF_C_TYPE_MESSAGE;

    if ((!m->field || repeated || message) && charge(d, t->frame) < 0)
        return -1;
    t->has_arrays = t->has_arrays || !m->field || repeated;
    t->has_messages = t->has_messages || message;
    if (!m->field)
        t->msg->n_unknown_fields++;
    else if (repeated)
        ++*(size_t *)slot(t, m->field->quantifier_offset);
    else if (message)
        measure_piece(d, t, m);
    return 0;
}

static int measure(struct decoder *d, struct target *t, const struct span *spans)
{
    struct member m;

    for (; spans; spans = spans->next)
        for (const uint8_t *at = spans->at; at < spans->end;) {
            if (member_next(d, t, &at, spans->end, &m) < 0 || measure_member(d, t, &m) < 0)
                return -1;
            if (t->n_members < MEMBERS_KEPT)
                t->members[t->n_members] = m;
            t->n_members++;
        }
    return 0;
}

/* Allocates what was measured; the numbers count again from 0. */
static void provide(struct decoder *d, struct target *t)
{
    const ProtobufCMessageDescriptor *type = t->msg->descriptor;

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];

        if (field->label != PROTOBUF_C_LABEL_REPEATED)
            continue;
        size_t *n = slot(t, field->quantifier_offset);
        if (*n)
            *(void **)slot(t, field->offset) =
                arena_zalloc(d->arena, *n * proto_value_size(field->type));
        *n = 0;
    }
    if (t->msg->n_unknown_fields)
        t->msg->unknown_fields = arena_zalloc(
            d->arena, t->msg->n_unknown_fields * sizeof(*t->msg->unknown_fields));
    t->msg->n_unknown_fields = 0;
}

/* Second walk: fill */

static void scalar_store(const ProtobufCFieldDescriptor *field, uint64_t value, void *where)
{
    uint32_t low = (uint32_t)value;

    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)where = value != 0;
        return;
    case PROTOBUF_C_TYPE_SINT32:
        low = (low >> 1) ^ (0 - (low & 1));
        break;
    case PROTOBUF_C_TYPE_SINT64:
        value = (value >> 1) ^ (0 - (value & 1));
        break;
    default:
        break;
    }
    if (proto_value_size(field->type) == sizeof(value))
        memcpy(where, &value, sizeof(value));
    else
        memcpy(where, &low, sizeof(low));
}

static const char *text_fault(const struct member *m)
{
    size_t size = (size_t)(m->end - m->at);

    if (memchr(m->at, 0, size))
        return "NUL in a string";
    return utf8_is_valid((const char *)m->at, size) ? NULL : "invalid UTF-8";
}

static int value_store(struct decoder *d, struct target *t, const struct member *m, size_t index,
                       void *where)
{
    struct span span = { m->at, m->end, NULL, NULL };
    struct frame frame = { t->frame, m->field, index, t->frame->depth + 1 };
    size_t size = (size_t)(m->end - m->at);
    const char *fault;
    uint64_t value;

    switch (m->field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)where = message_decode(d, m->field->descriptor, &span, &frame);
        return *(ProtobufCMessage **)where ? 0 : -1;
    case PROTOBUF_C_TYPE_STRING:
        fault = text_fault(m);
        if (fault)
            return refuse(d, &frame, EBADMSG, fault);
        *(char **)where = memcpy(arena_alloc(d->arena, size + 1), m->at, size);
        (*(char **)where)[size] = '\0';
        return 0;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)where = (ProtobufCBinaryData){
            .len = size, .data = memcpy(arena_alloc(d->arena, size + 1), m->at, size) };
        return 0;
    default:
        if (m->wire == PROTOBUF_C_WIRE_TYPE_VARINT)
            CHECK(varint_read(m->at, m->end, &value));      /* member_next has read it */
        else
            value = fixed_read(m->at, size);
        scalar_store(m->field, value, where);
        return 0;
    }
}

static void unknown_store(struct decoder *d, struct target *t, uint32_t number, uint8_t wire,
                          const uint8_t *raw, const uint8_t *end)
{
    size_t size = (size_t)(end - raw);

    t->msg->unknown_fields[t->msg->n_unknown_fields++] = (ProtobufCMessageUnknownField){
        .tag = number, .wire_type = (ProtobufCWireType)wire, .len = size,
        .data = memcpy(arena_alloc(d->arena, size), raw, size) };
}

static void fill_packed(struct decoder *d, struct target *t, const struct member *m)
{
    size_t *n = slot(t, m->field->quantifier_offset);
    char *array = *(char **)slot(t, m->field->offset);
    uint64_t value = 0;

    for (const uint8_t *at = m->at, *next; at < m->end; at = next) {
        next = packed_next(m, at, &value);
        if (m->field->type == PROTOBUF_C_TYPE_ENUM && !enum_knows(m->field, value))
            unknown_store(d, t, m->number, PROTOBUF_C_WIRE_TYPE_VARINT, at, next);
        else
            scalar_store(m->field, value, array + (*n)++ * proto_value_size(m->field->type));
    }
}

static int fill_repeated(struct decoder *d, struct target *t, const struct member *m)
{
    size_t *n = slot(t, m->field->quantifier_offset);
    char *array = *(char **)slot(t, m->field->offset);
    size_t index = *n;

    ++*n;
    return value_store(d, t, m, index, array + index * proto_value_size(m->field->type));
}

static int fill_member(struct decoder *d, struct target *t, const struct member *m)
{
    if (!m->field) {
        unknown_store(d, t, m->number, m->wire, m->raw, m->end);
        return 0;
    }

    size_t index = (size_t)(m->field - t->msg->descriptor->fields);
    t->seen[index / 64] |= UINT64_C(1) << (index % 64);
    if (m->field->label == PROTOBUF_C_LABEL_REPEATED) {
        if (!member_is_packed(m))
            return fill_repeated(d, t, m);
        fill_packed(d, t, m);
        return 0;
    }
    if (m->field->type == PROTOBUF_C_TYPE_MESSAGE)
        return 0;                                   /* fill_messages does it, from all pieces */
    if (m->field->quantifier_offset)
        *(protobuf_c_boolean *)slot(t, m->field->quantifier_offset) = true;
    return value_store(d, t, m, SINGULAR, slot(t, m->field->offset));
}

static int fill(struct decoder *d, struct target *t, const struct span *spans)
{
    struct member m;

    if (t->n_members <= MEMBERS_KEPT) {
        for (size_t i = 0; i < t->n_members; i++)
            if (fill_member(d, t, &t->members[i]) < 0)
                return -1;
        return 0;
    }
    for (; spans; spans = spans->next)
        for (const uint8_t *at = spans->at; at < spans->end;)
            if (member_next(d, t, &at, spans->end, &m) < 0 || fill_member(d, t, &m) < 0)
                return -1;
    return 0;
}

static int fill_messages(struct decoder *d, struct target *t)
{
    const ProtobufCMessageDescriptor *type = t->msg->descriptor;

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        struct frame frame = { t->frame, field, SINGULAR, t->frame->depth + 1 };

        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        void **where = slot(t, field->offset);
        if (*where && !(*where = message_decode(d, field->descriptor, *where, &frame)))
            return -1;
    }
    return 0;
}

static int check_required(struct decoder *d, const struct target *t)
{
    const ProtobufCMessageDescriptor *type = t->msg->descriptor;

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const char *why = "required field is missing";

        if (field->label != PROTOBUF_C_LABEL_REQUIRED || t->seen[i / 64] >> (i % 64) & 1)
            continue;
        for (unsigned k = 0; k < t->msg->n_unknown_fields; k++)
            if (t->msg->unknown_fields[k].tag == field->id)
                why = field->type == PROTOBUF_C_TYPE_ENUM ? "unknown enum value"
                                                          : "wrong wire type";
        return refuse_field(d, t->frame, field, SINGULAR, why);
    }
    return 0;
}

static ProtobufCMessage *message_decode(struct decoder *d, const ProtobufCMessageDescriptor *type,
                                        const struct span *spans, const struct frame *frame)
{
    struct target t;

    CHECK(type->n_fields <= FIELDS_MAX);
    t.msg = arena_alloc(d->arena, type->sizeof_message);
    t.frame = frame;
    memset(t.seen, 0, sizeof(t.seen));
    t.next_field = 0;
    t.n_members = 0;
    t.has_arrays = t.has_messages = false;
    protobuf_c_message_init(type, t.msg);
    if (frame->depth > d->limits.depth) {
        refuse(d, frame, EMSGSIZE, "messages are nested too deeply");
        return NULL;
    }
    if (measure(d, &t, spans) < 0)
        return NULL;
    if (t.has_arrays)
        provide(d, &t);
    if (fill(d, &t, spans) < 0 || (t.has_messages && fill_messages(d, &t) < 0) ||
        check_required(d, &t) < 0)
        return NULL;
    return t.msg;
}

ProtobufCMessage *proto_parse(const ProtobufCMessageDescriptor *type, const void *bytes,
                              size_t size, struct arena *arena,
                              const struct proto_limits *limits, struct error *err)
{
    static const struct proto_limits defaults = PROTO_LIMITS;
    struct decoder d = { arena, limits ? *limits : defaults, 0, err };
    struct frame root = { NULL, NULL, SINGULAR, 1 };
    const uint8_t *at = bytes ? bytes : "";
    struct span all = { at, at + size, NULL, NULL };

    if (size > d.limits.size) {
        error_set(err, EMSGSIZE, "a message of %zu bytes, where %zu are allowed", size,
                  d.limits.size);
        return NULL;
    }
    return message_decode(&d, type, &all, &root);
}
