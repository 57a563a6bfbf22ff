/* network.c - which connection leads where; the links that live on them: network_link.c
 *
 * There is one channel to an address.  The first send or link makes it; it
 * carries all messages to that address in the order in which they were sent,
 * whether somebody links before or after.
 *
 *   nobody links:  closed when nobody needs it (network_idle.c)
 *   linked:        stays; when it ends or cannot be made, every link on it
 *                  gives one EXITED and is forgotten
 *   LINK_RECONNECT: a new channel takes the place and the links of the old one,
 *                  which writes what it still has, waits for the answers, and goes
 *                  silently: who closes sooner, makes the peer's kernel throw away
 *                  what the peer has not read yet.  What was sent on it may arrive
 *                  later than what is sent from now on.
 */
#include "process/network_private.h"

/* ---- the table ---- */

struct channel *network_find(struct network *n, struct address to)
{
    uint64_t key = network_key(to);
    struct channel *ch;

    HASH_FIND(hh, n->channels, &key, sizeof key, ch);
    return ch;
}

struct channel *network_reach(struct network *n, struct address to)
{
    struct channel *ch;

    network_lock(&n->lock);
    ch = network_find(n, to);
    ch = network_channel_ref(ch ? ch : network_channel_create(n, to));
    network_unlock(&n->lock);
    return ch;
}

/* ---- links ---- */

static void retire_on_owner(void *arg)
{
    struct channel *ch = arg;

    if (ch->stream && network_channel_is_over(ch))
        network_channel_close(ch);
    else
        network_idle_watch(ch);
    network_channel_unref(ch);
}

/* With the network's lock held.  A channel that does not stand yet has written
 * nothing: what is queued for it moves on to the new one. */
static struct channel *replace(struct channel *old)
{
    struct network *n = old->network;

    HASH_DEL(n->channels, old);
    struct channel *ch = network_channel_create(n, old->to);
    list_splice(&ch->links, &old->links);
    network_lock(&old->lock);
    old->retired = true;
    if (!old->connected) {
        ch->queue = old->queue;
        buffer_init(&old->queue);
        ch->unsent = old->unsent;
        ch->sent = old->sent;
        old->unsent = old->sent = 0;
    }
    network_unlock(&old->lock);
    worker_post(old->shard->worker, retire_on_owner, network_channel_ref(old));
    return ch;
}

void network_link(struct network *n, const struct pid *linker, const struct pid *peer,
                  enum link_mode mode)
{
    if (address_equal(peer->address, runtime_address(n->runtime))) {
        process_deliver_exited(linker, peer); /* a PID of ours without a slot: nobody */
        return;
    }
    network_lock(&n->lock);
    struct channel *ch = network_find(n, peer->address);
    if (!ch)
        ch = network_channel_create(n, peer->address);
    else if (mode == LINK_RECONNECT)
        ch = replace(ch);
    network_link_add(&n->links, &ch->links, ch->key, linker, peer);
    network_unlock(&n->lock);
}

static void unlinked_on_owner(void *arg)
{
    network_idle_watch(arg);
    network_channel_unref(arg);
}

static void channel_unlinked(void *arg, uint64_t key)
{
    struct network *n = arg;
    struct channel *ch;

    HASH_FIND(hh, n->channels, &key, sizeof key, ch);
    if (ch)
        worker_post(ch->shard->worker, unlinked_on_owner, network_channel_ref(ch));
}

void network_unlink_all(struct network *n, const struct pid *linker)
{
    network_lock(&n->lock);
    network_link_forget(&n->links, linker, channel_unlinked, n);
    network_unlock(&n->lock);
}

/* ---- life ---- */

struct network *network_create(struct runtime *rt)
{
    unsigned count = worker_count(rt);
    struct network *n = mem_alloc(sizeof *n + count * sizeof n->shards[0]);

    n->runtime = rt;
    CHECK(pthread_mutex_init(&n->lock, NULL) == 0);
    n->n_shards = count;
    for (unsigned i = 0; i < count; i++) {
        n->shards[i].network = n;
        n->shards[i].worker = worker_get(rt, i);
        list_init(&n->shards[i].channels);
        list_init(&n->shards[i].temporary);
    }
    return n;
}

/* The processes are gone, and with them the links. */
void network_destroy(struct network *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < n->n_shards; i++) {
        list_each_safe (ch, &n->shards[i].channels, struct channel, member)
            network_channel_close(ch);
        network_channel_unref(n->shards[i].recent);
    }
    CHECK(!n->channels && !n->links.links && !n->links.linkers);
    pthread_mutex_destroy(&n->lock);
    mem_free(n);
}
