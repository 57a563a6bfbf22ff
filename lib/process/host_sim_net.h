/* host_sim_net.h - the simulated network's own: connections, ways, segments
 *
 * Shared by host_sim_net.c (bytes on their way), host_sim_listen.c (listeners,
 * connects, names) and host_sim_fault.c (what goes wrong).
 */
#ifndef HOST_SIM_NET_H
#define HOST_SIM_NET_H

#include "base/buffer.h"
#include "process/host_sim_private.h"

#define SIM_SECOND ((int64_t)1000000000)
#define SIM_GIVE_UP (120 * SIM_SECOND) /* without progress, or without a sign of the peer */

enum segment_kind { SEGMENT_DATA, SEGMENT_FIN, SEGMENT_RESET };

struct segment {
    struct list link;
    enum segment_kind kind;
    int64_t due;
    bool forced; /* of a break: no partition holds it up */
    size_t size;
    char bytes[];
};

struct way { /* from end[side] to end[!side] */
    struct connection *connection;
    unsigned side;
    struct list segments;
    size_t in_flight, unacknowledged;
    int64_t last_due, stuck_since; /* -1: not stuck */
    bool broken;                   /* what is written now gets lost */
    struct sim_event event;
    struct sim_event idle; /* the sender's keep-alive: when it fails unless it is answered */
};

struct connection {
    struct list link; /* sim->connections */
    struct sim *sim;
    struct sim_node *node[2];
    struct sim_stream *end[2]; /* NULL: closed, broken, or its OS process is dead */
    struct way way[2];
    bool is_path, silent;
};

struct sim_stream {
    struct stream base;
    struct list link, queued; /* host->streams; listener->queue */
    struct sim_host *host;
    struct sim_loop *loop; /* NULL: not attached, or stopped */
    struct stream_events events;
    void *arg;
    struct connection *connection; /* NULL: none yet, or none any more */
    unsigned side;
    enum { STREAM_CONNECTING, STREAM_TELL, STREAM_OPEN } state;
    int failure;   /* errno value: why it broke */
    bool finished; /* FIN has arrived */
    struct buffer received;
    bool want_read, want_write, busy, closed;
    struct sim_event event;   /* something to tell the owner */
    struct sim_event connect; /* the next try */
    int64_t connect_started;
    char *path; /* of AF_UNIX */
};

struct sim_listener {
    struct listener base;
    struct list link, node_link; /* host->listeners, node->listeners */
    struct sim_host *host;
    struct sim_loop *loop;
    struct address at;
    char *path; /* NULL: TCP */
    stream_accepted_f accepted;
    void *arg;
    struct list queue; /* streams to accept */
    struct sim_event event;
};

struct sim_resolve {
    struct list link; /* loop->resolves */
    struct sim_loop *loop;
    char *name;
    host_resolved_f resolved;
    void *arg;
    struct sim_event event;
};

int64_t sim_net_delay(struct sim *s, const struct sim_node *a, const struct sim_node *b);
bool sim_net_is_cut(const struct sim_node *from, const struct sim_node *to);

struct sim_stream *sim_net_stream_new(struct sim_host *h, struct address peer);
void sim_net_stream_free(struct sim_stream *st);
/* Has the owner told, soon, when there is something to tell. */
void sim_net_stream_schedule(struct sim_stream *st);
/* The connection goes on without this end: the peer gets what was written, then `last`. */
void sim_net_stream_leave(struct sim_stream *st, enum segment_kind last);

void sim_net_connection_create(struct sim *s, struct sim_stream *from, struct sim_stream *to);
void sim_net_connection_free_unused(struct connection *c);
/* The connection knows this end no more; it is told of the failure unless 0. */
void sim_net_end_detach(struct sim_stream *st, int failure);
void sim_net_way_send(struct way *w, enum segment_kind kind, const void *bytes, size_t size);
void sim_net_way_schedule(struct way *w);
/* From now on w's sender hears nothing from its peer: it gives up after `ns` at the latest. */
void sim_net_way_unheard(struct way *w, int64_t ns);
/* It does again, unless the peer is not there any more. */
void sim_net_way_heard(struct way *w);
void sim_net_segment_drop(struct way *w, struct segment *g);

void sim_net_listener_silence(struct sim_listener *ls); /* hears no more */
void sim_net_resolve_free(struct sim_resolve *r);

#endif
