/* fetcher_info.c - what the agent tells mesos-lite-fetcher */
#include "agent/fetcher_info.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "base/error.h"

int fetcher_info_parse_uri(const char *uri, enum fetcher_info_kind *ret_kind, struct error *err)
{
    static const struct { const char *prefix; enum fetcher_info_kind kind; } known[] = {
        { "/", FETCHER_INFO_COPY },           { "file:///", FETCHER_INFO_COPY },
        { "http://", FETCHER_INFO_DOWNLOAD }, { "https://", FETCHER_INFO_DOWNLOAD },
        { "ftp://", FETCHER_INFO_DOWNLOAD },  { "ftps://", FETCHER_INFO_DOWNLOAD },
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strncasecmp(uri, known[i].prefix, strlen(known[i].prefix)) == 0) {
            *ret_kind = known[i].kind;
            return 0;
        }
    return error_set(err, EINVAL,
                     "it is no absolute path, nor file://, http://, https://, ftp:// or ftps://");
}

int fetcher_info_get_name(const char *uri, const char **ret_name, struct error *err)
{
    const char *scheme = strstr(uri, "://");
    const char *slash = strrchr(scheme ? scheme + 3 : uri, '/');

    if (!slash || !fetcher_info_is_below(slash + 1))
        return error_set(err, EINVAL, "it does not end with the name of a file");
    *ret_name = slash + 1;
    return 0;
}

bool fetcher_info_is_below(const char *path)
{
    size_t length = 0;

    if (*path == '/')
        return false;
    for (const char *p = path; *p; p += length, p += *p == '/') {
        length = strcspn(p, "/");
        if (length == 2 && memcmp(p, "..", 2) == 0)
            return false;
    }
    /* `length` is of the last part that is not empty */
    return length > 0 && path[strlen(path) - 1] != '/' &&
           strcmp(path + strlen(path) - length, ".") != 0;
}
