/* compiler.h - the compiler's help, by short names */
#ifndef COMPILER_H
#define COMPILER_H

#include <stddef.h>

#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define MUST_USE __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

/* For locals of functions with several exits; never for objects that change
 * owner:  CLEANUP(buffer_release) struct buffer b = BUFFER_INIT; */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Only in typed.h, list.h and files that define an intrusive container. */
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

#endif
