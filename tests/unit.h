/* unit.h - the main() of a libcheck program
 *
 *     UNIT(buffer, an_empty_buffer_is_the_empty_string,
 *          THESE_ABORT, consuming_more_than_there_is);
 *
 * is the end of a test file: it names the subject and lists the tests.  Those
 * behind THESE_ABORT pass when they end by abort(), as CHECK does.
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

static inline int unit_main(const char *subject, const TTest *const tests[], size_t n)
{
    Suite *suite = suite_create(subject);
    TCase *tcase = tcase_create(subject);
    SRunner *runner = srunner_create(suite);
    int expected = 0, failed;

    for (size_t i = 0; i < n; i++) {
        if (tests[i])
            tcase_add_test_raise_signal(tcase, tests[i], expected);
        else
            expected = SIGABRT;
    }
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define THESE_ABORT NULL
#define UNIT(subject, ...)                                                                         \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = { __VA_ARGS__ };                                              \
                                                                                                   \
        return unit_main(#subject, tests, sizeof tests / sizeof tests[0]);                         \
    }                                                                                              \
    struct unit

#endif
