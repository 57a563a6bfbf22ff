/* launcher.c - the agent's side of its launcher
 *
 *   request   → sent when the link stands → answer with its number → future
 *   link breaks, or does not come to stand → program started, at most once a
 *       second → connect again, after a growing pause → what was not answered is
 *       sent again
 *   trouble that lasts → the waiting starts fail; the next one tries anew
 *
 * The actor is `keeper`; struct launcher is only its name, so that it may be
 * destroyed at any time and on any thread.
 */
#include "agent/launcher.h"

#include <errno.h>
#include <string.h>

#include <uthash.h>

#include "agent/launcher_link.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"

#define PAUSE_FIRST MILLISECONDS(5)
#define PAUSE_LAST MILLISECONDS(500)
#define PROGRAM_PAUSE SECONDS(1)             /* between two starts of the program */
#define TROUBLE_MAX SECONDS(10)
#define RECORD_PAUSE MILLISECONDS(10)
enum { RECORD_LIMIT = 4096 };

FUTURE_TYPE_DEFINE(run_started, struct run_started, NULL);
FUTURE_TYPE_DEFINE(run_exit, struct run_exit, NULL);

struct launcher { struct pid keeper; struct runtime *runtime; };

enum link_state { LINK_NONE, LINK_CONNECTING, LINK_STANDS };

/* Asked for and not answered. */
struct start {
    uint64_t number;
    struct launch_request request;
    struct promise *promise;
    unsigned times_sent;
    UT_hash_handle hh;
};

struct follow {
    uint64_t number;
    struct runtime *runtime;
    struct loop *loop;
    struct pid keeper;
    char *folder;
    struct run_started started;
    struct promise *promise;
    struct watch *watch;                     /* the loop's thread only */
    UT_hash_handle hh;
};

struct keeper {
    struct process process;
    struct host *host;
    char *work_dir, *program, *socket, *log;
    uint64_t last_number;

    enum link_state state;
    struct launcher_link *link;
    uint64_t link_number;
    struct instant stood_since;
    bool in_trouble;
    struct instant trouble_since, program_started;
    bool has_started_program;
    struct duration pause;
    struct timer reconnect;

    struct start *starts;
    struct follow *follows;
};

CLASS(keeper, "launcher", keeper_initialize, keeper_exited, keeper_finalize);

struct link_args { uint64_t number; struct launch_answer answer; struct error why; };
static void link_args_release(struct link_args *a) { launch_answer_release(&a->answer); }
CALL(keeper, link_stands, link_args, link_args_release);
CALL(keeper, link_answers, link_args, link_args_release);
CALL(keeper, link_broke, link_args, link_args_release);

struct number_args { uint64_t number; };
CALL(keeper, connect_again, nothing, NO_RELEASE);
CALL(keeper, ask_again, number_args, NO_RELEASE);
CALL(keeper, follow_ended, number_args, NO_RELEASE);

struct start_args { struct launch_request request; };
static void start_args_release(struct start_args *a) { launch_request_release(&a->request); }
ASK(keeper, start_run, start_args, start_args_release);

struct follow_args { char *folder; struct run_started started; };
static void follow_args_release(struct follow_args *a) { mem_free(a->folder); }
ASK(keeper, follow_run, follow_args, follow_args_release);

/* ---- from the link's thread ---- */

static void tell_stands(const struct pid *owner, uint64_t number)
{
    dispatch(owner, link_stands, .number = number);
}

static void tell_answer(const struct pid *owner, uint64_t number, struct launch_answer *answer)
{
    dispatch(owner, link_answers, .number = number, .answer = *answer);
}

static void tell_broke(const struct pid *owner, uint64_t number, const struct error *why)
{
    dispatch(owner, link_broke, .number = number, .why = *why);
}

static const struct launcher_link_events link_events = { tell_stands, tell_answer, tell_broke };

/* ---- the program and the link ---- */

static void ignore_end(void *arg UNUSED, int status UNUSED) {}     /* the link tells */

static void start_program(struct keeper *k)
{
    CLEANUP(mem_free_p) char *flag = mem_printf("--work_dir=%s", k->work_dir);
    struct child_spec spec = {
        .path = k->program,
        .argv = (char *[]){ (char *)"mesos-lite-launcher", flag, NULL },
        .in = CHILD_NULL, .out = CHILD_NULL,
        .err = CHILD_PATH, .err_path = k->log,
        .new_session = true,
    };
    struct instant now = runtime_now(k->process.runtime);
    struct error err;
    pid_t pid;

    if (!runtime_loop(k->process.runtime))       /* we are going down */
        return;
    if (k->has_started_program && instant_since(now, k->program_started).ns < PROGRAM_PAUSE.ns)
        return;
    k->has_started_program = true;
    k->program_started = now;
    if (host_spawn(runtime_loop(k->process.runtime), &spec, ignore_end, NULL, &pid, &err) < 0)
        log_warning("launcher not started, trying again: %s", err.text);
    else
        log_info("launcher started as process %d", (int)pid);
}

static void connect_now(struct keeper *k)
{
    k->state = LINK_CONNECTING;
    k->link = launcher_link_open(k->process.runtime, k->socket, &k->process.pid, ++k->link_number,
                                 &link_events);
}

/* What was not answered waits for the next link, but not for ever. */
static void enter_trouble(struct keeper *k, bool anew)
{
    if (k->in_trouble && !anew)
        return;
    k->in_trouble = true;
    k->trouble_since = runtime_now(k->process.runtime);
    k->pause = PAUSE_FIRST;
}

static void end_start(struct keeper *k, struct start *s)
{
    HASH_DEL(k->starts, s);
    launch_request_release(&s->request);
    promise_unref(s->promise);
    mem_free(s);
}

static void give_up(struct keeper *k, const char *why)
{
    struct start *s, *next;

    log_error("launcher cannot be reached (%s); see %s", why, k->log);
    k->in_trouble = false;
    HASH_ITER(hh, k->starts, s, next) {
        promise_fail(s->promise, ETIMEDOUT, "The launcher cannot be reached (%s); see %s", why,
                     k->log);
        end_start(k, s);
    }
}

static void send_start(struct keeper *k, struct start *s)
{
    s->times_sent++;
    launcher_link_send(k->link, &s->request);
}

static void link_stands(struct keeper *k, struct link_args *a)
{
    struct start *s, *next;

    if (a->number != k->link_number)
        return;
    k->state = LINK_STANDS;
    k->stood_since = runtime_now(k->process.runtime);
    HASH_ITER(hh, k->starts, s, next)
        send_start(k, s);
}

static void link_broke(struct keeper *k, struct link_args *a)
{
    struct instant now = runtime_now(k->process.runtime);
    bool stood = k->state == LINK_STANDS;

    if (a->number != k->link_number || !k->link)
        return;
    launcher_link_close(k->link);
    k->link = NULL;
    k->state = LINK_NONE;
    if (stood)
        log_warning("launcher lost: %s", a->why.text);
    /* A launcher that hangs up on what we send, each time, is trouble that goes on. */
    enter_trouble(k, stood &&
                         (!k->starts || instant_since(now, k->stood_since).ns >= PROGRAM_PAUSE.ns));
    if (instant_since(now, k->trouble_since).ns >= TROUBLE_MAX.ns) {
        give_up(k, a->why.text);
        return;
    }
    if (!stood)
        start_program(k);
    k->reconnect = delay(&k->process.pid, k->pause, connect_again, .unused = 0);
    k->pause = duration_min(duration_times(k->pause, 2), PAUSE_LAST);
}

static void connect_again(struct keeper *k, struct nothing *a UNUSED)
{
    if (!k->link)
        connect_now(k);
}

/* ---- starts ---- */

static struct future *start_run(struct keeper *k, struct start_args *a)
{
    struct start *s = mem_alloc(sizeof *s);

    s->number = ++k->last_number;
    s->request = a->request;
    a->request = (struct launch_request){ .number = 0 };
    s->request.number = s->number;
    s->promise = run_started_promise();
    HASH_ADD(hh, k->starts, number, sizeof s->number, s);
    if (k->state == LINK_STANDS)
        send_start(k, s);
    else if (k->state == LINK_NONE && !k->in_trouble) {          /* it was given up */
        enter_trouble(k, true);
        connect_now(k);
    }
    return promise_future(s->promise);
}

static struct start *find_start(struct keeper *k, uint64_t number)
{
    struct start *s;

    HASH_FIND(hh, k->starts, &number, sizeof number, s);
    return s;
}

static int read_record(struct keeper *k, const char *folder, const char *name, char **ret_text,
                       struct error *err)
{
    CLEANUP(mem_free_p) char *path = mem_printf("%s/%s", folder, name);
    CLEANUP(mem_free_p) char *data = NULL;
    size_t size;

    if (host_read_file(k->host, path, RECORD_LIMIT, &data, &size, err) < 0)
        return -1;
    *ret_text = mem_strndup(data, size);
    return 0;
}

/* Sent more than once, it exists: it is ours if the record says so. */
static void look_up_start(struct keeper *k, struct start *s)
{
    CLEANUP(mem_free_p) char *text = NULL;
    struct run_started started;
    struct error err;

    if (read_record(k, s->request.folder, RUN_STARTED, &text, &err) < 0 && err.code == ENOENT) {
        delay(&k->process.pid, RECORD_PAUSE, ask_again,
              .number = s->number); /* it is on its way there */
        return;
    }
    if (text && run_started_parse(text, &started, &err) == 0)
        run_started_set(s->promise, started);
    else
        promise_fail(s->promise, err.code, "Cannot tell whether the run was started: %s", err.text);
    end_start(k, s);
}

static void ask_again(struct keeper *k, struct number_args *a)
{
    struct start *s = find_start(k, a->number);

    if (s && k->state == LINK_STANDS)
        send_start(k, s);
}

static void link_answers(struct keeper *k, struct link_args *a)
{
    struct start *s = find_start(k, a->answer.number);
    struct run_started started = { .pid = a->answer.pid, .start_time = a->answer.start_time };
    struct host_facts facts;

    k->in_trouble = false;
    if (!s)
        return;
    if (a->answer.code == EEXIST && s->times_sent > 1) {
        look_up_start(k, s);
        return;
    }
    host_facts(k->host, &facts);
    memcpy(started.boot_id, facts.boot_id, sizeof started.boot_id);
    if (a->answer.code == 0)
        run_started_set(s->promise, started);
    else
        promise_fail(s->promise, a->answer.code, "The run was not started: %s", a->answer.text);
    end_start(k, s);
}

/* ---- following ---- */

/* On the loop's thread. */
static void watch_ended(void *arg)
{
    struct follow *f = arg;

    dispatch(&f->keeper, follow_ended, .number = f->number);
}

static void watch_here(void *arg)
{
    struct follow *f = arg;

    if (runtime_loop(f->runtime))
        f->watch = host_watch(f->loop, f->started.pid, f->started.start_time, watch_ended, f);
}

static void unwatch_here(void *arg)
{
    struct follow *f = arg;

    host_watch_close(f->watch);
    pid_release(&f->keeper);
    mem_free(f->folder);
    mem_free(f);
}

static void end_follow(struct keeper *k, struct follow *f)
{
    HASH_DEL(k->follows, f);
    promise_unref(f->promise);
    launcher_link_on_loop(f->runtime, f->loop, unwatch_here, f);
}

static void follow_ended(struct keeper *k, struct number_args *a)
{
    CLEANUP(mem_free_p) char *text = NULL;
    struct run_exit end = { .executed = false };
    struct error err;
    struct follow *f;

    HASH_FIND(hh, k->follows, &a->number, sizeof a->number, f);
    if (!f)
        return;
    if (read_record(k, f->folder, RUN_EXIT, &text, &err) == 0 &&
        run_exit_parse(text, &end, &err) == 0)
        run_exit_set(f->promise, end);
    else if (err.code != ENOENT)
        promise_fail_with(f->promise, &err);
    else {
        static const char killed[] = "the run's supervisor was killed";

        memcpy(end.reason, killed, sizeof killed);
        run_exit_set(f->promise, end);
    }
    end_follow(k, f);
}

/* op is the number: the one that it was may have ended. */
static void follow_discarded(struct process *self, struct future *asked UNUSED, void *op)
{
    struct keeper *k = container_of(self, struct keeper, process);
    uint64_t number = (uintptr_t)op;
    struct follow *f;

    HASH_FIND(hh, k->follows, &number, sizeof number, f);
    if (!f)
        return;
    promise_discard(f->promise);
    end_follow(k, f);
}

static struct future *follow_run(struct keeper *k, struct follow_args *a)
{
    struct follow *f = mem_alloc(sizeof *f);
    struct future *result;

    f->number = ++k->last_number;
    f->runtime = k->process.runtime;
    f->loop = runtime_loop(f->runtime);
    f->keeper = pid_dup(&k->process.pid);
    f->folder = a->folder;
    a->folder = NULL;
    f->started = a->started;
    f->promise = run_exit_promise();
    HASH_ADD(hh, k->follows, number, sizeof f->number, f);
    result = promise_future(f->promise);
    future_on_discard(result, &k->process, follow_discarded, (void *)(uintptr_t)f->number);
    launcher_link_on_loop(f->runtime, f->loop, watch_here, f);
    return result;
}

/* ---- life ---- */

static void keeper_initialize(struct keeper *k)
{
    enter_trouble(k, true);
    connect_now(k);
}

static void keeper_exited(struct keeper *k UNUSED, const struct pid *peer UNUSED) {}

static void keeper_free(struct keeper *k)
{
    mem_free(k->work_dir);
    mem_free(k->program);
    mem_free(k->socket);
    mem_free(k->log);
    mem_free(k);
}

static void keeper_finalize(struct keeper *k)
{
    struct follow *f, *next_f;
    struct start *s, *next_s;

    process_cancel(&k->reconnect);
    launcher_link_close(k->link);
    HASH_ITER(hh, k->starts, s, next_s)
        end_start(k, s);
    HASH_ITER(hh, k->follows, f, next_f)
        end_follow(k, f);
    keeper_free(k);
}

struct launcher *launcher_create(struct runtime *rt, const char *work_dir, const char *program,
                                 struct error *err)
{
    CLEANUP(mem_free_p) char *meta = mem_printf("%s/meta", work_dir);
    struct launcher *l;
    struct keeper *k;

    if (host_mkdirs(runtime_host(rt), meta, 0755, err) < 0)
        return NULL;
    k = mem_alloc(sizeof *k);
    k->host = runtime_host(rt);
    k->work_dir = mem_strdup(work_dir);
    k->program = mem_strdup(program);
    k->socket = mem_printf("%s/launcher.sock", meta);
    k->log = mem_printf("%s/launcher.log", meta);
    l = mem_alloc(sizeof *l);
    l->runtime = rt;
    if (process_spawn(rt, &k->process, &keeper_class, "launcher", &l->keeper, err) < 0) {
        keeper_free(k);
        mem_free(l);
        return NULL;
    }
    return l;
}

void launcher_destroy(struct launcher *l)
{
    if (!l)
        return;
    process_terminate(&l->keeper, TERMINATE_NOW);
    pid_release(&l->keeper);
    mem_free(l);
}

/* ---- what others call ---- */

struct future *launcher_start(struct launcher *l, const struct launch_request *request)
{
    struct buffer frame = BUFFER_INIT;
    struct launch_request copy;
    struct error err;
    int got;

    launch_request_pack(request, &frame);
    got = launch_request_unpack(&frame, &copy, &err);
    buffer_release(&frame);
    if (got <= 0)
        return future_failed(&run_started_type, E2BIG,
                             "The command and its environment are too long: %s", err.text);
    return ask(&l->keeper, start_run, .request = copy);
}

struct future *launcher_wait(struct launcher *l, const char *folder,
                             const struct run_started *started)
{
    return ask(&l->keeper, follow_run, .folder = mem_strdup(folder), .started = *started);
}

struct future *launcher_signal(struct launcher *l, const struct run_started *started, int signo)
{
    struct error err;

    if (host_signal(runtime_host(l->runtime), started->pid, started->start_time, signo, &err) < 0 &&
        err.code != ESRCH)
        return future_failed_with(&future_nothing, &err);
    return future_ready(&future_nothing, NULL);
}
