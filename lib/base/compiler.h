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

/* What p points to is read, or written, soon: a hint, for any p.  The compiler's own
 * hint to write is one to read on the x86 that it builds for, where that is not the
 * same: the line stays another core's, too, and must be asked for again. */
#define PREFETCH(p) __builtin_prefetch(p)
#if defined(__x86_64__)
#define PREFETCH_TO_WRITE(p) __asm__ volatile("prefetchw %0" : : "m"(*(const char *)(p)))
#else
#define PREFETCH_TO_WRITE(p) __builtin_prefetch((p), 1)
#endif

/* In a loop that waits for another core. */
#if defined(__x86_64__)
#define CPU_RELAX() __builtin_ia32_pause()
#else
#define CPU_RELAX() __asm__ volatile("" : : : "memory")
#endif

/* Only in typed.h, list.h and files that define an intrusive container. */
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

#endif
