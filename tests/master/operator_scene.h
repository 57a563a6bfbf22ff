/* operator_scene.h - a master, an agent, a scheduler, and an operator who asks and follows */
#ifndef OPERATOR_SCENE_H
#define OPERATOR_SCENE_H

#include <stdio.h>

#include "tests/master/master_place.h"
#include "tests/master/operator_client.h"

struct scene {
    struct place w;
    struct player *agent, *scheduler;
    const char *agent_id, *framework;
};

UNUSED static void scene_open(struct scene *s)
{
    runtime_set_delegate(s->w.rt, "master");
    client_start(s->w.sim, s->w.rt);
    sim_run_for(s->w.sim, SECONDS(1));
}

UNUSED static void scene_begin(struct scene *s)
{
    memset(s, 0, sizeof *s);
    place_start(&s->w);
    scene_open(s);
}

/* With options of its own. */
UNUSED static void scene_begin_with(struct scene *s, uint64_t seed,
                             void (*change)(struct master_options *))
{
    struct error err;

    memset(s, 0, sizeof *s);
    place_start_seeded(&s->w, seed);
    ck_assert_int_eq(host_mkdirs(s->w.host, "/var/lib/mesos", 0755, &err), 0);
    place_kill_master(&s->w);
    change(&s->w.options);
    place_start_master(&s->w);
    scene_open(s);
}

UNUSED static void scene_join(struct scene *s)
{
    s->agent = place_add(&s->w, "slave(1)", 5051);
    s->agent_id = join(&s->w, s->agent);
}

UNUSED static void scene_start(struct scene *s)
{
    scene_begin(s);
    scene_join(s);
}

/* As by kill -9, and another one on the same disk. */
UNUSED static void scene_restart_master(struct scene *s)
{
    client_stop();
    place_kill_master(&s->w);
    place_start_master(&s->w);
    scene_open(s);
}

UNUSED static void scene_subscribe(struct scene *s, bool aware)
{
    s->scheduler = place_add(&s->w, "scheduler-1", 6000);
    s->framework = subscribe_new(&s->w, s->scheduler, aware);
}

UNUSED static void scene_launch(struct scene *s, const char *id)
{
    const Pb__Offer *offer = next_offer(&s->w, s->scheduler);
    Pb__TaskInfo *task = make_task(&s->w, id, s->agent_id, "cpus:0.5;mem:32");

    say_launch(&s->w, s->scheduler, s->framework, offer->id->value, 1, &task);
    EXPECT(&s->w, s->agent, pb__run_task_message, Pb__RunTaskMessage);
}

UNUSED static void scene_update(struct scene *s, const char *id, Pb__TaskState state, uint8_t uuid)
{
    say_update(&s->w, s->agent, s->framework, s->agent_id, id, state, state, uuid);
    EXPECT(&s->w, s->scheduler, pb__status_update_message, Pb__StatusUpdateMessage);
}

UNUSED static void scene_stop(struct scene *s)
{
    client_stop();
    place_stop(&s->w);
}

/* ---- calls ---- */

UNUSED static struct reply call(const char *json)
{
    return call_as(&pb_master__call__descriptor, JSON_TYPE, json);
}

UNUSED static void check_reply(struct reply a, int status, const char *body)
{
    ck_assert_msg(a.status == status, "%d, not %d: %s", a.status, status, a.body);
    if (body)
        ck_assert_str_eq(a.body, body);
    if (!body && status == 200)
        ck_assert_ptr_null(strstr(a.head, "Content-Type"));
    reply_release(&a);
}

/* In both media. */
UNUSED static void check_call(const char *json, int status, const char *body)
{
    check_reply(call_as(&pb_master__call__descriptor, JSON_TYPE, json), status, body);
    check_reply(call_as(&pb_master__call__descriptor, PROTOBUF_TYPE, json), status, body);
}

UNUSED static void check_task_updated(const json_t *event, const char *state)
{
    ck_assert_str_eq(text_at(event, "task_updated.state"), state);
    ck_assert_str_eq(text_at(event, "task_updated.status.state"), state);
    ck_assert_str_eq(text_at(event, "task_updated.status.task_id.value"), "one");
    ck_assert_ptr_nonnull(look(event, "task_updated.status.agent_id.value"));
    ck_assert_ptr_nonnull(look(event, "task_updated.status.timestamp"));
}

#endif
