/* test_rwlock.c - many readers or one writer, in the order they asked */
#include "process/rwlock.h"

#include <stdatomic.h>

#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* Takes f. */
static void check_state(struct future *f, enum future_state state)
{
    ck_assert_int_eq(future_state(f), state);
    future_unref(f);
}

START_TEST(readers_share_and_a_writer_is_alone)
{
    struct rwlock *l = rwlock_create();
    struct future *writer, *another;

    check_state(rwlock_read_lock(l), FUTURE_READY);
    check_state(rwlock_read_lock(l), FUTURE_READY);
    writer = rwlock_write_lock(l);
    another = rwlock_write_lock(l);
    rwlock_read_unlock(l);
    ck_assert_int_eq(future_state(writer), FUTURE_PENDING);
    rwlock_read_unlock(l);
    check_state(writer, FUTURE_READY);
    ck_assert_int_eq(future_state(another), FUTURE_PENDING);
    rwlock_write_unlock(l);
    check_state(another, FUTURE_READY);
    rwlock_destroy(l);
}
END_TEST

START_TEST(a_writer_that_waits_holds_up_later_readers)
{
    struct rwlock *l = rwlock_create();
    struct future *writer, *reader, *another;

    check_state(rwlock_read_lock(l), FUTURE_READY);
    writer = rwlock_write_lock(l);
    reader = rwlock_read_lock(l);
    another = rwlock_read_lock(l);
    ck_assert_int_eq(future_state(reader), FUTURE_PENDING);
    rwlock_read_unlock(l);
    check_state(writer, FUTURE_READY);
    ck_assert_int_eq(future_state(reader), FUTURE_PENDING);
    rwlock_write_unlock(l);
    check_state(reader, FUTURE_READY);
    check_state(another, FUTURE_READY);
    rwlock_destroy(l);
}
END_TEST

START_TEST(a_writer_that_leaves_lets_the_readers_behind_it_in)
{
    struct rwlock *l = rwlock_create();
    struct future *writer, *reader, *another;

    check_state(rwlock_read_lock(l), FUTURE_READY);
    writer = rwlock_write_lock(l);
    reader = rwlock_read_lock(l);
    another = rwlock_write_lock(l);
    future_discard(writer);
    check_state(writer, FUTURE_DISCARDED);
    check_state(reader, FUTURE_READY);
    ck_assert_int_eq(future_state(another), FUTURE_PENDING);
    rwlock_read_unlock(l);
    ck_assert_int_eq(future_state(another), FUTURE_PENDING);
    rwlock_read_unlock(l);
    check_state(another, FUTURE_READY);
    rwlock_destroy(l);
}
END_TEST

START_TEST(a_reader_that_leaves_lets_nobody_in_beside_a_writer)
{
    struct rwlock *l = rwlock_create();
    struct future *reader, *writer;

    check_state(rwlock_write_lock(l), FUTURE_READY);
    reader = rwlock_read_lock(l);
    writer = rwlock_write_lock(l);
    future_discard(reader);
    check_state(reader, FUTURE_DISCARDED);
    ck_assert_int_eq(future_state(writer), FUTURE_PENDING);
    rwlock_destroy(l);
    check_state(writer, FUTURE_DISCARDED);
}
END_TEST

START_TEST(a_reader_cannot_unlock_a_writers_lock)
{
    struct rwlock *l = rwlock_create();

    future_unref(rwlock_write_lock(l));
    rwlock_read_unlock(l);
}
END_TEST

START_TEST(a_writer_cannot_unlock_a_readers_lock)
{
    struct rwlock *l = rwlock_create();

    future_unref(rwlock_read_lock(l));
    rwlock_write_unlock(l);
}
END_TEST

/* ---- many at once ---- */

enum { ACTORS = 4, TURNS = 2000 };

struct library {
    struct rwlock *lock;
    int counter; /* no atomic: written by the writer only */
    _Atomic int left, readers;
    struct host *host;
};

struct member {
    struct process process;
    struct library *library;
    int turns, asked, seen;
    bool writes;
};

struct visit {
    char unused;
};

CLASS(member, "member", member_initialize, member_exited, member_finalize);
CALL(member, leave, visit, NO_RELEASE);
LAST(member, entered, visit);

static void ask_again(struct member *m)
{
    struct future *f;

    m->writes = ++m->asked % 4 == 0;
    f = m->writes ? rwlock_write_lock(m->library->lock) : rwlock_read_lock(m->library->lock);
    if (m->asked % 7 == 0)
        future_discard(f);
    FINALLY(f, entered, m, NULL);
}

static void entered(struct member *m, struct future *f, struct visit *op UNUSED)
{
    if (future_state(f) != FUTURE_READY) {
        ask_again(m);
        return;
    }
    if (m->writes)
        ck_assert_int_eq(m->library->readers, 0);
    else
        m->library->readers++;
    m->seen = m->library->counter;
    dispatch(&m->process.pid, leave); /* held over an event's end */
}

static void leave(struct member *m, struct visit *args UNUSED)
{
    ck_assert_int_eq(m->library->counter, m->seen);
    if (m->writes) {
        m->library->counter++;
        rwlock_write_unlock(m->library->lock);
    } else {
        m->library->readers--;
        rwlock_read_unlock(m->library->lock);
    }
    if (++m->turns < TURNS)
        ask_again(m);
    else if (--m->library->left == 0)
        host_notify(m->library->host);
}

static void member_initialize(struct member *m)
{
    ask_again(m);
}

static void member_exited(struct member *m UNUSED, const struct pid *peer UNUSED) {}
static void member_finalize(struct member *m UNUSED) {}

static bool is_zero(void *arg)
{
    return *(_Atomic int *)arg == 0;
}

START_TEST(on_many_threads_nobody_reads_while_one_writes)
{
    struct node n = node_start(4);
    struct library library = { .lock = rwlock_create(), .left = ACTORS, .host = n.host };
    struct member members[ACTORS] = { 0 };

    for (int i = 0; i < ACTORS; i++) {
        members[i].library = &library;
        ck_assert_int_eq(
            process_spawn(n.rt, &members[i].process, &member_class, NULL, NULL, NULL), 0);
    }
    ck_assert(host_wait(n.host, is_zero, &library.left, instant_add(host_now(n.host), LONG)));
    ck_assert_int_gt(library.counter, 0);
    node_stop(&n);
    rwlock_destroy(library.lock);
}
END_TEST

UNIT(rwlock, readers_share_and_a_writer_is_alone, a_writer_that_waits_holds_up_later_readers,
     a_writer_that_leaves_lets_the_readers_behind_it_in,
     a_reader_that_leaves_lets_nobody_in_beside_a_writer,
     on_many_threads_nobody_reads_while_one_writes, THESE_ABORT,
     a_reader_cannot_unlock_a_writers_lock, a_writer_cannot_unlock_a_readers_lock);
