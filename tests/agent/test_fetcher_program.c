/* test_fetcher_program.c - the real mesos-lite-fetcher, and what is asked of it */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/fetcher_info.h"
#include "base/error.h"
#include "base/memory.h"
#include "tests/unit.h"

struct place {
    char dir[64];                 /* the sandbox is its folder "s" */
    pid_t server;
    int port;
};

static void shell(const struct place *p, const char *script)
{
    char *command = mem_printf("cd %s && %s", p->dir, script);

    ck_assert_msg(system(command) == 0, "%s", command);
    mem_free(command);
}

static void answer(int fd)
{
    char request[4096] = "";
    size_t n = 0;
    ssize_t got;

    while (!strstr(request, "\r\n\r\n") &&
           (got = read(fd, request + n, sizeof request - 1 - n)) > 0)
        n += (size_t)got;
    if (strncmp(request, "GET /moved ", 11) == 0)
        dprintf(
            fd,
            "HTTP/1.1 302 Found\r\nLocation: /file?x=1\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n");
    else if (strncmp(request, "GET /file", 9) == 0)
        dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    else if (strncmp(request, "GET /short ", 11) == 0)
        dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\nhello");
    else
        dprintf(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnone");
    close(fd);
}

static void serve(struct place *p)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    p->port = ntohs(a.sin_port);
    p->server = fork();
    while (p->server == 0)
        answer(accept(fd, NULL, NULL));
    close(fd);
}

static void begin(struct place *p)
{
    *p = (struct place){ .dir = "/tmp/mesos-lite-fetcher.XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(p->dir));
    shell(p, "mkdir s && : > reason && printf content > plain && chmod 600 plain");
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *f UNUSED)
{
    return remove(path);
}

static void end(struct place *p)
{
    if (p->server > 0) {
        kill(p->server, SIGKILL);
        waitpid(p->server, NULL, 0);
    }
    nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int fetch(const struct place *p, const char *items)
{
    const char *builddir = getenv("builddir");
    char *program = mem_printf("%s/agent/mesos-lite-fetcher", builddir ? builddir : ".");
    char *info = mem_printf("{\"sandbox_directory\":\"%s/s\",\"items\":[%s]}", p->dir, items);
    char *reason = mem_printf("%s/reason", p->dir), *log = mem_printf("%s/stderr", p->dir);
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        setenv(FETCHER_INFO, info, 1);
        setenv(FETCHER_INFO_REASON, reason, 1);
        setenv("no_proxy", "127.0.0.1", 1);
        dup2(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
        execl(program, "mesos-lite-fetcher", NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    mem_free(program);
    mem_free(info);
    mem_free(reason);
    mem_free(log);
    return status;
}

/* What it says last is the reason, in both places. */
static void check_fails(const struct place *p, const char *items, const char *reason)
{
    char line[1000], *path = mem_printf("%s/reason", p->dir);
    FILE *f;

    ck_assert_int_eq(fetch(p, items), 1 << 8);
    f = fopen(path, "re");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
    fclose(f);
    line[strcspn(line, "\n")] = '\0';
    ck_assert_msg(strstr(line, reason) != NULL, "'%s' is not in '%s'", reason, line);
    shell(p, "tail -n 1 stderr | grep -q '^Failed to fetch '");
    mem_free(path);
}

static void item(char out[500], const char *uri, const char *more)
{
    snprintf(out, 500, "{\"action\":\"BYPASS_CACHE\",\"uri\":{\"value\":\"%s\"%s}}", uri, more);
}

START_TEST(files_are_copied_and_may_become_executable)
{
    char one[500], two[500], both[1200], uri[200];
    struct place p;

    begin(&p);
    snprintf(uri, sizeof uri, "%s/plain", p.dir);
    item(one, uri, "");
    snprintf(uri, sizeof uri, "file://%s/plain", p.dir);
    item(two, uri, ",\"executable\":true,\"output_file\":\"a/b/run\"");
    snprintf(both, sizeof both, "%s,%s", one, two);
    ck_assert_int_eq(fetch(&p, both), 0);
    shell(&p, "cmp plain s/plain && cmp plain s/a/b/run");
    shell(&p, "test \"$(stat -c %a s/plain) $(stat -c %a s/a/b/run)\" = '644 755'");
    end(&p);
}
END_TEST

START_TEST(a_file_that_is_missing_says_so)
{
    struct place p;
    char one[500];

    begin(&p);
    item(one, "/no/such/file", "");
    check_fails(&p, one, "/no/such/file: cannot open it: No such file or directory");
    item(one, "/tmp", "");
    check_fails(&p, one, "/tmp: it is a folder");
    end(&p);
}
END_TEST

START_TEST(http_is_downloaded_and_redirects_are_followed)
{
    struct place p;
    char one[500], uri[100];

    begin(&p);
    serve(&p);
    snprintf(uri, sizeof uri, "http://127.0.0.1:%d/moved", p.port);
    item(one, uri, "");
    ck_assert_int_eq(fetch(&p, one), 0);
    shell(&p, "test \"$(cat s/moved)\" = hello");
    end(&p);
}
END_TEST

START_TEST(a_download_that_fails_says_why)
{
    struct place p;
    char one[500], uri[100];

    begin(&p);
    serve(&p);
    snprintf(uri, sizeof uri, "http://127.0.0.1:%d/none", p.port);
    item(one, uri, "");
    check_fails(&p, one, "/none: The requested URL returned error: 404");
    snprintf(uri, sizeof uri, "http://127.0.0.1:%d/short", p.port);
    item(one, uri, "");
    check_fails(&p, one, "bytes remaining to read");
    end(&p);
}
END_TEST

static void check_extracted(const struct place *p, const char *name)
{
    char one[500], uri[200];

    snprintf(uri, sizeof uri, "%s/%s", p->dir, name);
    item(one, uri, "");
    shell(p, "rm -rf s && mkdir s");
    ck_assert_int_eq(fetch(p, one), 0);
    shell(p, "test \"$(cat s/in/deep/file)\" = deep && test -x s/in/tool");
    snprintf(uri, sizeof uri, "test -f s/%s", name);
    shell(p, uri);
}

START_TEST(archives_are_unpacked_and_kept)
{
    struct place p;

    begin(&p);
    shell(
        &p,
        "mkdir -p in/deep && echo deep > in/deep/file && echo tool > in/tool && chmod 755 in/tool");
    shell(&p, "tar cf a.tar in && tar czf a.tar.gz in && cp a.tar.gz a.tgz");
    check_extracted(&p, "a.tar");
    check_extracted(&p, "a.tar.gz");
    check_extracted(&p, "a.tgz");
    if (system("command -v bzip2 >/dev/null") == 0) {
        shell(&p, "tar cjf a.tar.bz2 in && cp a.tar.bz2 a.tbz2");
        check_extracted(&p, "a.tar.bz2");
        check_extracted(&p, "a.tbz2");
    }
    if (system("command -v xz >/dev/null") == 0) {
        shell(&p, "tar cJf a.tar.xz in && cp a.tar.xz a.txz");
        check_extracted(&p, "a.tar.xz");
        check_extracted(&p, "a.txz");
    }
    if (system("command -v python3 >/dev/null") == 0) {
        shell(&p, "python3 -c \"import shutil; shutil.make_archive('a', 'zip', '.', 'in')\"");
        check_extracted(&p, "a.zip");
    }
    end(&p);
}
END_TEST

START_TEST(a_file_that_is_only_compressed_loses_its_ending)
{
    struct place p;
    char one[500], uri[200];

    begin(&p);
    shell(&p, "gzip -k plain");
    snprintf(uri, sizeof uri, "%s/plain.gz", p.dir);
    item(one, uri, "");
    ck_assert_int_eq(fetch(&p, one), 0);
    shell(&p, "cmp plain s/plain && test -f s/plain.gz");
    end(&p);
}
END_TEST

START_TEST(nothing_is_unpacked_that_is_not_to_be)
{
    struct place p;
    char one[500], uri[200];

    begin(&p);
    shell(&p, "tar czf a.tgz plain");
    snprintf(uri, sizeof uri, "%s/a.tgz", p.dir);
    item(one, uri, ",\"extract\":false");
    ck_assert_int_eq(fetch(&p, one), 0);
    item(one, uri, ",\"executable\":true,\"extract\":true");
    ck_assert_int_eq(fetch(&p, one), 0);
    shell(&p, "test -x s/a.tgz && ! test -e s/plain");
    end(&p);
}
END_TEST

START_TEST(an_archive_cannot_leave_the_sandbox)
{
    struct place p;
    char one[500], uri[200];

    begin(&p);
    shell(&p,
          "mkdir in && cd in && tar cPf ../up.tar ../plain && tar cPf ../abs.tar $PWD/../plain");
    shell(&p,
          "mkdir l && ln -s /tmp l/out && tar cf link.tar -C l out && rm l/out && mkdir l/out && "
          "echo x > l/out/escaped && tar rf link.tar -C l out/escaped");
    snprintf(uri, sizeof uri, "%s/up.tar", p.dir);
    item(one, uri, "");
    check_fails(&p, one, "cannot extract it: '../plain' would leave the sandbox");
    snprintf(uri, sizeof uri, "%s/abs.tar", p.dir);
    item(one, uri, "");
    check_fails(&p, one, "would leave the sandbox");
    snprintf(uri, sizeof uri, "%s/link.tar", p.dir);
    item(one, uri, "");
    check_fails(&p, one, "cannot extract it: ");
    shell(&p, "! test -e /tmp/escaped");
    end(&p);
}
END_TEST

START_TEST(a_damaged_archive_is_a_failure)
{
    struct place p;
    char one[500], uri[200];

    begin(&p);
    shell(
        &p,
        "head -c 3000 /dev/urandom > noise && tar czf whole.tgz noise && "
        "head -c 1500 whole.tgz > cut.tgz && "
        "cp noise noise.zip");
    snprintf(uri, sizeof uri, "%s/cut.tgz", p.dir);
    item(one, uri, "");
    check_fails(&p, one, "cannot extract it: ");
    snprintf(uri, sizeof uri, "%s/noise.zip", p.dir);
    item(one, uri, "");
    check_fails(&p, one, "cannot extract it: ");
    end(&p);
}
END_TEST

START_TEST(an_output_file_cannot_leave_the_sandbox)
{
    struct place p;
    char one[500], uri[200];

    begin(&p);
    snprintf(uri, sizeof uri, "%s/plain", p.dir);
    item(one, uri, ",\"output_file\":\"../escaped\"");
    check_fails(&p, one, "its output_file '../escaped' would leave the sandbox");
    shell(&p, "ln -s .. s/up");
    item(one, uri, ",\"output_file\":\"up/escaped\"");
    check_fails(&p, one, "cannot make the folder 'up'");
    shell(&p, "! test -e escaped && echo kept > target && ln -s ../target s/plain");
    item(one, uri, "");
    ck_assert_int_eq(fetch(&p, one), 0);
    shell(&p, "test \"$(cat target)\" = kept && cmp plain s/plain");
    end(&p);
}
END_TEST

START_TEST(what_it_is_told_must_make_sense)
{
    struct place p;

    begin(&p);
    check_fails(&p, "{\"uri\":{}}", "MESOS_FETCHER_INFO: an item is not understood: ");
    check_fails(&p, "{", "MESOS_FETCHER_INFO: it is no JSON: ");
    check_fails(&p, "{\"uri\":{\"value\":\"gopher://x/y\"}}",
                "gopher://x/y: it is no absolute path, nor file://");
    check_fails(&p, "{\"uri\":{\"value\":\"http://host/\"}}",
                "http://host/: it does not end with the name of a file");
    end(&p);
}
END_TEST

START_TEST(paths_stay_below_or_are_refused)
{
    static const char *const below[] = { "a", "a/b", "./a", "a//b", "..a", "a/..b/c", "a/.b" };
    static const char *const not_below[] = { "",       "/a", "..",  "../a", "a/..",
                                             "a/../b", "a/", "a/.", "." };

    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        ck_assert_msg(fetcher_info_is_below(below[i]), "%s", below[i]);
    for (size_t i = 0; i < sizeof not_below / sizeof *not_below; i++)
        ck_assert_msg(!fetcher_info_is_below(not_below[i]), "%s", not_below[i]);
}
END_TEST

START_TEST(the_name_of_a_uri_is_what_is_behind_its_last_slash)
{
    const char *name;

    ck_assert_int_eq(fetcher_info_get_name("http://host/a/b.tgz?x=1", &name, NULL), 0);
    ck_assert_str_eq(name, "b.tgz?x=1");
    ck_assert_int_eq(fetcher_info_get_name("/a", &name, NULL), 0);
    ck_assert_str_eq(name, "a");
    ck_assert_int_eq(fetcher_info_get_name("http://host", &name, NULL), -1);
    ck_assert_int_eq(fetcher_info_get_name("http://host/..", &name, NULL), -1);
}
END_TEST

UNIT(fetcher_program, files_are_copied_and_may_become_executable, a_file_that_is_missing_says_so,
     http_is_downloaded_and_redirects_are_followed, a_download_that_fails_says_why,
     archives_are_unpacked_and_kept, a_file_that_is_only_compressed_loses_its_ending,
     nothing_is_unpacked_that_is_not_to_be, an_archive_cannot_leave_the_sandbox,
     a_damaged_archive_is_a_failure, an_output_file_cannot_leave_the_sandbox,
     what_it_is_told_must_make_sense, paths_stay_below_or_are_refused,
     the_name_of_a_uri_is_what_is_behind_its_last_slash);
