/* run_inspect.c - what has become of a run, from what it left
 *
 * A start that was asked for may still be on its way while we look: the
 * supervisor forked but not yet at `started`.  "Never started, never will be"
 * is made true here, therefore: we create `started` exclusively ourselves, and
 * empty, which the supervisor never does (it links a finished file to the
 * name).  Whoever creates it first has decided.
 */
#include "agent/run.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"

enum { RECORD_LIMIT = 4096 };

/* The file's text, the caller's; "" when it is empty, NULL when it is absent
 * (and 0 is returned). */
static int read_record(struct host *h, const char *folder, const char *name, char **ret_text,
                       struct error *err)
{
    CLEANUP(mem_free_p) char *path = mem_printf("%s/%s", folder, name);
    CLEANUP(mem_free_p) char *data = NULL;
    struct error why;
    size_t size;

    if (host_read_file(h, path, RECORD_LIMIT, &data, &size, &why) < 0) {
        if (why.code != ENOENT)
            return error_copy(err, &why);
        *ret_text = NULL;
        return 0;
    }
    *ret_text = mem_strndup(data, size);
    return 0;
}

/* 1 and the end; 0: there is none. */
static int read_exit(struct host *h, const char *folder, struct run_exit *ret_exit,
                     struct error *err)
{
    CLEANUP(mem_free_p) char *text = NULL;

    if (read_record(h, folder, RUN_EXIT, &text, err) < 0)
        return -1;
    if (!text)
        return 0;
    if (run_exit_parse(text, ret_exit, err) < 0)
        return error_wrap(err, "%s/%s", folder, RUN_EXIT);
    return 1;
}

/* 1: nobody will start it any more; 0: somebody was faster. */
static int forbid_start(struct host *h, const char *folder, struct error *err)
{
    CLEANUP(mem_free_p) char *path = mem_printf("%s/%s", folder, RUN_STARTED);
    struct file *file;
    struct error why;

    if (host_open(h, path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &file, &why) == 0) {
        file_close(file);
        return 1;
    }
    if (why.code == EEXIST)
        return 0;
    if (why.code == ENOENT)           /* no folder: the agent ended before it made one */
        return 1;
    return error_copy(err, &why);
}

/* `started` says who it was: does that one live? */
static int inspect_started(struct host *h, const char *folder, const char *text,
                           enum run_state *ret_state, struct run_started *ret_started,
                           struct run_exit *ret_exit, struct error *err)
{
    CLEANUP(mem_free_p) char *lock = mem_printf("%s/%s", folder, RUN_LOCK);
    struct run_started started;
    struct run_exit end;
    int locked, ended;

    if (run_started_parse(text, &started, err) < 0)
        return error_wrap(err, "%s/%s", folder, RUN_STARTED);
    locked = host_is_locked(h, lock, err);
    if (locked < 0)
        return -1;
    ended = locked ? 0 : read_exit(h, folder, &end, err); /* it may have ended since we looked */
    if (ended < 0)
        return -1;
    *ret_started = started;
    if (ended)
        *ret_exit = end;
    *ret_state = locked ? RUN_LIVES : ended ? RUN_ENDED : RUN_FAILED;
    return 0;
}

int run_inspect(struct host *h, const char *folder, const char *boot_id_at_intent,
                enum run_state *ret_state, struct run_started *ret_started,
                struct run_exit *ret_exit, struct error *err)
{
    struct host_facts facts;
    struct run_exit end;
    bool same_boot;
    int r;

    host_facts(h, &facts);
    same_boot = strcmp(facts.boot_id, boot_id_at_intent) == 0;
    r = read_exit(h, folder, &end, err);
    if (r < 0)
        return -1;
    if (r > 0) {
        *ret_exit = end;
        *ret_state = RUN_ENDED;
        return 0;
    }
    for (;;) {
        CLEANUP(mem_free_p) char *text = NULL;

        if (read_record(h, folder, RUN_STARTED, &text, err) < 0)
            return -1;
        if (text && *text)
            return inspect_started(h, folder, text, ret_state, ret_started, ret_exit, err);
        if (!text && same_boot)
            r = forbid_start(h, folder, err);
        if (r < 0)
            return -1;
        if (text || !same_boot || r > 0)
            break;
    }
    *ret_state = same_boot ? RUN_NEVER_STARTED : RUN_UNKNOWN;
    return 0;
}
