/* log.h - log lines in the glog form that Mesos's operators know
 *
 *   I1122 13:01:07.123456  4711 agents.c:88] agent <id> registered at slave(1)@...
 *
 * or, with LOG_JSON, one JSON object a line.  Message: subject first, ids in
 * full, no function names; one line per change of state at info; debug is
 * everything, switched on as a whole or per file ("registrar").  Library code
 * logs at debug only: it returns errors.  Who swallows an error logs it.
 *
 * A `struct log` is a node's: where its lines go, their level and form, and
 * the node's wall clock.  The macros find it through the thread's context;
 * without one (outside of actors) they write glog lines to stderr.  A program's
 * main gives its struct log to the runtime.  Thread-safe.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/instant.h"

struct error;
struct log;

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_form { LOG_GLOG, LOG_JSON };

/* Takes a finished line with its newline; lines of one log come one at a time. */
typedef void (*log_write_f)(void *arg, const char *line, size_t length);
typedef struct instant (*log_clock_f)(void *arg);     /* wall */

/* write NULL: stderr; clock NULL: lines carry no time. */
struct log *log_create(log_write_f write, void *write_arg, log_clock_f clock, void *clock_arg);
void log_destroy(struct log *l);
void log_set_form(struct log *l, enum log_form form);
void log_set_level(struct log *l, enum log_level level);
enum log_level log_get_level(const struct log *l);
/* "info", "debug", "debug:registrar,agents"; else an error that lists these. */
int log_set_levels(struct log *l, const char *text, struct error *err);

#define log_error(...) log_line(LOG_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __FILE__, __LINE__, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define log_debug(...)                                                                             \
    (log_is_on(LOG_DEBUG, __FILE__) ? log_line(LOG_DEBUG, __FILE__, __LINE__, __VA_ARGS__)         \
                                    : (void)0)

bool log_is_on(enum log_level level, const char *file);
void log_line(enum log_level level, const char *file, int line, const char *fmt, ...) PRINTF(4, 5);

#endif
