/* network_send.c - messages into channels: on any thread
 *
 * A message is formatted right behind those that wait in its channel's queue, under
 * the channel's lock; the owner is told once, and writes at the end of his turn.  A
 * worker remembers the channel that it has sent on last.
 */
#include "process/network_private.h"

#include "base/json_writer.h"
#include "process/json_protobuf.h"
#include "process/proto.h"

static void flush_on_owner(void *arg)
{
    struct channel *ch = arg;

    network_channel_write_later(ch);
    network_channel_unref(ch);
}

static void tell_owner(struct channel *ch)
{
    struct worker *owner = ch->shard->worker;

    if (worker_current(ch->network->runtime) == owner)
        network_channel_write_later(ch);
    else
        worker_post(owner, flush_on_owner, network_channel_ref(ch));
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
static bool put_into(struct channel *ch, const struct outgoing *o)
{
    bool tell = false;
    size_t before;

    network_lock(&ch->lock);
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
    network_unlock(&ch->lock);
    if (tell)
        tell_owner(ch);
    return alive;
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

    if (ch && address_equal(ch->to, o->to->address) && put_into(ch, o))
        return;
    do {
        network_channel_unref(ch);
        ch = network_reach(n, o->to->address);
    } while (!put_into(ch, o));
    if (own)
        own->recent = ch;
    else
        network_channel_unref(ch);
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
