/* test_program.c - what every main does: errors of the start, the wait, the end */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/program.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* ---- an actor that ends when it is told to ---- */

struct mortal { struct process process; };

CLASS(mortal, "mortal", mortal_initialize, mortal_exited, mortal_finalize);
CALL(mortal, end, nothing, NO_RELEASE);

static void mortal_initialize(struct mortal *m UNUSED)
{
}

static void mortal_exited(struct mortal *m UNUSED, const struct pid *peer UNUSED)
{
}

static void mortal_finalize(struct mortal *m UNUSED)
{
}

static void end(struct mortal *m, struct nothing *unused UNUSED)
{
    process_terminate(&m->process.pid, TERMINATE_NOW);
}

static struct pid mortal_start(struct program *p, struct mortal *m)
{
    struct pid pid;
    struct error err;

    memset(m, 0, sizeof *m);
    ck_assert_int_eq(process_spawn(p->runtime, &m->process, &mortal_class, NULL, &pid, &err), 0);
    return pid;
}

static struct program start(struct program_options options)
{
    struct program p;
    struct error err;

    options.threads = 2;
    options.log = "error";
    ck_assert_msg(program_start(&p, host_real_create(), &options, &err) == 0, "%s", err.text);
    return p;
}

static void check_refused(struct program_options options, const char *words)
{
    struct program p;
    struct error err;

    ck_assert_int_eq(program_start(&p, host_real_create(), &options, &err), -1);
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' is not in '%s'", words, err.text);
}

/* ---- the start ---- */

START_TEST(a_wrong_option_is_refused_by_its_name)
{
    check_refused((struct program_options){ .ip = "localhost" }, "--ip");
    check_refused((struct program_options){ .advertise_ip = "1.2.3" }, "--advertise_ip");
    check_refused((struct program_options){ .advertise_ip = "0.0.0.0" }, "--advertise_ip");
    check_refused((struct program_options){ .port = 65536 }, "--port");
    check_refused((struct program_options){ .advertise_port = -1 }, "--advertise_port");
    check_refused((struct program_options){ .log = "loud" }, "--log");
    check_refused((struct program_options){ .log_format = "xml" }, "--log_format");
}
END_TEST

START_TEST(all_addresses_need_one_to_advertise)
{
    struct program p;

    check_refused((struct program_options){ .ip = "0.0.0.0" }, "set --advertise_ip");
    p = start((struct program_options){ .ip = "0.0.0.0", .advertise_ip = "10.1.2.3" });
    ck_assert_uint_eq(runtime_address(p.runtime).ip, 0x0a010203);
    ck_assert_uint_ne(runtime_address(p.runtime).port, 0);
    program_stop(&p);
}
END_TEST

START_TEST(a_port_in_use_is_refused)
{
    struct program p = start((struct program_options){ .port = 0 });
    char port[8];

    snprintf(port, sizeof port, "%u", runtime_address(p.runtime).port);
    check_refused((struct program_options){ .port = runtime_address(p.runtime).port }, port);
    program_stop(&p);
}
END_TEST

START_TEST(the_address_is_written_for_those_who_wait_for_it)
{
    struct program p = start((struct program_options){ .advertise_port = 4711 });
    char folder[] = "/tmp/test_program-XXXXXX", path[64], *data;
    size_t size;

    ck_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/address", folder);
    ck_assert_int_eq(program_write_address(&p, path, NULL), 0);
    ck_assert_int_eq(host_read_file(p.host, path, 100, &data, &size, NULL), 0);
    ck_assert_str_eq(data, "127.0.0.1:4711\n");
    free(data);
    ck_assert_int_eq(host_remove_tree(p.host, folder, NULL), 0);
    program_stop(&p);
}
END_TEST

/* ---- the wait ---- */

START_TEST(the_wait_ends_with_the_process)
{
    struct program p = start((struct program_options){ .port = 0 });

    for (int i = 0; i < 50; i++) {
        struct mortal m;
        struct pid pid = mortal_start(&p, &m);

        delay(&pid, MICROSECONDS(i * 100), end);
        ck_assert_int_eq(program_wait(&p, &pid), 0);
        ck_assert(process_wait(&pid, LONG));
        pid_release(&pid);
    }
    program_stop(&p);
}
END_TEST

START_TEST(the_wait_for_a_process_that_has_ended_already_is_over)
{
    struct program p = start((struct program_options){ .port = 0 });
    struct mortal m;
    struct pid pid = mortal_start(&p, &m);

    dispatch(&pid, end);
    ck_assert(process_wait(&pid, LONG));
    ck_assert_int_eq(program_wait(&p, &pid), 0);
    pid_release(&pid);
    program_stop(&p);
}
END_TEST

START_TEST(a_signal_ends_the_wait_and_is_told)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        struct program p = start((struct program_options){ .port = 0 });
        struct mortal m;
        struct pid pid = mortal_start(&p, &m);

        ck_assert_int_eq(kill(getpid(), signals[i]), 0);
        ck_assert_int_eq(program_wait(&p, &pid), signals[i]);
        pid_release(&pid);
        program_stop(&p);
    }
}
END_TEST

UNIT(program, a_wrong_option_is_refused_by_its_name, all_addresses_need_one_to_advertise,
     a_port_in_use_is_refused, the_address_is_written_for_those_who_wait_for_it,
     the_wait_ends_with_the_process, the_wait_for_a_process_that_has_ended_already_is_over,
     a_signal_ends_the_wait_and_is_told);
