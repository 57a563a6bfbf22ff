/* role.c - which names roles may have, and which is below which */
#include "mesos/role.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

static bool is_text(const char *part, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(part, text, length) == 0;
}

static int validate_part(const char *role, const char *part, size_t length, struct error *err)
{
    if (length == 0)
        return error_set(err, EINVAL, "Role '%.80s' has an empty part: it may neither begin nor "
                         "end with '/' nor contain '//'", role);
    if (is_text(part, length, ".") || is_text(part, length, "..") || is_text(part, length, "*"))
        return error_set(err, EINVAL, "Role '%.80s' has the part '%.*s', which is not allowed",
                         role, (int)length, part);
    if (part[0] == '-')
        return error_set(err, EINVAL, "Role '%.80s' has a part that begins with '-'", role);
    return 0;
}

int role_validate(const char *role, struct error *err)
{
    if (role_is_any(role))
        return 0;
    if (!*role)
        return error_set(err, EINVAL, "The role is empty");
    for (const char *p = role; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f)
            return error_set(err, EINVAL,
                             "The role has a blank or control character (0x%02x) at byte %zu",
                             (unsigned char)*p, (size_t)(p - role) + 1);
    for (const char *part = role;; part++) {
        size_t length = strcspn(part, "/");

        if (validate_part(role, part, length, err) < 0)
            return -1;
        part += length;
        if (!*part)
            return 0;
    }
}

bool role_is_below(const char *role, const char *ancestor)
{
    size_t length = strlen(ancestor);

    return strncmp(role, ancestor, length) == 0 && role[length] == '/';
}
