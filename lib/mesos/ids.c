/* ids.c - what may be an id */
#include "mesos/ids.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

enum { ID_MAX = 255 };

int ids_parse(const char *text, const char *kind, struct text **ret_text, struct error *err)
{
    size_t length = text ? strlen(text) : 0;

    if (length == 0)
        return error_set(err, EINVAL, "The %s is empty", kind);
    if (length > ID_MAX)
        return error_set(err, EINVAL, "The %s has %zu bytes; at most %d are allowed", kind, length,
                         ID_MAX);
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return error_set(err, EINVAL, "The %s '%s' is not allowed", kind, text);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f)
            return error_set(err, EINVAL, "The %s has a control character (0x%02x) at byte %zu",
                             kind, c, i + 1);
        if (c == '/' || c == '\\')
            return error_set(err, EINVAL, "The %s '%.100s' has a '%c', which is not allowed", kind,
                             text, c);
    }
    *ret_text = text_create_n(text, length);
    return 0;
}
