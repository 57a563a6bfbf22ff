/* check.h - what we promise ourselves
 *
 * CHECK is always compiled in.  It prints the expression, the place, the actor,
 * event and sender of the thread's context (context.h) and a backtrace, then
 * aborts: recovery is a tested path anyway.  It is for our own promises only;
 * what comes from a socket, file, flag or environment is validated instead.
 */
#ifndef BASE_CHECK_H         /* libcheck has CHECK_H */
#define BASE_CHECK_H

#include "base/compiler.h"

#define CHECK(cond)                                                                                \
    ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, "CHECK(" #cond ")"))
#define UNREACHABLE() check_failed(__FILE__, __LINE__, "unreachable")

void check_failed(const char *file, int line, const char *what) NORETURN;

#endif
