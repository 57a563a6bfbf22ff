/* inside.c - a path that may not leave its root */
#include "mesos/inside.h"

#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"

enum { LINKS_MAX = 40 };

bool inside_is_name(const char *name, size_t length)
{
    return length > 0 && !(length <= 2 && name[0] == '.' && name[length - 1] == '.') &&
           !memchr(name, '/', length);
}

size_t inside_next(const char **path, const char **ret_name)
{
    while (**path == '/')
        ++*path;
    *ret_name = *path;
    *path += strcspn(*path, "/");
    return (size_t)(*path - *ret_name);
}

/* What a link says, followed by what came behind it; NULL when it leads out of
 * root.  *ret_absolute: from root on. */
static char *follow_link(const char *root, const char *target, const char *rest,
                         bool *ret_absolute)
{
    size_t length = strlen(root);

    *ret_absolute = target[0] == '/';
    if (!*ret_absolute)
        return mem_printf("%s/%s", target, rest);
    if (strncmp(target, root, length) != 0 || (target[length] && target[length] != '/'))
        return NULL;
    return mem_printf("%s/%s", target + length, rest);
}

/* A walk from root: where it is, and the names that are still before it. */
struct walk {
    struct host *host;
    const char *root;
    struct buffer at;
    char *todo;
    const char *p; /* in todo */
    int links;
};

static void drop_last(struct walk *w)
{
    size_t length = buffer_length(&w->at);

    while (buffer_data(&w->at)[--length] != '/')
        ;
    buffer_truncate(&w->at, length);
}

/* It is at a link. */
static bool step_through(struct walk *w)
{
    CLEANUP(mem_free_p) char *target = NULL;
    struct error err;
    bool absolute;
    char *next;

    if (++w->links > LINKS_MAX ||
        host_readlink(w->host, buffer_data(&w->at), &target, &err) < 0)
        return false;
    next = follow_link(w->root, target, w->p, &absolute);
    if (!next)
        return false;
    drop_last(w);
    if (absolute)
        buffer_truncate(&w->at, strlen(w->root));
    mem_free(w->todo);
    w->p = w->todo = next;
    return true;
}

static bool step_down(struct walk *w, const char *name, size_t length)
{
    struct file_info info;
    struct error err;

    buffer_append_char(&w->at, '/');
    buffer_append(&w->at, name, length);
    if (host_stat(w->host, buffer_data(&w->at), &info, &err) < 0)
        return false;
    return !info.is_link || step_through(w);
}

static bool step(struct walk *w, const char *name, size_t length)
{
    if (inside_is_name(name, length))
        return step_down(w, name, length);
    if (length == 1)
        return true;
    if (buffer_length(&w->at) == strlen(w->root))
        return false;
    drop_last(w);
    return true;
}

static bool run(struct walk *w)
{
    const char *name;
    size_t length;

    while ((length = inside_next(&w->p, &name)) > 0)
        if (!step(w, name, length))
            return false;
    return true;
}

char *inside_find(struct host *h, const char *root, const char *rest, struct file_info *ret_info)
{
    struct walk w = { .host = h, .root = root, .at = BUFFER_INIT, .todo = mem_strdup(rest) };
    struct file_info info;
    char *found = NULL;
    struct error err;

    w.p = w.todo;
    buffer_append_text(&w.at, root);
    if (host_stat(h, root, &info, &err) == 0 && (info.is_directory || !*rest) && run(&w) &&
        host_stat(h, buffer_data(&w.at), ret_info, &err) == 0)
        found = buffer_take(&w.at, NULL);
    mem_free(w.todo);
    buffer_release(&w.at);
    return found;
}
