/* test_repeats.c - the same seed is the same run, in another OS process too
 *
 * Three runtimes send, link, ask over HTTP, await, and write into databases
 * while connections break and an OS process is killed and started again.
 * Another OS process has its memory elsewhere: an order that comes from an
 * address would show here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/database.h"
#include "process/future.h"
#include "process/http.h"
#include "process/http_client.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"
#include "proto/authentication.pb-c.h"
#include "tests/process/again.h"
#include "tests/process/place.h"
#include "tests/unit.h"

#define SCHEMA "CREATE TABLE IF NOT EXISTS t (i INTEGER PRIMARY KEY)"

enum { NODES = 3, ACTORS = 5 };

struct place {
    struct sim_node *node;
    struct host *host;
    struct runtime *rt;
    struct database *db;
    uint64_t heard, exits, answers, commits;
};

struct actor {
    struct process process;
    struct place *place;
};

static struct sim *sim;
static struct place places[NODES];

#define MESSAGES(ON) ON(pb__authenticate_message, Pb__AuthenticateMessage, on_text)
#define ENDPOINTS(AT) AT("/heard", serve_heard, NULL)
HANDLERS(actor, actor_handlers, MESSAGES);
ROUTES(actor, actor_routes, ENDPOINTS);
CLASS(actor, "actor", actor_begins, actor_exited, actor_ends);

struct nothing_args {
    char unused;
};
CALL(actor, act, nothing_args, NO_RELEASE);
LAST(actor, answered, place);
LAST(actor, committed, place);

static void on_text(struct actor *a, const struct pid *from UNUSED,
                    const Pb__AuthenticateMessage *m UNUSED)
{
    a->place->heard++;
}

static void serve_heard(struct actor *a, struct http_request *r)
{
    char text[40];

    snprintf(text, sizeof text, "%llu", (unsigned long long)a->place->heard);
    http_answer(r, 200, "text/plain", text, strlen(text));
}

static uint64_t below(struct actor *a, uint64_t n)
{
    return host_random_below(runtime_host(a->process.runtime), n);
}

static struct pid somebody(struct actor *a)
{
    char id[20];

    snprintf(id, sizeof id, "actor(%d)", (int)below(a, ACTORS) + 1);
    return pid_create(id, (struct address){ 0x0a000001 + (uint32_t)below(a, NODES), 5050 });
}

static void answered(struct actor *a UNUSED, struct future *f, struct place *p)
{
    p->answers = p->answers * 31 + (uint64_t)future_state(f);
}

static void committed(struct actor *a UNUSED, struct future *f, struct place *p)
{
    p->commits = p->commits * 31 + (uint64_t)future_state(f);
}

static int insert(struct database *db, void *args UNUSED, struct error *err)
{
    return database_run(db, err, "INSERT INTO t DEFAULT VALUES", "");
}

static void ask_over_http(struct actor *a, const struct pid *pid)
{
    char address[ADDRESS_TEXT];
    char *url =
        mem_printf("http://%s/%s/heard", address_format(pid->address, address), pid->id->bytes);

    FINALLY(http_get(a->process.runtime, url, 1000, SECONDS(5)), answered, a, a->place);
    mem_free(url);
}

static void act(struct actor *a, struct nothing_args *args UNUSED)
{
    struct pid pid = somebody(a);
    Pb__AuthenticateMessage m = PB__AUTHENTICATE_MESSAGE__INIT;

    m.pid = "x";
    switch (below(a, 5)) {
    case 0:
        process_link(&a->process, &pid, below(a, 4) ? LINK_REUSE : LINK_RECONNECT);
        break;
    case 1:
        ask_over_http(a, &pid);
        break;
    case 2:
        FINALLY(database_commit(a->place->db, insert, NULL, NULL), committed, a, a->place);
        break;
    default:
        process_send(&a->process, &pid, &m.base);
    }
    pid_release(&pid);
    delay(&a->process.pid, MICROSECONDS((int64_t)below(a, 20000)), act, .unused = 0);
}

static void actor_begins(struct actor *a)
{
    process_install(&a->process, actor_handlers);
    process_route(&a->process, actor_routes);
    dispatch(&a->process.pid, act, .unused = 0);
}

static void actor_exited(struct actor *a, const struct pid *peer UNUSED)
{
    a->place->exits++;
}

static void actor_ends(struct actor *a)
{
    mem_free(a);
}

static void place_start(struct place *p)
{
    struct runtime_options o = { .bind = { 0x0a000001 + (uint32_t)(p - places), 5050 },
                                 .workers = 2 };
    struct error err = { 0 };

    p->host = sim_host_create(p->node, "place");
    p->rt = runtime_create(p->host, &o, &err);
    CHECK(p->rt);
    CHECK(host_mkdirs(p->host, "/var/lib", 0755, &err) == 0);
    CHECK(database_open(p->rt, "/var/lib/db", SCHEMA, &p->db, &err) == 0);
    for (int i = 0; i < ACTORS; i++) {
        struct actor *a = mem_alloc(sizeof *a);

        a->place = p;
        CHECK(process_spawn(p->rt, &a->process, &actor_class, NULL, NULL, &err) == 0);
    }
}

static void place_stop(struct place *p)
{
    runtime_destroy(p->rt);
    database_close(p->db);
    host_destroy(p->host);
}

static void run(uint64_t seed, char *out, size_t size)
{
    size_t n = 0;

    sim = sim_create(seed);
    for (int i = 0; i < NODES; i++) {
        char name[8];

        snprintf(name, sizeof name, "n%d", i);
        places[i] = (struct place){ .node = sim_node_create(sim, name, 0x0a000001 + (uint32_t)i) };
    }
    for (int i = 0; i < NODES; i++)
        place_start(&places[i]);
    for (int round = 0; round < 8; round++) {
        struct place *p = &places[sim_random_below(sim, NODES)];

        sim_run_for(sim, MILLISECONDS(200));
        sim_break_one_connection(sim);
        if (round % 2) {
            sim_node_crash(p->node);
            place_stop(p);
            place_start(p);
        }
    }
    for (int i = 0; i < NODES; i++)
        place_stop(&places[i]);
    for (int i = 0; i < NODES; i++) {
        CHECK(places[i].heard > 0 && places[i].exits > 0);
        n += (size_t)snprintf(
            out + n, size - n, "%llx %llx %llx %llx;", (unsigned long long)places[i].heard,
            (unsigned long long)places[i].exits, (unsigned long long)places[i].answers,
            (unsigned long long)places[i].commits);
    }
    snprintf(out + n, size - n, "%llx", (unsigned long long)sim_trace(sim));
    sim_destroy(sim);
}

START_TEST(the_same_seed_is_the_same_run_of_runtimes_in_another_os_process)
{
    char number[12], here[512], there[512], other[512];

    for (int seed = (int)place_seed(0); seed <= (int)place_seed(2); seed++) {
        snprintf(number, sizeof number, "%d", seed);
        run((uint64_t)seed, here, sizeof here);
        run_again("run", number, there, sizeof there);
        ck_assert_str_eq(here, there);
        run((uint64_t)seed + 100, other, sizeof other);
        ck_assert_str_ne(here, other);
    }
}
END_TEST

int main(int argc, char **argv)
{
    const TTest *const tests[] = {
        the_same_seed_is_the_same_run_of_runtimes_in_another_os_process,
    };
    char out[512];

    if (argc < 3 || strcmp(argv[1], "run") != 0)
        return unit_main("repeats", tests, 1);
    run(strtoull(argv[2], NULL, 10), out, sizeof out);
    fputs(out, stdout);
    return 0;
}
