/* banned.h - functions that nobody here calls
 *
 * Put in front of every file by the build (-include), after the headers that
 * declare these names, so that a use is a compile error that says what to do
 * instead.  What belongs behind the host is kept by tests/tools/check-seam.
 */
#ifndef BANNED_H
#define BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* No idea of the size of what they write to. */
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#define strcpy(to, from) BANNED_use_mem_strdup_or_buffer(strcpy)
#define strcat(to, from) BANNED_use_buffer_append_text(strcat)
#define strncpy(to, from, n) BANNED_use_mem_strndup_or_memcpy(strncpy)
#define strncat(to, from, n) BANNED_use_buffer_append(strncat)
#define sprintf(...) BANNED_use_buffer_printf_or_snprintf(sprintf)
#define vsprintf(...) BANNED_use_buffer_printf_or_vsnprintf(vsprintf)

/* Cannot say that their input is no number. */
#undef atoi
#undef atol
#undef atoll
#undef atof
#define atoi(s) BANNED_use_strtoll_and_look_at_end(atoi)
#define atol(s) BANNED_use_strtoll_and_look_at_end(atol)
#define atoll(s) BANNED_use_strtoll_and_look_at_end(atoll)
#define atof(s) BANNED_use_strtod_and_look_at_end(atof)

/* State that all threads share. */
#undef strtok
#undef strerror
#undef gmtime
#undef localtime
#undef ctime
#undef asctime
#define strtok(s, delimiters) BANNED_use_strtok_r_or_strcspn(strtok)
#define strerror(code) BANNED_use_error_errno(strerror)
#define gmtime(t) BANNED_use_gmtime_r(gmtime)
#define localtime(t) BANNED_use_gmtime_r(localtime)
#define ctime(t) BANNED_use_strftime(ctime)
#define asctime(tm) BANNED_use_strftime(asctime)

#endif
