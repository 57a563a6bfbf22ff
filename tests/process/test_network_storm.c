/* test_network_storm.c - what nodes say to each other arrives, whatever the connections do
 *
 * Writers on three nodes, each with several workers, send letters to each other, all at
 * once, of no bytes and of many; each letter to one receiver has the next number.
 *
 *   calm        nothing breaks: all arrive, once, in their order, although the idle time
 *               of connections passes again and again, and linkers come and go
 *   reconnects  the same, but somebody reconnects all the time: all arrive once; what was
 *               written before may come later
 *   breaks      all connections go by a tunnel that breaks them anywhere: each arrives at
 *               most once, and from the last `exited` on, all of them, in their order
 *
 * STORM_TIMES=n in the environment makes n storms of each kind, each with another seed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "process/host.h"
#include "process/typed.h"
#include "proto/authentication.pb-c.h"
#include "tests/process/node.h"
#include "tests/process/tunnels.h"
#include "tests/unit.h"

enum { NODES = 3, OF_NODE = 4, WRITERS = NODES * OF_NODE };
enum { ROUNDS = 5, LETTERS = 200, LETTERS_IN_THE_WORLD = 25, STEPS = 6, BURST = 20 };
enum { BREAKS = 40, BREAKS_IN_THE_WORLD = 8, BUDGET = 400000 };

enum kind { CALM, RECONNECTS, BREAKING };

/* Of what one writer sends to another. */
struct sent {
    uint32_t next, epoch;
    uint32_t in_epoch; /* numbered ones */
};

struct heard {
    bool *seen; /* by number */
    uint32_t next, epoch;
    uint32_t in_epoch, last; /* of the newest epoch */
    bool in_order;
};

struct writer {
    struct process process;
    struct storm *storm;
    struct pid pid;
    unsigned index;
    uint64_t random;
    struct sent sent[WRITERS];
    struct heard heard[WRITERS];
};

struct storm {
    enum kind kind;
    int letters;
    struct node nodes[NODES];
    struct address addresses[NODES]; /* where the others send to */
    struct writer writers[WRITERS];
    struct pid elsewhere[WRITERS];
    pthread_mutex_t lock; /* of what writers have sent and heard, for the test's own thread */
    _Atomic unsigned writing, arrived, exits;
    _Atomic bool over;
    struct tunnels tunnels;
};

static unsigned below(uint64_t *random, unsigned n)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)((*random >> 8) % n);
}

/* In the world less is sent. */
static unsigned scale(void)
{
    return place_is_simulated() ? 50 : 1;
}

static void changed(struct storm *s)
{
    host_notify(s->nodes[0].host);
}

/* ---- letters ---- */

#define MESSAGES(ON)                                                                               \
    ON(pb__authentication_step_message, Pb__AuthenticationStepMessage, on_letter)                  \
    ON(pb__authentication_completed_message, Pb__AuthenticationCompletedMessage, on_empty)
HANDLERS(writer, writer_handlers, MESSAGES);
CLASS(writer, "writer", writer_begins, writer_exited, writer_ends);

struct letter {
    uint32_t number, epoch;
};

static bool is_empty(uint32_t number)
{
    return number % 7 == 3;
}

static unsigned index_of(const struct pid *pid)
{
    unsigned i = (unsigned)strtoul(pid->id->bytes + 1, NULL, 10);

    ck_assert_uint_lt(i, WRITERS);
    return i;
}

/* Mostly small. */
static size_t size_of_one(struct writer *w)
{
    unsigned kind = below(&w->random, 100);
    size_t size = kind < 50   ? below(&w->random, 200)
                  : kind < 85 ? below(&w->random, 20000) / scale()
                  : kind < 99 ? below(&w->random, 70000) / scale()
                              : below(&w->random, 1 << 20) / scale();

    return size + sizeof(struct letter);
}

/* Some pairs write JSON. */
static bool is_json(const struct writer *w, unsigned peer)
{
    return (w->index + peer) % 5 == 0;
}

static void send_letter(struct writer *w, const struct pid *to, struct letter head, size_t size)
{
    Pb__AuthenticationStepMessage m = PB__AUTHENTICATION_STEP_MESSAGE__INIT;

    m.data.len = to->json && size > 500 ? 500 : size;
    m.data.data = mem_alloc(m.data.len);
    memset(m.data.data, (int)(head.number & 0xff), m.data.len);
    memcpy(m.data.data, &head, sizeof head);
    process_send(&w->process, to, &m.base);
    mem_free(m.data.data);
}

static void send_empty(struct writer *w, const struct pid *to)
{
    Pb__AuthenticationCompletedMessage m = PB__AUTHENTICATION_COMPLETED_MESSAGE__INIT;

    process_send(&w->process, to, &m.base);
}

static void write_one(struct writer *w, unsigned peer)
{
    struct storm *s = w->storm;
    struct pid to = s->elsewhere[peer]; /* borrows */
    struct letter head;

    pthread_mutex_lock(&s->lock);
    struct sent *sent = &w->sent[peer];
    head = (struct letter){ sent->next++, sent->epoch };
    sent->in_epoch += !is_empty(head.number);
    pthread_mutex_unlock(&s->lock);
    pid_set_json(&to, is_json(w, peer));
    if (is_empty(head.number))
        send_empty(w, &to);
    else
        send_letter(w, &to, head, size_of_one(w));
}

static void arrived(struct writer *w)
{
    atomic_fetch_add(&w->storm->arrived, 1);
    changed(w->storm);
}

static void note_epoch(struct heard *h, struct letter head)
{
    if (head.epoch > h->epoch) {
        h->epoch = head.epoch;
        h->in_epoch = h->last = 0;
        h->in_order = true;
    }
    if (head.epoch < h->epoch)
        return;
    h->in_order = h->in_order && (h->in_epoch == 0 || head.number > h->last);
    h->last = head.number;
    h->in_epoch++;
}

static void on_letter(struct writer *w, const struct pid *from,
                      const Pb__AuthenticationStepMessage *m)
{
    struct heard *h = &w->heard[index_of(from)];
    struct letter head;

    ck_assert_uint_ge(m->data.len, sizeof head);
    memcpy(&head, m->data.data, sizeof head);
    for (size_t i = sizeof head; i < m->data.len; i++)
        if (m->data.data[i] != (head.number & 0xff))
            ck_abort_msg("byte %zu of letter %u is another's", i, head.number);
    ck_assert_uint_lt(head.number, (uint32_t)(ROUNDS * w->storm->letters));
    pthread_mutex_lock(&w->storm->lock);
    ck_assert(!h->seen[head.number]);
    h->seen[head.number] = true;
    if (w->storm->kind == CALM)
        ck_assert_uint_eq(head.number, h->next);
    h->next++;
    note_epoch(h, head);
    pthread_mutex_unlock(&w->storm->lock);
    arrived(w);
}

static void on_empty(struct writer *w, const struct pid *from,
                     const Pb__AuthenticationCompletedMessage *m UNUSED)
{
    struct heard *h = &w->heard[index_of(from)];

    pthread_mutex_lock(&w->storm->lock);
    if (w->storm->kind == CALM)
        ck_assert(is_empty(h->next));
    h->next++;
    ck_assert_uint_le(h->next, (uint32_t)(ROUNDS * w->storm->letters));
    pthread_mutex_unlock(&w->storm->lock);
    arrived(w);
}

/* ---- somebody who links and goes ---- */

struct passer_by {
    struct process process;
    struct storm *storm;
    unsigned peer;
};

CLASS(passer_by, "passer-by", passer_by_comes, passer_by_exited, passer_by_goes);

static void passer_by_comes(struct passer_by *p)
{
    process_link(&p->process, &p->storm->elsewhere[p->peer], LINK_REUSE);
    process_terminate(&p->process.pid, TERMINATE_AFTER_QUEUED);
}

static void passer_by_exited(struct passer_by *p, const struct pid *peer UNUSED)
{
    ck_assert(atomic_load(&p->storm->over));
}

static void passer_by_goes(struct passer_by *p)
{
    mem_free(p);
}

static void let_pass(struct writer *w, unsigned peer)
{
    struct passer_by *p = mem_alloc(sizeof *p);

    p->storm = w->storm;
    p->peer = peer;
    ck_assert_int_eq(
        process_spawn(w->process.runtime, &p->process, &passer_by_class, NULL, NULL, NULL), 0);
}

/* ---- writing ---- */

struct write_args {
    int left;
};

CALL(writer, write_some, write_args, NO_RELEASE);

static unsigned somebody_elsewhere(struct writer *w)
{
    unsigned node = w->index / OF_NODE;
    unsigned other = (node + 1 + below(&w->random, NODES - 1)) % NODES;

    return other * OF_NODE + below(&w->random, OF_NODE);
}

static void link_perhaps(struct writer *w, unsigned peer)
{
    enum kind kind = w->storm->kind;

    if (kind == RECONNECTS && below(&w->random, 4) == 0)
        process_link(&w->process, &w->storm->elsewhere[peer], LINK_RECONNECT);
    else if (kind == CALM && below(&w->random, 8) == 0)
        let_pass(w, peer);
}

static void write_some(struct writer *w, struct write_args *a)
{
    unsigned peer = somebody_elsewhere(w);
    int n = 1 + (int)below(&w->random, BURST);

    for (int i = 0; i < n && a->left > 0; i++, a->left--) {
        link_perhaps(w, peer);
        write_one(w, peer);
    }
    if (a->left > 0) {
        dispatch(&w->process.pid, write_some, .left = a->left);
    } else {
        atomic_fetch_sub(&w->storm->writing, 1);
        changed(w->storm);
    }
}

static void writer_begins(struct writer *w)
{
    process_install(&w->process, writer_handlers);
    for (unsigned i = 0; i < WRITERS && w->storm->kind == BREAKING; i++)
        if (i / OF_NODE != w->index / OF_NODE)
            process_link(&w->process, &w->storm->elsewhere[i], LINK_REUSE);
}

/* What was sent before may be lost; from now on nothing is. */
static void writer_exited(struct writer *w, const struct pid *peer)
{
    struct storm *s = w->storm;
    unsigned i = index_of(peer);

    if (atomic_load(&s->over))
        return;
    ck_assert_int_eq(s->kind, BREAKING);
    process_link(&w->process, peer, LINK_REUSE);
    pthread_mutex_lock(&s->lock);
    w->sent[i].epoch++;
    w->sent[i].in_epoch = 0;
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(&s->exits, 1);
    changed(s);
}

static void writer_ends(struct writer *w UNUSED) {}

/* ---- a storm ---- */

static void writer_start(struct storm *s, unsigned i, uint64_t seed)
{
    struct writer *w = &s->writers[i];
    CLEANUP(mem_free_p) char *id = mem_printf("w%u", i);

    w->storm = s;
    w->index = i;
    w->random = seed * WRITERS + i + 1;
    for (unsigned peer = 0; peer < WRITERS; peer++) {
        w->heard[peer].seen = mem_array((size_t)(ROUNDS * s->letters), sizeof(bool));
        w->heard[peer].in_order = true;
    }
    s->elsewhere[i] = pid_create(id, s->addresses[i / OF_NODE]);
}

static void writer_spawn(struct storm *s, unsigned i)
{
    struct writer *w = &s->writers[i];

    ck_assert_int_eq(process_spawn(s->nodes[i / OF_NODE].rt, &w->process, &writer_class,
                                   s->elsewhere[i].id->bytes, &w->pid, NULL),
                     0);
}

static struct storm *storm_start(enum kind kind, uint64_t seed)
{
    struct runtime_options o = { .workers = 3, .head_timeout = HOURS(10000) };
    struct storm *s = mem_alloc(sizeof *s);

    s->kind = kind;
    s->letters = place_is_simulated() ? LETTERS_IN_THE_WORLD : LETTERS;
    pthread_mutex_init(&s->lock, NULL);
    if (kind == BREAKING)
        tunnels_start(&s->tunnels, seed, place_is_simulated() ? BREAKS_IN_THE_WORLD : BREAKS,
                      BUDGET / scale());
    for (unsigned i = 0; i < NODES; i++) {
        s->nodes[i] = node_start_with(o);
        s->addresses[i] = runtime_address(s->nodes[i].rt);
        if (kind == BREAKING)
            s->addresses[i] = tunnels_add(&s->tunnels, s->addresses[i]);
        else
            runtime_clock_pause(s->nodes[i].rt);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        writer_start(s, i, seed);
    for (unsigned i = 0; i < WRITERS; i++)
        writer_spawn(s, i);
    return s;
}

static void storm_stop(struct storm *s)
{
    atomic_store(&s->over, true);
    for (unsigned i = NODES; i-- > 0;) /* the first one's host is told of what happens */
        node_stop(&s->nodes[i]);
    if (s->kind == BREAKING)
        tunnels_stop(&s->tunnels);
    for (unsigned i = 0; i < WRITERS; i++) {
        pid_release(&s->elsewhere[i]);
        pid_release(&s->writers[i].pid);
        for (unsigned peer = 0; peer < WRITERS; peer++)
            mem_free(s->writers[i].heard[peer].seen);
    }
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static void begin_round(struct storm *s)
{
    atomic_store(&s->writing, WRITERS);
    for (unsigned i = 0; i < WRITERS; i++)
        dispatch(&s->writers[i].pid, write_some, .left = s->letters);
}

struct so_many {
    struct storm *storm;
    unsigned n;
};

static bool have_arrived(void *arg)
{
    struct so_many *m = arg;

    return atomic_load(&m->storm->arrived) >= m->n;
}

/* Waits for so many; then the idle time of the connections is over. */
static void go_on_until(struct storm *s, unsigned n)
{
    struct so_many m = { s, n };

    place_until(s->nodes[0].host, have_arrived, &m);
    for (unsigned i = 0; i < NODES; i++)
        runtime_clock_advance(s->nodes[i].rt, SECONDS(6));
}

static void rage(enum kind kind, uint64_t seed)
{
    struct storm *s = storm_start(kind, seed);
    unsigned all = (unsigned)(WRITERS * s->letters);

    for (unsigned round = 0; round < ROUNDS; round++) {
        begin_round(s);
        for (unsigned step = 1; step <= STEPS; step++)
            go_on_until(s, round * all + all * step / STEPS);
    }
    for (unsigned i = 0; i < NODES; i++)
        node_settle(&s->nodes[i]);
    ck_assert_uint_eq(atomic_load(&s->arrived), ROUNDS * all);
    storm_stop(s);
}

/* ---- with breaks ---- */

static bool is_complete(struct storm *s, unsigned from, unsigned to)
{
    const struct sent *sent = &s->writers[from].sent[to];
    const struct heard *heard = &s->writers[to].heard[from];

    if (sent->in_epoch == 0)
        return true;
    return heard->epoch == sent->epoch && heard->in_epoch == sent->in_epoch && heard->in_order;
}

static bool is_all_there(void *arg)
{
    struct storm *s = arg;
    bool complete = atomic_load(&s->writing) == 0;

    pthread_mutex_lock(&s->lock);
    for (unsigned from = 0; from < WRITERS && complete; from++)
        for (unsigned to = 0; to < WRITERS && complete; to++)
            complete = is_complete(s, from, to);
    pthread_mutex_unlock(&s->lock);
    return complete;
}

static void break_and_rage(uint64_t seed)
{
    struct storm *s = storm_start(BREAKING, seed);

    for (unsigned round = 0; round < ROUNDS; round++) {
        begin_round(s);
        place_until(s->nodes[0].host, is_all_there, s);
    }
    ck_assert_uint_gt(atomic_load(&s->exits), 0);
    storm_stop(s);
}

static uint64_t times(void)
{
    const char *n = getenv("STORM_TIMES");

    return n ? strtoull(n, NULL, 10) : 1;
}

START_TEST(in_calm_all_letters_arrive_once_and_in_their_order)
{
    for (uint64_t i = 0; i < times(); i++)
        rage(CALM, place_seed(1) + i);
}
END_TEST

START_TEST(reconnects_lose_no_letter)
{
    for (uint64_t i = 0; i < times(); i++)
        rage(RECONNECTS, place_seed(1) + i);
}
END_TEST

START_TEST(a_lost_letter_is_followed_by_exited)
{
    for (uint64_t i = 0; i < times(); i++)
        break_and_rage(place_seed(1) + i);
}
END_TEST

UNIT(network_storm, in_calm_all_letters_arrive_once_and_in_their_order, reconnects_lose_no_letter,
     a_lost_letter_is_followed_by_exited);
