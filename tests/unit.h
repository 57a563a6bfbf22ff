/* unit.h - the main() of a libcheck program
 *
 *     UNIT(buffer, an_empty_buffer_is_the_empty_string,
 *          THESE_ABORT, consuming_more_than_there_is);
 *
 * is the end of a test file: it names the subject and lists the tests.  Those
 * behind THESE_ABORT pass when they end by abort(), as CHECK does.
 *
 * With TEST_SEEDS=1-1000 in the environment the tests run once for each seed, which
 * they find in TEST_SEED (tests/process/place.h).
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline SRunner *unit_runner(const char *subject, const TTest *const tests[], size_t n,
                                   bool may_abort)
{
    Suite *suite = suite_create(subject);
    TCase *tcase = tcase_create(subject);
    int expected = 0;

    tcase_set_timeout(tcase, 600); /* of one that hangs; how slow a machine may be is not tested */
    for (size_t i = 0; i < n; i++) {
        if (!tests[i])
            expected = SIGABRT;
        else if (!expected || may_abort)
            tcase_add_test_raise_signal(tcase, tests[i], expected);
    }
    suite_add_tcase(suite, tcase);
    return srunner_create(suite);
}

/* The tests of one seed, in this OS process: what aborts is left out. */
static inline int unit_run_seed(const char *subject, const TTest *const tests[], size_t n,
                                unsigned long seed, unsigned long *passed)
{
    SRunner *runner = unit_runner(subject, tests, n, false);
    char text[24];
    int failed;

    snprintf(text, sizeof text, "%lu", seed);
    setenv("TEST_SEED", text, 1);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    *passed += (unsigned long)(srunner_ntests_run(runner) - failed);
    if (failed) {
        printf("with TEST_SEED=%s:\n", text);
        srunner_print(runner, CK_NORMAL);
    }
    srunner_free(runner);
    return failed;
}

/* Up to the first seed with a failure: it leaves rubbish behind. */
static inline int unit_run_seeds(const char *subject, const TTest *const tests[], size_t n,
                                 const char *seeds)
{
    unsigned long first = 0, last = 0, seed, passed = 0;
    int failed = 0;

    if (sscanf(seeds, "%lu-%lu", &first, &last) != 2)
        return EXIT_FAILURE;
    for (seed = first; seed <= last && !failed; seed++)
        failed = unit_run_seed(subject, tests, n, seed, &passed);
    printf("%s: %lu seeds, %lu passed, %d failed\n", subject, seed - first, passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int unit_main(const char *subject, const TTest *const tests[], size_t n)
{
    const char *seeds = getenv("TEST_SEEDS"), *fork = getenv("CK_FORK");
    SRunner *runner;
    int failed;

    if (seeds)
        return unit_run_seeds(subject, tests, n, seeds);
    runner = unit_runner(subject, tests, n, !fork || strcmp(fork, "no") != 0);
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
