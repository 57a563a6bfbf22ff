/* host_real_processes.c - the OS processes of the machine, from /proc */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host_real.h"

/* Fields of /proc/<pid>/stat as proc(5) numbers them. */
enum { FIELD_PARENT = 4, FIELD_USER = 14, FIELD_SYSTEM, FIELD_START = 22, FIELD_RESIDENT = 24 };

/* Behind the command's name, which may hold blanks and parentheses itself. */
static int parse_fields(const char *stat, uint64_t ret_fields[FIELD_RESIDENT + 1])
{
    const char *p = strrchr(stat, ')');

    for (int field = 3; field <= FIELD_RESIDENT; field++) {
        p = p ? strchr(p + 1, ' ') : NULL;
        if (!p)
            return -1;
        ret_fields[field] = strtoull(p + 1, NULL, 10);
    }
    return 0;
}

static struct duration from_ticks(uint64_t ticks)
{
    uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);

    return (struct duration){ (int64_t)(ticks / per_second * 1000000000 +
                                        ticks % per_second * (1000000000 / per_second)) };
}

/* False: it has gone meanwhile. */
static bool look_at(const char *pid, struct host_process *ret_process)
{
    uint64_t fields[FIELD_RESIDENT + 1];
    char path[300], stat[1024];
    struct error err;

    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    if (host_real_file_read_small(path, stat, sizeof stat, &err) < 0 ||
        parse_fields(stat, fields) < 0)
        return false;
    ret_process->pid = (pid_t)strtol(pid, NULL, 10);
    ret_process->parent = (pid_t)fields[FIELD_PARENT];
    ret_process->start_time = fields[FIELD_START];
    ret_process->user = from_ticks(fields[FIELD_USER]);
    ret_process->system = from_ticks(fields[FIELD_SYSTEM]);
    ret_process->resident_bytes = fields[FIELD_RESIDENT] * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

int host_real_processes_list(struct host *h, struct host_process **ret_processes, size_t *ret_n,
                             struct error *err)
{
    struct host_process *list = NULL;
    size_t n = 0, room = 0;
    struct dirent *entry;
    DIR *dir = opendir("/proc");

    (void)h;
    if (!dir)
        return error_errno(err, "Failed to list '/proc'");
    while ((entry = readdir(dir))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (n == room) {
            room = room ? 2 * room : 256;
            list = mem_realloc(list, room * sizeof *list);
        }
        n += look_at(entry->d_name, &list[n]);
    }
    closedir(dir);
    *ret_processes = list;
    *ret_n = n;
    return 0;
}
