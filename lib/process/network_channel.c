/* network_channel.c - one connection to a peer: opened, written, answered, closed
 *
 *   made → connects on its owner → what senders have queued is taken over and written,
 *   once in a turn → the answers of the peer (202) are counted, and otherwise ignored
 *   at the end, or when it cannot be made → out of the table; its links are told
 *
 * A message is lost only with its channel.  Senders on any thread append to its queue
 * under its lock (network_send.c) and tell the owner, who alone touches its stream.
 */
#include "process/network_private.h"

#include <errno.h>

#include "base/error.h"
#include "base/log.h"
#include "process/host.h"
#include "process/metrics.h"
#include "process/tls_private.h"

enum { READ_BYTES = 16 * 1024 };

struct channel *network_channel_ref(struct channel *ch)
{
    ref_get(&ch->ref);
    return ch;
}

void network_channel_unref(struct channel *ch)
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

struct channel *network_channel_create(struct network *n, struct address to)
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
    ch->key = network_key(to);
    ch->hook.fn = turn_ends;
    list_init(&ch->hook.link);
    list_init(&ch->links);
    list_init(&ch->member);
    list_init(&ch->temporary);
    CHECK(pthread_mutex_init(&ch->lock, NULL) == 0);
    http_parser_init(&ch->answers, HTTP_PARSER_RESPONSE, &limits);
    HASH_ADD(hh, n->channels, key, sizeof ch->key, ch);
    worker_post(worker, open_on_owner, network_channel_ref(ch));
    return ch;
}

/* ---- its end: on its owner ---- */

void network_channel_close(struct channel *ch)
{
    struct network *n = ch->network;
    struct list links = LIST_INIT(links);

    network_lock(&n->lock);
    if (network_find(n, ch->to) == ch)
        HASH_DEL(n->channels, ch);
    network_link_take(&n->links, &ch->links, &links);
    network_lock(&ch->lock);
    ch->dead = true;
    ch->unsent = 0;
    buffer_release(&ch->queue);
    network_unlock(&ch->lock);
    network_unlock(&n->lock);

    stream_close(ch->stream);
    ch->stream = NULL;
    buffer_release(&ch->out);
    buffer_release(&ch->in);
    list_remove(&ch->member);
    list_remove(&ch->temporary);
    network_link_tell(&links);
    if (!ch->closed) {
        ch->closed = true;
        network_channel_unref(ch);
    }
}

static void channel_fail(struct channel *ch, const char *what, const struct error *err)
{
    char to[ADDRESS_TEXT];

    log_debug("connection to %s %s: %s", address_format(ch->to, to), what, err->text);
    network_channel_close(ch);
}

/* ---- writing: on its owner ---- */

void network_channel_write_later(struct channel *ch)
{
    if (ch->hooked || !ch->stream)
        return;
    ch->hooked = true;
    network_channel_ref(ch);
    worker_at_turn_end(ch->shard->worker, &ch->hook);
}

/* What the senders have queued becomes ours, once it can be written; false when
 * they queued too much. */
static bool take_queue(struct channel *ch)
{
    network_lock(&ch->lock);
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
    network_unlock(&ch->lock);
    return fits;
}

static void count_written(struct channel *ch, size_t written)
{
    buffer_consume(&ch->out, written);
    network_lock(&ch->lock);
    ch->unsent -= written;
    network_unlock(&ch->lock);
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
    network_channel_close(ch);
}

bool network_channel_is_over(struct channel *ch)
{
    network_lock(&ch->lock);
    bool over = ch->retired && network_channel_is_settled(ch);
    network_unlock(&ch->lock);
    return over;
}

static void channel_flush(struct channel *ch)
{
    if (!take_queue(ch)) {
        channel_overflow(ch);
        return;
    }
    if (!ch->connected || !write_out(ch))
        return;
    if (network_channel_is_over(ch))
        network_channel_close(ch);
    else
        stream_want(ch->stream, true, buffer_length(&ch->out) > 0);
}

static void turn_ends(struct turn_hook *hook)
{
    struct channel *ch = container_of(hook, struct channel, hook);

    ch->hooked = false;
    if (ch->stream)
        channel_flush(ch);
    network_channel_unref(ch);
}

/* ---- what the stream says: on its owner ---- */

static void connected(void *arg, const struct error *err)
{
    struct channel *ch = arg;

    if (err) {
        channel_fail(ch, "cannot be made", err);
        return;
    }
    network_lock(&ch->lock);
    ch->connected = true;
    network_unlock(&ch->lock);
    ch->used = runtime_now(ch->network->runtime);
    stream_want(ch->stream, true, false);
    network_channel_write_later(ch);
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
        ch->used = runtime_now(ch->network->runtime);
        if (network_channel_is_over(ch))
            network_channel_close(ch);
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
    network_channel_write_later(arg);
}

/* When the loop has stopped already there is no world to connect to; and who was replaced
 * before has nothing to write. */
static void open_on_owner(void *arg)
{
    static const struct stream_events events = { connected, readable, writable };
    struct channel *ch = arg;
    struct loop *loop = worker_loop(ch->shard->worker);
    struct tls *tls = runtime_tls(ch->network->runtime);

    network_lock(&ch->lock);
    bool dead = ch->dead, needed = !ch->retired;
    network_unlock(&ch->lock);
    if (!dead && needed && loop) {
        list_append(&ch->shard->channels, &ch->member);
        ch->stream = tls ? tls_connect_node(tls, loop, ch->to, &events, ch)
                         : host_connect(loop, ch->to, &events, ch);
        ch->used = runtime_now(ch->network->runtime);
        network_idle_watch(ch);
    } else if (!dead) {
        network_channel_close(ch);
    }
    network_channel_unref(ch);
}
