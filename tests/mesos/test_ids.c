/* test_ids.c - ids and roles: what is a name, and what is not */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "mesos/ids.h"
#include "mesos/role.h"

static void check_refused(const char *text, const char *part_of_reason)
{
    struct task_id id;
    struct error err;

    ck_assert_int_eq(task_id_parse(text, &id, &err), -1);
    ck_assert_msg(strstr(err.text, part_of_reason), "'%s' lacks '%s'", err.text, part_of_reason);
}

START_TEST(an_id_is_what_it_was_parsed_from)
{
    struct task_id id, copy, empty = { NULL };

    ck_assert_int_eq(task_id_parse("task-1.a_b C:\xc3\xa4", &id, NULL), 0);
    copy = task_id_dup(&id);
    ck_assert(task_id_equal(&id, &copy));
    ck_assert(!task_id_equal(&id, &empty));
    ck_assert_str_eq(task_id_text(&copy), "task-1.a_b C:\xc3\xa4");
    task_id_assign(&id, &copy);
    task_id_assign(&copy, &empty);
    ck_assert(task_id_is_empty(&copy));
    ck_assert_str_eq(task_id_text(&copy), "");
    ck_assert(!task_id_is_empty(&id));
    task_id_release(&id);
    task_id_release(&id);
}
END_TEST

START_TEST(what_cannot_name_a_folder_is_refused_with_a_reason)
{
    check_refused(NULL, "task id is empty");
    check_refused("", "is empty");
    check_refused(".", "not allowed");
    check_refused("..", "not allowed");
    check_refused("a/b", "'/'");
    check_refused("a\\b", "'\\'");
    check_refused("ab\n", "(0x0a) at byte 3");
    check_refused("\x7f", "0x7f");
}
END_TEST

START_TEST(an_id_has_at_most_255_bytes)
{
    char text[257];
    struct agent_id id;
    struct error err;

    memset(text, 'x', sizeof text);
    text[256] = '\0';
    ck_assert_int_eq(agent_id_parse(text, &id, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "agent id has 256 bytes"));
    text[255] = '\0';
    ck_assert_int_eq(agent_id_parse(text, &id, &err), 0);
    agent_id_release(&id);
}
END_TEST

START_TEST(roles_have_good_names)
{
    const char *good[] = { "*", "prod", "prod/web", "a-b", "...", "a.b/c*" };
    const char *bad[] = { "", "/a", "a/", "a//b", "a/*", "*/a", ".", "a/..", "-a", "a/-b", "a b",
                          "a\tb", "a\x7f", "a\b" };
    struct error err;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(role_validate(good[i], &err) == 0, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(role_validate(bad[i], &err) < 0, "%s", bad[i]);
}
END_TEST

START_TEST(roles_lie_below_their_ancestors_only)
{
    ck_assert(role_is_below("a/b", "a"));
    ck_assert(role_is_below("a/b/c", "a/b"));
    ck_assert(!role_is_below("a", "a"));
    ck_assert(!role_is_below("ab/c", "a"));
    ck_assert(!role_is_below("a", "a/b"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ids");
    TCase *t = tcase_create("ids");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_test(t, an_id_is_what_it_was_parsed_from);
    tcase_add_test(t, what_cannot_name_a_folder_is_refused_with_a_reason);
    tcase_add_test(t, an_id_has_at_most_255_bytes);
    tcase_add_test(t, roles_have_good_names);
    tcase_add_test(t, roles_lie_below_their_ancestors_only);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
