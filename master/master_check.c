/* master_check.c - are the master's books right?
 *
 * What must hold after every event, whatever happened (DESIGN.md section 7).
 * Recomputed from the tasks, executors and offers themselves; run by tests and
 * simulations between events.
 */
#include <errno.h>

#include "base/error.h"
#include "base/memory.h"
#include "master/master_private.h"
#include "mesos/task_state.h"

static bool is_sum(const struct resources *sum, struct resources *counted)
{
    bool equal;

    resources_allocate(counted, NULL);
    equal = resources_equal(sum, counted);
    resources_release(counted);
    return equal;
}

static int check_charge(const struct task_record *t, struct error *err)
{
    if (t->charged != !task_state_is_terminal(t->state))
        return error_set(err, EINVAL, "task %s in %s is%s charged", task_id_text(&t->id),
                         task_state_name(t->state), t->charged ? "" : " not");
    return 0;
}

static int check_used(const struct agent_record *a, struct error *err)
{
    struct resources used = RESOURCES_INIT, offered = RESOURCES_INIT;

    list_each (t, &a->tasks, struct task_record, agent_link)
        if (t->charged)
            resources_add(&used, &t->resources);
    list_each (e, &a->executors, struct executor_record, agent_link)
        resources_add(&used, &e->resources);
    list_each (o, &a->offers, struct offer, agent_link)
        resources_add(&offered, &o->resources);
    if (!is_sum(&a->used, &used)) {
        resources_release(&offered);
        return error_set(err, EINVAL, "agent %s: used is not what its tasks and executors use",
                         agent_id_text(&a->id));
    }
    if (!is_sum(&a->offered, &offered))
        return error_set(err, EINVAL, "agent %s: offered is not the sum of its offers",
                         agent_id_text(&a->id));
    return 0;
}

static int check_total(const struct agent_record *a, struct error *err)
{
    struct resources both = resources_dup(&a->offered);
    bool fits;

    resources_add(&both, &a->used);
    fits = resources_contain(&a->total, &both);
    resources_release(&both);
    if (!fits)
        return error_set(err, EINVAL, "agent %s: more is offered and used than it has",
                         agent_id_text(&a->id));
    return 0;
}

static int check_agent(const struct master *m, const struct agent_record *a, struct error *err)
{
    const struct agent_record *other;
    const struct known_agent *k;

    HASH_FIND(pid_hh, m->agents_by_pid, a->pid_text->bytes, a->pid_text->length, other);
    if (other != a)
        return error_set(err, EINVAL, "agent %s is not found by its PID", agent_id_text(&a->id));
    HASH_FIND(hh, m->known, a->id.text->bytes, a->id.text->length, k);
    if (k)
        return error_set(err, EINVAL, "agent %s is registered and away at once",
                         agent_id_text(&a->id));
    list_each (t, &a->tasks, struct task_record, agent_link) {
        struct task_record *same;

        HASH_FIND(hh, t->framework->tasks, t->id.text->bytes, t->id.text->length, same);
        if (t->agent != a || same != t)
            return error_set(err, EINVAL, "task %s of agent %s is not its framework's",
                             task_id_text(&t->id), agent_id_text(&a->id));
        if (check_charge(t, err) < 0)
            return -1;
    }
    list_each (o, &a->offers, struct offer, agent_link)
        if (o->agent != a || !a->active)
            return error_set(err, EINVAL, "offer %s is of an agent that makes none",
                             offer_id_text(&o->id));
    if (check_used(a, err) < 0)
        return -1;
    return check_total(a, err);
}

static bool is_listed(const struct list *head, const struct list *link)
{
    for (const struct list *l = head->next; l != head; l = l->next)
        if (l == link)
            return true;
    return false;
}

static int check_framework(const struct framework_record *f, struct error *err)
{
    struct resources used = RESOURCES_INIT;

    for (struct task_record *t = f->tasks; t; t = t->hh.next) {
        if (!t->agent || !is_listed(&t->agent->tasks, &t->agent_link)) {
            resources_release(&used);
            return error_set(err, EINVAL, "task %s of framework %s is on no agent",
                             task_id_text(&t->id), framework_id_text(&f->id));
        }
        if (t->charged)
            resources_add(&used, &t->resources);
    }
    list_each (e, &f->executors, struct executor_record, framework_link)
        resources_add(&used, &e->resources);
    if (!is_sum(&f->used, &used))
        return error_set(err, EINVAL, "framework %s: used is not what its tasks and executors use",
                         framework_id_text(&f->id));
    return 0;
}

static int check_offer(const struct offer *o, struct error *err)
{
    if (!is_listed(&o->agent->offers, &o->agent_link) ||
        !is_listed(&o->framework->offers, &o->framework_link))
        return error_set(err, EINVAL, "offer %s is not in both lists", offer_id_text(&o->id));
    if (!o->framework->active)
        return error_set(err, EINVAL, "offer %s is of an inactive framework",
                         offer_id_text(&o->id));
    return 0;
}

static size_t count(const struct list *head)
{
    size_t n = 0;

    for (const struct list *l = head->next; l != head; l = l->next)
        n++;
    return n;
}

int master_check_invariants(const struct master *m, struct error *err)
{
    size_t offers = 0;

    for (const struct agent_record *a = m->agents; a; a = a->hh.next) {
        if (check_agent(m, a, err) < 0)
            return -1;
        offers += count(&a->offers);
    }
    for (const struct framework_record *f = m->frameworks; f; f = f->hh.next)
        if (check_framework(f, err) < 0)
            return -1;
    for (const struct offer *o = m->offers; o; o = o->hh.next)
        if (check_offer(o, err) < 0)
            return -1;
    if (offers != HASH_COUNT(m->offers))
        return error_set(err, EINVAL, "agents list %zu offers, there are %u", offers,
                         HASH_COUNT(m->offers));
    return 0;
}
