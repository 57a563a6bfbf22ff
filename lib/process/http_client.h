/* http_client.h - asking another node over HTTP
 *
 * For actors: one GET, a future of the whole answer.  Connections are not kept.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stddef.h>

#include "base/instant.h"
#include "process/typed.h"

struct runtime;

/* Its texts end with the future. */
struct http_response { int status; char *content_type; char *body; size_t size; };
FUTURE_TYPE(http_response, struct http_response);

/* url: http://host:port/path?query, already percent-encoded; a host name is
 * resolved.  FAILED when there is no answer within the time-out, when it is
 * longer than max_body, or is no HTTP; an answer with an error status is READY. */
struct future *http_get(struct runtime *rt, const char *url, size_t max_body,
                        struct duration timeout);

#endif
