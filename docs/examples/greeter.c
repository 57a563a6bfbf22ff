/* greeter.c - welcomes whoever says hello, and counts them
 *
 * Hello -> greeter -> Welcome.  A guest who is not sure says hello again.
 */
#include "docs/examples/greeter.h"

#include <stdio.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "docs/examples/greeting.pb-c.h"
#include "process/http.h"
#include "process/runtime.h"
#include "process/typed.h"

struct greeter {
    struct process process;
    long greeted;
};

#define HELLOS(ON) ON(example__hello, Example__Hello, on_hello)
#define ENDPOINTS(AT) AT("/state", serve_state, "How many were greeted.\nA JSON object.")

CLASS(greeter, "greeter", greeter_initialize, greeter_exited, greeter_finalize);
HANDLERS(greeter, greeter_handlers, HELLOS);
ROUTES(greeter, greeter_routes, ENDPOINTS);

static void greeter_initialize(struct greeter *g)
{
    process_install(&g->process, greeter_handlers);
    process_route(&g->process, greeter_routes);
}

static void greeter_exited(struct greeter *g UNUSED, const struct pid *peer UNUSED)
{
}

static void greeter_finalize(struct greeter *g)
{
    mem_free(g);
}

static void on_hello(struct greeter *g, const struct pid *from UNUSED, const Example__Hello *hello)
{
    Example__Welcome welcome = EXAMPLE__WELCOME__INIT;
    char text[100];

    snprintf(text, sizeof text, "Welcome, %s!", hello->name);
    welcome.text = text;
    g->greeted++;
    process_reply(&g->process, &welcome.base);
}

static void serve_state(struct greeter *g, struct http_request *request)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    if (!http_require_method(request, "GET"))
        return;
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_key(&w, "greeted");
    json_write_integer(&w, g->greeted);
    json_end_object(&w);
    http_answer_json(request, &body);
}

int greeter_start(struct runtime *rt, struct error *err)
{
    struct greeter *g = mem_alloc(sizeof *g);

    if (process_spawn(rt, &g->process, &greeter_class, "greeter", NULL, err) == 0)
        return 0;
    mem_free(g);
    return -1;
}
