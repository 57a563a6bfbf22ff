/* peer.h - one end of a connection between two simulated OS processes
 *
 * It sends the first to_send bytes of a pattern that tells each place, and keeps
 * what comes.  Who raises to_send, or changes what it wants to hear, calls
 * peer_want().
 */
#ifndef PEER_H
#define PEER_H

#include "base/buffer.h"
#include "process/host.h"

struct peer {
    struct stream *stream;
    size_t sent, to_send;
    struct buffer got;
    bool connected, ended, deaf;
    int failure;
};

extern const struct stream_events peer_events;

void peer_want(struct peer *p);
void peer_release(struct peer *p);

/* Are these bytes the pattern from its beginning? */
void peer_check_pattern(const struct buffer *b);

#endif
