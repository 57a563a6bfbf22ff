/* http_url.h - a URL, taken apart
 *
 * http:// and https:// only, already percent-encoded; a host is a name or an IPv4
 * address.  Pure.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct http_url {
    bool secure;
    uint16_t port;   /* 80 and 443 unless it says */
    char *authority; /* "host:80", as given: the header Host */
    char *host;
    char *target;    /* "/path?query"; "/" when it has none */
};

int http_url_parse(const char *text, struct http_url *ret_url, struct error *err);
void http_url_release(struct http_url *url);
/* "/path?query" as a target: no blanks, controls or '#'. */
int http_url_check_target(const char *text, struct error *err);
/* Same scheme, host (in any case) and port. */
bool http_url_same_origin(const struct http_url *a, const struct http_url *b);

#endif
