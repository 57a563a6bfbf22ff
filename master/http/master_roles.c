/* master_roles.c - /roles: who is in which role, and what the role holds */
#include "master/http/master_roles.h"

#include <string.h>

#include "base/json_writer.h"
#include "master/http/leading.h"
#include "master/http/master_state.h"
#include "mesos/framework_info.h"
#include "mesos/quantities.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/roles", serve_roles,                                                                      \
       "The roles that are in use.\n"                                                              \
       "Each with its weight, quota, resources and frameworks.",                                   \
       MASTER_REALM_READONLY)

LEADING_ROUTES(roles_routes, ENDPOINTS);

void master_roles_init(struct master *m)
{
    process_route(&m->process, roles_routes);
}

/* ---- gathering ---- */

static struct role_use *find(struct master_roles *roles, const char *name)
{
    struct role_use *use;

    HASH_FIND_STR(roles->roles, name, use);
    if (use)
        return use;
    use = arena_zalloc(&roles->arena, sizeof *use);
    use->name = name;
    use->end = &use->frameworks;
    HASH_ADD_KEYPTR(hh, roles->roles, use->name, strlen(use->name), use);
    return use;
}

static void add_framework(struct master_roles *roles, const struct framework_record *f)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)f->info->body;

    for (size_t i = 0; i < framework_info_role_count(info); i++) {
        struct role_use *use = find(roles, framework_info_role(info, i));
        struct role_framework *one = arena_zalloc(&roles->arena, sizeof *one);

        one->id = framework_id_text(&f->id);
        *use->end = one;
        use->end = &one->next;
        use->n_frameworks++;
    }
}

static void add_allocated(struct master_roles *roles, const struct resources *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct resources one = { &r->v[i], 1 };

        if (r->v[i].allocation)
            master_sum_add(&find(roles, r->v[i].allocation->bytes)->allocated, &one);
    }
}

static void add_agent(struct master_roles *roles, const struct agent_record *a)
{
    for (size_t i = 0; i < a->total.n; i++) {
        const struct resources one = { &a->total.v[i], 1 };

        if (a->total.v[i].role)
            master_sum_add(&find(roles, a->total.v[i].role->bytes)->reserved, &one);
    }
    list_each (t, &a->tasks, struct task_record, agent_link)
        if (t->charged)
            add_allocated(roles, &t->resources);
    list_each (e, &a->executors, struct executor_record, agent_link)
        add_allocated(roles, &e->resources);
    list_each (o, &a->offers, struct offer, agent_link)
        master_sum_add(&find(roles, o->role->bytes)->offered, &o->resources);
}

void master_roles_gather(struct master_roles *roles, const struct master *m)
{
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        add_framework(roles, f);
    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        add_agent(roles, a);
}

void master_roles_release(struct master_roles *roles)
{
    for (struct role_use *use = roles->roles; use; use = use->hh.next) {
        resources_release(&use->allocated);
        resources_release(&use->offered);
        resources_release(&use->reserved);
    }
    HASH_CLEAR(hh, roles->roles);
    arena_release(&roles->arena);
}

/* ---- /roles ---- */

static void put_quantities(struct json_writer *w, const char *key, const struct quantities *q)
{
    json_key(w, key);
    json_begin_object(w);
    for (size_t i = 0; i < q->n; i++)
        json_put_double(w, q->v[i].name->bytes, (double)q->v[i].millis / 1000);
    json_end_object(w);
}

static void put_sum(struct json_writer *w, const char *key, const struct resources *r)
{
    struct quantities q = quantities_of(r);

    put_quantities(w, key, &q);
    quantities_release(&q);
}

/* Of quota counts what is reserved, used or not, and what is used unreserved. */
static void write_quota(struct json_writer *w, const struct role_use *use)
{
    const struct quantities none = QUANTITIES_INIT;
    struct resources consumed = resources_unreserved(&use->allocated);

    resources_add(&consumed, &use->reserved);
    json_begin_object(w);
    json_put_string(w, "role", use->name);
    put_quantities(w, "guarantee", &none);
    put_quantities(w, "limit", &none);
    put_sum(w, "consumed", &consumed);
    json_end_object(w);
    resources_release(&consumed);
}

static void write_role(struct json_writer *w, const struct role_use *use)
{
    struct resources all = resources_dup(&use->allocated);

    resources_add(&all, &use->offered);
    json_begin_object(w);
    json_put_string(w, "name", use->name);
    json_put_double(w, "weight", 1);
    json_key(w, "quota");
    write_quota(w, use);
    json_key(w, "resources");
    resources_write(&all, w);
    put_sum(w, "allocated", &use->allocated);
    put_sum(w, "offered", &use->offered);
    put_sum(w, "reserved", &use->reserved);
    json_key(w, "frameworks");
    json_begin_array(w);
    for (const struct role_framework *f = use->frameworks; f; f = f->next)
        json_write_string(w, f->id);
    json_end_array(w);
    json_end_object(w);
    resources_release(&all);
}

static void serve_roles(struct master *m, struct http_request *r)
{
    struct master_roles roles = MASTER_ROLES_INIT;
    struct buffer out = BUFFER_INIT;
    struct json_writer w;

    master_roles_gather(&roles, m);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "roles");
    json_begin_array(&w);
    for (const struct role_use *use = roles.roles; use; use = use->hh.next)
        write_role(&w, use);
    json_end_array(&w);
    json_end_object(&w);
    master_roles_release(&roles);
    http_answer_json(r, &out);
    buffer_release(&out);
}
