/* network_link.c - who hears of the end of which connection */
#include "process/network_link.h"

#include <stdbool.h>
#include <uthash.h>

#include "base/memory.h"
#include "process/runtime_private.h"

struct link_key {
    uint32_t slot, generation;
    uint64_t address;
    uint32_t id, zero;
};

struct link {
    UT_hash_handle hh; /* network_links->links, when `hashed` */
    struct link_key key;
    bool hashed;
    struct pid linker, peer;
    struct list on_connection, of_linker;
};

/* All links of one process. */
struct linker {
    UT_hash_handle hh;
    uint64_t key; /* slot and generation */
    struct list links;
};

static uint64_t linker_key(const struct pid *linker)
{
    return (uint64_t)linker->slot << 32 | linker->generation;
}

static struct linker *linker_find(struct network_links *n, const struct pid *pid)
{
    uint64_t key = linker_key(pid);
    struct linker *l;

    HASH_FIND(hh, n->linkers, &key, sizeof key, l);
    return l;
}

static struct linker *linker_get(struct network_links *n, const struct pid *pid)
{
    struct linker *l = linker_find(n, pid);

    if (!l) {
        l = mem_alloc(sizeof *l);
        l->key = linker_key(pid);
        list_init(&l->links);
        HASH_ADD(hh, n->linkers, key, sizeof l->key, l);
    }
    return l;
}

static struct link *find(struct network_links *n, const struct link_key *key)
{
    struct link *l;

    HASH_FIND(hh, n->links, key, sizeof *key, l);
    return l;
}

void network_link_add(struct network_links *n, struct list *of_connection, uint64_t address,
                      const struct pid *linker, const struct pid *peer)
{
    struct link_key key = { linker->slot, linker->generation, address, peer->id->hash, 0 };
    struct link *same = find(n, &key), *l;

    if (same && pid_equal(&same->peer, peer))
        return;
    l = mem_alloc(sizeof *l);
    l->key = key;
    l->linker = pid_dup(linker);
    l->peer = pid_dup(peer);
    list_append(of_connection, &l->on_connection);
    list_append(&linker_get(n, linker)->links, &l->of_linker);
    l->hashed = !same; /* two ids of one hash: the second is found by nobody, and may come twice */
    if (l->hashed)
        HASH_ADD(hh, n->links, key, sizeof l->key, l);
}

/* Off its linker and out of the table; it may stay on a list by on_connection. */
static void detach(struct network_links *n, struct link *l)
{
    struct linker *of = linker_find(n, &l->linker);

    list_remove(&l->of_linker);
    if (l->hashed)
        HASH_DEL(n->links, l);
    if (of && list_is_empty(&of->links)) {
        HASH_DEL(n->linkers, of);
        mem_free(of);
    }
}

static void link_free(struct link *l)
{
    list_remove(&l->on_connection);
    pid_release(&l->linker);
    pid_release(&l->peer);
    mem_free(l);
}

void network_link_take(struct network_links *n, struct list *of_connection, struct list *ret_links)
{
    list_splice(ret_links, of_connection);
    list_each (l, ret_links, struct link, on_connection)
        detach(n, l);
}

void network_link_tell(struct list *links)
{
    list_each_safe (l, links, struct link, on_connection) {
        process_deliver_exited(&l->linker, &l->peer);
        link_free(l);
    }
}

void network_link_forget(struct network_links *n, const struct pid *linker,
                         void (*unused)(void *arg, uint64_t address), void *arg)
{
    struct linker *of = linker_find(n, linker);

    while (of) {
        struct link *l = list_first(&of->links, struct link, of_linker);
        bool last = l->on_connection.next == l->on_connection.prev;
        uint64_t address = l->key.address;

        if (l->of_linker.next == l->of_linker.prev)
            of = NULL; /* it goes with its last link */
        detach(n, l);
        link_free(l);
        if (last)
            unused(arg, address);
    }
}
