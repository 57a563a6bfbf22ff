/* events.c - long polling: whoever asks for what is new waits until there is something
 *
 * GET /events?since=N&timeout=30secs answers with the events behind the N-th: at
 * once when there are some, else when the next one happens, or with nothing when
 * the time is over.  Clients ask again with the number of the last line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http.h"
#include "process/http_client.h"
#include "process/runtime.h"
#include "process/typed.h"

enum { EVENTS = 100 };

struct events {
    struct process process;
    const char *names[EVENTS];
    size_t n;
    struct list polls;
    unsigned next_poll;
};

/* Somebody who waits. */
struct poll {
    struct list link;
    unsigned id;
    size_t since;
    struct http_request *request;
    struct timer timer;
};

struct happening { const char *name; };
struct lateness { unsigned id; };

#define ENDPOINTS(AT) AT("", serve_events, "What has happened since.\n?since=N&timeout=30secs")

CLASS(events, "events", events_initialize, events_exited, events_finalize);
ROUTES(events, events_routes, ENDPOINTS);
CALL(events, happen, happening, NO_RELEASE);
CALL(events, poll_late, lateness, NO_RELEASE);
LAST(events, poll_ended, poll);

static void events_initialize(struct events *e)
{
    list_init(&e->polls);
    process_route(&e->process, events_routes);
}

static void events_exited(struct events *e UNUSED, const struct pid *peer UNUSED) {}
static void events_finalize(struct events *e UNUSED) {} /* poll_ended has come for all */

static void answer(const struct events *e, struct http_request *request, size_t since)
{
    struct buffer lines = BUFFER_INIT;

    for (size_t i = since; i < e->n; i++)
        buffer_printf(&lines, "%zu %s\n", i + 1, e->names[i]);
    http_answer_buffer(request, 200, "text/plain", &lines);
    buffer_release(&lines);
}

static void serve_events(struct events *e, struct http_request *request)
{
    const char *since = http_request_query(request, "since");
    const char *timeout = http_request_query(request, "timeout");
    size_t known = since ? strtoul(since, NULL, 10) : 0;
    struct duration patience;
    struct error err;
    struct poll *p;

    if (duration_parse(timeout ? timeout : "30secs", &patience, &err) < 0) {
        http_answer_error(request, 400, "timeout: %s", err.text);
        return;
    }
    if (known < e->n) {
        answer(e, request, known);
        return;
    }
    p = mem_alloc(sizeof *p);
    p->id = e->next_poll++;
    p->since = known;
    p->request = http_request_ref(request);
    p->timer = delay(&e->process.pid, patience, poll_late, .id = p->id);
    list_append(&e->polls, &p->link);
    FINALLY(http_request_closed(request), poll_ended, e, p);
}

/* Answered, or its client has gone: once for each, whatever happens. */
static void poll_ended(struct events *e UNUSED, struct future *closed UNUSED, struct poll *p)
{
    process_cancel(&p->timer);
    list_remove(&p->link);
    http_request_unref(p->request);
    mem_free(p);
}

/* No longer in the list: it is answered once. */
static void poll_answer(struct events *e, struct poll *p)
{
    list_remove(&p->link);
    answer(e, p->request, p->since);
}

static void poll_late(struct events *e, struct lateness *late)
{
    list_each_safe (p, &e->polls, struct poll, link)
        if (p->id == late->id)
            poll_answer(e, p);
}

static void happen(struct events *e, struct happening *h)
{
    if (e->n == EVENTS)
        return;
    e->names[e->n++] = h->name;
    list_each_safe (p, &e->polls, struct poll, link)
        poll_answer(e, p);
}

/* ---- who asks ---- */

static struct future *ask_since(struct runtime *rt, size_t since, const char *timeout)
{
    char url[200], address[ADDRESS_TEXT];

    snprintf(url, sizeof url, "http://%s/events?since=%zu&timeout=%s",
             address_format(runtime_address(rt), address), since, timeout);
    return http_get(rt, url, 1000, SECONDS(60));
}

static void show(struct future *f, struct host *host)
{
    future_wait(f, host, SECONDS(60));
    if (future_state(f) == FUTURE_READY)
        printf("%d\n%s\n", http_response_get(f)->status, http_response_get(f)->body);
    future_unref(f);
}

int main(void)
{
    struct runtime_options options = { .workers = 1 };
    struct host *host = host_real_create();
    struct runtime *rt = runtime_create(host, &options, NULL);
    struct events events = { .n = 0 };
    struct future *f;
    struct pid pid;

    if (!rt || process_spawn(rt, &events.process, &events_class, "events", &pid, NULL) < 0)
        return 1;
    dispatch(&pid, happen, .name = "sunrise");
    show(ask_since(rt, 0, "30secs"), host); /* there is something */
    f = ask_since(rt, 1, "30secs");
    dispatch(&pid, happen, .name = "noon");
    show(f, host);                          /* when it happens */
    show(ask_since(rt, 2, "10ms"), host);   /* nothing more does */
    show(ask_since(rt, 0, "soon"), host);
    pid_release(&pid);
    runtime_destroy(rt);
    host_destroy(host);
    return 0;
}
