/* test_fetcher.c - the agent's side of fetching, with the real program */
#include "agent/fetcher.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/host.h"
#include "process/runtime.h"
#include "tests/unit.h"

struct place {
    char dir[64];                            /* the sandbox is its folder "s" */
    char *sandbox, *program;
    struct host *host;
    struct runtime *runtime;
};

static void begin(struct place *p)
{
    struct runtime_options options = { .workers = 2 };
    const char *builddir = getenv("builddir");

    *p = (struct place){ .dir = "/tmp/mesos-lite-fetcher.XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(p->dir));
    ck_assert_int_eq(chmod(p->dir, 0755), 0);
    p->sandbox = mem_printf("%s/s", p->dir);
    ck_assert_int_eq(mkdir(p->sandbox, 0755), 0);
    p->program = mem_printf("%s/agent/mesos-lite-fetcher", builddir ? builddir : ".");
    p->host = host_real_create();
    p->runtime = runtime_create(p->host, &options, NULL);
    ck_assert_ptr_nonnull(p->runtime);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *f UNUSED)
{
    return remove(path);
}

static void end(struct place *p)
{
    runtime_destroy(p->runtime);
    host_destroy(p->host);
    nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(p->sandbox);
    mem_free(p->program);
}

static struct future *fetch(struct place *p, const char *value, const char *output_file)
{
    Pb__CommandInfo__URI uri = PB__COMMAND_INFO__URI__INIT;
    struct fetch f = { .container_id = "c-1",
                       .sandbox = p->sandbox,
                       .program = p->program,
                       .n_uris = 1,
                       .uris = (Pb__CommandInfo__URI *[]){ &uri } };

    uri.value = (char *)value;
    uri.output_file = (char *)output_file;
    return fetcher_fetch(p->runtime, &f);
}

static void check_fails(struct place *p, const char *value, const char *output_file,
                        const char *why)
{
    struct future *f = fetch(p, value, output_file);

    ck_assert(future_wait(f, p->host, MINUTES(5)));
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_str_eq(future_error(f)->text, why);
    future_unref(f);
}

START_TEST(a_uri_comes_into_the_sandbox)
{
    struct place p;
    struct future *f;
    char *path;

    begin(&p);
    f = fetch(&p, "/etc/passwd", "a/b");
    ck_assert(future_wait(f, p.host, MINUTES(5)));
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    future_unref(f);
    path = mem_printf("cmp /etc/passwd %s/a/b && grep -q Fetching %s/stderr", p.sandbox, p.sandbox);
    ck_assert_int_eq(system(path), 0);
    mem_free(path);
    end(&p);
}
END_TEST

START_TEST(a_failure_says_which_and_why)
{
    struct place p;

    begin(&p);
    check_fails(&p, "/no/such/file", NULL,
                "Failed to fetch all URIs for container 'c-1': /no/such/file: cannot open it: "
                "No such file or directory");
    check_fails(
        &p, "gopher://h/x", NULL,
        "Failed to fetch all URIs for container 'c-1': URI 'gopher://h/x' cannot be fetched: it "
        "is no "
        "absolute path, nor file://, http://, https://, ftp:// or ftps://");
    check_fails(
        &p, "/etc/passwd", "../x",
        "Failed to fetch all URIs for container 'c-1': The output_file '../x' of URI '/etc/passwd' "
        "would "
        "leave the sandbox");
    end(&p);
}
END_TEST

START_TEST(a_fetcher_that_dies_or_is_missing_is_a_failure)
{
    struct place p;

    begin(&p);
    mem_free(p.program);
    p.program = mem_strdup("/bin/false");
    check_fails(&p, "/etc/passwd", NULL,
                "Failed to fetch all URIs for container 'c-1': the fetcher exited with status 1");
    mem_free(p.program);
    p.program = mem_strdup("/no/such/fetcher");
    check_fails(
        &p, "/etc/passwd", NULL,
        "Failed to fetch all URIs for container 'c-1': Failed to launch '/no/such/fetcher': could "
        "not "
        "run it: No such file or directory");
    end(&p);
}
END_TEST

/* The program opens a FIFO, which blocks until the discard kills it. */
START_TEST(a_discard_kills_the_fetcher)
{
    struct place p;
    struct future *f;
    char *fifo;

    begin(&p);
    fifo = mem_printf("%s/fifo", p.dir);
    ck_assert_int_eq(mkfifo(fifo, 0666), 0);
    f = fetch(&p, fifo, NULL);
    future_discard(f);
    ck_assert(future_wait(f, p.host, MINUTES(5)));
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    mem_free(fifo);
    end(&p);
}
END_TEST

UNIT(fetcher, a_uri_comes_into_the_sandbox, a_failure_says_which_and_why,
     a_fetcher_that_dies_or_is_missing_is_a_failure, a_discard_kills_the_fetcher);
