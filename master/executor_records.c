/* executor_records.c - executors with an ExecutorInfo of their own, by agent and framework
 *
 * Their resources are charged once, from the first task that brings the
 * executor to its end.  The executor of a command task is the agent's
 * business: it has no record here.
 */
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "master/master_private.h"

struct executor_record *executor_records_find(struct agent_record *a,
                                              const struct framework_record *f, const char *id)
{
    list_each (e, &a->executors, struct executor_record, agent_link)
        if (e->framework == f && text_is(e->id.text, id))
            return e;
    return NULL;
}

struct executor_record *executor_records_add(struct master *m, struct framework_record *f,
                                             struct agent_record *a, const Pb__ExecutorInfo *info,
                                             const struct resources *resources)
{
    struct executor_record *e = mem_alloc(sizeof *e);

    (void)m;
    CHECK(executor_id_parse(info->executor_id->value, &e->id, NULL) == 0);
    e->framework = f;
    e->agent = a;
    e->info = message_create(&info->base);
    e->resources = resources_dup(resources);
    list_append(&a->executors, &e->agent_link);
    list_append(&f->executors, &e->framework_link);
    master_sum_add(&a->used, &e->resources);
    master_sum_add(&f->used, &e->resources);
    return e;
}

void executor_records_remove(struct master *m, struct executor_record *e)
{
    list_remove(&e->agent_link);
    list_remove(&e->framework_link);
    master_sum_subtract(&e->agent->used, &e->resources);
    master_sum_subtract(&e->framework->used, &e->resources);
    offers_give_back(m, e->framework, e->agent, &e->resources, SECONDS(0));
    log_info("executor %s of framework %s on agent %s removed", executor_id_text(&e->id),
             framework_id_text(&e->framework->id), agent_id_text(&e->agent->id));
    executor_records_destroy(e);
}

void executor_records_destroy(struct executor_record *e)
{
    executor_id_release(&e->id);
    message_unref(e->info);
    resources_release(&e->resources);
    mem_free(e);
}
