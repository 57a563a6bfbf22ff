/* test_subprocess.c - children of the real host: statuses, signals, groups */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "process/subprocess.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* ---- in the context of an actor, which is where children are spawned ---- */

struct birth {
    struct runtime *rt;
    const char *path, *command;
    struct subprocess *child;
    struct error err;
};

static struct future *call_spawn(struct process *self UNUSED, void *args)
{
    struct birth *b = *(struct birth **)args;
    char *argv[] = { (char *)b->path, (char *)"-c", (char *)b->command, NULL };
    struct child_spec spec = {
        .path = b->path, .argv = argv, .in = CHILD_NULL, .new_session = true
    };

    b->child = subprocess_spawn(b->rt, &spec, &b->err);
    return future_ready(&future_nothing, NULL);
}

static struct birth spawn(struct node *n, const char *path, const char *command)
{
    struct birth b = { .rt = n->rt, .path = path, .command = command }, *args = &b;
    struct future *f =
        process_call(&runtime_executor(n->rt)->pid, call_spawn, &args, sizeof args, NULL);

    ck_assert(future_wait(f, n->host, LONG));
    future_unref(f);
    return b;
}

static struct subprocess *shell(struct node *n, const char *command)
{
    struct birth b = spawn(n, "sh", command);

    ck_assert_msg(b.child != NULL, "%s", b.err.text);
    return b.child;
}

static int status_of(struct node *n, struct subprocess *s)
{
    struct future *f = subprocess_wait(s);
    int status;

    ck_assert(future_wait(f, n->host, LONG));
    status = *subprocess_status_get(f);
    future_unref(f);
    return status;
}

/* A pipe with a name: its reader sees the end when the last writer has gone. */
struct fifo {
    char folder[32], path[64];
};

static struct fifo fifo_create(void)
{
    struct fifo f = { .folder = "/tmp/test_subprocess-XXXXXX" };

    ck_assert(mkdtemp(f.folder) != NULL);
    snprintf(f.path, sizeof f.path, "%s/fifo", f.folder);
    ck_assert_int_eq(mkfifo(f.path, 0600), 0);
    return f;
}

static void fifo_remove(struct fifo *f)
{
    unlink(f->path);
    rmdir(f->folder);
}

/* ---- statuses ---- */

START_TEST(the_status_is_a_future_that_may_be_asked_for_again)
{
    struct node n = node_start(2);
    struct subprocess *s = shell(&n, "exit 3");

    ck_assert_int_eq(status_of(&n, s), 3 << 8);
    ck_assert_int_eq(status_of(&n, s), 3 << 8);
    subprocess_unref(s);
    node_stop(&n);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_an_error_of_the_call)
{
    struct node n = node_start(1);
    struct birth b = spawn(&n, "/no/such/program", "");

    ck_assert(b.child == NULL);
    ck_assert_int_eq(b.err.code, ENOENT);
    node_stop(&n);
}
END_TEST

START_TEST(many_children_end_with_their_own_statuses)
{
    struct node n = node_start(2);
    struct subprocess *s[30];

    for (int i = 0; i < 30; i++) {
        char *command = mem_printf("exit %d", i);

        s[i] = shell(&n, command);
        mem_free(command);
    }
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(status_of(&n, s[i]), i << 8);
        subprocess_unref(s[i]);
    }
    node_stop(&n);
}
END_TEST

/* ---- references ---- */

START_TEST(a_subprocess_without_owners_goes_on_and_its_future_comes)
{
    struct node n = node_start(1);
    struct subprocess *s = shell(&n, "exit 4");
    struct future *f = subprocess_wait(s);

    subprocess_unref(subprocess_ref(s));
    subprocess_unref(s);
    ck_assert(future_wait(f, n.host, LONG));
    ck_assert_int_eq(*subprocess_status_get(f), 4 << 8);
    future_unref(f);
    node_stop(&n);
}
END_TEST

START_TEST(a_runtime_that_ends_first_leaves_the_child_running_and_nothing_behind)
{
    struct node n = node_start(2);
    struct subprocess *s = shell(&n, "exec sleep 100000");
    pid_t pid = subprocess_pid(s);
    struct future *f = subprocess_wait(s);

    subprocess_unref(s);
    node_stop(&n);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* ---- who started it ends first ---- */

struct parent {
    struct process process;
    struct subprocess *child;
};

CLASS(parent, "parent", parent_initialize, parent_exited, parent_finalize);

static void parent_initialize(struct parent *p)
{
    char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"read line; exit 5", NULL };
    struct child_spec spec = { .path = "sh", .argv = argv, .in = CHILD_PIPE };

    p->child = subprocess_spawn(p->process.runtime, &spec, NULL);
}

static void parent_exited(struct parent *p UNUSED, const struct pid *peer UNUSED) {}

static void parent_finalize(struct parent *p UNUSED) {}

START_TEST(an_actor_that_ends_leaves_the_child_running_and_its_future_comes)
{
    struct node n = node_start(2);
    struct parent p = { .child = NULL };
    struct pid pid;

    ck_assert_int_eq(process_spawn(n.rt, &p.process, &parent_class, NULL, &pid, NULL), 0);
    process_terminate(&pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(&pid, LONG));
    pid_release(&pid);
    subprocess_close(p.child, SUBPROCESS_IN);
    ck_assert_int_eq(status_of(&n, p.child), 5 << 8);
    subprocess_unref(p.child);
    node_stop(&n);
}
END_TEST

/* ---- signals ---- */

START_TEST(a_signal_ends_the_child_and_comes_too_late_afterwards)
{
    struct node n = node_start(1);
    struct subprocess *s = shell(&n, "exec sleep 100000");
    struct error err;

    ck_assert_int_eq(subprocess_signal(s, SIGTERM, &err), 0);
    ck_assert_int_eq(status_of(&n, s), SIGTERM);
    ck_assert_int_eq(subprocess_signal(s, SIGTERM, &err), -1);
    ck_assert_int_eq(err.code, ESRCH);
    ck_assert_int_eq(subprocess_signal_group(s, SIGKILL, &err), -1);
    ck_assert_int_eq(err.code, ESRCH);
    subprocess_unref(s);
    node_stop(&n);
}
END_TEST

START_TEST(a_signal_to_the_group_reaches_the_childs_children)
{
    struct node n = node_start(1);
    struct fifo fifo = fifo_create();
    char *command = mem_printf("sleep 100000 >%s & wait", fifo.path);
    struct subprocess *s = shell(&n, command);
    int fd = open(fifo.path, O_RDONLY); /* waits for the sleeper to open it */
    char byte;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(subprocess_signal_group(s, SIGKILL, NULL), 0);
    ck_assert_int_eq(read(fd, &byte, 1), 0); /* waits for the sleeper to end */
    ck_assert_int_eq(status_of(&n, s), SIGKILL);
    close(fd);
    subprocess_unref(s);
    mem_free(command);
    fifo_remove(&fifo);
    node_stop(&n);
}
END_TEST

UNIT(subprocess, the_status_is_a_future_that_may_be_asked_for_again,
     a_program_that_is_not_there_is_an_error_of_the_call, many_children_end_with_their_own_statuses,
     a_subprocess_without_owners_goes_on_and_its_future_comes,
     a_runtime_that_ends_first_leaves_the_child_running_and_nothing_behind,
     an_actor_that_ends_leaves_the_child_running_and_its_future_comes,
     a_signal_ends_the_child_and_comes_too_late_afterwards,
     a_signal_to_the_group_reaches_the_childs_children);
