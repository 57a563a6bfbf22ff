/* program_environment.h - what the environment says about a node: LIBPROCESS_*
 *
 * Names, meanings and legacy names are libprocess's (FACTS 1.9).  One table says
 * what there is; the manual pages are made from it.
 */
#ifndef PROGRAM_ENVIRONMENT_H
#define PROGRAM_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "process/tls.h"

struct buffer;
struct error;

/* Texts are borrowed from the environment; zero and NULL: it says nothing. */
struct program_environment {
    const char *ip, *advertise_ip;
    int64_t port, advertise_port, threads;
    bool require_peer_address_ip_match;
    struct { unsigned permits; struct duration per; } metrics_rate;
    bool ssl_enabled;               /* else the rest is not looked at */
    bool ssl_v3, tls_v1_0, tls_v1_1, tls_v1_2, tls_v1_3;
    struct tls_options tls;
};

/* Of the variables, one a row; the last has name NULL.  One that is empty counts as unset. */
enum program_variable_type {
    VARIABLE_TEXT, VARIABLE_BOOL, VARIABLE_INT, VARIABLE_UNSIGNED, VARIABLE_SCHEME, VARIABLE_RATE
};
struct program_variable {
    const char *name;               /* one of LIBPROCESS_SSL_ may also be called SSL_ */
    enum program_variable_type type;
    size_t offset;                  /* in struct program_environment */
    const char *value;              /* the default in text form; NULL: none */
    const char *help;               /* sentences */
    int64_t min, max;               /* of numbers */
    const char *alias;              /* an old name, or NULL */
};
extern const struct program_variable program_variables[];

/* envp ends with NULL.  The error names the variable, and says what it can be. */
int program_environment_parse(char *const envp[], struct program_environment *ret_environment,
                              struct error *err);
/* For the manual pages: mdoc list items. */
void program_environment_manual(struct buffer *out);

#endif
