/* batch_launch.c - offers become tasks: as many as fit, in one ACCEPT for each offer
 *
 * What fits no task is declined for long: what is freed later is offered in any
 * case, and REVIVE ends all refusals.  While there is nothing to launch we are
 * suppressed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "framework/batch_private.h"
#include "process/runtime.h"

#define REFUSE_SECONDS 3600.0

static bool wants_offers(const struct batch *b)
{
    bool has_room = b->options->jobs == 0 || b->jobs.n_running < (size_t)b->options->jobs;

    return b->phase == BATCH_WORKING && b->jobs.n_waiting > 0 && has_room;
}

void batch_launch_update_interest(struct batch *b)
{
    bool suppressed = !wants_offers(b);

    if (!b->subscribed || suppressed == b->suppressed)
        return;
    b->suppressed = suppressed;
    if (suppressed)
        scheduler_suppress(b->scheduler);
    else
        scheduler_revive(b->scheduler);
}

/* ---- the largest offer, for the word about tasks that fit nowhere ---- */

static void remember_largest(struct batch *b, const struct resources *offered)
{
    int64_t cpus = resources_millis(offered, "cpus"), most = resources_millis(&b->largest, "cpus");

    if (b->has_offer &&
        (cpus < most || (cpus == most && resources_millis(offered, "mem") <=
                                             resources_millis(&b->largest, "mem"))))
        return;
    b->has_offer = true;
    resources_assign(&b->largest, offered);
}

/* ---- tasks ---- */

static Pb__TaskInfo *make_task(const struct batch_job *job, const struct resources *resources,
                               struct arena *arena)
{
    Pb__TaskInfo *task = arena_alloc(arena, sizeof *task);
    Pb__CommandInfo *command = arena_alloc(arena, sizeof *command);

    pb__task_info__init(task);
    pb__command_info__init(command);
    task->task_id = arena_alloc(arena, sizeof *task->task_id);
    pb__task_id__init(task->task_id);
    task->agent_id = arena_alloc(arena, sizeof *task->agent_id);
    pb__agent_id__init(task->agent_id);
    task->task_id->value = job->task_id;
    task->agent_id->value = job->agent_id;
    task->name = arena_printf(arena, "job %zu", job->seq);
    task->resources =
        resources_to_protobuf(resources, RESOURCE_PRE_REFINEMENT, arena, &task->n_resources);
    command->has_shell = 1;
    command->shell = 1;
    command->value = job->command;
    task->command = command;
    return task;
}

/* An attempt of the next job; its TaskInfo. */
static Pb__TaskInfo *launch_next(struct batch *b, const Pb__Offer *offer,
                                 const struct resources *resources, struct arena *arena)
{
    struct batch_job *job = batch_jobs_next(&b->jobs);
    char *id = mem_printf("job-%zu-%u", job->seq, job->attempts + 1);

    batch_jobs_launch(&b->jobs, job, id, offer, runtime_wall(b->runtime));
    if (b->first_launch.ns == 0)
        b->first_launch = batch_now(b);
    log_debug("task %s: launched on agent %s: %s", id, job->agent_id, job->command);
    return make_task(job, resources, arena);
}

static void accept(struct batch *b, const Pb__Offer *offer, size_t n, Pb__TaskInfo **tasks)
{
    Pb__Offer__Operation operation = PB__OFFER__OPERATION__INIT;
    Pb__Offer__Operation__Launch launch = PB__OFFER__OPERATION__LAUNCH__INIT;
    Pb__Offer__Operation *operations[] = { &operation };
    Pb__OfferID *offers[] = { offer->id };

    launch.n_task_infos = n;
    launch.task_infos = tasks;
    operation.has_type = 1;
    operation.type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation.launch = &launch;
    scheduler_accept(b->scheduler, 1, offers, 1, operations, REFUSE_SECONDS);
}

static void use_offer(struct batch *b, const Pb__Offer *offer, struct resources *left)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct resources taken;
    Pb__TaskInfo **tasks = NULL;
    size_t n = 0, capacity = 0;

    while (wants_offers(b) && batch_plan_take(left, &b->need, &taken)) {
        if (n == capacity) {
            capacity = capacity ? capacity * 2 : 8;
            tasks = mem_realloc(tasks, capacity * sizeof *tasks);
        }
        tasks[n++] = launch_next(b, offer, &taken, &arena);
        resources_release(&taken);
    }
    if (n > 0)
        accept(b, offer, n, tasks);
    else
        scheduler_decline(b->scheduler, 1, (Pb__OfferID *[]){ offer->id }, REFUSE_SECONDS);
    mem_free(tasks);
}

void batch_launch_offers(struct batch *b, size_t n, Pb__Offer *const *offers)
{
    for (size_t i = 0; i < n; i++) {
        struct resources left;
        struct error err;

        if (resources_from_protobuf(offers[i]->resources, offers[i]->n_resources, &left, &err) <
            0) {
            log_warning("offer %s is declined: %s", offers[i]->id->value, err.text);
            scheduler_decline(b->scheduler, 1, &offers[i]->id, REFUSE_SECONDS);
            continue;
        }
        remember_largest(b, &left);
        use_offer(b, offers[i], &left);
        resources_release(&left);
    }
    batch_launch_update_interest(b);
}
