/* test_agent_http.c - /state, sandboxes over HTTP, and their removal in time */
#include "agent_place.h"
#include "tests/unit.h"

#include <string.h>

#include "agent/agent.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/http_client.h"
#include "process/runtime.h"
#include "process/sim.h"

#define RUNS "/var/lib/agent/slaves/m-S0/frameworks/m-0001/executors/t/runs"

/* A place with a task that has ended, whose sandbox has the file "out". */
struct served { struct agent_place p; char *sandbox; };

static void make_file(struct served *s, const char *path, const char *text)
{
    struct error err;

    ck_assert_msg(host_write_file(s->p.agent_host, path, text, strlen(text), 0644, &err) == 0,
                  "%s", err.text);
}

static void start(struct served *s)
{
    CLEANUP(mem_free_p) char *target = NULL;
    CLEANUP(mem_free_p) char *out = NULL;
    struct error err;

    *s = (struct served){ .sandbox = NULL };
    place_start(&s->p);
    place_run(&s->p, &(struct place_task){ .id = "t", .command = "sleep 1" });
    place_await_state(&s->p, "t", PB__TASK_STATE__TASK_FINISHED);
    place_pass(&s->p, SECONDS(1));
    ck_assert_msg(host_readlink(s->p.agent_host, RUNS "/latest", &target, &err) == 0, "%s",
                  err.text);
    s->sandbox = mem_printf(RUNS "/%s", target);
    out = mem_printf("%s/out", s->sandbox);
    make_file(s, out, "some text\n");
    make_file(s, "/var/lib/agent/secret", "secret");
}

static void stop(struct served *s)
{
    mem_free(s->sandbox);
    place_stop(&s->p);
}

/* The caller's. */
static char *get(struct served *s, const char *endpoint, const char *path, int expected)
{
    CLEANUP(mem_free_p) char *url =
        mem_printf("http://10.0.0.2:5051/slave%%281%%29%s%s", endpoint, path);
    struct future *f = http_get(s->p.master_rt, url, 1 << 20, MINUTES(1));
    const struct http_response *r;
    char *body;

    ck_assert(future_wait(f, s->p.master_host, MINUTES(2)));
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s: %s", url,
                  future_error(f) ? future_error(f)->text : "");
    r = http_response_get(f);
    ck_assert_msg(r->status == expected, "%s: %d %.*s", url, r->status, (int)r->size, r->body);
    body = mem_strndup(r->body ? r->body : "", r->size);
    future_unref(f);
    return body;
}

static void check_get(struct served *s, const char *endpoint, const char *path, const char *body)
{
    CLEANUP(mem_free_p) char *got = get(s, endpoint, path, 200);

    ck_assert_msg(strstr(got, body) != NULL, "%s%s: %s", endpoint, path, got);
}

static void check_status(struct served *s, const char *endpoint, const char *path, int status)
{
    mem_free(get(s, endpoint, path, status));
}

START_TEST(a_file_is_read_in_pieces)
{
    struct served s;
    CLEANUP(mem_free_p) char *path = NULL;

    start(&s);
    path = mem_printf("?path=%s/out&offset=5&length=3", s.sandbox);
    check_get(&s, "/files/read", path, "{\"offset\":5,\"data\":\"tex\"}");
    check_get(&s, "/files/read",
              "?path=/frameworks/m-0001/executors/t/runs/latest/out&offset=0",
              "{\"offset\":0,\"data\":\"some text\\n\"}");
    check_get(&s, "/files/read", "?path=/frameworks/m-0001/executors/t/runs/latest/out",
              "{\"offset\":10,\"data\":\"\"}");
    check_get(&s, "/files/read",
              "?path=/frameworks/m-0001/executors/t/runs/latest/out&offset=99999",
              "{\"offset\":99999,\"data\":\"\"}");
    stop(&s);
}
END_TEST

START_TEST(a_folder_is_listed_with_the_paths_that_were_asked_for)
{
    struct served s;

    start(&s);
    check_get(&s, "/files/browse", "?path=/frameworks/m-0001/executors/t/runs/latest/",
              "\"path\":\"/frameworks/m-0001/executors/t/runs/latest/out\",\"nlink\":1,"
              "\"size\":10,");
    stop(&s);
}
END_TEST

START_TEST(a_file_is_downloaded_whole_a_folder_is_not)
{
    struct served s;

    start(&s);
    check_get(&s, "/files/download", "?path=/frameworks/m-0001/executors/t/runs/latest/out",
              "some text\n");
    check_status(&s, "/files/download", "?path=/frameworks/m-0001/executors/t/runs/latest", 400);
    stop(&s);
}
END_TEST

START_TEST(a_path_is_needed_and_must_lead_to_something)
{
    struct served s;

    start(&s);
    check_status(&s, "/files/read", "", 400);
    check_status(&s, "/files/read", "?path=/nonexistent", 404);
    check_status(&s, "/files/browse", "?path=/frameworks/m-0001/executors/t/runs/latest/no", 404);
    check_status(&s, "/files/read",
                 "?path=/frameworks/m-0001/executors/t/runs/latest/out&offset=x", 400);
    stop(&s);
}
END_TEST

START_TEST(no_path_leads_out_of_its_sandbox)
{
    struct served s;
    CLEANUP(mem_free_p) char *absolute = NULL;
    CLEANUP(mem_free_p) char *relative = NULL;
    CLEANUP(mem_free_p) char *within = NULL;
    CLEANUP(mem_free_p) char *round = NULL;
    struct error err;

    start(&s);
    absolute = mem_printf("%s/absolute", s.sandbox);
    relative = mem_printf("%s/relative", s.sandbox);
    within = mem_printf("%s/within", s.sandbox);
    round = mem_printf("%s/round", s.sandbox);
    ck_assert_int_eq(host_symlink(s.p.agent_host, "/var/lib/agent/secret", absolute, &err), 0);
    ck_assert_int_eq(host_symlink(s.p.agent_host, "../../../../../../../../secret", relative, &err),
                     0);
    ck_assert_int_eq(host_symlink(s.p.agent_host, "./out", within, &err), 0);
    ck_assert_int_eq(host_symlink(s.p.agent_host, "round", round, &err), 0);
#define LATEST "?path=/frameworks/m-0001/executors/t/runs/latest"
    check_get(&s, "/files/read", LATEST "/within&offset=0", "some text");
    check_status(&s, "/files/read", LATEST "/absolute&offset=0", 404);
    check_status(&s, "/files/read", LATEST "/relative&offset=0", 404);
    check_status(&s, "/files/read", LATEST "/round&offset=0", 404);
    check_status(&s, "/files/read", LATEST "/../../../../../../../../secret&offset=0", 404);
    check_status(&s, "/files/read", "?path=/frameworks/../../secret&offset=0", 404);
    check_status(&s, "/files/read", "?path=/var/lib/agent/secret&offset=0", 404);
    check_status(&s, "/files/read", "?path=/var/lib/agent/slaves/../secret&offset=0", 404);
    check_status(&s, "/files/browse", "?path=/var/lib/agent/slaves", 404);
    stop(&s);
}
END_TEST

START_TEST(the_state_tells_of_what_runs_and_what_is_done)
{
    struct served s;

    start(&s);
    check_get(&s, "/state", "", "\"completed_frameworks\":[{\"id\":\"m-0001\"");
    check_get(&s, "/state", "",
              "\"name\":\"Command Executor (Task: t) (Command: sh -c 'sleep 1')\"");
    check_get(&s, "/state", "", "\"state\":\"TASK_FINISHED\"");
    check_get(&s, "/state", "", "\"hostname\":\"agent.example\"");
    place_run(&s.p, &(struct place_task){ .id = "u", .command = "sleep 1000" });
    place_await_state(&s.p, "u", PB__TASK_STATE__TASK_RUNNING);
    check_get(&s, "/state", "",
              "\"unreserved_resources_allocated\":{\"cpus\":1.0,\"disk\":0.0,\"gpus\":0.0,"
              "\"mem\":32.0}");
    check_get(&s, "/flags", "", "\"work_dir\":\"/var/lib/agent\"");
    check_get(&s, "/health", "", "");
    stop(&s);
}
END_TEST

START_TEST(a_sandbox_is_removed_in_time_and_not_before)
{
    struct served s;
    struct file_info info;
    struct error err;

    start(&s);
    place_run(&s.p, &(struct place_task){ .id = "u", .command = "sleep 10000000" });
    place_await_state(&s.p, "u", PB__TASK_STATE__TASK_RUNNING);
    place_pass(&s.p, DAYS(6));
    ck_assert_int_eq(host_stat(s.p.agent_host, s.sandbox, &info, &err), 0);
    place_pass(&s.p, DAYS(2));
    ck_assert_int_eq(host_stat(s.p.agent_host, s.sandbox, &info, &err), -1);
    check_get(&s, "/files/browse", "?path=/frameworks/m-0001/executors/u/runs/latest", "[");
    stop(&s);
}
END_TEST

UNIT(agent_http, a_file_is_read_in_pieces,
     a_folder_is_listed_with_the_paths_that_were_asked_for,
     a_file_is_downloaded_whole_a_folder_is_not, a_path_is_needed_and_must_lead_to_something,
     no_path_leads_out_of_its_sandbox, the_state_tells_of_what_runs_and_what_is_done,
     a_sandbox_is_removed_in_time_and_not_before);
