/* test_call_limits.c - calls of the v1 APIs that are nested too deep, or have too many parts */
#include "base/arena.h"
#include "mesos/api_body.h"
#include "mesos/operator_call.h"
#include "process/http.h"
#include "process/proto.h"
#include "process/typed.h"
#include "proto/master.pb-c.h"
#include "tests/process/both.h"
#include "tests/unit.h"

/* ---- a process with both doors ---- */

struct door {
    struct process process;
};

#define ENDPOINTS(AT)                                                                              \
    AT("/api", serve_api, NULL)                                                                    \
    AT("/operator", serve_operator, NULL)
ROUTES(door, door_routes, ENDPOINTS);
CLASS(door, "door", door_initialize, door_exited, door_finalize);

static void answer(struct http_request *r, const ProtobufCMessage *call)
{
    if (call)
        operator_call_done(r);
}

static void serve_api(struct door *d UNUSED, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;

    answer(r, api_body_parse(r, &pb_master__call__descriptor, &arena));
}

static void serve_operator(struct door *d UNUSED, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;

    answer(r, operator_call_receive(r, &pb_master__call__descriptor, "master::Call", false,
                                    &arena));
}

static void door_initialize(struct door *d)
{
    process_route(&d->process, door_routes);
}
static void door_exited(struct door *d UNUSED, const struct pid *peer UNUSED) {}
static void door_finalize(struct door *d UNUSED) {}

/* ---- a call of three messages within each other, and two elements ---- */

#define JSON_CALL                                                                                  \
    "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":"                                             \
    "{\"weight_infos\":[{\"weight\":1,\"role\":\"r\"}]}}"

static void pack_call(struct buffer *to)
{
    Pb__WeightInfo info = PB__WEIGHT_INFO__INIT, *infos[] = { &info };
    PbMaster__Call__UpdateWeights update = PB_MASTER__CALL__UPDATE_WEIGHTS__INIT;
    PbMaster__Call call = PB_MASTER__CALL__INIT;

    info.weight = 1;
    info.role = "r";
    update.weight_infos = infos;
    update.n_weight_infos = 1;
    call.has_type = true;
    call.type = PB_MASTER__CALL__TYPE__UPDATE_WEIGHTS;
    call.update_weights = &update;
    proto_pack(&call.base, to);
}

static void expect(const char *path, const char *media, const char *body, size_t size, int status)
{
    struct buffer b = BUFFER_INIT;
    char *got, start[40];

    snprintf(start, sizeof start, "HTTP/1.1 %d ", status);
    buffer_printf(&b,
                  "POST /door%s HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nContent-Type: %s\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  path, media, size);
    buffer_append(&b, body, size);
    got = both_end(both_begin(buffer_data(&b), buffer_length(&b), 1));
    ck_assert_msg(strncmp(got, start, strlen(start)) == 0, "%s of %s: %s", path, media, got);
    mem_free(got);
    buffer_release(&b);
}

static void check_limited(struct runtime_options o, int status)
{
    struct buffer bytes = BUFFER_INIT;
    struct door door;
    struct error err;

    both_start(o);
    ck_assert_int_eq(process_spawn(rt, &door.process, &door_class, "door", NULL, &err), 0);
    pack_call(&bytes);
    for (int i = 0; i < 2; i++) {
        const char *path = i ? "/operator" : "/api";

        expect(path, "application/json", JSON_CALL, strlen(JSON_CALL), status);
        expect(path, "application/x-protobuf", buffer_data(&bytes), buffer_length(&bytes), status);
    }
    buffer_release(&bytes);
    both_stop();
}

START_TEST(calls_have_the_limits_of_messages)
{
    static const struct { size_t depth, elements; int status; } cases[] = {
        { 3, 100, 200 }, { 2, 100, 400 }, { 3, 1, 400 }, { 0, 0, 200 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        both_seed = 1;
        check_limited((struct runtime_options){ .max_message_depth = cases[i].depth,
                                                .max_message_elements = cases[i].elements },
                      cases[i].status);
    }
}
END_TEST

UNIT(call_limits, calls_have_the_limits_of_messages);
