/* network_idle.c - channels that nobody needs are closed: on their owner
 *
 *   nobody links:  closed when it was not used for IDLE and every message on it
 *                  was answered (libprocess closes at once; to wait is cheaper
 *                  for both, and loses nothing that lies unread in the peer);
 *                  also when somebody has linked before
 *   replaced:      closed when all on it was answered (network_channel.c), or when
 *                  nothing has moved on it for LINGER
 *
 * As long as a worker has channels without links it looks at them every IDLE.
 */
#include "process/network_private.h"

#define IDLE SECONDS(5)
#define LINGER SECONDS(120)

static bool is_linked(struct channel *ch)
{
    network_lock(&ch->network->lock);
    bool linked = !list_is_empty(&ch->links);
    network_unlock(&ch->network->lock);
    return linked;
}

static bool is_useless(struct channel *ch)
{
    struct instant now = runtime_now(ch->network->runtime);

    if (instant_before(now, instant_add(ch->used, IDLE)))
        return false;
    network_lock(&ch->lock);
    bool settled = network_channel_is_settled(ch) || (ch->unsent == 0 && ch->lost_count);
    bool idle = ch->connected && settled;
    bool given_up = ch->retired && !instant_before(now, instant_add(ch->used, LINGER));
    network_unlock(&ch->lock);
    return idle || given_up;
}

/* A send or link may come at any moment: under both locks either it was first
 * or it finds another channel. */
static bool take_if_unused(struct channel *ch)
{
    struct network *n = ch->network;

    network_lock(&n->lock);
    bool in_table = network_find(n, ch->to) == ch;
    network_lock(&ch->lock);
    bool unused = !in_table || (list_is_empty(&ch->links) && ch->unsent == 0);
    if (in_table && unused)
        HASH_DEL(n->channels, ch);
    ch->dead = unused;
    network_unlock(&ch->lock);
    network_unlock(&n->lock);
    return unused;
}

static void set_alarm(struct shard *s);

static void sweep(void *arg)
{
    struct shard *s = arg;

    s->alarm_is_set = false;
    list_each_safe (ch, &s->temporary, struct channel, temporary) {
        if (is_linked(ch))
            list_remove(&ch->temporary);
        else if (is_useless(ch) && take_if_unused(ch))
            network_channel_close(ch);
    }
    if (!list_is_empty(&s->temporary))
        set_alarm(s);
}

struct alarm {
    struct shard *shard;
};

static void alarm_rings(struct process *self UNUSED, void *args)
{
    struct alarm *a = args;

    worker_post(a->shard->worker, sweep, a->shard);
}

static void set_alarm(struct shard *s)
{
    struct alarm a = { s };

    if (s->alarm_is_set)
        return;
    s->alarm_is_set = true;
    process_delay(&runtime_executor(s->network->runtime)->pid, IDLE, alarm_rings, &a, sizeof a,
                  NULL);
}

void network_idle_watch(struct channel *ch)
{
    if (!ch->stream || !list_is_empty(&ch->temporary))
        return;
    list_append(&ch->shard->temporary, &ch->temporary);
    set_alarm(ch->shard);
}
