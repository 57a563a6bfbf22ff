/* json_answer.c - answers that may be long, without making the master late */
#include "master/http/json_answer.h"

#include "base/memory.h"
#include "process/http.h"
#include "process/runtime.h"
#include "process/typed.h"

enum { LONG = 64 * 1024 };              /* bytes: below, another thread costs more */

struct json_answer *json_answer_begin(struct http_request *r)
{
    struct json_answer *a = mem_alloc(sizeof *a);

    json_rope_init(&a->rope);
    a->request = http_request_ref(r);
    return a;
}

static void put_together(void *arg)
{
    struct json_answer *a = arg;

    json_rope_flatten(&a->rope, &a->body);
}

static void answer(struct json_answer *a)
{
    http_answer_json(a->request, &a->body);
    http_request_unref(a->request);
    json_rope_release(&a->rope);
    buffer_release(&a->body);
    mem_free(a);
}

/* The runtime's end may have left the work out. */
static void put_together_done(struct process *self UNUSED, struct future *f UNUSED, void *op)
{
    struct json_answer *a = op;

    if (buffer_length(&a->body) == 0)
        put_together(a);
    answer(a);
}

void json_answer_send(struct runtime *rt, struct json_answer *a)
{
    if (a->rope.length + buffer_length(&a->rope.text) >= LONG) {
        future_finally(process_async(rt, put_together, a), runtime_executor(rt),
                       put_together_done, a);
        return;
    }
    put_together(a);
    answer(a);
}
