/* real_node.c - the greeter and a guest on two nodes, over real sockets */
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "docs/examples/greeter.h"
#include "docs/examples/guest.h"
#include "process/future.h"
#include "process/host.h"
#include "process/http_client.h"
#include "process/runtime.h"

static void wait_for(struct host *host, struct future *f)
{
    future_wait(f, host, SECONDS(60));
    future_unref(f);
}

/* As a browser would: http://ip:port/greeter/state */
static void print_state(struct host *host, struct runtime *from, const char *at)
{
    char *url = mem_printf("http://%s/greeter/state", at);
    struct future *f = http_get(from, url, 1000, SECONDS(60));

    future_wait(f, host, SECONDS(60));
    if (future_state(f) == FUTURE_READY)
        printf("%s\n", http_response_get(f)->body);
    future_unref(f);
    mem_free(url);
}

int main(void)
{
    struct host *host = host_real_create();
    struct runtime_options options = { .workers = 1 };
    struct error err = { 0, "" };
    struct runtime *there = runtime_create(host, &options, &err);
    struct runtime *here = runtime_create(host, &options, &err);
    char at[ADDRESS_TEXT], *name;
    struct guest *guest;
    struct pid greeter;

    if (!there || !here || greeter_start(there, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    address_format(runtime_address(there), at);
    name = mem_printf("greeter@%s", at); /* what a user would type */
    if (runtime_parse_pid(here, name, &greeter, &err) < 0 ||
        !(guest = guest_create(here, &greeter, "Ada", &err))) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    wait_for(host, guest_welcomed(guest));
    print_state(host, here, at);
    runtime_destroy(there);
    wait_for(host, guest_left(guest));

    guest_destroy(guest);
    pid_release(&greeter);
    mem_free(name);
    runtime_destroy(here);
    host_destroy(host);
    return 0;
}
