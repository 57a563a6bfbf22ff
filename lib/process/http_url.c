/* http_url.c - a URL, taken apart */
#include "process/http_url.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"

static bool has_forbidden(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '#')
            return true;
    return false;
}

static int parse_port(const char *text, uint16_t *ret_port)
{
    int port = 0;

    for (const char *p = text; *p; p++) {
        if (!isdigit((unsigned char)*p) || port > 65535)
            return -1;
        port = port * 10 + (*p - '0');
    }
    if (port == 0 || port > 65535)
        return -1;
    *ret_port = (uint16_t)port;
    return 0;
}

/* Fills in host and port. */
static int parse_authority(struct http_url *url, const char *text, struct error *err)
{
    const char *colon = strrchr(url->authority, ':');

    if (colon && parse_port(colon + 1, &url->port) < 0)
        return error_set(err, EINVAL, "'%.100s' has a port that is none", text);
    url->host = colon ? mem_strndup(url->authority, (size_t)(colon - url->authority))
                      : mem_strdup(url->authority);
    if (!*url->host || strpbrk(url->host, "@:[]\\"))
        return error_set(err, EINVAL, "'%.100s' has no host that could be resolved", text);
    return 0;
}

int http_url_parse(const char *text, struct http_url *ret_url, struct error *err)
{
    static const char plain[] = "http://", secure[] = "https://";
    struct http_url url = { .secure = strncmp(text, secure, strlen(secure)) == 0 };
    const char *at, *slash;

    if (!url.secure && strncmp(text, plain, strlen(plain)) != 0)
        return error_set(err, EINVAL, "'%.100s' is no URL that begins with http:// or https://",
                         text);
    if (has_forbidden(text))
        return error_set(err, EINVAL, "'%.100s' holds characters that a URL may not hold", text);
    at = text + strlen(url.secure ? secure : plain);
    slash = at + strcspn(at, "/?");
    url.port = url.secure ? 443 : 80;
    url.authority = mem_strndup(at, (size_t)(slash - at));
    url.target = mem_printf("%s%s", *slash == '/' ? "" : "/", slash);
    if (parse_authority(&url, text, err) < 0) {
        http_url_release(&url);
        return -1;
    }
    *ret_url = url;
    return 0;
}

void http_url_release(struct http_url *url)
{
    mem_free(url->authority);
    mem_free(url->host);
    mem_free(url->target);
    *url = (struct http_url){ .secure = false };
}

int http_url_check_target(const char *text, struct error *err)
{
    if (*text != '/' || has_forbidden(text))
        return error_set(err, EINVAL, "'%.100s' is no path as a URL may have it", text);
    return 0;
}

bool http_url_same_origin(const struct http_url *a, const struct http_url *b)
{
    return a->secure == b->secure && a->port == b->port && strcasecmp(a->host, b->host) == 0;
}
