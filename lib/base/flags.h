/* flags.h - command line and environment, from one table
 *
 * A program declares its flags once; parsing, --help, /flags, the man page and
 * the environment variables MESOS_<NAME> come from that table.  Syntax is
 * Mesos's: --name=value, --name and --no-name for booleans; a value may be
 * file:///path (the file's content, trimmed); the command line wins over the
 * environment.  Unknown flags of the command line are errors that name the
 * nearest one; unknown MESOS_ variables are ignored, as in Mesos.
 */
#ifndef FLAGS_H
#define FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"

struct buffer;
struct error;

enum flag_type { FLAG_STRING, FLAG_BOOL, FLAG_INT, FLAG_DOUBLE, FLAG_DURATION };

/* One row; the last has name NULL.  `offset` is of a member of the program's
 * options struct: char * (owned by it), bool, int64_t, double or struct
 * duration. */
struct flag {
    const char *name;
    enum flag_type type;
    size_t offset;
    const char *value;          /* the default in text form; NULL: unset, or NULL string */
    const char *help;           /* sentences, with unit and range */
    bool required;
    double min, max;            /* of INT, DOUBLE and DURATION (seconds); both 0: no limits */
    const char *alias;          /* an old name, or NULL */
};

/* envp is the caller's (host facts), may be NULL.  --help sets *ret_help and
 * returns 0.  Words that are no flags go to ret_rest (argv order, ended by
 * NULL; the array is the caller's, the words are argv's), or are an error when
 * that is NULL.  On failure the options are as flags_release leaves
 * them. */
int flags_parse(const struct flag table[], void *options, int argc, char *const argv[],
                char *const envp[], bool *ret_help, char ***ret_rest, struct error *err);
void flags_release(const struct flag table[], void *options);

/* The value of one row in text form, appended; false when it is unset. */
bool flags_format(const struct flag *row, const void *options, struct buffer *out);
/* For --help (plain text), and for the man page (mdoc list items). */
void flags_help(const struct flag table[], const char *usage, struct buffer *out);
void flags_manual(const struct flag table[], struct buffer *out);

#endif
