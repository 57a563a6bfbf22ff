/* role.c - which names roles may have, and which is below which */
#include "mesos/role.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

static bool is_text(const char *part, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(part, text, length) == 0;
}

static int shown(size_t length)
{
    return length < 80 ? (int)length : 80;
}

/* Control characters other than those two kinds are refused in the same words. */
static int validate_part(const char *role, const char *part, size_t length, struct error *err)
{
    if (length == 0)
        return error_set(err, EINVAL, "Role '%.80s' has an empty component: it may neither begin "
                         "nor end with a slash nor have two in a row", role);
    if (is_text(part, length, ".") || is_text(part, length, "..") || is_text(part, length, "*"))
        return error_set(err, EINVAL, "Role component '%.*s' is invalid", (int)length, part);
    if (part[0] == '-')
        return error_set(err, EINVAL, "Role component '%.*s' is invalid because it begins with a "
                         "dash", shown(length), part);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)part[i] <= 0x20 || part[i] == 0x7f)
            return error_set(err, EINVAL, "Role component '%.*s' is invalid because it contains "
                             "backspace or whitespace", shown(length), part);
    return 0;
}

int role_validate(const char *role, struct error *err)
{
    if (role_is_any(role))
        return 0;
    if (!*role)
        return error_set(err, EINVAL, "The role is empty");
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
