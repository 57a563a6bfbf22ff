/* host_ops.h - what a host implements
 *
 * One function for each of host.h, same meaning; host.c checks and forwards.
 * Included by host.c and the hosts only.  A host embeds these structs as the
 * first member of its own.
 */
#ifndef HOST_OPS_H
#define HOST_OPS_H

#include <stdatomic.h>

#include "process/host.h"

struct host_ops {
    struct instant (*now)(struct host *);
    struct instant (*wall)(struct host *);
    void (*random)(struct host *, void *, size_t);
    uint32_t (*choose)(struct host *, uint32_t);
    unsigned (*turn_events)(struct host *);

    struct loop *(*loop_start)(struct host *, loop_turn_f, void *);
    void (*loop_stop)(struct loop *);
    void (*loop_wake)(struct loop *);
    void (*loop_deadline)(struct loop *, struct instant);
    bool (*loop_is_current)(struct loop *);
    bool (*wait)(struct host *, bool (*)(void *), void *, struct instant);
    void (*notify)(struct host *);
    void (*async)(struct loop *, void (*)(void *), void (*)(void *), void *);

    struct stream *(*connect)(struct loop *, struct address, const struct stream_events *, void *);
    struct stream *(*connect_path)(struct loop *, const char *, const struct stream_events *,
                                   void *);
    struct listener *(*listen)(struct loop *, struct address, stream_accepted_f, void *,
                               struct address *, struct error *);
    void (*listener_close)(struct listener *);
    void (*resolve)(struct loop *, const char *, host_resolved_f, void *);

    int (*open)(struct host *, const char *, unsigned, unsigned, struct file **, struct error *);
    int (*is_locked)(struct host *, const char *, struct error *);
    int (*stat)(struct host *, const char *, struct file_info *, struct error *);
    int (*mkdir)(struct host *, const char *, unsigned, struct error *);
    int (*rename)(struct host *, const char *, const char *, struct error *);
    int (*symlink)(struct host *, const char *, const char *, struct error *);
    int (*readlink)(struct host *, const char *, char **, struct error *);
    int (*unlink)(struct host *, const char *, struct error *);     /* also an empty folder */
    int (*sync_directory)(struct host *, const char *, struct error *);
    int (*chown)(struct host *, const char *, uint32_t, uint32_t, struct error *);
    int (*chmod)(struct host *, const char *, unsigned, struct error *);
    int (*list)(struct host *, const char *, char ***, size_t *, struct error *);
    int (*remove_tree)(struct host *, const char *, struct error *); /* NULL: made of the others */

    int (*spawn)(struct loop *, const struct child_spec *, child_ended_f, void *, pid_t *,
                 struct error *);
    struct watch *(*watch)(struct loop *, pid_t, uint64_t, void (*)(void *), void *);
    void (*watch_close)(struct watch *);
    int (*signal)(struct host *, pid_t, uint64_t, int, struct error *);
    int (*start_time)(struct host *, pid_t, uint64_t *, struct error *);
    int (*processes)(struct host *, struct host_process **, size_t *, struct error *);
    int (*on_signal)(struct loop *, int, void (*)(void *, int), void *, struct error *);

    void (*facts)(struct host *, struct host_facts *);
    int (*disk)(struct host *, const char *, uint64_t *, uint64_t *, struct error *);
    char *const *(*environment)(struct host *);
    int (*user)(struct host *, const char *, uint32_t *, uint32_t *, struct error *);
    const char *(*working_directory)(struct host *);
    const char *(*program_directory)(struct host *);
    void (*destroy)(struct host *);
};

struct stream_ops {
    ssize_t (*read)(struct stream *, void *, size_t, struct error *);
    ssize_t (*write)(struct stream *, const struct stream_bytes[], unsigned, struct error *);
    void (*want)(struct stream *, bool, bool);
    void (*attach)(struct stream *, struct loop *, const struct stream_events *, void *);
    void (*close)(struct stream *);
};

struct file_ops {
    ssize_t (*read)(struct file *, uint64_t, void *, size_t, struct error *);
    int (*write)(struct file *, uint64_t, const void *, size_t, struct error *);
    int (*sync)(struct file *, struct error *);
    int (*truncate)(struct file *, uint64_t, struct error *);
    int (*size)(struct file *, uint64_t *, struct error *);
    int (*lock)(struct file *, struct error *);
    void (*close)(struct file *);
};

struct host { const struct host_ops *ops; };
struct loop {
    struct host *host;
    _Atomic(const struct context *) context, helpers_context;
    _Atomic unsigned helping; /* host.c's: what host_async has begun and not done */
};
struct listener { struct host *host; };
struct watch { struct host *host; };
struct stream { const struct stream_ops *ops; struct address peer; };   /* ops: TLS slips in here */
struct file { const struct file_ops *ops; };

#endif
