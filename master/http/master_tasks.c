/* master_tasks.c - /tasks: all tasks, those that have ended too, a page at a time */
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "master/http/leading.h"
#include "master/http/master_json.h"
#include "master/http/master_state.h"

enum { PAGE = 100 };

#define ENDPOINTS(AT)                                                                              \
    AT("/tasks", serve_tasks,                                                                      \
       "Tasks, the newest first.\n"                                                                \
       "?limit= (100), offset= (0), order=asc|des (des), framework_id=, task_id=.",                \
       MASTER_REALM_READONLY)

LEADING_ROUTES(tasks_routes, ENDPOINTS);

void master_tasks_init(struct master *m)
{
    process_route(&m->process, tasks_routes);
}

struct row {
    const struct task_record *task;
    bool told;         /* a status has come */
    double since;      /* the time of the first one */
    size_t index;      /* of equal ones */
};

struct page {
    const char *framework, *task; /* only these; NULL: all */
    struct row *rows;
    size_t n, room;
};

static void page_add(struct page *p, const struct task_record *t)
{
    const struct task_status *first = list_first(&t->statuses, struct task_status, link);

    if (p->task && strcmp(p->task, task_id_text(&t->id)) != 0)
        return;
    if (p->n == p->room) {
        p->room = p->room ? 2 * p->room : 64;
        p->rows = mem_realloc(p->rows, p->room * sizeof *p->rows);
    }
    p->rows[p->n] = (struct row){ .task = t, .index = p->n };
    if (first) {
        p->rows[p->n].told = true;
        p->rows[p->n].since = ((const Pb__TaskStatus *)first->status->body)->timestamp;
    }
    p->n++;
}

static void page_add_framework(struct page *p, const struct framework_record *f)
{
    if (p->framework && strcmp(p->framework, framework_id_text(&f->id)) != 0)
        return;
    for (struct task_record *t = f->tasks; t; t = t->hh.next)
        page_add(p, t);
    list_each (t, &f->unreachable_tasks, struct task_record, link)
        page_add(p, t);
    list_each (t, &f->completed_tasks, struct task_record, link)
        page_add(p, t);
}

static int compare_indexes(const struct row *a, const struct row *b)
{
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Of which nothing is known is the oldest when that comes first, and comes last otherwise. */
static int compare_ascending(const void *left, const void *right)
{
    const struct row *a = left, *b = right;

    if (a->told != b->told)
        return a->told ? 1 : -1;
    if (a->since != b->since)
        return a->since < b->since ? -1 : 1;
    return compare_indexes(a, b);
}

static int compare_descending(const void *left, const void *right)
{
    const struct row *a = left, *b = right;

    if (a->told != b->told)
        return a->told ? -1 : 1;
    if (a->since != b->since)
        return a->since > b->since ? -1 : 1;
    return compare_indexes(a, b);
}

/* What is no number is taken for absent, as Mesos does. */
static size_t query_number(const struct http_request *r, const char *key, size_t otherwise)
{
    const char *text = http_request_query(r, key);
    char *end;
    unsigned long n;

    if (!text || *text < '0' || *text > '9')
        return otherwise;
    n = strtoul(text, &end, 10);
    return *end ? otherwise : n;
}

static void serve_tasks(struct master *m, struct http_request *r)
{
    const char *order = http_request_query(r, "order");
    struct page page = { http_request_query(r, "framework_id"), http_request_query(r, "task_id"),
                         NULL, 0, 0 };
    size_t at = query_number(r, "offset", 0), left = query_number(r, "limit", PAGE);
    struct buffer out = BUFFER_INIT;
    struct json_writer w;

    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        page_add_framework(&page, f);
    list_each (f, &m->completed_frameworks, struct framework_record, link)
        page_add_framework(&page, f);
    if (page.n > 0)
        qsort(page.rows, page.n, sizeof *page.rows,
              order && strcmp(order, "asc") == 0 ? compare_ascending : compare_descending);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "tasks");
    json_begin_array(&w);
    for (; at < page.n && left > 0; at++, left--)
        master_json_task(&w, page.rows[at].task);
    json_end_array(&w);
    json_end_object(&w);
    mem_free(page.rows);
    http_answer_json(r, &out);
    buffer_release(&out);
}
