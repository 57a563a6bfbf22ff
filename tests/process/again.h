/* again.h - this test program once more, in another OS process with its memory elsewhere */
#ifndef AGAIN_H
#define AGAIN_H

#include <check.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the program writes to its standard output when it is called so. */
static inline void run_again(const char *word, const char *number, char *out, size_t size)
{
    size_t used = 0;
    int ends[2], status;
    ssize_t n;
    pid_t pid;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        if (dup2(ends[1], 1) == 1)
            execl("/proc/self/exe", "again", word, number, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], out + used, size - 1 - used)) > 0)
        used += (size_t)n;
    out[used] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

#endif
