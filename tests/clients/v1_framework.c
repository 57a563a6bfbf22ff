/* v1_framework.c - a framework of the v1 scheduler API that runs many tasks, and keeps books
 *
 *     v1_framework HOST:PORT FORMAT N COMMAND [takeover | hold]
 *
 * FORMAT is json or protobuf, for calls and events.  Runs COMMAND in N tasks, as many at a time
 * as fit what is offered, and acknowledges each update once, also when it comes again.
 *
 *   takeover   amid the tasks it subscribes again by its id, on other connections
 *   hold       once all run it waits for the end of its stream, subscribes again by its id,
 *              reconciles until each task is answered for, and kills them
 *
 * Prints a line for each stage, and at the end what it has counted: "launched", "ended" and
 * "finished" tasks, "updates" with a uuid, and "repeated" ones, whose uuid had come before.
 */
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "mesos/task_state.h"
#include "tests/clients/v1_stream.h"

#define TYPE(name) PB_SCHEDULER_V1__CALL__TYPE__##name
#define CPUS 0.1
#define MEM 16.0

enum { RECONCILE_MS = 500, CONNECT_MS = 100, CONNECT_TRIES = 600 };

struct task {
    bool launched, running, ended, answered;
    char *agent;
};

struct seen {
    uint8_t uuid[16];
    unsigned master; /* the one it was acknowledged to */
    UT_hash_handle hh;
};

enum mode { PLAIN, TAKEOVER, HOLD };
enum stage { RUN, AWAIT_END, RECONCILE, KILL };

struct framework {
    struct v1_stream stream;
    const char *user, *command;
    char *id; /* NULL: not subscribed yet */
    enum mode mode;
    enum stage stage;
    bool taken_over;
    struct task *tasks;
    size_t n, launched, running, ended, finished, answered;
    size_t updates, repeated;
    unsigned masters; /* one more after each end of a stream */
    struct seen *seen;
};

/* ---- calls ---- */

static void *make(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *m = arena_alloc(arena, type->sizeof_message);

    protobuf_c_message_init(type, m);
    return m;
}

#define MAKE(arena, prefix) make((arena), &prefix##__descriptor)

static PbSchedulerV1__Call *make_call(const struct framework *f, PbSchedulerV1__Call__Type type,
                                      struct arena *arena)
{
    PbSchedulerV1__Call *call = MAKE(arena, pb_scheduler_v1__call);

    call->has_type = true;
    call->type = type;
    if (f->id) {
        call->framework_id = MAKE(arena, pb__framework_id);
        call->framework_id->value = f->id;
    }
    return call;
}

/* Refused it must not be; that the master has gone is seen at the stream. */
static void say(struct framework *f, const PbSchedulerV1__Call *call)
{
    int status = v1_stream_call(&f->stream, call);

    if (status != 0 && status != 202)
        v1_stream_fail("call of type %d was answered %d", (int)call->type, status);
}

static void add_capability(Pb__FrameworkInfo *info, Pb__FrameworkInfo__Capability__Type type,
                           struct arena *arena)
{
    Pb__FrameworkInfo__Capability *c = MAKE(arena, pb__framework_info__capability);

    c->has_type = true;
    c->type = type;
    info->capabilities[info->n_capabilities++] = c;
}

static bool subscribe(struct framework *f)
{
    static const char *const any = "*";
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbSchedulerV1__Call *call = make_call(f, TYPE(SUBSCRIBE), &arena);
    Pb__FrameworkInfo *info = MAKE(&arena, pb__framework_info);

    info->user = f->user;
    info->name = "v1_framework";
    info->id = call->framework_id;
    info->has_failover_timeout = info->has_checkpoint = info->checkpoint = true;
    info->failover_timeout = 600;
    info->n_roles = 1;
    info->roles = arena_dup(&arena, &any, sizeof any);
    info->capabilities = arena_alloc(&arena, 3 * sizeof *info->capabilities);
    add_capability(info, PB__FRAMEWORK_INFO__CAPABILITY__TYPE__MULTI_ROLE, &arena);
    add_capability(info, PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE, &arena);
    add_capability(info, PB__FRAMEWORK_INFO__CAPABILITY__TYPE__TASK_KILLING_STATE, &arena);
    call->subscribe = MAKE(&arena, pb_scheduler_v1__call__subscribe);
    call->subscribe->framework_info = info;
    return v1_stream_subscribe(&f->stream, call);
}

static Pb__TaskID *make_task_id(size_t i, struct arena *arena)
{
    Pb__TaskID *id = MAKE(arena, pb__task_id);

    id->value = arena_printf(arena, "task-%zu", i);
    return id;
}

static Pb__AgentID *make_agent_id(const char *value, struct arena *arena)
{
    Pb__AgentID *id = MAKE(arena, pb__agent_id);

    id->value = value;
    return id;
}

/* ---- offers ---- */

static Pb__Resource *make_scalar(const char *name, double value, struct arena *arena)
{
    Pb__Resource *r = MAKE(arena, pb__resource);

    r->name = name;
    r->type = PB__VALUE__TYPE__SCALAR;
    r->scalar = MAKE(arena, pb__value__scalar);
    r->scalar->value = value;
    return r;
}

static Pb__TaskInfo *make_task(struct framework *f, size_t i, const Pb__AgentID *agent,
                               struct arena *arena)
{
    Pb__TaskInfo *task = MAKE(arena, pb__task_info);

    task->task_id = make_task_id(i, arena);
    task->name = task->task_id->value;
    task->agent_id = (Pb__AgentID *)agent;
    task->command = MAKE(arena, pb__command_info);
    task->command->value = f->command;
    task->n_resources = 2;
    task->resources = arena_alloc(arena, 2 * sizeof *task->resources);
    task->resources[0] = make_scalar("cpus", CPUS, arena);
    task->resources[1] = make_scalar("mem", MEM, arena);
    f->tasks[i].launched = true;
    f->tasks[i].agent = mem_strdup(agent->value);
    return task;
}

static double offered(const Pb__Offer *o, const char *name)
{
    double sum = 0;

    for (size_t i = 0; i < o->n_resources; i++)
        if (strcmp(o->resources[i]->name, name) == 0 && o->resources[i]->scalar)
            sum += o->resources[i]->scalar->value;
    return sum;
}

static size_t fitting(const struct framework *f, const Pb__Offer *o)
{
    double cpus = (offered(o, "cpus") + 1e-6) / CPUS, mem = (offered(o, "mem") + 1e-6) / MEM;
    size_t n = (size_t)(cpus < mem ? cpus : mem);

    return n < f->n - f->launched ? n : f->n - f->launched;
}

/* What is not used is not wanted while nothing is left to launch; who holds its tasks also holds
 * its offers. */
static void take_offer(struct framework *f, Pb__Offer *o)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbSchedulerV1__Call *call = make_call(f, TYPE(ACCEPT), &arena);
    PbSchedulerV1__Call__Accept *accept = MAKE(&arena, pb_scheduler_v1__call__accept);
    Pb__Offer__Operation *operation = MAKE(&arena, pb__offer__operation);
    size_t n = fitting(f, o);

    if (n == 0 && f->mode == HOLD)
        return;
    operation->has_type = true;
    operation->type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation->launch = MAKE(&arena, pb__offer__operation__launch);
    operation->launch->task_infos = arena_alloc(&arena, (n + 1) * sizeof(Pb__TaskInfo *));
    for (; operation->launch->n_task_infos < n; f->launched++)
        operation->launch->task_infos[operation->launch->n_task_infos++] =
            make_task(f, f->launched, o->agent_id, &arena);
    accept->n_offer_ids = accept->n_operations = 1;
    accept->offer_ids = &o->id;
    accept->operations = &operation;
    accept->filters = MAKE(&arena, pb__filters);
    accept->filters->has_refuse_seconds = true;
    accept->filters->refuse_seconds = f->launched < f->n || f->mode == HOLD ? 0 : 3600;
    call->accept = accept;
    say(f, call);
}

/* ---- updates ---- */

static void acknowledge(struct framework *f, const Pb__TaskStatus *status)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbSchedulerV1__Call *call = make_call(f, TYPE(ACKNOWLEDGE), &arena);

    call->acknowledge = MAKE(&arena, pb_scheduler_v1__call__acknowledge);
    call->acknowledge->agent_id = status->agent_id;
    call->acknowledge->task_id = status->task_id;
    call->acknowledge->uuid = status->uuid;
    say(f, call);
}

/* True: it is to be acknowledged.  Once for each master: the one that took it passes it on. */
static bool note_uuid(struct framework *f, const ProtobufCBinaryData *uuid)
{
    struct seen *s;

    if (uuid->len != sizeof s->uuid)
        v1_stream_fail("a uuid has %zu bytes", uuid->len);
    HASH_FIND(hh, f->seen, uuid->data, sizeof s->uuid, s);
    if (s) {
        bool again = s->master != f->masters;

        s->master = f->masters;
        f->repeated++;
        return again;
    }
    s = mem_alloc(sizeof *s);
    memcpy(s->uuid, uuid->data, sizeof s->uuid);
    s->master = f->masters;
    HASH_ADD(hh, f->seen, uuid, sizeof s->uuid, s);
    f->updates++;
    return true;
}

static struct task *find_task(struct framework *f, const char *id)
{
    char *end;
    size_t i = strncmp(id, "task-", 5) == 0 ? strtoul(id + 5, &end, 10) : f->n;

    if (i >= f->n || *end || !f->tasks[i].launched)
        v1_stream_fail("an update of task %s, which was never launched", id);
    return &f->tasks[i];
}

static void on_update(struct framework *f, const Pb__TaskStatus *status)
{
    struct task *t = find_task(f, status->task_id->value);

    if (status->has_uuid && note_uuid(f, &status->uuid))
        acknowledge(f, status);
    if (f->stage == RECONCILE && status->has_reason &&
        status->reason == PB__TASK_STATUS__REASON__REASON_RECONCILIATION && !t->answered) {
        t->answered = true;
        f->answered++;
    }
    if (status->state == PB__TASK_STATE__TASK_RUNNING && !t->running) {
        t->running = true;
        f->running++;
    }
    if (!task_state_is_terminal(status->state) || t->ended)
        return;
    t->ended = true;
    f->ended++;
    f->finished += status->state == PB__TASK_STATE__TASK_FINISHED;
}

/* ---- stages ---- */

static void stage(const char *what, size_t n)
{
    printf("%s %zu\n", what, n);
    fflush(stdout);
}

/* About those that are not answered for yet. */
static void reconcile(struct framework *f)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbSchedulerV1__Call *call = make_call(f, TYPE(RECONCILE), &arena);
    PbSchedulerV1__Call__Reconcile *r = MAKE(&arena, pb_scheduler_v1__call__reconcile);

    r->tasks = arena_alloc(&arena, f->n * sizeof *r->tasks);
    for (size_t i = 0; i < f->n; i++)
        if (f->tasks[i].launched && !f->tasks[i].ended && !f->tasks[i].answered) {
            PbSchedulerV1__Call__Reconcile__Task *t =
                MAKE(&arena, pb_scheduler_v1__call__reconcile__task);

            t->task_id = make_task_id(i, &arena);
            t->agent_id = make_agent_id(f->tasks[i].agent, &arena);
            r->tasks[r->n_tasks++] = t;
        }
    call->reconcile = r;
    if (r->n_tasks > 0)
        say(f, call);
}

static void kill_all(struct framework *f)
{
    for (size_t i = 0; i < f->n; i++) {
        CLEANUP(arena_release) struct arena arena = ARENA_INIT;
        PbSchedulerV1__Call *call = make_call(f, TYPE(KILL), &arena);

        call->kill = MAKE(&arena, pb_scheduler_v1__call__kill);
        call->kill->task_id = make_task_id(i, &arena);
        call->kill->agent_id = make_agent_id(f->tasks[i].agent, &arena);
        say(f, call);
    }
}

static void teardown(struct framework *f)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;

    say(f, make_call(f, TYPE(TEARDOWN), &arena));
}

/* Until somebody is there again. */
static void come_back(struct framework *f)
{
    for (int tries = 0; !subscribe(f); tries++) {
        if (tries == CONNECT_TRIES)
            v1_stream_fail("the master does not come back");
        poll(NULL, 0, CONNECT_MS);
    }
}

static void on_event(struct framework *f, const PbSchedulerV1__Event *event)
{
    switch (event->type) {
    case PB_SCHEDULER_V1__EVENT__TYPE__SUBSCRIBED:
        if (f->id && strcmp(f->id, event->subscribed->framework_id->value) != 0)
            v1_stream_fail("subscribed as another framework");
        if (!f->id)
            f->id = mem_strdup(event->subscribed->framework_id->value);
        stage("subscribed", f->ended);
        printf("framework %s\n", f->id);
        break;
    case PB_SCHEDULER_V1__EVENT__TYPE__OFFERS:
        for (size_t i = 0; i < event->offers->n_offers; i++)
            take_offer(f, event->offers->offers[i]);
        break;
    case PB_SCHEDULER_V1__EVENT__TYPE__UPDATE:
        on_update(f, event->update->status);
        break;
    case PB_SCHEDULER_V1__EVENT__TYPE__ERROR:
        v1_stream_fail("ERROR: %s", event->error->message);
    default:
        break;
    }
}

static void take_over(struct framework *f)
{
    f->taken_over = true;
    come_back(f); /* what the old stream still has is not read: it must come again */
}

/* What is to be done once so much has happened. */
static void go_on(struct framework *f)
{
    if (f->mode == TAKEOVER && !f->taken_over && f->ended >= f->n / 3)
        take_over(f);
    if (f->mode == HOLD && f->stage == RUN && f->running == f->n) {
        stage("running", f->running);
        f->stage = AWAIT_END;
    }
    if (f->stage == RECONCILE && f->answered == f->n) {
        stage("accounted for", f->answered);
        f->stage = KILL;
        kill_all(f);
    }
}

static void on_end(struct framework *f)
{
    if (f->stage != AWAIT_END)
        v1_stream_fail("the stream has ended");
    stage("disconnected", f->running);
    f->masters++;
    come_back(f);
    f->stage = RECONCILE;
}

/* Agents that have not come back are not spoken for: it is asked until all is answered. */
static bool must_ask(struct framework *f)
{
    return f->stage == RECONCILE && !v1_stream_has(&f->stream, RECONCILE_MS);
}

static void run(struct framework *f)
{
    come_back(f);
    while (f->ended < f->n) {
        CLEANUP(arena_release) struct arena arena = ARENA_INIT;
        const PbSchedulerV1__Event *event;

        if (must_ask(f)) {
            reconcile(f);
            continue;
        }
        event = v1_stream_next(&f->stream, &arena);
        if (event)
            on_event(f, event);
        else
            on_end(f);
        go_on(f);
    }
    teardown(f);
}

static void release(struct framework *f)
{
    struct seen *s, *next;

    HASH_ITER (hh, f->seen, s, next) {
        HASH_DEL(f->seen, s);
        mem_free(s);
    }
    for (size_t i = 0; i < f->n; i++)
        mem_free(f->tasks[i].agent);
    mem_free(f->tasks);
    mem_free(f->id);
    v1_stream_close(&f->stream);
}

int main(int argc, char **argv)
{
    struct passwd *user = getpwuid(geteuid());
    struct framework f = { .user = user ? user->pw_name : "root" };
    char *colon = argc >= 5 ? strrchr(argv[1], ':') : NULL;

    if (!colon) {
        fputs("usage: v1_framework HOST:PORT json|protobuf N COMMAND [takeover|hold]\n", stderr);
        return EXIT_FAILURE;
    }
    *colon = '\0';
    v1_stream_init(&f.stream, argv[1], colon + 1, strcmp(argv[2], "json") == 0);
    f.n = strtoul(argv[3], NULL, 10);
    f.command = argv[4];
    if (argc > 5)
        f.mode = strcmp(argv[5], "hold") == 0 ? HOLD : TAKEOVER;
    f.tasks = mem_array(f.n, sizeof *f.tasks);
    run(&f);
    printf("launched %zu\nended %zu\nfinished %zu\nupdates %zu\nrepeated %zu\n", f.launched,
           f.ended, f.finished, f.updates, f.repeated);
    release(&f);
    return EXIT_SUCCESS;
}
