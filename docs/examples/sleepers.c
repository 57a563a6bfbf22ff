/* sleepers.c - the smallest useful framework: some tasks, and their ends
 *
 *     sleepers HOST:PORT [NUMBER]
 *
 * Launches NUMBER shell commands of 0.1 CPU each, tells what becomes of them,
 * and ends when all have; 0 when none failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "framework/scheduler.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/process.h"
#include "process/program.h"
#include "process/runtime.h"

enum { CPU_MILLIS = 100 };

struct sleepers {
    unsigned wanted, launched, ended, failed;
};

/* The task lives on this stack: what we say is packed before accept returns. */
static void launch(struct sleepers *x, struct scheduler *s, const Pb__Offer *offer)
{
    char id[32], name[32];
    Pb__TaskID task_id = PB__TASK_ID__INIT;
    Pb__CommandInfo command = PB__COMMAND_INFO__INIT;
    Pb__Value__Scalar amount = PB__VALUE__SCALAR__INIT;
    Pb__Resource cpus = PB__RESOURCE__INIT, *resources[] = { &cpus };
    Pb__TaskInfo task = PB__TASK_INFO__INIT, *tasks[] = { &task };
    Pb__Offer__Operation__Launch launched = PB__OFFER__OPERATION__LAUNCH__INIT;
    Pb__Offer__Operation operation = PB__OFFER__OPERATION__INIT, *operations[] = { &operation };
    Pb__OfferID *offers[] = { offer->id };

    snprintf(id, sizeof id, "sleeper-%u", ++x->launched);
    snprintf(name, sizeof name, "sleeper %u", x->launched);
    task_id.value = id;
    command.value = "sleep 0.2; hostname";
    amount.value = CPU_MILLIS / 1000.0;
    cpus.name = "cpus";
    cpus.type = PB__VALUE__TYPE__SCALAR;
    cpus.scalar = &amount;
    cpus.allocation_info = offer->allocation_info;     /* for which of our roles */
    task.name = name;
    task.task_id = &task_id;
    task.agent_id = offer->agent_id;
    task.command = &command;
    task.n_resources = 1;
    task.resources = resources;
    launched.n_task_infos = 1;
    launched.task_infos = tasks;
    operation.has_type = 1;
    operation.type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation.launch = &launched;
    scheduler_accept(s, 1, offers, 1, operations, 0);
}

static bool has_room(const Pb__Offer *offer)
{
    double cpus = 0;

    for (size_t i = 0; i < offer->n_resources; i++)
        if (strcmp(offer->resources[i]->name, "cpus") == 0 && offer->resources[i]->scalar)
            cpus += offer->resources[i]->scalar->value;
    return cpus * 1000 >= CPU_MILLIS;
}

/* One task for each offer: what it leaves free is offered again at once. */
static void on_offers(void *arg, struct scheduler *s, size_t n, Pb__Offer *const *offers)
{
    struct sleepers *x = arg;

    for (size_t i = 0; i < n; i++) {
        if (x->launched < x->wanted && has_room(offers[i]))
            launch(x, s, offers[i]);
        else
            scheduler_decline(s, 1, &offers[i]->id, 60);
    }
}

static void on_status(void *arg, struct scheduler *s, const Pb__TaskStatus *status)
{
    struct sleepers *x = arg;

    printf("%s: %s\n", status->task_id->value, task_state_name(status->state));
    if (!task_state_is_terminal(status->state))
        return;
    x->ended++;
    x->failed += status->state != PB__TASK_STATE__TASK_FINISHED;
    if (x->ended == x->wanted)
        scheduler_teardown(s);
}

static void on_removed(void *arg, struct scheduler *s)
{
    (void)arg;
    process_terminate(scheduler_pid(s), TERMINATE_NOW);
}

static void on_error(void *arg, struct scheduler *s, const char *why)
{
    struct sleepers *x = arg;

    fprintf(stderr, "sleepers: %s\n", why);
    x->failed++;
    process_terminate(scheduler_pid(s), TERMINATE_NOW);
}

static int run(struct sleepers *x, const char *master, struct error *err)
{
    static const struct scheduler_callbacks callbacks = {
        .offers = on_offers, .status = on_status, .removed = on_removed, .error = on_error,
    };
    struct program_options program_options = { .log = "warning" };
    Pb__FrameworkInfo info = PB__FRAMEWORK_INFO__INIT;
    struct scheduler_options options = { .master = master, .info = &info };
    struct host *host = host_real_create();
    struct host_facts facts;
    struct program program;
    struct scheduler *s;

    if (program_start(&program, host, &program_options, err) < 0)
        return -1;
    host_facts(host, &facts);
    info.user = facts.user;
    info.name = "sleepers";
    s = scheduler_create(program.runtime, &options, &callbacks, x, err);
    if (s)
        program_wait(&program, scheduler_pid(s));
    scheduler_destroy(s);
    program_stop(&program);
    return s ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct sleepers x = { .wanted = 3 };
    struct error err;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: sleepers HOST:PORT [NUMBER]\n");
        return EXIT_FAILURE;
    }
    if (argc == 3)
        x.wanted = (unsigned)strtoul(argv[2], NULL, 10);
    if (run(&x, argv[1], &err) < 0) {
        fprintf(stderr, "sleepers: %s\n", err.text);
        return EXIT_FAILURE;
    }
    return x.ended == x.wanted && x.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
