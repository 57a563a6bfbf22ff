/* run.c - the formats of what a run leaves behind
 *
 * Lines of "name value" in a fixed order, the version first, and nothing after
 * the last.  No host in here: the supervisor links this file.
 */
#include "agent/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"

enum { FORMAT_VERSION = 1, LINE_MAX_BYTES = 256 };

struct reader { const char *at, *what; };

/* The value of the next line, which must have this name. */
static int read_line(struct reader *r, const char *name, char value[LINE_MAX_BYTES],
                     struct error *err)
{
    size_t name_length = strlen(name);
    const char *end = strchr(r->at, '\n');
    const char *start = r->at + name_length + 1;

    if (!end || strncmp(r->at, name, name_length) != 0 || r->at[name_length] != ' ' ||
        start > end || end - start >= LINE_MAX_BYTES)
        return error_set(err, EBADMSG, "%s has no proper line '%s'", r->what, name);
    memcpy(value, start, (size_t)(end - start));
    value[end - start] = '\0';
    r->at = end + 1;
    return 0;
}

static int read_number(struct reader *r, const char *name, uint64_t max, uint64_t *ret_n,
                       struct error *err)
{
    char value[LINE_MAX_BYTES];
    char *end;

    if (read_line(r, name, value, err) < 0)
        return -1;
    errno = 0;
    uint64_t n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || n > max)
        return error_set(err, EBADMSG, "%s has '%s' for its %s", r->what, value, name);
    *ret_n = n;
    return 0;
}

static int read_version(struct reader *r, struct error *err)
{
    uint64_t version;

    if (read_number(r, "version", UINT32_MAX, &version, err) < 0)
        return -1;
    if (version != FORMAT_VERSION)
        return error_set(err, EBADMSG, "%s is of version %" PRIu64 ", known is %d", r->what,
                         version, FORMAT_VERSION);
    return 0;
}

static int read_end(const struct reader *r, struct error *err)
{
    if (*r->at)
        return error_set(err, EBADMSG, "%s goes on after its end", r->what);
    return 0;
}

void run_started_format(const struct run_started *s, struct buffer *out)
{
    buffer_printf(out, "version %d\nboot_id %s\npid %d\nstart_time %" PRIu64 "\n", FORMAT_VERSION,
                  s->boot_id, (int)s->pid, s->start_time);
}

int run_started_parse(const char *text, struct run_started *ret_started, struct error *err)
{
    struct reader r = { text, "the record of a run's start" };
    struct run_started s = { .pid = 0 };
    char boot_id[LINE_MAX_BYTES];
    uint64_t pid;

    if (read_version(&r, err) < 0 || read_line(&r, "boot_id", boot_id, err) < 0 ||
        read_number(&r, "pid", INT32_MAX, &pid, err) < 0 ||
        read_number(&r, "start_time", UINT64_MAX, &s.start_time, err) < 0 || read_end(&r, err) < 0)
        return -1;
    if (pid == 0 || !boot_id[0] || strlen(boot_id) >= sizeof s.boot_id)
        return error_set(err, EBADMSG, "%s names no process", r.what);
    memcpy(s.boot_id, boot_id, strlen(boot_id) + 1);
    s.pid = (pid_t)pid;
    *ret_started = s;
    return 0;
}

void run_exit_format(const struct run_exit *e, struct buffer *out)
{
    buffer_printf(out, "version %d\nexecuted %d\nstatus %u\nreason ", FORMAT_VERSION, e->executed,
                  (unsigned)e->status);
    for (const char *p = e->reason; *p; p++)
        buffer_append_char(out, *p == '\n' ? ' ' : *p);
    buffer_append_char(out, '\n');
}

int run_exit_parse(const char *text, struct run_exit *ret_exit, struct error *err)
{
    struct reader r = { text, "the record of a run's end" };
    struct run_exit e = { .executed = false };
    char reason[LINE_MAX_BYTES];
    uint64_t executed, status;

    if (read_version(&r, err) < 0 || read_number(&r, "executed", 1, &executed, err) < 0 ||
        read_number(&r, "status", INT32_MAX, &status, err) < 0 ||
        read_line(&r, "reason", reason, err) < 0 || read_end(&r, err) < 0)
        return -1;
    if (strlen(reason) >= sizeof e.reason)
        return error_set(err, EBADMSG, "%s has too long a reason", r.what);
    memcpy(e.reason, reason, strlen(reason) + 1);
    e.executed = executed == 1;
    e.status = (int)status;
    *ret_exit = e;
    return 0;
}
