/* run_usage.c - what runs use */
#include "agent/run_usage.h"

#include <uthash.h>

#include "base/memory.h"

enum { GENERATIONS_MAX = 1000 }; /* a list that was read while it changed may go round in circles */

struct node {
    const struct host_process *process;
    struct run_usage *run; /* whose first process this is, or NULL */
    pid_t pid;
    UT_hash_handle hh;
};

static struct node *find(struct node *nodes, pid_t pid)
{
    struct node *n;

    HASH_FIND(hh, nodes, &pid, sizeof pid, n);
    return n;
}

/* The nearest above it; NULL: it came of none. */
static struct run_usage *find_run(struct node *nodes, struct node *n)
{
    for (int i = 0; n && i < GENERATIONS_MAX; i++) {
        if (n->run)
            return n->run;
        n = find(nodes, n->process->parent);
    }
    return NULL;
}

static void add(struct run_usage *run, const struct host_process *p)
{
    run->processes++;
    run->user.ns += p->user.ns;
    run->system.ns += p->system.ns;
    run->resident_bytes += p->resident_bytes;
}

void run_usage_sum(const struct host_process *processes, size_t n, struct run_usage *runs,
                   size_t n_runs)
{
    struct node *all = mem_array(n, sizeof *all), *nodes = NULL, *first;

    for (size_t i = 0; i < n; i++) {
        all[i].process = &processes[i];
        all[i].pid = processes[i].pid;
        if (!find(nodes, all[i].pid))
            HASH_ADD(hh, nodes, pid, sizeof all[i].pid, &all[i]);
    }
    for (size_t i = 0; i < n_runs; i++) {
        first = find(nodes, runs[i].pid);
        if (first && first->process->start_time == runs[i].start_time)
            first->run = &runs[i];
    }
    for (struct node *node = nodes; node; node = node->hh.next) {
        struct run_usage *run = find_run(nodes, node);

        if (run)
            add(run, node->process);
    }
    HASH_CLEAR(hh, nodes);
    mem_free(all);
}
