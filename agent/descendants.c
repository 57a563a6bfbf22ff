/* descendants.c - all that came of an OS process */
#include "agent/descendants.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

struct pids { pid_t *v; size_t n, capacity; };

static void add(struct pids *p, pid_t pid)
{
    if (p->n == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 16;
        p->v = mem_realloc(p->v, p->capacity * sizeof *p->v);
    }
    p->v[p->n++] = pid;
}

static void release(struct pids *p)
{
    mem_free(p->v);
}

/* The number that a folder of /proc is named by, or 0. */
static pid_t number(const char *name)
{
    char *end;
    long n = strtol(name, &end, 10);

    return *end || n < 1 ? 0 : (pid_t)n;
}

/* The kernel's list: a file per thread of the parent. */
static void add_listed_children(pid_t parent, struct pids *p)
{
    char path[64];
    DIR *threads;

    snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
    threads = opendir(path);
    if (!threads) /* it has ended: its children are its subreaper's now */
        return;
    for (struct dirent *d; (d = readdir(threads));) {
        FILE *f;
        int child;

        if (number(d->d_name) == 0)
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent,
                 (int)number(d->d_name));
        f = fopen(path, "re");
        while (f && fscanf(f, "%d", &child) == 1)
            add(p, child);
        if (f)
            fclose(f);
    }
    closedir(threads);
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    int parent = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    while (fgets(path, sizeof path, f))
        if (sscanf(path, "PPid: %d", &parent) == 1)
            break;
    fclose(f);
    return parent;
}

/* For a kernel without CONFIG_PROC_CHILDREN. */
static void add_searched_children(pid_t parent, struct pids *p)
{
    DIR *proc = opendir("/proc");

    if (!proc)
        return;
    for (struct dirent *d; (d = readdir(proc));) {
        pid_t pid = number(d->d_name);

        if (pid > 0 && parent_of(pid) == parent)
            add(p, pid);
    }
    closedir(proc);
}

static void add_children(pid_t parent, struct pids *p)
{
    if (access("/proc/thread-self/children", F_OK) == 0)
        add_listed_children(parent, p);
    else
        add_searched_children(parent, p);
}

/* Adds what is below those in p, to the last. */
static void complete(struct pids *p, bool stop)
{
    for (size_t i = 0; i < p->n; i++) {
        if (stop)
            kill(p->v[i], SIGSTOP);
        add_children(p->v[i], p);
    }
}

void descendants_signal(pid_t root, pid_t except, int signo)
{
    struct pids p = { NULL, 0, 0 };

    add_children(root, &p);
    complete(&p, false);
    for (size_t i = 0; i < p.n; i++)
        if (except == 0 || getpgid(p.v[i]) != except)
            kill(p.v[i], signo);
    release(&p);
}

/* Takes p. */
static void kill_all(struct pids *p)
{
    complete(p, true);
    for (size_t i = 0; i < p->n; i++)
        kill(p->v[i], SIGKILL);
    release(p);
}

void descendants_kill(pid_t root)
{
    struct pids p = { NULL, 0, 0 };

    add_children(root, &p);
    kill_all(&p);
}

void descendants_kill_children(int (*kill_it)(void *arg, pid_t child), void *arg)
{
    struct pids children = { NULL, 0, 0 }, doomed = { NULL, 0, 0 };

    add_children(getpid(), &children);
    for (size_t i = 0; i < children.n; i++)
        if (kill_it(arg, children.v[i]))
            add(&doomed, children.v[i]);
    release(&children);
    kill_all(&doomed);
}
