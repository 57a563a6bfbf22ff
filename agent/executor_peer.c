/* executor_peer.c - where an executor is, and how it is told something
 *
 * A driver is where its PID is: in our own OS process (built-in ones), or somewhere on the
 * machine.  An HTTP executor is where the stream of its subscription goes, for which the classic
 * messages become events (http/executor_events.h); between two streams it is away, and what it is
 * told is lost: it is said again when it comes back (executor_registration.c).
 */
#include <string.h>

#include "agent/agent_private.h"
#include "agent/http/executor_events.h"
#include "mesos/event_stream.h"

#define HTTP "HTTP" /* in the store, where a driver has its PID */

bool executor_peer_is_known(const struct executor_peer *p)
{
    return p->http || !pid_is_empty(&p->pid);
}

bool executor_peer_is_here(const struct executor_peer *p)
{
    return p->http ? p->stream != NULL : !pid_is_empty(&p->pid);
}

bool executor_peer_is_at(const struct executor_peer *p, const struct pid *pid)
{
    return !pid_is_empty(&p->pid) && pid_equal(&p->pid, pid);
}

const char *executor_peer_text(const struct executor_peer *p, char *out, size_t size)
{
    return p->http ? HTTP : pid_text(&p->pid, out, size);
}

int executor_peer_parse(struct executor_peer *p, const char *text, struct error *err)
{
    p->http = strcmp(text, HTTP) == 0;
    p->stored = *text != '\0';
    return p->http || !*text ? 0 : pid_parse(text, &p->pid, err);
}

void executor_peer_take(struct executor_peer *p, struct event_stream *stream)
{
    executor_peer_close(p);
    p->http = true;
    p->stream = event_stream_ref(stream);
}

bool executor_peer_left(struct executor_peer *p, const struct event_stream *stream)
{
    if (p->stream != stream)
        return false;
    executor_peer_release(p);
    return true;
}

void executor_peer_close(struct executor_peer *p)
{
    if (p->stream)
        event_stream_close(p->stream);
    executor_peer_left(p, p->stream);
}

void executor_peer_release(struct executor_peer *p)
{
    event_stream_unref(p->stream);
    p->stream = NULL;
}

void executor_peer_send(struct agent *a, struct hosted_executor *e, const ProtobufCMessage *msg)
{
    if (e->peer.stream)
        executor_events_send(e->peer.stream, msg, e->container.text->bytes);
    else if (!e->peer.http)
        process_send(&a->process, &e->peer.pid, msg);
}
