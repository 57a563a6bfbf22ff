/* help.c - /help: what can be asked of whom, from the routes' own tables
 *
 * A process' tables are its own: each is asked for them in its own context, and
 * the answer is written when all have answered or ended.
 *
 *   /help               the processes
 *   /help/<id>          its endpoints
 *   /help/<id>/<name>   one of them
 *   ?format=json        {"processes":[{"id","endpoints":[{"name","text"}]}]}
 *
 * The texts are markdown, which curl and HTTPie get as it is, and others as a page
 * (help_html.c).
 */
#include "process/help.h"

#include <string.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "process/http.h"
#include "process/runtime_private.h"
#include "process/typed.h"

struct endpoint {
    char *name, *text;
};

/* What a process says about itself. */
struct help_page {
    char *id;
    size_t n;
    struct endpoint *endpoints;
};

static void page_release(void *value)
{
    struct help_page *page = value;

    for (size_t i = 0; i < page->n; i++) {
        mem_free(page->endpoints[i].name);
        mem_free(page->endpoints[i].text);
    }
    mem_free(page->endpoints);
    mem_free(page->id);
}

static const struct future_type help_page_type = { "help_page", sizeof(struct help_page),
                                                   page_release };

struct help {
    struct process process;
};

CLASS(help, "help", help_initialize, help_exited, help_finalize);

/* A question that waits for the processes' answers. */
struct question {
    struct http_request *request;
    size_t n;
    struct future **pages;
};

LAST(help, help_pages_there, question);

/* ---- in each process ---- */

static char *format_text(const char *id, const struct process_route *route)
{
    struct buffer out = BUFFER_INIT;
    const char *help = route->help ? route->help : "", *rest = strchr(help, '\n');
    size_t summary = rest ? (size_t)(rest - help) : strlen(help);

    buffer_printf(&out, "### USAGE ###\n>        /%s%s\n", id, route->path);
    if (summary > 0) {
        buffer_append_text(&out, "\n### TL;DR; ###\n");
        buffer_append(&out, help, summary);
        buffer_append_char(&out, '\n');
    }
    if (rest && rest[1])
        buffer_printf(&out, "\n### DESCRIPTION ###%s\n", rest);
    if (route->realm)
        buffer_printf(&out,
                      "\n### AUTHENTICATION ###\n"
                      "Where HTTP authentication is on, who asks must be known in the realm\n"
                      "`%s`; else the answer is 401.\n"
                      "\n### AUTHORIZATION ###\n"
                      "Where authorization is on, the answer is 403 to those who may not have\n"
                      "`/%s%s`.\n",
                      route->realm, id, route->path);
    return buffer_take(&out, NULL);
}

static struct future *describe(struct process *self, void *args UNUSED)
{
    struct help_page page = { mem_strdup(self->pid.id->bytes), 0, NULL };

    for (const struct process_route *const *table = self->routes; table && *table; table++)
        for (const struct process_route *row = *table; row->serve; row++) {
            page.endpoints = mem_realloc(page.endpoints, (page.n + 1) * sizeof page.endpoints[0]);
            page.endpoints[page.n].name = mem_strdup(row->path[0] ? row->path : "/");
            page.endpoints[page.n].text = format_text(page.id, row);
            page.n++;
        }
    return future_ready(&help_page_type, &page);
}

/* ---- the answer ---- */

static void write_page_json(struct json_writer *w, const struct help_page *page)
{
    json_begin_object(w);
    json_key(w, "endpoints");
    json_begin_array(w);
    for (size_t i = 0; i < page->n; i++) {
        json_begin_object(w);
        json_put_string(w, "name", page->endpoints[i].name);
        json_put_string(w, "text", page->endpoints[i].text);
        json_end_object(w);
    }
    json_end_array(w);
    json_put_string(w, "id", page->id);
    json_end_object(w);
}

static void write_page_text(struct buffer *out, const struct help_page *page)
{
    buffer_printf(out, "## /%s ##\n\n", page->id);
    for (size_t i = 0; i < page->n; i++)
        buffer_printf(out, "* [/%s%s](/help/%s%s)\n", page->id, page->endpoints[i].name, page->id,
                      page->endpoints[i].name);
}

/* Takes the body. */
static void answer_text(struct http_request *r, struct buffer *body)
{
    const char *agent = http_request_header(r, "User-Agent");
    struct buffer page = BUFFER_INIT;

    if (agent && (strncmp(agent, "curl/", 5) == 0 || strncmp(agent, "HTTPie/", 7) == 0)) {
        http_answer_buffer(r, 200, "text/x-markdown", body);
        return;
    }
    help_write_html(buffer_data(body), &page);
    buffer_release(body);
    http_answer_buffer(r, 200, "text/html; charset=utf-8", &page);
}

static bool wants_json(const struct http_request *r)
{
    const char *format = http_request_query(r, "format");

    return format && strcmp(format, "json") == 0;
}

static void answer_all(struct question *q)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;
    bool json = wants_json(q->request);

    json_writer_init(&w, &body);
    if (json) {
        json_begin_object(&w);
        json_key(&w, "processes");
        json_begin_array(&w);
    } else {
        buffer_append_text(&body, "# Processes #\n\n");
    }
    for (size_t i = 0; i < q->n; i++) {
        if (future_state(q->pages[i]) != FUTURE_READY)
            continue; /* it has ended meanwhile */
        const struct help_page *page = future_value(q->pages[i], &help_page_type);
        if (page->n == 0)
            continue;
        if (json)
            write_page_json(&w, page);
        else
            buffer_printf(&body, "* [/%s](/help/%s)\n", page->id, page->id);
    }
    if (!json) {
        answer_text(q->request, &body);
        return;
    }
    json_end_array(&w);
    json_end_object(&w);
    http_answer_json(q->request, &body);
}

static void answer_one(struct http_request *r, const struct help_page *page)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    if (wants_json(r)) {
        json_writer_init(&w, &body);
        write_page_json(&w, page);
        http_answer_json(r, &body);
    } else {
        write_page_text(&body, page);
        answer_text(r, &body);
    }
}

static void answer_endpoint(struct http_request *r, const struct help_page *page, const char *name)
{
    struct buffer body = BUFFER_INIT;

    for (size_t i = 0; i < page->n; i++)
        if (strcmp(page->endpoints[i].name, name) == 0) {
            buffer_append_text(&body, page->endpoints[i].text);
            answer_text(r, &body);
            return;
        }
    http_answer_error(r, 404, "No help page for '/%s%s'.\n", page->id, name);
}

/* The page of "/id..." among those there; what follows the id is the name. */
static const struct help_page *page_of(const struct question *q, const char *rest,
                                       const char **ret_name)
{
    for (size_t i = 0; i < q->n; i++) {
        if (future_state(q->pages[i]) != FUTURE_READY)
            continue;
        const struct help_page *page = future_value(q->pages[i], &help_page_type);
        size_t length = strlen(page->id);
        if (strncmp(rest + 1, page->id, length) == 0 &&
            (rest[1 + length] == '/' || rest[1 + length] == '\0')) {
            *ret_name = rest + 1 + length;
            return page;
        }
    }
    return NULL;
}

static void answer(struct question *q)
{
    const char *rest = http_request_rest(q->request), *name;

    if (rest[0] == '\0') {
        answer_all(q);
        return;
    }
    const struct help_page *page = page_of(q, rest, &name);
    if (!page)
        http_answer_error(q->request, 404, "No help page for '%s'.\n", rest);
    else if (name[0] == '\0')
        answer_one(q->request, page);
    else
        answer_endpoint(q->request, page, name);
}

static void help_pages_there(struct help *h UNUSED, struct future *f, struct question *q)
{
    if (future_state(f) == FUTURE_READY)
        answer(q);
    for (size_t i = 0; i < q->n; i++)
        future_unref(q->pages[i]);
    http_request_unref(q->request);
    mem_free(q->pages);
    mem_free(q);
}

/* ---- the question ---- */

struct pids {
    struct pid *v;
    size_t n;
};

static void remember(void *arg, const struct pid *pid, size_t events UNUSED)
{
    struct pids *pids = arg;

    pids->v = mem_realloc(pids->v, (pids->n + 1) * sizeof pids->v[0]);
    pids->v[pids->n++] = pid_dup(pid);
}

static void serve_help(struct process *p, struct http_request *r)
{
    struct help *h = container_of(p, struct help, process);
    struct pids pids = { NULL, 0 };

    if (!http_require_method(r, "GET"))
        return;
    runtime_each_process(p->runtime, remember, &pids);
    struct question *q = mem_alloc(sizeof *q);
    struct future **awaited = mem_array(pids.n, sizeof awaited[0]);
    q->request = http_request_ref(r);
    q->n = pids.n;
    q->pages = mem_array(pids.n, sizeof q->pages[0]);
    for (size_t i = 0; i < pids.n; i++) {
        q->pages[i] = process_call(&pids.v[i], describe, "", 0, NULL);
        awaited[i] = future_ref(q->pages[i]);
        pid_release(&pids.v[i]);
    }
    FINALLY(future_await(awaited, pids.n), help_pages_there, h, q);
    mem_free(awaited);
    mem_free(pids.v);
}

static void help_initialize(struct help *h)
{
    static const struct process_route routes[] = {
        { "", serve_help,
          "Shows the endpoints of all processes, of one, or the help of one endpoint.\n"
          "`/help`, `/help/<id>` and `/help/<id>/<name>`; `?format=json` for machines." },
        { NULL, NULL, NULL, NULL },
    };

    process_route(&h->process, routes);
}

static void help_exited(struct help *h UNUSED, const struct pid *peer UNUSED) {}

static void help_finalize(struct help *h)
{
    mem_free(h);
}

int help_spawn(struct runtime *rt, struct error *err)
{
    struct help *h = mem_alloc(sizeof *h);

    if (process_spawn(rt, &h->process, &help_class, "help", NULL, err) == 0)
        return 0;
    mem_free(h);
    return -1;
}
