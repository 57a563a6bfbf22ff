/* memory.h - memory that never runs out politely
 *
 * Allocation aborts when there is no memory: no caller tests for NULL.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdarg.h>
#include <stddef.h>

#include "base/compiler.h"

void *mem_alloc(size_t size);                 /* zeroed; size 0 gives a unique pointer */
void *mem_realloc(void *p, size_t size);
void *mem_array(size_t n, size_t size);       /* zeroed; aborts on overflow */
void mem_free(void *p);                       /* NULL is fine */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
void *mem_dup(const void *p, size_t size);
char *mem_printf(const char *fmt, ...) PRINTF(1, 2);
char *mem_vprintf(const char *fmt, va_list args) PRINTF(1, 0);
void mem_free_p(void *pp);                    /* for CLEANUP: frees *(void **)pp */

#endif
