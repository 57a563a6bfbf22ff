/* test_http_assets.c - files of a folder as endpoints */
#include <stdlib.h>
#include <unistd.h>

#include "process/authentication.h"
#include "process/http.h"
#include "process/http_access.h"
#include "process/http_assets.h"
#include "process/typed.h"
#include "tests/process/both.h"
#include "tests/unit.h"

struct page {
    struct process process;
    struct http_assets files, one;
    char *root;
};

CLASS(page, "page", page_initialize, page_exited, page_finalize);

static void page_initialize(struct page *p)
{
    char *index = mem_printf("%s/index.HTML", p->root);

    http_assets_init(&p->files, "/static", p->root, "files");
    http_assets_init(&p->one, "", index, NULL);
    process_route(&p->process, http_assets_routes(&p->files));
    process_route(&p->process, http_assets_routes(&p->one));
    mem_free(index);
}

static void page_exited(struct page *p UNUSED, const struct pid *peer UNUSED) {}
static void page_finalize(struct page *p UNUSED) {}

static struct page page;
static struct pid page_pid;

static void put_file(const char *name, const char *text, size_t size)
{
    char *path = mem_printf("%s/%s", page.root, name);
    struct error err;

    ck_assert_int_eq(host_write_file(both_host, path, text, size, 0644, &err), 0);
    mem_free(path);
}

static void start(size_t max_output)
{
    struct error err;
    char *below;

    both_start((struct runtime_options){ .max_output_bytes = max_output });
    memset(&page, 0, sizeof page);
    page.root = mem_printf("%s/assets-%d",
                           both_seed          ? ""
                           : getenv("TMPDIR") ? getenv("TMPDIR")
                                              : "/tmp",
                           (int)getpid());
    below = mem_printf("%s/a b", page.root);
    ck_assert_int_eq(host_mkdirs(both_host, below, 0755, &err), 0);
    put_file("index.HTML", "<p>", 3);
    put_file("a b/style.css", "p {}", 4);
    put_file("bytes", "\0\1\2", 3);
    put_file(".png", "?", 1);
    put_file("empty.js", "", 0);
    mem_free(below);
    ck_assert_int_eq(process_spawn(rt, &page.process, &page_class, "page", &page_pid, &err), 0);
}

static void stop(void)
{
    struct error err;

    process_terminate(&page_pid, TERMINATE_NOW);
    ck_assert(process_wait(&page_pid, BOTH_PATIENCE));
    ck_assert_int_eq(host_remove_tree(both_host, page.root, &err), 0);
    http_assets_release(&page.files);
    http_assets_release(&page.one);
    mem_free(page.root);
    pid_release(&page_pid);
}

ON_BOTH(a_file_is_served_by_its_name)
{
    char *got;

    start(0);
    both_expect(BOTH_GET("/page/static/a%20b/style.css"), 200, "Content-Type: text/css\r\n");
    both_expect(BOTH_GET("/page/static/a+b/style.css?x=y"), 200, "\r\n\r\np {}");
    both_expect(BOTH_GET("/page/static/index.HTML"), 200, "Content-Type: text/html\r\n");
    both_expect(BOTH_GET("/page"), 200, "Content-Type: text/html\r\n");
    both_expect(BOTH_GET("/page/"), 200, "\r\n\r\n<p>");
    both_expect(BOTH_GET("/page/static/empty.js"), 200, "Content-Length: 0\r\n");
    both_expect(BOTH_GET("/page/static/.png"), 200, "Content-Type: image/png\r\n");
    got = both_ask(BOTH_GET("/page/static/bytes"), 1);
    ck_assert_ptr_nonnull(strstr(got, "Content-Type: application/octet-stream\r\n"));
    ck_assert_ptr_nonnull(strstr(got, "Content-Length: 3\r\n"));
    mem_free(got);
    stop();
}

ON_BOTH(what_is_no_file_is_not_found)
{
    start(0);
    both_expect(BOTH_GET("/page/static"), 404, NULL);
    both_expect(BOTH_GET("/page/static/a%20b"), 404, NULL);
    both_expect(BOTH_GET("/page/static/nothing"), 404, NULL);
    both_expect(BOTH_GET("/page/static/bytes/below"), 404, NULL);
    both_expect(BOTH_GET("/page/static/../index.HTML"), 404, NULL);
    both_expect(BOTH_GET("/page/static/%2e%2e/x"), 404, NULL);
    both_expect(BOTH_GET("/page/static/a%20b%2f..%2f..%2fx"), 404, NULL);
    both_expect("POST /page/static/bytes HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405, NULL);
    stop();
}

ON_BOTH(a_file_that_is_too_large_is_an_error)
{
    char *large = mem_alloc(40000);

    start(65536);
    put_file("large", large, 40000);
    both_expect(BOTH_GET("/page/static/large"), 500, "larger than");
    mem_free(large);
    stop();
}

ON_BOTH(files_may_belong_to_a_realm)
{
    start(0);
    http_access_set_authenticator(rt, "files", authentication_basic("files", NULL, 0));
    both_expect(BOTH_GET("/page/static/bytes"), 401, NULL);
    both_expect(BOTH_GET("/page"), 200, NULL);
    stop();
}

UNIT(http_assets, BOTH(a_file_is_served_by_its_name), BOTH(what_is_no_file_is_not_found),
     BOTH(a_file_that_is_too_large_is_an_error), BOTH(files_may_belong_to_a_realm));
