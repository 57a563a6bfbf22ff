/* test_flags.c - command line and environment, from one table */
#include "base/flags.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "tests/unit.h"

struct options {
    char *work_dir, *name;
    bool quiet, checkpoint;
    int64_t port;
    double cpus;
    struct duration timeout;
};

#define AT(member) offsetof(struct options, member)

static const struct flag table[] = {
    { "work_dir", FLAG_STRING, AT(work_dir), NULL, "Where state is kept.", .required = true },
    { "name", FLAG_STRING, AT(name), NULL, "A name for people.", .alias = "hostname" },
    { "quiet", FLAG_BOOL, AT(quiet), "false", "Log less." },
    { "checkpoint", FLAG_BOOL, AT(checkpoint), "true", "Survive." },
    { "port", FLAG_INT, AT(port), "5050", "Where to listen.", .max = 65535 },
    { "cpus", FLAG_DOUBLE, AT(cpus), NULL, "How many, from 0.5 to 8.", .min = 0.5, .max = 8 },
    { "timeout", FLAG_DURATION, AT(timeout), "15secs", "How long.", .min = 1, .max = 3600 },
    { NULL },
};

static struct options o;
static struct error err;
static bool help;

/* argv and envp as words with blanks between. */
static int parse(const char *arguments, const char *environment, char ***ret_rest)
{
    CLEANUP(mem_free_p) char *words = mem_printf("program %s", arguments);
    CLEANUP(mem_free_p) char *variables = mem_strdup(environment);
    char *argv[20], *envp[20], *save = NULL;
    int argc = 0, n = 0, rc;

    for (char *p = strtok_r(words, " ", &save); p; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    argv[argc] = NULL;
    for (char *p = strtok_r(variables, " ", &save); p; p = strtok_r(NULL, " ", &save))
        envp[n++] = p;
    envp[n] = NULL;
    memset(&o, 0xaa, sizeof o);                 /* parse must not read what was there */
    rc = flags_parse(table, &o, argc, argv, envp, &help, ret_rest, &err);
    if (rc == 0 && ret_rest)
        for (char **p = *ret_rest; *p; p++)
            *p = mem_strdup(*p);                /* the words end with this function */
    return rc;
}

static void check_refused(const char *arguments, const char *environment, const char *reason)
{
    ck_assert_msg(parse(arguments, environment, NULL) < 0, "%s", arguments);
    ck_assert_msg(strstr(err.text, reason), "'%s' has no '%s'", err.text, reason);
    ck_assert_ptr_null(o.work_dir);
    ck_assert_ptr_null(o.name);
    ck_assert_int_eq(o.port, 0);
}

START_TEST(defaults_hold_where_nothing_is_said)
{
    ck_assert_int_eq(parse("--work_dir=/tmp", "", NULL), 0);
    ck_assert(!help);
    ck_assert_str_eq(o.work_dir, "/tmp");
    ck_assert_ptr_null(o.name);
    ck_assert(!o.quiet);
    ck_assert(o.checkpoint);
    ck_assert_int_eq(o.port, 5050);
    ck_assert_int_eq(o.timeout.ns, SECONDS(15).ns);
    flags_release(table, &o);
    ck_assert_ptr_null(o.work_dir);
}
END_TEST

START_TEST(every_type_is_read_from_the_command_line)
{
    ck_assert_int_eq(parse("--work_dir=a=b --name= --quiet --no-checkpoint --port=0 --cpus=1.5 "
                           "--timeout=1.5mins", "", NULL), 0);
    ck_assert_str_eq(o.work_dir, "a=b");
    ck_assert_str_eq(o.name, "");
    ck_assert(o.quiet);
    ck_assert(!o.checkpoint);
    ck_assert_int_eq(o.port, 0);
    ck_assert_double_eq(o.cpus, 1.5);
    ck_assert_int_eq(o.timeout.ns, SECONDS(90).ns);
    flags_release(table, &o);
}
END_TEST

START_TEST(the_command_line_wins_over_the_environment_and_that_over_defaults)
{
    ck_assert_int_eq(parse("--port=1", "MESOS_WORK_DIR=/e MESOS_PORT=2 MESOS_QUIET=true PORT=3 "
                           "MESOS_PORTS=4 MESOS_UNKNOWN=5 MESOS_", NULL), 0);
    ck_assert_str_eq(o.work_dir, "/e");
    ck_assert_int_eq(o.port, 1);
    ck_assert(o.quiet);
    flags_release(table, &o);
}
END_TEST

START_TEST(a_bad_value_that_is_overridden_does_no_harm)
{
    ck_assert_int_eq(parse("--work_dir=/ --port=1", "MESOS_PORT=nonsense", NULL), 0);
    flags_release(table, &o);
    check_refused("--work_dir=/", "MESOS_PORT=nonsense", "from the environment");
}
END_TEST

START_TEST(an_old_name_is_as_good_as_the_new_one)
{
    ck_assert_int_eq(parse("--work_dir=/ --hostname=box", "", NULL), 0);
    ck_assert_str_eq(o.name, "box");
    flags_release(table, &o);
    ck_assert_int_eq(parse("--work_dir=/", "MESOS_HOSTNAME=env", NULL), 0);
    ck_assert_str_eq(o.name, "env");
    flags_release(table, &o);
    check_refused("--work_dir=/ --hostname=a --name=b", "", "twice");
}
END_TEST

START_TEST(what_is_wrong_is_said_and_leaves_nothing)
{
    check_refused("", "", "--work_dir is required");
    check_refused("--work_dir", "", "needs a value");
    check_refused("--work_dir=/ --wrok_dir=/", "", "did you mean --work_dir?");
    check_refused("--work_dir=/ --xyzzy", "", "--help");
    check_refused("--work_dir=/ --no-port", "", "boolean");
    check_refused("--work_dir=/ --no-quiet=true", "", "takes no value");
    check_refused("--work_dir=/ --no-xyzzy", "", "--no-xyzzy");
    check_refused("--work_dir=/ --quiet=maybe", "", "neither true nor false");
    check_refused("--work_dir=/ --port=1 --port=1", "", "twice");
    check_refused("--work_dir=/ --quiet --no-quiet", "", "twice");
    check_refused("--work_dir=/ --port=", "", "no whole number");
    check_refused("--work_dir=/ --port=1.5", "", "no whole number");
    check_refused("--work_dir=/ --port=65536", "", "from 0 to 65535");
    check_refused("--work_dir=/ --port=-1", "", "from 0 to 65535");
    check_refused("--work_dir=/ --port=99999999999999999999", "", "too large");
    check_refused("--work_dir=/ --cpus=nan", "", "no number");
    check_refused("--work_dir=/ --cpus=0.4", "", "from 0.5 to 8");
    check_refused("--work_dir=/ --timeout=5", "", "unit");
    check_refused("--work_dir=/ --timeout=2hrs", "", "from 1 to 3600 seconds");
    check_refused("--work_dir=/ word", "", "'word' is no flag");
    check_refused("--work_dir=/ --=1", "", "there is no flag");
    check_refused("--work_dir=file:///nowhere/at/all", "", "cannot open /nowhere/at/all");
}
END_TEST

START_TEST(words_are_handed_over_and_two_dashes_end_the_flags)
{
    char **rest;

    ck_assert_int_eq(parse("a --work_dir=/ b -- --port=x -- c", "", &rest), 0);
    ck_assert_str_eq(rest[0], "a");
    ck_assert_str_eq(rest[1], "b");
    ck_assert_str_eq(rest[2], "--port=x");
    ck_assert_str_eq(rest[3], "--");
    ck_assert_str_eq(rest[4], "c");
    ck_assert_ptr_null(rest[5]);
    for (char **p = rest; *p; p++)
        mem_free(*p);
    mem_free(rest);
    flags_release(table, &o);
}
END_TEST

START_TEST(asking_for_help_needs_nothing_else)
{
    ck_assert_int_eq(parse("--port=nonsense --help", "", NULL), 0);
    ck_assert(help);
    flags_release(table, &o);
}
END_TEST

START_TEST(a_value_may_be_the_content_of_a_file_without_the_space_around_it)
{
    CLEANUP(mem_free_p) char *argument = NULL;
    char path[] = "test_flags.XXXXXX";
    int fd = mkstemp(path);
    char folder[1000];

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "\n  two words\t\n", 14), 14);
    close(fd);
    ck_assert_ptr_nonnull(getcwd(folder, sizeof folder));
    argument = mem_printf("--work_dir=file://%s/%s", folder, path);
    ck_assert_int_eq(parse(argument, "", NULL), 0);
    unlink(path);
    ck_assert_str_eq(o.work_dir, "two words");
    flags_release(table, &o);
}
END_TEST

static void check_format(const char *name, const char *expected)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    for (const struct flag *row = table; row->name; row++)
        if (strcmp(row->name, name) == 0)
            ck_assert_int_eq(flags_format(row, &o, &out), expected != NULL);
    ck_assert_str_eq(buffer_data(&out), expected ? expected : "");
}

START_TEST(values_are_printed_as_they_could_be_given)
{
    ck_assert_int_eq(parse("--work_dir=/w --quiet --timeout=90secs", "", NULL), 0);
    check_format("work_dir", "/w");
    check_format("name", NULL);
    check_format("quiet", "true");
    check_format("checkpoint", "true");
    check_format("port", "5050");
    check_format("cpus", NULL);
    check_format("timeout", "90secs");
    o.cpus = 0.5;
    check_format("cpus", "0.5");
    flags_release(table, &o);
}
END_TEST

START_TEST(the_help_and_the_manual_name_every_flag_with_its_default)
{
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    CLEANUP(buffer_release) struct buffer manual = BUFFER_INIT;

    flags_help(table, "program [--name=value ...]", &text);
    ck_assert_ptr_nonnull(strstr(buffer_data(&text), "Usage: program [--name=value ...]\n"));
    ck_assert_ptr_nonnull(strstr(buffer_data(&text), "  --work_dir=text\n"
                                 "        Where state is kept. (required)\n"));
    ck_assert_ptr_nonnull(strstr(buffer_data(&text), "  --[no-]quiet\n"));
    ck_assert_ptr_nonnull(strstr(buffer_data(&text), "(default: 15secs)"));
    ck_assert_ptr_nonnull(strstr(buffer_data(&text), "(also: --hostname)"));

    flags_manual(table, &manual);
    ck_assert_ptr_nonnull(strstr(buffer_data(&manual), ".It Fl \\-port Ns = Ns Ar number\n"
                                 "Where to listen.\nThe default is\n.Ql 5050\n"));
    for (const struct flag *row = table; row->name; row++)
        ck_assert_ptr_nonnull(strstr(buffer_data(&manual), row->name));
}
END_TEST

START_TEST(help_lines_fit_a_terminal)
{
    static const struct flag long_table[] = {
        { "x", FLAG_BOOL, AT(quiet), "false",
          "A sentence that goes on and on, well beyond the eighty columns of a terminal, so "
          "that it has to be broken more than once, between words and nowhere else." },
        { NULL },
    };
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;

    flags_help(long_table, "x", &text);
    for (char *p = buffer_data(&text); *p; p += strcspn(p, "\n") + 1)
        ck_assert_uint_le(strcspn(p, "\n"), 80);
}
END_TEST

UNIT(flags, defaults_hold_where_nothing_is_said, every_type_is_read_from_the_command_line,
     the_command_line_wins_over_the_environment_and_that_over_defaults,
     a_bad_value_that_is_overridden_does_no_harm, an_old_name_is_as_good_as_the_new_one,
     what_is_wrong_is_said_and_leaves_nothing, words_are_handed_over_and_two_dashes_end_the_flags,
     asking_for_help_needs_nothing_else,
     a_value_may_be_the_content_of_a_file_without_the_space_around_it,
     values_are_printed_as_they_could_be_given,
     the_help_and_the_manual_name_every_flag_with_its_default, help_lines_fit_a_terminal);
