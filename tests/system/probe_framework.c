/* probe_framework.c - a framework that launches what a script tells it, right or wrong
 *
 *     probe_framework HOST:PORT <script
 *
 * Tasks are described line by line, and named by the steps that follow:
 *
 *     task ID                begins a task; about it say
 *         shell TEXT             program PATH          argument TEXT
 *         uri URL                output NAME           executable      no_extract
 *         env NAME=VALUE         user NAME             grace SECONDS   resources TEXT
 *         executor ID            what of the above is behind it tells of the executor
 *         data TEXT
 *     launch                 the tasks since the last launch, once so many cpus are offered
 *     launch_anyway          the same, into whatever is offered
 *     twice                  as launch, then again into the same offer: these ids end in "-again"
 *     kill ID                once it runs
 *     message ID TEXT        to its executor, once it runs
 *     wait ID                until it has ended
 *
 * Prints "ID STATE REASON MESSAGE" for each status ("-": none), "EXECUTOR says
 * TEXT" and "EXECUTOR ended"; ends when all tasks have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "framework/scheduler.h"
#include "mesos/resources.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/process.h"
#include "process/program.h"
#include "process/runtime.h"

enum { TASKS_MAX = 200, STEPS_MAX = 200, URIS_MAX = 10, OFFERS_MAX = 100, LINE_MAX_SIZE = 4096 };

struct task {
    const char *id;
    Pb__TaskInfo *info;
    Pb__CommandInfo *command;            /* the task's, or its executor's */
    int64_t cpus[2];                     /* millis; of the task and its executor */
    bool running, ended;
};

struct probe;
struct step {
    bool (*take)(struct probe *p, const struct step *s);      /* false: not yet */
    size_t first, end;                   /* tasks of a launch */
    const char *id, *text;
};

struct offer { Pb__OfferID *id; int64_t cpus; };

struct probe {
    struct scheduler *scheduler;
    struct arena arena;
    struct task tasks[TASKS_MAX];
    size_t n_tasks, n_described;         /* described: those in front of the last launch */
    struct step steps[STEPS_MAX];
    size_t n_steps, next;
    struct offer offers[OFFERS_MAX];     /* not used yet; all of one agent */
    size_t n_offers;
    const char *agent_id;
    bool left, failed;
};

/* ---- messages that live in the arena ---- */

static void *make(struct probe *p, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *m = arena_alloc(&p->arena, type->sizeof_message);

    protobuf_c_message_init(type, m);
    return m;
}
#define MAKE(p, prefix) make((p), &prefix##__descriptor)

static const char *keep(struct probe *p, const char *text)
{
    return arena_strdup(&p->arena, text);
}

/* Room for one more behind the n of v, which has room for URIS_MAX once it is made. */
static void *room(struct probe *p, void *v, size_t n)
{
    return n == 0 ? arena_alloc(&p->arena, URIS_MAX * sizeof(void *)) : v;
}

/* ---- the script: tasks ---- */

static struct task *last(struct probe *p)
{
    return &p->tasks[p->n_tasks - 1];
}

static int set_resources(struct probe *p, const char *text, struct error *err)
{
    CLEANUP(resources_release) struct resources r = RESOURCES_INIT;
    Pb__TaskInfo *info = last(p)->info;
    size_t n;

    if (resources_parse(text, "*", &r, err) < 0)
        return -1;
    Pb__Resource **v = resources_to_protobuf(&r, RESOURCE_POST_REFINEMENT, &p->arena, &n);

    last(p)->cpus[info->executor != NULL] = resources_millis(&r, "cpus");
    if (info->executor) {
        info->executor->resources = v;
        info->executor->n_resources = n;
    } else {
        info->resources = v;
        info->n_resources = n;
    }
    return 0;
}

static int begin_task(struct probe *p, const char *id, struct error *err)
{
    struct task *t = &p->tasks[p->n_tasks];

    if (p->n_tasks + 1 >= TASKS_MAX / 2)
        return error_set(err, E2BIG, "too many tasks");
    p->n_tasks++;
    t->id = keep(p, id);
    t->info = MAKE(p, pb__task_info);
    t->info->name = t->id;
    t->info->task_id = MAKE(p, pb__task_id);
    t->info->task_id->value = t->id;
    t->info->agent_id = MAKE(p, pb__agent_id);
    t->info->command = t->command = MAKE(p, pb__command_info);
    return set_resources(p, "cpus:0.1;mem:32", err);
}

static int set_shell(struct probe *p, const char *text, struct error *err UNUSED)
{
    last(p)->command->value = keep(p, text);
    return 0;
}

static int set_program(struct probe *p, const char *path, struct error *err)
{
    last(p)->command->has_shell = 1;
    last(p)->command->shell = 0;
    return set_shell(p, path, err);
}

static int add_argument(struct probe *p, const char *text, struct error *err UNUSED)
{
    Pb__CommandInfo *c = last(p)->command;

    c->arguments = room(p, c->arguments, c->n_arguments);
    c->arguments[c->n_arguments++] = keep(p, text);
    return 0;
}

static int add_uri(struct probe *p, const char *url, struct error *err UNUSED)
{
    Pb__CommandInfo *c = last(p)->command;

    c->uris = room(p, c->uris, c->n_uris);
    c->uris[c->n_uris] = MAKE(p, pb__command_info__uri);
    c->uris[c->n_uris++]->value = keep(p, url);
    return 0;
}

static Pb__CommandInfo__URI *last_uri(struct probe *p)
{
    return last(p)->command->uris[last(p)->command->n_uris - 1];
}

static int set_output(struct probe *p, const char *name, struct error *err UNUSED)
{
    last_uri(p)->output_file = keep(p, name);
    return 0;
}

static int set_executable(struct probe *p, const char *rest UNUSED, struct error *err UNUSED)
{
    last_uri(p)->has_executable = last_uri(p)->executable = 1;
    return 0;
}

static int set_no_extract(struct probe *p, const char *rest UNUSED, struct error *err UNUSED)
{
    last_uri(p)->has_extract = 1;
    last_uri(p)->extract = 0;
    return 0;
}

static int add_env(struct probe *p, const char *text, struct error *err)
{
    Pb__CommandInfo *c = last(p)->command;
    const char *equals = strchr(text, '=');

    if (!equals)
        return error_set(err, EINVAL, "env %s is not NAME=VALUE", text);
    if (!c->environment)
        c->environment = MAKE(p, pb__environment);
    Pb__Environment *e = c->environment;

    e->variables = room(p, e->variables, e->n_variables);
    e->variables[e->n_variables] = MAKE(p, pb__environment__variable);
    e->variables[e->n_variables]->name =
        arena_strndup(&p->arena, text, (size_t)(equals - text));
    e->variables[e->n_variables++]->value = keep(p, equals + 1);
    return 0;
}

static int set_user(struct probe *p, const char *name, struct error *err UNUSED)
{
    last(p)->command->user = keep(p, name);
    return 0;
}

static int set_grace(struct probe *p, const char *seconds, struct error *err UNUSED)
{
    Pb__KillPolicy *policy = MAKE(p, pb__kill_policy);

    policy->grace_period = MAKE(p, pb__duration_info);
    policy->grace_period->nanoseconds = (int64_t)(strtod(seconds, NULL) * 1e9);
    last(p)->info->kill_policy = policy;
    return 0;
}

static int set_executor(struct probe *p, const char *id, struct error *err UNUSED)
{
    struct task *t = last(p);

    t->info->command = NULL;
    t->info->executor = MAKE(p, pb__executor_info);
    t->info->executor->executor_id = MAKE(p, pb__executor_id);
    t->info->executor->executor_id->value = keep(p, id);
    t->info->executor->command = t->command = MAKE(p, pb__command_info);
    return 0;
}

static int set_data(struct probe *p, const char *text, struct error *err UNUSED)
{
    last(p)->info->has_data = 1;
    last(p)->info->data.data = (uint8_t *)arena_strdup(&p->arena, text);
    last(p)->info->data.len = strlen(text);
    return 0;
}

/* ---- the steps: taken one after the other ---- */

static struct task *find_task(struct probe *p, const char *id)
{
    for (size_t i = 0; i < p->n_tasks; i++)
        if (strcmp(p->tasks[i].id, id) == 0)
            return &p->tasks[i];
    return NULL;
}

static bool is_enough(const struct probe *p, const struct step *s)
{
    int64_t needed = 0, offered = 0;

    for (size_t i = s->first; i < s->end; i++)
        needed += p->tasks[i].cpus[0] + p->tasks[i].cpus[1];
    for (size_t i = 0; i < p->n_offers; i++)
        offered += p->offers[i].cpus;
    return offered >= needed;
}

static void accept_offers(struct probe *p, size_t first, size_t end)
{
    Pb__Offer__Operation operation = PB__OFFER__OPERATION__INIT, *operations[] = { &operation };
    Pb__Offer__Operation__Launch launch = PB__OFFER__OPERATION__LAUNCH__INIT;
    Pb__TaskInfo *infos[TASKS_MAX];
    Pb__OfferID *ids[OFFERS_MAX];

    for (size_t i = 0; i < p->n_offers; i++)
        ids[i] = p->offers[i].id;
    for (size_t i = first; i < end; i++) {
        p->tasks[i].info->agent_id->value = p->agent_id;
        infos[i - first] = p->tasks[i].info;
    }
    operation.has_type = 1;
    operation.type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation.launch = &launch;
    launch.n_task_infos = end - first;
    launch.task_infos = infos;
    scheduler_accept(p->scheduler, p->n_offers, ids, 1, operations, 0);
}

static bool take_launch_anyway(struct probe *p, const struct step *s)
{
    if (p->n_offers == 0)
        return false;
    accept_offers(p, s->first, s->end);
    p->n_offers = 0;
    return true;
}

static bool take_launch(struct probe *p, const struct step *s)
{
    return is_enough(p, s) && take_launch_anyway(p, s);
}

static bool take_twice(struct probe *p, const struct step *s)
{
    size_t first = p->n_tasks;

    if (!is_enough(p, s))
        return false;
    accept_offers(p, s->first, s->end);
    for (size_t i = s->first; i < s->end; i++) {
        struct task *again = &p->tasks[p->n_tasks++];

        *again = p->tasks[i];
        again->id = arena_printf(&p->arena, "%s-again", again->id);
        again->info = MAKE(p, pb__task_info);
        *again->info = *p->tasks[i].info;
        again->info->task_id = MAKE(p, pb__task_id);
        again->info->task_id->value = again->id;
    }
    accept_offers(p, first, p->n_tasks);
    p->n_offers = 0;
    return true;
}

static bool take_kill(struct probe *p, const struct step *s)
{
    const struct task *t = find_task(p, s->id);

    if (!t->running && !t->ended)
        return false;
    scheduler_kill(p->scheduler, t->info->task_id, t->info->agent_id);
    return true;
}

static bool take_message(struct probe *p, const struct step *s)
{
    const struct task *t = find_task(p, s->id);

    if (!t->running && !t->ended)
        return false;
    if (t->info->executor)
        scheduler_send(p->scheduler, t->info->agent_id, t->info->executor->executor_id, s->text,
                       strlen(s->text));
    return true;
}

static bool take_wait(struct probe *p, const struct step *s)
{
    return find_task(p, s->id)->ended;
}

static bool all_ended(const struct probe *p)
{
    for (size_t i = 0; i < p->n_tasks; i++)
        if (!p->tasks[i].ended)
            return false;
    return true;
}

static void advance(struct probe *p)
{
    while (p->next < p->n_steps && p->steps[p->next].take(p, &p->steps[p->next]))
        p->next++;
    if (p->next == p->n_steps && all_ended(p) && !p->left) {
        p->left = true;
        scheduler_teardown(p->scheduler);
    }
}

/* ---- the script: steps ---- */

static int add_launch(struct probe *p, bool (*take)(struct probe *, const struct step *))
{
    p->steps[p->n_steps++] =
        (struct step){ .take = take, .first = p->n_described, .end = p->n_tasks };
    p->n_described = p->n_tasks;
    return 0;
}

static int add_once(struct probe *p, const char *rest UNUSED, struct error *err UNUSED)
{
    return add_launch(p, take_launch);
}

static int add_anyway(struct probe *p, const char *rest UNUSED, struct error *err UNUSED)
{
    return add_launch(p, take_launch_anyway);
}

static int add_twice(struct probe *p, const char *rest UNUSED, struct error *err UNUSED)
{
    return add_launch(p, take_twice);
}

static int add_step(struct probe *p, const char *rest, struct error *err,
                    bool (*take)(struct probe *, const struct step *))
{
    size_t length = strcspn(rest, " ");
    const char *id = arena_strndup(&p->arena, rest, length);

    if (!find_task(p, id))
        return error_set(err, ENOENT, "there is no task '%s'", id);
    p->steps[p->n_steps++] = (struct step){
        .take = take, .id = id, .text = keep(p, rest + length + (rest[length] == ' '))
    };
    return 0;
}

static int add_kill(struct probe *p, const char *rest, struct error *err)
{
    return add_step(p, rest, err, take_kill);
}

static int add_message(struct probe *p, const char *rest, struct error *err)
{
    return add_step(p, rest, err, take_message);
}

static int add_wait(struct probe *p, const char *rest, struct error *err)
{
    return add_step(p, rest, err, take_wait);
}

static const struct word {
    const char *word;
    int (*take)(struct probe *p, const char *rest, struct error *err);
} words[] = {
    { "task", begin_task },         { "shell", set_shell },
    { "program", set_program },     { "argument", add_argument },
    { "uri", add_uri },             { "output", set_output },
    { "executable", set_executable }, { "no_extract", set_no_extract },
    { "env", add_env },             { "user", set_user },
    { "grace", set_grace },         { "resources", set_resources },
    { "executor", set_executor },   { "data", set_data },
    { "launch", add_once },         { "twice", add_twice },
    { "kill", add_kill },           { "message", add_message },
    { "wait", add_wait },           { "launch_anyway", add_anyway },
};

static int take_line(struct probe *p, char *line, struct error *err)
{
    char *word = line + strspn(line, " "), *rest = word + strcspn(word, " ");

    if (*rest)
        *rest++ = '\0';
    if (!*word)
        return 0;
    if (p->n_steps == STEPS_MAX)
        return error_set(err, E2BIG, "too many steps");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return p->n_tasks || words[i].take == begin_task
                       ? words[i].take(p, rest, err)
                       : error_set(err, EINVAL, "'%s' without a task", word);
    return error_set(err, EINVAL, "what is '%s'?", word);
}

static int read_script(struct probe *p, struct error *err)
{
    char line[LINE_MAX_SIZE];

    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (take_line(p, line, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what the master says ---- */

static int64_t cpus_of(const Pb__Offer *offer)
{
    CLEANUP(resources_release) struct resources r = RESOURCES_INIT;

    return resources_from_protobuf(offer->resources, offer->n_resources, &r, NULL) < 0
               ? 0
               : resources_millis(&r, "cpus");
}

static void on_offers(void *arg, struct scheduler *s, size_t n, Pb__Offer *const *offers)
{
    struct probe *p = arg;

    for (size_t i = 0; i < n; i++) {
        if (!p->agent_id)
            p->agent_id = keep(p, offers[i]->agent_id->value);
        if (p->n_offers == OFFERS_MAX || strcmp(p->agent_id, offers[i]->agent_id->value) != 0) {
            scheduler_decline(s, 1, &(Pb__OfferID *){ offers[i]->id }, 5);
            continue;
        }
        struct offer *o = &p->offers[p->n_offers++];

        o->id = MAKE(p, pb__offer_id);
        o->id->value = keep(p, offers[i]->id->value);
        o->cpus = cpus_of(offers[i]);
    }
    advance(p);
}

static void on_rescinded(void *arg, struct scheduler *s UNUSED, const Pb__OfferID *offer)
{
    struct probe *p = arg;

    for (size_t i = 0; i < p->n_offers; i++)
        if (strcmp(p->offers[i].id->value, offer->value) == 0)
            p->offers[i--] = p->offers[--p->n_offers];
}

static const char *reason_of(const Pb__TaskStatus *status)
{
    const ProtobufCEnumValue *v =
        status->has_reason ? protobuf_c_enum_descriptor_get_value(
                                 &pb__task_status__reason__descriptor, (int)status->reason)
                           : NULL;

    return v ? v->name : "-";
}

static void on_status(void *arg, struct scheduler *s UNUSED, const Pb__TaskStatus *status)
{
    struct probe *p = arg;
    struct task *t = find_task(p, status->task_id->value);
    const ProtobufCEnumValue *state =
        protobuf_c_enum_descriptor_get_value(&pb__task_state__descriptor, (int)status->state);

    printf("%s %s %s %s\n", status->task_id->value, state ? state->name : "?", reason_of(status),
           status->message ? status->message : "-");
    fflush(stdout);
    if (t && task_state_is_terminal(status->state))
        t->ended = true;
    else if (t && status->state == PB__TASK_STATE__TASK_RUNNING)
        t->running = true;
    advance(p);
}

static void on_message(void *arg UNUSED, struct scheduler *s UNUSED,
                       const Pb__AgentID *agent UNUSED, const Pb__ExecutorID *executor,
                       const void *data, size_t size)
{
    printf("%s says %.*s\n", executor->value, (int)size, (const char *)data);
    fflush(stdout);
}

static void on_executor_lost(void *arg UNUSED, struct scheduler *s UNUSED,
                             const Pb__AgentID *agent UNUSED, const Pb__ExecutorID *executor,
                             int status UNUSED)
{
    printf("%s ended\n", executor->value);
    fflush(stdout);
}

static void on_disconnected(void *arg, struct scheduler *s UNUSED, const char *why UNUSED)
{
    ((struct probe *)arg)->n_offers = 0;
}

static void on_error(void *arg, struct scheduler *s, const char *why)
{
    fprintf(stderr, "probe_framework: %s\n", why);
    ((struct probe *)arg)->failed = true;
    process_terminate(scheduler_pid(s), TERMINATE_NOW);
}

static void on_removed(void *arg UNUSED, struct scheduler *s)
{
    process_terminate(scheduler_pid(s), TERMINATE_NOW);
}

/* ---- life ---- */

static void begin(struct process *self UNUSED, void *args)
{
    scheduler_start((*(struct probe **)args)->scheduler);
}

static struct scheduler *create_scheduler(struct probe *p, struct runtime *rt, const char *master,
                                          struct error *err)
{
    static const struct scheduler_callbacks callbacks = {
        .offers = on_offers, .rescinded = on_rescinded, .status = on_status,
        .message = on_message, .executor_lost = on_executor_lost,
        .disconnected = on_disconnected, .error = on_error, .removed = on_removed,
    };
    Pb__FrameworkInfo info = PB__FRAMEWORK_INFO__INIT;
    Pb__FrameworkInfo__Capability aware = PB__FRAMEWORK_INFO__CAPABILITY__INIT;
    struct scheduler_options options = { .master = master, .info = &info, .starts_later = true };
    struct host_facts facts;

    host_facts(runtime_host(rt), &facts);
    aware.has_type = 1;
    aware.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE;
    info.user = facts.user;
    info.name = "probe";
    info.has_checkpoint = info.checkpoint = 1;
    info.n_capabilities = 1;
    info.capabilities = &(Pb__FrameworkInfo__Capability *){ &aware };
    return scheduler_create(rt, &options, &callbacks, p, err);
}

static int run(struct probe *p, const char *master, struct error *err)
{
    struct program_options options = { .threads = 1, .log = "warning" };
    struct program program;

    if (program_start(&program, host_real_create(), &options, err) < 0)
        return -1;
    p->scheduler = create_scheduler(p, program.runtime, master, err);
    if (p->scheduler) {
        process_dispatch(scheduler_pid(p->scheduler), begin, &p, sizeof p, NULL);
        program_wait(&program, scheduler_pid(p->scheduler));
        scheduler_destroy(p->scheduler);
    }
    program_stop(&program);
    return p->scheduler ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct probe p = { .arena = ARENA_INIT };
    struct error err;
    int result;

    if (argc != 2) {
        fprintf(stderr, "usage: probe_framework HOST:PORT <script\n");
        return EXIT_FAILURE;
    }
    result = read_script(&p, &err) < 0 ? -1 : run(&p, argv[1], &err);
    arena_release(&p.arena);
    if (result < 0)
        fprintf(stderr, "probe_framework: %s\n", err.text);
    return result < 0 || p.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
