/* network_private.h - channels, and what the files that move their bytes know of each other
 *
 * A channel is a connection of ours to an address, with what waits for it:
 *
 *   network.c          which channel leads where; links; the network's life
 *   network_send.c     messages into a channel: any thread
 *   network_channel.c  its life - opened, written, answered, closed: its owner
 *   network_idle.c     those that nobody needs are closed: their owner
 *
 * The owner is the worker that a channel was made for.  The network's lock guards the
 * table and the links; it is taken before a channel's.
 */
#ifndef NETWORK_PRIVATE_H
#define NETWORK_PRIVATE_H

#include <pthread.h>
#include <uthash.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "process/http_parser.h"
#include "process/network_link.h"
#include "process/runtime_private.h"
#include "process/wire.h"

struct stream;

/* What one worker owns. */
struct shard {
    struct network *network;
    struct worker *worker;
    struct list channels, temporary;
    struct channel *recent; /* the worker's own; a reference; what it has sent on last, or NULL */
    bool alarm_is_set;
};

struct channel {
    UT_hash_handle hh; /* network->channels; until it is closed or replaced */
    uint64_t key;      /* of the address */
    struct ref ref;
    struct network *network;
    struct shard *shard;
    struct address to;
    struct list links; /* the network's lock */

    pthread_mutex_t lock; /* of these: */
    struct buffer queue;  /* whole messages, not yet the owner's */
    struct wire_head head;
    size_t unsent;        /* bytes of queue and out */
    uint64_t sent;        /* messages */
    bool connected, dead, retired, overflown, told;

    struct list member, temporary; /* the owner's, as all below: shard->channels, ->temporary */
    struct stream *stream;
    struct turn_hook hook;
    bool hooked, closed;
    struct buffer out, in;
    struct http_parser answers;
    uint64_t answered;
    bool within_answer; /* the parser waits for more of it */
    bool lost_count; /* the answers are no HTTP that we understand */
    struct instant used;
};

struct network {
    struct runtime *runtime;
    pthread_mutex_t lock;
    struct channel *channels; /* uthash, by address */
    struct network_links links;
    unsigned n_shards;
    struct shard shards[];
};

static inline void network_lock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_lock(m) == 0);
}

static inline void network_unlock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_unlock(m) == 0);
}

/* ---- network.c ---- */

static inline uint64_t network_key(struct address a)
{
    return (uint64_t)a.ip << 16 | a.port;
}

/* With the network's lock held: in the table, or NULL. */
struct channel *network_find(struct network *n, struct address to);
/* The one in the table, made if there is none: a reference. */
struct channel *network_reach(struct network *n, struct address to);

/* ---- network_channel.c ---- */

/* Into the table, with the network's lock held; on the worker of the one who needs it
 * first, else on any. */
struct channel *network_channel_create(struct network *n, struct address to);
struct channel *network_channel_ref(struct channel *ch);
void network_channel_unref(struct channel *ch); /* NULL is fine */

/* On its owner.  Out of the table with all links, which are told, so that the next send
 * or link makes a new one; what was not written is lost. */
void network_channel_close(struct channel *ch);
/* On its owner: what is queued, once in this turn. */
void network_channel_write_later(struct channel *ch);
/* On its owner: another has its place, and the peer has all that it was to get. */
bool network_channel_is_over(struct channel *ch);
/* All is written and answered; with its lock held. */
static inline bool network_channel_is_settled(const struct channel *ch)
{
    return ch->unsent == 0 && ch->sent == ch->answered;
}

/* ---- network_idle.c ---- */

/* On its owner: from now on it is asked again and again whether somebody needs it. */
void network_idle_watch(struct channel *ch);

#endif
