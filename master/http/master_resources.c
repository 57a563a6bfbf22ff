/* master_resources.c - an agent's resources in full: the v1 form, roles and reservations said */
#include "master/http/master_resources.h"

#include "base/arena.h"
#include "base/json_writer.h"
#include "mesos/mesos_json.h"

struct resources master_resources_used(const struct agent_record *a)
{
    struct resources sum = RESOURCES_INIT;

    list_each (t, &a->tasks, struct task_record, agent_link)
        if (t->charged)
            resources_add(&sum, &t->resources);
    list_each (e, &a->executors, struct executor_record, agent_link)
        resources_add(&sum, &e->resources);
    return sum;
}

struct resources master_resources_offered(const struct agent_record *a)
{
    struct resources sum = RESOURCES_INIT;

    list_each (o, &a->offers, struct offer, agent_link)
        resources_add(&sum, &o->resources);
    return sum;
}

Pb__Resource **master_resources_list(const struct resources *r, struct arena *arena, size_t *ret_n)
{
    return resources_to_protobuf(r, RESOURCE_PRE_REFINEMENT, arena, ret_n);
}

/* Takes r. */
static void put_list(struct json_writer *w, const char *key, struct resources r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    size_t n;
    Pb__Resource **v = master_resources_list(&r, &arena, &n);

    json_key(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        mesos_json_write(w, &v[i]->base);
    json_end_array(w);
    resources_release(&r);
}

static bool begins_role(const struct resources *r, size_t i)
{
    if (!r->v[i].role)
        return false;
    for (size_t k = 0; k < i; k++)
        if (r->v[k].role && text_equal(r->v[k].role, r->v[i].role))
            return false;
    return true;
}

void master_resources_write_full(struct json_writer *w, const struct agent_record *a)
{
    put_list(w, "used_resources_full", master_resources_used(a));
    put_list(w, "offered_resources_full", master_resources_offered(a));
    put_list(w, "unreserved_resources_full", resources_unreserved(&a->total));
    json_key(w, "reserved_resources_full");
    json_begin_object(w);
    for (size_t i = 0; i < a->total.n; i++)
        if (begins_role(&a->total, i))
            put_list(w, a->total.v[i].role->bytes,
                     resources_reserved_for(&a->total, a->total.v[i].role->bytes));
    json_end_object(w);
}
