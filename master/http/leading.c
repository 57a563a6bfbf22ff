/* leading.c - a master that does not lead sends its clients to the one that does */
#include "master/http/leading.h"

#include <string.h>

bool leading_address(struct master *m, struct http_request *r, struct buffer *out)
{
    const Pb__MasterInfo *leader = m->leader ? (const Pb__MasterInfo *)m->leader->body : NULL;

    if (!leader) {
        http_answer_error(r, 503, "No leader elected");
        return false;
    }
    buffer_printf(out, "//%s:%d", leader->hostname, leader->port);
    return true;
}

/* The path is the one behind the delegate: /state is /master/state. */
bool leading_or_redirect(struct master *m, struct http_request *r)
{
    static const char own[] = "/master/";
    CLEANUP(buffer_release) struct buffer location = BUFFER_INIT, target = BUFFER_INIT;

    if (m->leads)
        return true;
    if (!leading_address(m, r, &location))
        return false;
    http_request_target(r, &target);
    if (strncmp(buffer_data(&target), own, strlen(own)) != 0)
        buffer_append(&location, own, strlen(own) - 1);
    buffer_append(&location, buffer_data(&target), buffer_length(&target));
    http_answer_header(r, "Location", buffer_data(&location));
    http_answer(r, 307, NULL, NULL, 0);
    return false;
}
