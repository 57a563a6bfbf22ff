/* inside.h - a path that may not leave its root
 *
 * What is asked for is walked name by name and link by link before it is opened: what leads out
 * of the root, by ".." or by a link that a task has made, is not found.
 */
#ifndef INSIDE_H
#define INSIDE_H

#include <stdbool.h>
#include <stddef.h>

struct file_info;
struct host;

/* A name that is one step down: not empty, no '/', neither "." nor "..". */
bool inside_is_name(const char *name, size_t length);
/* The next name of *path, which moves behind it; its length, 0 at the end. */
size_t inside_next(const char **path, const char **ret_name);

/* From root, a folder, or a file when nothing is behind it: the real path, the caller's, and what
 * is there; NULL: nothing, or not inside. */
char *inside_find(struct host *h, const char *root, const char *rest, struct file_info *ret_info);

#endif
