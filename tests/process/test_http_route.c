/* test_http_route.c - which route a path finds, and what stands for its variables */
#include "process/http.h"
#include "process/typed.h"
#include "tests/process/both.h"
#include "tests/unit.h"

struct shop {
    struct process process;
};

#define ENDPOINTS(AT)                                                                              \
    AT("/tasks", serve_tasks, NULL)                                                                \
    AT("/tasks/{id}", serve_task, NULL)                                                            \
    AT("/tasks/{id}/state", serve_state, NULL)                                                     \
    AT("/tasks/all/state", serve_all, NULL)                                                        \
    AT("/{kind}/five/state", serve_five, NULL)                                                     \
    AT("/tasks/{id}/files/{name}", serve_file, NULL)                                               \
    AT("/list", serve_list, NULL)                                                                  \
    AT("/list.json", serve_list_json, NULL)                                                        \
    AT("/odd/{}/x", serve_odd, NULL)
ROUTES(shop, shop_routes, ENDPOINTS);
CLASS(shop, "shop", shop_initialize, shop_exited, shop_finalize);

static void tell(struct http_request *r, const char *route)
{
    const char *id = http_request_variable(r, "id"), *name = http_request_variable(r, "name"),
               *kind = http_request_variable(r, "kind");
    struct buffer body = BUFFER_INIT;

    buffer_printf(&body, "%s id=%s name=%s kind=%s rest=%s.", route, id ? id : "-",
                  name ? name : "-", kind ? kind : "-", http_request_rest(r));
    http_answer_buffer(r, 200, "text/plain", &body);
}

#define SERVE(name)                                                                                \
    static void serve_##name(struct shop *s UNUSED, struct http_request *r)                        \
    {                                                                                              \
        tell(r, #name);                                                                            \
    }                                                                                              \
    struct shop
SERVE(tasks);
SERVE(task);
SERVE(state);
SERVE(all);
SERVE(five);
SERVE(file);
SERVE(list);
SERVE(list_json);
SERVE(odd);

static void shop_initialize(struct shop *s)
{
    process_route(&s->process, shop_routes);
}
static void shop_exited(struct shop *s UNUSED, const struct pid *peer UNUSED) {}
static void shop_finalize(struct shop *s UNUSED) {}

static struct shop shop;

static void start(void)
{
    struct error err;

    both_start((struct runtime_options){ 0 });
    ck_assert_int_eq(process_spawn(rt, &shop.process, &shop_class, "shop", NULL, &err), 0);
}

static void expect(const char *path, int status, const char *body)
{
    char *request = mem_printf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);

    both_expect(request, status, body);
    mem_free(request);
}

ON_BOTH(a_variable_stands_for_one_segment)
{
    start();
    expect("/shop/tasks", 200, "\r\n\r\ntasks id=- name=- kind=- rest=.");
    expect("/shop/tasks/7", 200, "\r\n\r\ntask id=7 name=- kind=- rest=.");
    expect("/shop/tasks/7/state", 200, "\r\n\r\nstate id=7 name=- kind=- rest=.");
    expect("/shop/tasks/7/files/a.txt?x=y", 200, "\r\n\r\nfile id=7 name=a.txt kind=- rest=.");
    expect("/shop/tasks/7/files", 200, "\r\n\r\ntask id=7 name=- kind=- rest=/files.");
    expect("/shop/tasks/7/state/", 200, "\r\n\r\nstate id=7 name=- kind=- rest=.");
    expect("/shop/tasks/7/state/of/it", 200, "\r\n\r\nstate id=7 name=- kind=- rest=/of/it.");
    expect("/shop/other/7", 404, NULL);
}

ON_BOTH(the_longest_and_then_the_most_literal_route_wins)
{
    start();
    expect("/shop/tasks/all/state", 200, "\r\n\r\nall id=- ");
    expect("/shop/tasks/all", 200, "\r\n\r\ntask id=all ");
    expect("/shop/tasks/five/state", 200, "\r\n\r\nstate id=five "); /* the first segment decides */
    expect("/shop/things/five/state", 200, "\r\n\r\nfive id=- name=- kind=things ");
    expect("/shop/things/six/state", 404, NULL);
    expect("/shop/list", 200, "\r\n\r\nlist id=");
    expect("/shop/list.json", 200, "\r\n\r\nlist_json id="); /* in full before without .json */
    expect("/shop/tasks.json", 200, "\r\n\r\ntasks id=");
    expect("/shop/tasks/7/state.json", 200, "\r\n\r\nstate id=7 ");
    expect("/shop/tasks/7.json", 200, "\r\n\r\ntask id=7.json ");
    expect("/shop/tasks.json/7", 200, "\r\n\r\ntasks id=- name=- kind=- rest=/7.");
}

ON_BOTH(an_empty_segment_is_no_value)
{
    start();
    expect("/shop/tasks//state", 200, "\r\n\r\ntasks id=- name=- kind=- rest=//state.");
    expect("/shop//five/state", 404, NULL);
    expect("/shop/odd/x/x", 404, NULL); /* "{}" names nothing */
    expect("/shop/odd/%7B%7D/x", 200, "\r\n\r\nodd id=-");
}

ON_BOTH(escapes_are_read_segment_by_segment)
{
    start();
    expect("/shop/tasks/a%2Fb/state", 200, "\r\n\r\nstate id=a/b ");
    expect("/shop/tasks%2F7", 404, NULL);
    expect("/shop/tas%6bs/a+b%20c", 200, "\r\n\r\ntask id=a b c ");
    expect("/shop/tasks/7/state/a%2Fb", 200, "\r\n\r\nstate id=7 name=- kind=- rest=/a/b.");
    expect("/shop/tasks/%7Bid%7D", 200, "\r\n\r\ntask id={id} ");
    expect("/shop/tasks/%zz", 400, NULL);
    expect("/shop/tasks/a%00", 400, NULL);
    expect("/shop/tasks/a%2F..%2Fb/state", 404, NULL);
}

ON_BOTH(the_delegate_has_variables_too)
{
    start();
    runtime_set_delegate(rt, "shop");
    expect("/tasks/7/state", 200, "\r\n\r\nstate id=7 ");
    expect("/things/five/state", 200, "\r\n\r\nfive id=- name=- kind=things ");
}

UNIT(http_route, BOTH(a_variable_stands_for_one_segment),
     BOTH(the_longest_and_then_the_most_literal_route_wins), BOTH(an_empty_segment_is_no_value),
     BOTH(escapes_are_read_segment_by_segment), BOTH(the_delegate_has_variables_too));
