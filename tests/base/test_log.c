/* test_log.c - log lines, and the context they are written in */
#include "base/log.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/context.h"
#include "base/error.h"
#include "tests/unit.h"

static void keep(void *arg, const char *line, size_t length)
{
    buffer_append(arg, line, length);
}

static struct instant at(void *arg)
{
    return *(struct instant *)arg;
}

/* 2026-11-22T13:01:07.123456789Z */
static struct instant wall = { 1795352467123456789 };
static struct buffer lines;
static struct context here = {
    .actor = "agent@127.0.0.1:5051", .event = "dispatch", .sender = "master@127.0.0.1:5050",
};

static struct log *start(struct instant *clock)
{
    buffer_init(&lines);
    here.log = log_create(keep, &lines, clock ? at : NULL, clock);
    context_set(&here);
    return here.log;
}

static void finish(struct log *l)
{
    context_set(NULL);
    log_destroy(l);
    buffer_release(&lines);
}

static void say(enum log_level level, const char *file)
{
    log_line(level, file, 88, "agent %d registered", 7);
}

START_TEST(a_line_has_the_form_of_glog)
{
    struct log *l = start(&wall);

    say(LOG_INFO, "../master/agents.c");
    say(LOG_WARNING, "agents.c");
    say(LOG_ERROR, "agents.c");
    ck_assert_str_eq(buffer_data(&lines),
                     "I1122 13:01:07.123456     1 agents.c:88] agent 7 registered\n"
                     "W1122 13:01:07.123456     1 agents.c:88] agent 7 registered\n"
                     "E1122 13:01:07.123456     1 agents.c:88] agent 7 registered\n");
    finish(l);
}
END_TEST

START_TEST(a_time_before_1970_is_a_time)
{
    struct instant before = { -1 };
    struct log *l = start(&before);

    say(LOG_INFO, "agents.c");
    ck_assert_str_eq(buffer_data(&lines),
                     "I1231 23:59:59.999999     1 agents.c:88] agent 7 registered\n");
    finish(l);
}
END_TEST

START_TEST(without_a_clock_a_line_has_no_time)
{
    struct log *l = start(NULL);

    say(LOG_INFO, "agents.c");
    ck_assert_str_eq(buffer_data(&lines), "I agents.c:88] agent 7 registered\n");
    finish(l);
}
END_TEST

START_TEST(a_line_may_be_a_json_object)
{
    struct log *l = start(&wall);

    log_set_form(l, LOG_JSON);
    log_line(LOG_WARNING, "x/agents.c", 88, "a \"%s\"", "b");
    ck_assert_str_eq(buffer_data(&lines),
                     "{\"time\":\"2026-11-22T13:01:07.123456Z\",\"level\":\"warning\","
                     "\"file\":\"agents.c\",\"line\":88,\"actor\":\"agent@127.0.0.1:5051\","
                     "\"message\":\"a \\\"b\\\"\"}\n");
    finish(l);
}
END_TEST

START_TEST(a_message_cannot_begin_a_line_of_its_own)
{
    struct log *l = start(NULL);

    log_info("name %s", "x\nE1122 13:01:07.123456     1 forged.c:1] bad\r\x1b[2J");
    ck_assert_ptr_eq(strchr(buffer_data(&lines), '\n'),
                     buffer_data(&lines) + buffer_length(&lines) - 1);
    ck_assert_ptr_null(strchr(buffer_data(&lines), '\x1b'));
    finish(l);
}
END_TEST

START_TEST(only_lines_of_the_level_are_written)
{
    struct log *l = start(NULL);

    say(LOG_DEBUG, "agents.c");
    ck_assert_str_eq(buffer_data(&lines), "");
    log_set_level(l, LOG_ERROR);
    say(LOG_WARNING, "agents.c");
    ck_assert_str_eq(buffer_data(&lines), "");
    log_set_level(l, LOG_DEBUG);
    say(LOG_DEBUG, "agents.c");
    ck_assert_str_eq(buffer_data(&lines), "D agents.c:88] agent 7 registered\n");
    ck_assert_int_eq(log_get_level(l), LOG_DEBUG);
    finish(l);
}
END_TEST

START_TEST(debug_can_be_switched_on_by_file)
{
    struct log *l = start(NULL);

    ck_assert_int_eq(log_set_levels(l, "debug:registrar,agents", NULL), 0);
    ck_assert(log_is_on(LOG_DEBUG, "../master/agents.c"));
    ck_assert(log_is_on(LOG_DEBUG, "registrar.c"));
    ck_assert(!log_is_on(LOG_DEBUG, "agent.c"));
    ck_assert(!log_is_on(LOG_DEBUG, "agents_http.c"));
    ck_assert(!log_is_on(LOG_DEBUG, "strar.c"));
    ck_assert(log_is_on(LOG_INFO, "other.c"));
    ck_assert_int_eq(log_set_levels(l, "warning", NULL), 0);
    ck_assert(!log_is_on(LOG_DEBUG, "registrar.c"));
    ck_assert(!log_is_on(LOG_INFO, "other.c"));
    finish(l);
}
END_TEST

START_TEST(an_unknown_level_is_refused_and_changes_nothing)
{
    struct log *l = start(NULL);
    struct error err;

    log_set_level(l, LOG_WARNING);
    ck_assert_int_lt(log_set_levels(l, "verbose", &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "debug"));
    ck_assert_int_lt(log_set_levels(l, "debug:", NULL), 0);
    ck_assert_int_lt(log_set_levels(l, "", NULL), 0);
    ck_assert_int_eq(log_get_level(l), LOG_WARNING);
    finish(l);
}
END_TEST

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

START_TEST(a_debug_line_that_is_off_costs_no_arguments)
{
    struct log *l = start(NULL);

    log_debug("%d", evaluate());
    ck_assert_int_eq(evaluated, 0);
    log_set_level(l, LOG_DEBUG);
    log_debug("%d", evaluate());
    ck_assert_int_eq(evaluated, 1);
    finish(l);
}
END_TEST

static void *chatter(void *arg)
{
    struct context mine = here;

    mine.actor = arg;
    context_set(&mine);
    for (int i = 0; i < 500; i++)
        log_info("%s", (char *)arg);
    context_set(NULL);
    return NULL;
}

START_TEST(lines_of_many_threads_do_not_mix)
{
    static char words[][40] = { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbb", "cc" };
    struct log *l = start(NULL);
    pthread_t threads[3];
    int n = 0;

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, chatter, words[i]);
    log_set_levels(l, "debug:test_log", NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (char *p = buffer_data(&lines), *end; *p; p = end + 1, n++) {
        size_t length;

        end = strchr(p, '\n');
        p = strchr(p, ']') + 2;
        length = strspn(p, (char[]){ *p, '\0' });
        ck_assert_ptr_eq(p + length, end);
    }
    ck_assert_int_eq(n, 1500);
    finish(l);
}
END_TEST

/* What fn writes to stderr in a child that may die. */
static int read_stderr(void (*fn)(void), char *text, size_t size)
{
    int ends[2], status = 0;
    size_t used = 0;
    ssize_t n;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = check_fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn();
        _exit(0);
    }
    close(ends[1]);
    while (used < size - 1 && (n = read(ends[0], text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    return status;
}

static void log_outside(void)
{
    context_set(NULL);
    log_line(LOG_INFO, "main.c", 3, "starting");
    log_line(LOG_DEBUG, "main.c", 4, "not shown");
}

START_TEST(outside_of_actors_lines_go_to_stderr)
{
    char text[1000];

    ck_assert_int_eq(read_stderr(log_outside, text, sizeof text), 0);
    ck_assert_str_eq(text, "I main.c:3] starting\n");
}
END_TEST

static void break_a_promise(void)
{
    context_set(&here);
    CHECK(1 + 1 == 3);
}

START_TEST(a_broken_promise_says_where_and_for_whom)
{
    char text[4000];
    int status = read_stderr(break_a_promise, text, sizeof text);

    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_ptr_nonnull(strstr(text, "test_log.c:"));
    ck_assert_ptr_nonnull(strstr(text, "CHECK(1 + 1 == 3)"));
    ck_assert_ptr_nonnull(strstr(text, "actor agent@127.0.0.1:5051, event dispatch, "
                                       "sender master@127.0.0.1:5050"));
}
END_TEST

static void *look(void *arg UNUSED)
{
    return (void *)context_current();
}

START_TEST(each_thread_has_its_own_context)
{
    pthread_t thread;
    void *seen = &here;

    ck_assert_ptr_null(context_set(&here));
    pthread_create(&thread, NULL, look, NULL);
    pthread_join(thread, &seen);
    ck_assert_ptr_null(seen);
    ck_assert_ptr_eq(context_set(NULL), &here);
    ck_assert_ptr_null(context_current());
}
END_TEST

UNIT(log, a_line_has_the_form_of_glog, a_time_before_1970_is_a_time,
     without_a_clock_a_line_has_no_time, a_line_may_be_a_json_object,
     a_message_cannot_begin_a_line_of_its_own, only_lines_of_the_level_are_written,
     debug_can_be_switched_on_by_file, an_unknown_level_is_refused_and_changes_nothing,
     a_debug_line_that_is_off_costs_no_arguments, lines_of_many_threads_do_not_mix,
     outside_of_actors_lines_go_to_stderr, a_broken_promise_says_where_and_for_whom,
     each_thread_has_its_own_context);
