/* fetcher.h - a task's URIs into its sandbox
 *
 * Each container's URIs are fetched by one mesos-lite-fetcher, a program of its
 * own started as the task's user; it alone links libcurl.  Its output goes to
 * the sandbox' stderr file.  Any URI that fails fails the container, with its
 * reason: "Failed to fetch all URIs for container '<id>': <uri>: <why>".
 */
#ifndef FETCHER_H
#define FETCHER_H

#include "proto/mesos.pb-c.h"

struct error;
struct future;
struct runtime;

struct fetch {
    const char *container_id;
    const char *sandbox;
    const char *program;               /* path of mesos-lite-fetcher */
    const char *user;                  /* NULL: the agent's own */
    size_t n_uris;
    Pb__CommandInfo__URI *const *uris;
};

/* A clear error for what can be refused at once: an unknown scheme, an
 * output_file that leaves the sandbox. */
int fetcher_validate(const struct fetch *fetch, struct error *err);
/* A future of nothing; everything in fetch is copied.  A discard kills it. */
struct future *fetcher_fetch(struct runtime *rt, const struct fetch *fetch);

#endif
