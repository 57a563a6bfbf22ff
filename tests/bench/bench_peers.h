/* bench_peers.h - what others that have actors do in the same time
 *
 * Small programs in Erlang, CAF and Go (peers/), which run the workloads of our
 * rows by name.  tests/bench/peers/build-peers makes those whose packages are
 * installed; the others are left out.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stdbool.h>

struct json_writer;

enum { BENCH_PEERS = 3, BENCH_PEERS_ROUNDS = 5 };

/* Of one peer and one row. */
struct peer_rounds {
    int n;
    double figure[BENCH_PEERS_ROUNDS], cpu[BENCH_PEERS_ROUNDS], ratio[BENCH_PEERS_ROUNDS];
};

/* Runs the workload in each peer that is here and knows it; ours is the figure of
 * this round.  v has BENCH_PEERS. */
void bench_peers_run(struct peer_rounds *v, const char *workload, double ours);
void bench_peers_print(const struct peer_rounds *v, const char *unit);
void bench_peers_write(struct json_writer *w, const struct peer_rounds *v);

#endif
