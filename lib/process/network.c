/* network.c - outgoing connections; the links that live on them: network_link.c
 *
 * There is one channel to an address.  The first send or link makes it; it
 * carries all messages to that address in the order in which they were sent,
 * whether somebody links before or after.  The answers of the peer (202) are
 * counted and otherwise ignored.
 *
 *   nobody links:  closed when it was not used for IDLE and every message on it
 *                  was answered (libprocess closes at once; to wait is cheaper
 *                  for both, and loses nothing that lies unread in the peer);
 *                  also when somebody has linked before
 *   linked:        stays; when it ends or cannot be made, every link on it
 *                  gives one EXITED and is forgotten
 *   LINK_RECONNECT: a new channel takes the place and the links of the old one,
 *                  which writes what it still has, if it can, and goes silently
 *
 * A message is lost only with its channel.  A channel is owned by one worker,
 * which alone touches its stream; senders on any thread append to its queue
 * under its lock and tell the owner, who writes once per turn.  The network's
 * lock guards the table and the links; it is taken before a channel's.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http_parser.h"
#include "process/json_protobuf.h"
#include "process/metrics.h"
#include "process/network_link.h"
#include "process/proto.h"
#include "process/runtime_private.h"
#include "process/tls_private.h"
#include "process/wire.h"

#define IDLE SECONDS(5)
enum { READ_BYTES = 16 * 1024 };

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

static uint64_t address_key(struct address a)
{
    return (uint64_t)a.ip << 16 | a.port;
}

static void lock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_lock(m) == 0);
}

static void unlock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_unlock(m) == 0);
}

/* ---- channels ---- */

static struct channel *channel_ref(struct channel *ch)
{
    ref_get(&ch->ref);
    return ch;
}

static void channel_unref(struct channel *ch)
{
    if (!ch || !ref_put(&ch->ref))
        return;
    CHECK(!ch->stream && list_is_empty(&ch->links));
    buffer_release(&ch->queue);
    buffer_release(&ch->out);
    buffer_release(&ch->in);
    wire_head_release(&ch->head);
    http_parser_release(&ch->answers);
    pthread_mutex_destroy(&ch->lock);
    mem_free(ch);
}

static void turn_ends(struct turn_hook *hook);
static void open_on_owner(void *arg);

/* On the worker of the one who needs it first, else on any.  With the
 * network's lock held. */
static struct channel *channel_create(struct network *n, struct address to)
{
    static const struct http_parser_limits limits = { 16 * 1024, 64 * 1024, 1024 * 1024 };
    struct worker *worker = worker_current(n->runtime);
    struct channel *ch = mem_alloc(sizeof *ch);

    if (!worker)
        worker = worker_next(n->runtime);
    ref_init(&ch->ref);
    ch->network = n;
    ch->shard = &n->shards[worker_index(worker)];
    ch->to = to;
    ch->key = address_key(to);
    ch->hook.fn = turn_ends;
    list_init(&ch->hook.link);
    list_init(&ch->links);
    list_init(&ch->member);
    list_init(&ch->temporary);
    CHECK(pthread_mutex_init(&ch->lock, NULL) == 0);
    http_parser_init(&ch->answers, HTTP_PARSER_RESPONSE, &limits);
    HASH_ADD(hh, n->channels, key, sizeof ch->key, ch);
    worker_post(worker, open_on_owner, channel_ref(ch));
    return ch;
}

static struct channel *channel_find(struct network *n, struct address to)
{
    uint64_t key = address_key(to);
    struct channel *ch;

    HASH_FIND(hh, n->channels, &key, sizeof key, ch);
    return ch;
}

/* ---- the end of a channel: on its owner ---- */

/* Out of the table with all links, so that the next send or link makes a new
 * one; what was not written is lost. */
static void channel_close(struct channel *ch)
{
    struct network *n = ch->network;
    struct list links = LIST_INIT(links);

    lock(&n->lock);
    if (channel_find(n, ch->to) == ch)
        HASH_DEL(n->channels, ch);
    network_link_take(&n->links, &ch->links, &links);
    lock(&ch->lock);
    ch->dead = true;
    ch->unsent = 0;
    buffer_release(&ch->queue);
    unlock(&ch->lock);
    unlock(&n->lock);

    stream_close(ch->stream);
    ch->stream = NULL;
    buffer_release(&ch->out);
    buffer_release(&ch->in);
    list_remove(&ch->member);
    list_remove(&ch->temporary);
    network_link_tell(&links);
    if (!ch->closed) {
        ch->closed = true;
        channel_unref(ch);
    }
}

static void channel_fail(struct channel *ch, const char *what, const struct error *err)
{
    char to[ADDRESS_TEXT];

    log_debug("connection to %s %s: %s", address_format(ch->to, to), what, err->text);
    channel_close(ch);
}

/* ---- writing: on its owner ---- */

static void write_at_turn_end(struct channel *ch)
{
    if (ch->hooked || !ch->stream)
        return;
    ch->hooked = true;
    channel_ref(ch);
    worker_at_turn_end(ch->shard->worker, &ch->hook);
}

/* What the senders have queued becomes ours, once it can be written; false when
 * they queued too much. */
static bool take_queue(struct channel *ch)
{
    lock(&ch->lock);
    ch->told = false;
    if (!ch->connected) {
        ; /* it may still move to a channel that replaces this one */
    } else if (buffer_length(&ch->out) == 0) {
        struct buffer empty = ch->out;
        ch->out = ch->queue;
        ch->queue = empty;
    } else {
        buffer_append(&ch->out, buffer_data(&ch->queue), buffer_length(&ch->queue));
        buffer_clear(&ch->queue);
    }
    bool fits = !ch->overflown;
    unlock(&ch->lock);
    return fits;
}

static void count_written(struct channel *ch, size_t written)
{
    buffer_consume(&ch->out, written);
    lock(&ch->lock);
    ch->unsent -= written;
    unlock(&ch->lock);
    ch->used = runtime_now(ch->network->runtime);
}

/* False when the channel has ended. */
static bool write_out(struct channel *ch)
{
    struct error err;
    size_t written = 0;

    while (written < buffer_length(&ch->out)) {
        struct stream_bytes v = { buffer_data(&ch->out) + written,
                                  buffer_length(&ch->out) - written };
        ssize_t n = stream_write(ch->stream, &v, 1, &err);
        if (n < 0 && err.code == EAGAIN)
            break;
        if (n < 0) {
            channel_fail(ch, "broke", &err);
            return false;
        }
        written += (size_t)n;
    }
    if (written > 0)
        count_written(ch, written);
    if (buffer_length(&ch->out) == 0)
        buffer_release(&ch->out);
    return true;
}

static void channel_overflow(struct channel *ch)
{
    char to[ADDRESS_TEXT];

    log_warning("connection to %s broken: it does not read what we send",
                address_format(ch->to, to));
    counter_add(metrics_counter(ch->network->runtime, "process/connections_overflown"), 1);
    channel_close(ch);
}

static bool is_drained(struct channel *ch)
{
    lock(&ch->lock);
    bool drained = ch->retired && ch->unsent == 0;
    unlock(&ch->lock);
    return drained;
}

static void channel_flush(struct channel *ch)
{
    if (!take_queue(ch)) {
        channel_overflow(ch);
        return;
    }
    if (!ch->connected || !write_out(ch))
        return;
    if (is_drained(ch))
        channel_close(ch);
    else
        stream_want(ch->stream, true, buffer_length(&ch->out) > 0);
}

static void turn_ends(struct turn_hook *hook)
{
    struct channel *ch = container_of(hook, struct channel, hook);

    ch->hooked = false;
    if (ch->stream)
        channel_flush(ch);
    channel_unref(ch);
}

static void flush_on_owner(void *arg)
{
    struct channel *ch = arg;

    write_at_turn_end(ch);
    channel_unref(ch);
}

/* ---- what the stream says: on its owner ---- */

static void set_alarm(struct shard *s);

static void connected(void *arg, const struct error *err)
{
    struct channel *ch = arg;

    if (err) {
        channel_fail(ch, "cannot be made", err);
        return;
    }
    lock(&ch->lock);
    ch->connected = true;
    unlock(&ch->lock);
    ch->used = runtime_now(ch->network->runtime);
    stream_want(ch->stream, true, false);
    write_at_turn_end(ch);
}

/* Nearly all answers are our own 202, and come many at a time. */
static void count_accepted(struct channel *ch)
{
    size_t n, all = 0;

    if (ch->within_answer)
        return;
    while ((n = wire_accepted(buffer_data(&ch->in) + all, buffer_length(&ch->in) - all)) > 0) {
        ch->answered++;
        all += n;
    }
    buffer_consume(&ch->in, all);
}

static void count_answers(struct channel *ch)
{
    while (!ch->lost_count) {
        count_accepted(ch);
        if (buffer_length(&ch->in) == 0)
            break;
        switch (http_parser_run(&ch->answers, buffer_data(&ch->in), buffer_length(&ch->in))) {
        case HTTP_PARSER_MORE:
            ch->within_answer = true;
            return;
        case HTTP_PARSER_REFUSED:
            ch->lost_count = true;
            break;
        case HTTP_PARSER_DONE:
            if (ch->answers.response_status >= 200)
                ch->answered++;
            buffer_consume(&ch->in, ch->answers.consumed);
            http_parser_restart(&ch->answers);
            ch->within_answer = false;
            break;
        }
    }
    buffer_release(&ch->in);
}

static void readable(void *arg)
{
    struct channel *ch = arg;
    char bytes[READ_BYTES]; /* so that an idle channel holds no room to read into */
    struct error err;
    ssize_t n = stream_read(ch->stream, bytes, sizeof bytes, &err);

    if (n > 0) {
        buffer_append(&ch->in, bytes, (size_t)n);
        count_answers(ch);
        return;
    }
    if (n < 0 && err.code == EAGAIN)
        return;
    if (n == 0)
        error_set(&err, ECONNRESET, "closed by the peer");
    channel_fail(ch, "ended", &err);
}

static void writable(void *arg)
{
    write_at_turn_end(arg);
}

/* When the loop has stopped already there is no world to connect to. */
static void open_on_owner(void *arg)
{
    static const struct stream_events events = { connected, readable, writable };
    struct channel *ch = arg;
    struct loop *loop = worker_loop(ch->shard->worker);
    struct tls *tls = runtime_tls(ch->network->runtime);

    lock(&ch->lock);
    bool dead = ch->dead;
    unlock(&ch->lock);
    if (!dead && loop) {
        list_append(&ch->shard->channels, &ch->member);
        list_append(&ch->shard->temporary, &ch->temporary);
        ch->stream = tls ? tls_connect_node(tls, loop, ch->to, &events, ch)
                         : host_connect(loop, ch->to, &events, ch);
        ch->used = runtime_now(ch->network->runtime);
        set_alarm(ch->shard);
    } else if (!dead) {
        channel_close(ch);
    }
    channel_unref(ch);
}

/* ---- closing what nobody uses: on its owner ---- */

static bool is_linked(struct channel *ch)
{
    lock(&ch->network->lock);
    bool linked = !list_is_empty(&ch->links);
    unlock(&ch->network->lock);
    return linked;
}

static bool is_useless(struct channel *ch)
{
    struct instant now = runtime_now(ch->network->runtime);

    if (instant_before(now, instant_add(ch->used, IDLE)))
        return false;
    lock(&ch->lock);
    bool idle = ch->connected && ch->unsent == 0 && (ch->sent == ch->answered || ch->lost_count);
    bool useless = idle || ch->retired;
    unlock(&ch->lock);
    return useless;
}

/* A send or link may come at any moment: under both locks either it was first
 * or it finds another channel. */
static bool take_if_unused(struct channel *ch)
{
    struct network *n = ch->network;

    lock(&n->lock);
    bool in_table = channel_find(n, ch->to) == ch;
    lock(&ch->lock);
    bool unused = !in_table || (list_is_empty(&ch->links) && ch->unsent == 0);
    if (in_table && unused)
        HASH_DEL(n->channels, ch);
    ch->dead = unused;
    unlock(&ch->lock);
    unlock(&n->lock);
    return unused;
}

static void sweep(void *arg)
{
    struct shard *s = arg;

    s->alarm_is_set = false;
    list_each_safe (ch, &s->temporary, struct channel, temporary) {
        if (is_linked(ch))
            list_remove(&ch->temporary);
        else if (is_useless(ch) && take_if_unused(ch))
            channel_close(ch);
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

/* From now on the sweep asks whether somebody needs it. */
static void look_after(struct channel *ch)
{
    if (!ch->stream || !list_is_empty(&ch->temporary))
        return;
    list_append(&ch->shard->temporary, &ch->temporary);
    set_alarm(ch->shard);
}

/* ---- for everybody ---- */

static void tell_owner(struct channel *ch)
{
    struct worker *owner = ch->shard->worker;

    if (worker_current(ch->network->runtime) == owner)
        write_at_turn_end(ch);
    else
        worker_post(owner, flush_on_owner, channel_ref(ch));
}

/* A message to be sent, in one of three forms. */
struct outgoing {
    const struct pid *from, *to;
    const char *name;
    const ProtobufCMessage *msg; /* or NULL: */
    const void *body;
    size_t size;
    bool json;
};

static void append_message(struct channel *ch, const struct outgoing *o)
{
    if (o->json) {
        wire_format_json(&ch->queue, o->from, o->to, o->name, o->body, o->size);
    } else if (!o->msg) {
        wire_format(&ch->queue, o->from, o->to, o->name, o->body, o->size);
    } else {
        wire_begin_again(&ch->queue, &ch->head, o->from, o->to, o->name, o->size);
        proto_pack_sized(o->msg, o->size, &ch->queue);
        wire_end(&ch->queue, o->size);
    }
}

/* Appends the message; false when the channel has died since it was found, or another
 * has taken its place. */
static bool channel_send(struct channel *ch, const struct outgoing *o)
{
    bool tell = false;
    size_t before;

    lock(&ch->lock);
    bool alive = !ch->dead && !ch->retired;
    if (alive && !ch->overflown) {
        before = buffer_length(&ch->queue);
        append_message(ch, o);
        ch->unsent += buffer_length(&ch->queue) - before;
        ch->sent++;
        ch->overflown = ch->unsent > runtime_get_options(ch->network->runtime)->max_output_bytes;
        tell = !ch->told;
        ch->told = true;
    }
    unlock(&ch->lock);
    if (tell)
        tell_owner(ch);
    return alive;
}

static struct channel *find_or_create(struct network *n, struct address to)
{
    struct channel *ch;

    lock(&n->lock);
    ch = channel_find(n, to);
    ch = channel_ref(ch ? ch : channel_create(n, to));
    unlock(&n->lock);
    return ch;
}

/* Of the worker whose thread this is; NULL: it is none. */
static struct shard *own_shard(struct network *n)
{
    struct worker *worker = worker_current(n->runtime);

    return worker ? &n->shards[worker_index(worker)] : NULL;
}

/* Who sends mostly sends again to the same address: then the table and its lock are not
 * needed.  A channel that is out of the table takes no messages. */
static void send_on_channel(struct network *n, const struct outgoing *o)
{
    struct shard *own = own_shard(n);
    struct channel *ch = own ? own->recent : NULL;

    if (ch && address_equal(ch->to, o->to->address) && channel_send(ch, o))
        return;
    do {
        channel_unref(ch);
        ch = find_or_create(n, o->to->address);
    } while (!channel_send(ch, o));
    if (own)
        own->recent = ch;
    else
        channel_unref(ch);
}

static void send_as_json(struct network *n, struct outgoing *o)
{
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_protobuf_write(&w, o->msg);
    o->body = buffer_data(&body);
    o->size = buffer_length(&body);
    o->json = true;
    send_on_channel(n, o);
}

static bool is_ourselves(const struct network *n, const struct pid *to)
{
    return address_equal(to->address, runtime_address(n->runtime));
}

void network_send_bytes(struct network *n, const struct pid *from, const struct pid *to,
                        const char *name, const void *body, size_t size, bool json)
{
    struct outgoing o = {
        .from = from, .to = to, .name = name, .body = body, .size = size, .json = json
    };

    send_on_channel(n, &o);
}

static void send_to_ourselves(struct network *n, const struct outgoing *o)
{
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;

    proto_pack(o->msg, &body);
    process_deliver_bytes(n->runtime, o->to->id->bytes, o->from, o->name, buffer_data(&body),
                          buffer_length(&body));
}

void network_send(struct network *n, const struct pid *from, const struct pid *to,
                  const ProtobufCMessage *msg)
{
    struct outgoing o = { .from = from, .to = to, .name = msg->descriptor->name, .msg = msg };

    if (pid_is_empty(to))
        return;
    if (is_ourselves(n, to)) {
        send_to_ourselves(n, &o);
    } else if (to->json) {
        send_as_json(n, &o);
    } else {
        o.size = proto_packed_size(msg);
        send_on_channel(n, &o);
    }
}

static void retire_on_owner(void *arg)
{
    struct channel *ch = arg;

    if (ch->stream && is_drained(ch))
        channel_close(ch);
    else
        look_after(ch);
    channel_unref(ch);
}

/* With the network's lock held.  A channel that does not stand yet has written
 * nothing: what is queued for it moves on to the new one. */
static struct channel *channel_replace(struct channel *old)
{
    struct network *n = old->network;

    HASH_DEL(n->channels, old);
    struct channel *ch = channel_create(n, old->to);
    list_splice(&ch->links, &old->links);
    lock(&old->lock);
    old->retired = true;
    if (!old->connected) {
        size_t taken = buffer_length(&old->queue);
        buffer_append(&ch->queue, buffer_data(&old->queue), taken);
        buffer_release(&old->queue);
        ch->unsent = taken;
        ch->sent = old->sent;
        old->unsent -= taken;
    }
    unlock(&old->lock);
    worker_post(old->shard->worker, retire_on_owner, channel_ref(old));
    return ch;
}

void network_link(struct network *n, const struct pid *linker, const struct pid *peer,
                  enum link_mode mode)
{
    if (address_equal(peer->address, runtime_address(n->runtime))) {
        process_deliver_exited(linker, peer); /* a PID of ours without a slot: nobody */
        return;
    }
    lock(&n->lock);
    struct channel *ch = channel_find(n, peer->address);
    if (!ch)
        ch = channel_create(n, peer->address);
    else if (mode == LINK_RECONNECT)
        ch = channel_replace(ch);
    network_link_add(&n->links, &ch->links, ch->key, linker, peer);
    unlock(&n->lock);
}

static void unlinked_on_owner(void *arg)
{
    look_after(arg);
    channel_unref(arg);
}

static void channel_unlinked(void *arg, uint64_t key)
{
    struct network *n = arg;
    struct channel *ch;

    HASH_FIND(hh, n->channels, &key, sizeof key, ch);
    if (ch)
        worker_post(ch->shard->worker, unlinked_on_owner, channel_ref(ch));
}

void network_unlink_all(struct network *n, const struct pid *linker)
{
    lock(&n->lock);
    network_link_forget(&n->links, linker, channel_unlinked, n);
    unlock(&n->lock);
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
            channel_close(ch);
        channel_unref(n->shards[i].recent);
    }
    CHECK(!n->channels && !n->links.links && !n->links.linkers);
    pthread_mutex_destroy(&n->lock);
    mem_free(n);
}
