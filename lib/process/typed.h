/* typed.h - the only macros that play with types
 *
 * Each writes the one-line function that turns `struct process *` and `void *`
 * back into what they are, so that no handler has a cast and a wrong type is a
 * compile error at the user's line.  Each wants a `;` behind it.
 */
#ifndef TYPED_H
#define TYPED_H

#include "base/compiler.h"
#include "process/future.h"
#include "process/process.h"

#define STATE_(State, p) container_of(p, struct State, process)

/* CLASS(master, "master", master_initialize, master_exited, master_finalize);
 * wants  static void master_initialize(struct master *);  ..._finalize alike;
 *        static void master_exited(struct master *, const struct pid *);
 * and gives  static const struct process_class master_class. */
#define CLASS(State, name_, initialize_, exited_, finalize_)                                       \
    static void initialize_(struct State *);                                                       \
    static void exited_(struct State *, const struct pid *);                                       \
    static void finalize_(struct State *);                                                         \
    static void initialize_##__run(struct process *p) { initialize_(STATE_(State, p)); }           \
    static void exited_##__run(struct process *p, const struct pid *peer)                          \
    { exited_(STATE_(State, p), peer); }                                                           \
    static void finalize_##__run(struct process *p) { finalize_(STATE_(State, p)); }               \
    static const struct process_class State##_class = { name_, initialize_##__run,                 \
                                                        exited_##__run, finalize_##__run }

/* HANDLERS(master, agents_handlers, MESSAGES);  with
 *     #define MESSAGES(ON)                                                     \
 *         ON(pb__register_slave_message, Pb__RegisterSlaveMessage, on_register_agent)
 * wants  static void on_register_agent(struct master *, const struct pid *from,
 *                                      const Pb__RegisterSlaveMessage *);
 * Where a handler wants only one field, or up to four, the row names them,
 *         ON(pb__ping_slave_message, Pb__PingSlaveMessage, on_ping, connected)
 * wants  static void on_ping(struct master *, const struct pid *from,
 *                            protobuf_c_boolean connected);
 * with the types that the fields have in the message's struct; one that is not set has
 * its default.  One HANDLERS in a .c file. */
#define HANDLERS(State, table, MESSAGES)                                                           \
    typedef struct State handlers_state_;                                                          \
    MESSAGES(HANDLERS_THUNK_)                                                                      \
    static const struct process_handler table[] = { MESSAGES(HANDLERS_ROW_){ NULL, NULL } }
#define HANDLERS_ROW_(prefix, Type, handler, ...) { &prefix##__descriptor, handler##__receive },
#define HANDLERS_THUNK_(prefix, Type, handler, ...)                                                \
    static void handler(handlers_state_ *, const struct pid *,                                     \
                        HANDLERS_N_(TYPES, ##__VA_ARGS__)(Type, ##__VA_ARGS__));                   \
    static void handler##__receive(struct process *p, const struct pid *from,                      \
                                   const ProtobufCMessage *base)                                   \
    {                                                                                              \
        const Type *m = (const Type *)base;                                                        \
        handler(container_of(p, handlers_state_, process), from,                                   \
                HANDLERS_N_(VALUES, ##__VA_ARGS__)(m, ##__VA_ARGS__));                             \
    }
/* By the number of fields. */
#define HANDLERS_N_(what, ...) HANDLERS_PICK_(what, ##__VA_ARGS__, 4, 3, 2, 1, 0, 0)
#define HANDLERS_PICK_(what, a, b, c, d, n, ...) HANDLERS_##what##_##n##_
#define HANDLERS_TYPE_(T, a) __typeof__(((const T *)0)->a)
#define HANDLERS_TYPES_0_(T) const T *
#define HANDLERS_TYPES_1_(T, a) HANDLERS_TYPE_(T, a)
#define HANDLERS_TYPES_2_(T, a, b) HANDLERS_TYPE_(T, a), HANDLERS_TYPE_(T, b)
#define HANDLERS_TYPES_3_(T, a, b, c) HANDLERS_TYPES_2_(T, a, b), HANDLERS_TYPE_(T, c)
#define HANDLERS_TYPES_4_(T, a, b, c, d) HANDLERS_TYPES_3_(T, a, b, c), HANDLERS_TYPE_(T, d)
#define HANDLERS_VALUES_0_(m) m
#define HANDLERS_VALUES_1_(m, a) (m)->a
#define HANDLERS_VALUES_2_(m, a, b) (m)->a, (m)->b
#define HANDLERS_VALUES_3_(m, a, b, c) (m)->a, (m)->b, (m)->c
#define HANDLERS_VALUES_4_(m, a, b, c, d) (m)->a, (m)->b, (m)->c, (m)->d

/* ROUTES(master, http_routes, ENDPOINTS);  with
 *     #define ENDPOINTS(AT) AT("/state", serve_state, "The state of the cluster\n...")
 * wants  static void serve_state(struct master *, struct http_request *);
 * A fourth argument is the route's realm. */
#define ROUTES(State, table, ENDPOINTS)                                                            \
    typedef struct State routes_state_;                                                            \
    ENDPOINTS(ROUTES_THUNK_)                                                                       \
    static const struct process_route table[] = { ENDPOINTS(ROUTES_ROW_){ NULL, NULL, NULL, NULL } }
#define ROUTES_ROW_(path, handler, ...) { path, handler##__serve, __VA_ARGS__ },
#define ROUTES_THUNK_(path, handler, ...)                                                          \
    static void handler(routes_state_ *, struct http_request *);                                   \
    static void handler##__serve(struct process *p, struct http_request *r)                        \
    { handler(container_of(p, routes_state_, process), r); }

/* CALL(allocator, add_agent, agent_args, agent_args_release);  wants
 *     static void add_agent(struct allocator *, struct agent_args *);
 * release is a `void (*)(struct agent_args *)` that ends what the struct owns,
 * or NO_RELEASE.  Any thread may then say
 *     dispatch(&pid, add_agent, .id = id, .total = r);
 *     struct timer t = delay(&pid, SECONDS(10), add_agent, .id = id);        */
#define dispatch(pid, fn, ...) fn##__dispatch((pid), (fn##__args){ __VA_ARGS__ })
#define delay(pid, d, fn, ...) fn##__delay((pid), (d), (fn##__args){ __VA_ARGS__ })
#define CALL(State, fn, Args, release_)                                                            \
    static void fn(struct State *, struct Args *);                                                 \
    static void fn##__call(struct process *p, void *a)                                             \
    {                                                                                              \
        fn(STATE_(State, p), a);                                                                   \
    }                                                                                              \
    static void fn##__release(void *a)                                                             \
    {                                                                                              \
        void (*r)(struct Args *) = release_;                                                       \
        if (r)                                                                                     \
            r(a);                                                                                  \
    }                                                                                              \
    typedef struct Args fn##__args;                                                                \
    UNUSED static inline void fn##__dispatch(const struct pid *pid, struct Args a)                 \
    {                                                                                              \
        process_dispatch(pid, fn##__call, &a, sizeof a, fn##__release);                            \
    }                                                                                              \
    UNUSED static inline struct timer fn##__delay(const struct pid *pid, struct duration d,        \
                                                  struct Args a)                                   \
    {                                                                                              \
        return process_delay(pid, d, fn##__call, &a, sizeof a, fn##__release);                     \
    }                                                                                              \
    struct Args
#define NO_RELEASE NULL
struct nothing { char unused; };           /* Args of a call that has none */

/* ASK(registrar, admit, admit_args, admit_args_release);  wants
 *     static struct future *admit(struct registrar *, struct admit_args *);
 * and gives  struct future *f = ask(&pid, admit, .info = m);                 */
#define ask(pid, fn, ...) fn##__ask((pid), (fn##__args){ __VA_ARGS__ })
#define ASK(State, fn, Args, release_)                                                             \
    static struct future *fn(struct State *, struct Args *);                                       \
    static struct future *fn##__call(struct process *p, void *a)                                   \
    {                                                                                              \
        return fn(STATE_(State, p), a);                                                            \
    }                                                                                              \
    static void fn##__release(void *a)                                                             \
    {                                                                                              \
        void (*r)(struct Args *) = release_;                                                       \
        if (r)                                                                                     \
            r(a);                                                                                  \
    }                                                                                              \
    typedef struct Args fn##__args;                                                                \
    UNUSED static inline struct future *fn##__ask(const struct pid *pid, struct Args a)            \
    {                                                                                              \
        return process_call(pid, fn##__call, &a, sizeof a, fn##__release);                         \
    }                                                                                              \
    struct Args

/* STEP(agent, launch_fetched, launch);  LAST(agent, launch_done, launch);  then
 *     f = THEN(f, launch_fetched, a, op);    f = RECOVER(f, ...);  f = REPAIR(f, ...);
 *     f = AFTER(f, SECONDS(60), launch_late, a, op);
 *     FINALLY(f, launch_done, a, op);
 * All take f.  A failure skips the steps and arrives at the last. */
#define THEN(f, step, self, op) step##__on(future_then, (f), (self), (op))
#define RECOVER(f, step, self, op) step##__on(future_recover, (f), (self), (op))
#define REPAIR(f, step, self, op) step##__on(future_repair, (f), (self), (op))
#define AFTER(f, d, step, self, op) step##__after((f), (d), (self), (op))
#define FINALLY(f, last, self, op) last##__finally((f), (self), (op))
#define STEP(State, step, Op)                                                                      \
    static struct future *step(struct State *, struct future *, struct Op *);                      \
    static struct future *step##__run(struct process *p, struct future *f, void *op)               \
    { return step(STATE_(State, p), f, op); }                                                      \
    UNUSED static inline struct future *step##__on(                                                \
        struct future *(*how)(struct future *, struct process *, future_step_f, void *),           \
        struct future *f, struct State *s, struct Op *op)                                          \
    { return how(f, &s->process, step##__run, op); }                                               \
    UNUSED static inline struct future *step##__after(struct future *f, struct duration d,         \
                                                      struct State *s, struct Op *op)              \
    { return future_after(f, d, &s->process, step##__run, op); }                                   \
    struct Op
#define LAST(State, last, Op)                                                                      \
    static void last(struct State *, struct future *, struct Op *);                                \
    static void last##__run(struct process *p, struct future *f, void *op)                         \
    { last(STATE_(State, p), f, op); }                                                             \
    static inline void last##__finally(struct future *f, struct State *s, struct Op *op)           \
    { future_finally(f, &s->process, last##__run, op); }                                           \
    struct Op

/* FUTURE_TYPE(exit_status, int);  in a header, gives exit_status_promise(),
 * exit_status_set(promise, 0), exit_status_ready(0) and *exit_status_get(f),
 * which aborts on a future of another type or not READY; and, outside of actors,
 * exit_status_wait(f, host, SECONDS(10), &err), NULL with the reason.
 * FUTURE_TYPE_DEFINE goes into one .c file. */
#define FUTURE_TYPE(name, T)                                                                       \
    extern const struct future_type name##_type;                                                   \
    UNUSED static inline struct promise *name##_promise(void)                                      \
    {                                                                                              \
        return promise_create(&name##_type);                                                       \
    }                                                                                              \
    UNUSED static inline bool name##_set(struct promise *p, T value)                               \
    {                                                                                              \
        return promise_set(p, &name##_type, &value);                                               \
    }                                                                                              \
    UNUSED static inline struct future *name##_ready(T value)                                      \
    {                                                                                              \
        return future_ready(&name##_type, &value);                                                 \
    }                                                                                              \
    UNUSED static inline const T *name##_get(const struct future *f)                               \
    {                                                                                              \
        return future_value(f, &name##_type);                                                      \
    }                                                                                              \
    UNUSED static inline const T *name##_wait(struct future *f, struct host *host,                 \
                                              struct duration timeout, struct error *err)          \
    {                                                                                              \
        const void *value = NULL;                                                                  \
        return future_get(f, host, timeout, &name##_type, &value, err) < 0 ? NULL : value;         \
    }                                                                                              \
    struct future
#define FUTURE_TYPE_DEFINE(name, T, release_fn)                                                    \
    const struct future_type name##_type = { #name, sizeof(T), release_fn }

#endif
