/* leading.h - endpoints that only the leading master serves
 *
 * Another one answers 307 with the leader's address and the path that was asked for, and 503
 * while nobody leads.  Like ROUTES of process/typed.h:
 *
 *     LEADING_ROUTES(state_routes, ENDPOINTS);
 * with
 *     #define ENDPOINTS(AT) AT("/state", serve_state, "The state of the cluster\n...")
 */
#ifndef LEADING_H
#define LEADING_H

#include "master/master_private.h"

/* True: we lead.  False: the request is answered. */
bool leading_or_redirect(struct master *m, struct http_request *r);
/* Where the leader is: "//host:port"; false when nobody leads, and the request is answered. */
bool leading_address(struct master *m, struct http_request *r, struct buffer *out);

#define LEADING_ROUTES(table, ENDPOINTS)                                                           \
    ENDPOINTS(LEADING_THUNK_)                                                                      \
    static const struct process_route table[] = { ENDPOINTS(LEADING_ROW_){ .path = NULL } }
#define LEADING_ROW_(path, handler, ...) { path, handler##__serve, __VA_ARGS__ },
#define LEADING_THUNK_(path, handler, ...)                                                         \
    static void handler(struct master *, struct http_request *);                                   \
    static void handler##__serve(struct process *p, struct http_request *r)                        \
    {                                                                                              \
        struct master *m = STATE_(master, p);                                                      \
                                                                                                   \
        if (leading_or_redirect(m, r))                                                             \
            handler(m, r);                                                                         \
    }

#endif
