/* store.c - the agent's memory: tables, and one function for each change */
#include "agent/store.h"

#include <errno.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/database.h"
#include "process/future.h"
#include "process/message.h"
#include "process/proto.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS agent("
    " one INTEGER PRIMARY KEY CHECK(one = 1), info BLOB NOT NULL, boot_id TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS frameworks("
    " id TEXT PRIMARY KEY, info BLOB NOT NULL, pid TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS runs("
    " id TEXT PRIMARY KEY, framework TEXT NOT NULL, executor TEXT NOT NULL,"
    " builtin INTEGER NOT NULL,"
    " sandbox TEXT NOT NULL, boot_id TEXT NOT NULL, info BLOB NOT NULL, pid TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS tasks("
    " framework TEXT NOT NULL, task TEXT NOT NULL, run TEXT NOT NULL, info BLOB NOT NULL,"
    " PRIMARY KEY(framework, task));"
    "CREATE TABLE IF NOT EXISTS updates("
    " framework TEXT NOT NULL, task TEXT NOT NULL, uuid BLOB NOT NULL, body BLOB NOT NULL,"
    " acknowledged INTEGER NOT NULL, PRIMARY KEY(framework, task, uuid));"
    "CREATE INDEX IF NOT EXISTS tasks_by_run ON tasks(run);"
    "CREATE TABLE IF NOT EXISTS task_groups("
    " framework TEXT NOT NULL, task TEXT NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY(framework, task));"
    "CREATE TRIGGER IF NOT EXISTS group_of_no_task AFTER DELETE ON tasks BEGIN"
    " DELETE FROM task_groups WHERE framework = OLD.framework AND task = OLD.task; END;";

struct store { struct database *db; };

struct packed_task { char *id; struct buffer info; };

/* A change on its way: its texts and bytes are its own. */
struct change;
typedef int (*change_apply_f)(struct database *db, struct change *c, struct error *err);
struct change {
    change_apply_f apply;
    struct text *run, *framework, *executor, *task;
    char *sandbox, *boot_id, *pid, *group;
    bool builtin;
    struct buffer info, framework_info; /* packed messages */
    struct packed_task *tasks;
    size_t n_tasks;
    struct buffer uuid;
};

int store_open(struct runtime *rt, const char *path, struct store **ret_store, struct error *err)
{
    struct store *s = mem_alloc(sizeof *s);

    if (database_open(rt, path, schema, &s->db, err) < 0) {
        mem_free(s);
        return -1;
    }
    *ret_store = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    database_close(s->db);
    mem_free(s);
}

static void change_release(void *args)
{
    struct change *c = args;

    text_unref(c->run);
    text_unref(c->framework);
    text_unref(c->executor);
    text_unref(c->task);
    mem_free(c->sandbox);
    mem_free(c->boot_id);
    mem_free(c->pid);
    buffer_release(&c->info);
    buffer_release(&c->framework_info);
    mem_free(c->group);
    for (size_t i = 0; i < c->n_tasks; i++) {
        mem_free(c->tasks[i].id);
        buffer_release(&c->tasks[i].info);
    }
    mem_free(c->tasks);
    buffer_release(&c->uuid);
    mem_free(c);
}

static int change_work(struct database *db, void *args, struct error *err)
{
    struct change *c = args;

    return c->apply(db, c, err);
}

static struct change *change_create(change_apply_f apply)
{
    struct change *c = mem_alloc(sizeof *c);

    c->apply = apply;
    return c;
}

static struct future *commit(struct store *s, struct change *c)
{
    return database_commit(s->db, change_work, c, change_release);
}

/* ---- who we are ---- */

static int apply_agent(struct database *db, struct change *c, struct error *err)
{
    return database_run(db, err, "INSERT OR REPLACE INTO agent VALUES(1, ?, ?)", "bs",
                        buffer_data(&c->info), buffer_length(&c->info), c->boot_id);
}

struct future *store_put_agent(struct store *s, const Pb__AgentInfo *info, const char *boot_id)
{
    struct change *c = change_create(apply_agent);

    proto_pack(&info->base, &c->info);
    c->boot_id = mem_strdup(boot_id);
    return commit(s, c);
}

/* ---- frameworks ---- */

static int apply_framework(struct database *db, struct change *c, struct error *err)
{
    return database_run(db, err,
                        "INSERT INTO frameworks VALUES(?1, ?2, ?3)"
                        " ON CONFLICT(id) DO UPDATE SET info = ?2, pid = ?3",
                        "sbs", c->framework->bytes, buffer_data(&c->framework_info),
                        buffer_length(&c->framework_info), c->pid);
}

static void set_framework(struct change *c, const Pb__FrameworkInfo *info, const char *pid)
{
    c->framework = text_create(info->id->value);
    proto_pack(&info->base, &c->framework_info);
    c->pid = mem_strdup(pid);
}

struct future *store_put_framework(struct store *s, const Pb__FrameworkInfo *info, const char *pid)
{
    struct change *c = change_create(apply_framework);

    set_framework(c, info, pid);
    return commit(s, c);
}

static int apply_no_framework(struct database *db, struct change *c, struct error *err)
{
    return database_run(db, err, "DELETE FROM frameworks WHERE id = ?", "s", c->framework->bytes);
}

struct future *store_remove_framework(struct store *s, struct framework_id id)
{
    struct change *c = change_create(apply_no_framework);

    c->framework = text_ref(id.text);
    return commit(s, c);
}

/* ---- runs and tasks ---- */

static int apply_task(struct database *db, struct change *c, struct packed_task *t,
                      struct error *err)
{
    if (database_run(db, err, "INSERT OR REPLACE INTO tasks VALUES(?, ?, ?, ?)", "sssb",
                     c->framework->bytes, t->id, c->run->bytes, buffer_data(&t->info),
                     buffer_length(&t->info)) < 0)
        return -1;
    if (!c->group)
        return 0;
    return database_run(db, err, "INSERT OR REPLACE INTO task_groups VALUES(?, ?, ?, ?)", "ssss",
                        c->framework->bytes, t->id, c->run->bytes, c->group);
}

static int apply_tasks(struct database *db, struct change *c, struct error *err)
{
    for (size_t i = 0; i < c->n_tasks; i++)
        if (apply_task(db, c, &c->tasks[i], err) < 0)
            return -1;
    return 0;
}

/* An executor has one run at a time: what is there of an earlier one is over, and
 * its removal has failed. */
static int remove_earlier(struct database *db, struct change *c, struct error *err)
{
    static const char *const removals[] = {
        "DELETE FROM updates WHERE (framework, task) IN (SELECT framework, task FROM tasks"
        " WHERE run IN (SELECT id FROM runs WHERE framework = ? AND executor = ? AND id <> ?))",
        "DELETE FROM tasks WHERE run IN"
        " (SELECT id FROM runs WHERE framework = ? AND executor = ? AND id <> ?)",
        "DELETE FROM runs WHERE framework = ? AND executor = ? AND id <> ?",
    };

    for (size_t i = 0; i < ARRAY_SIZE(removals); i++)
        if (database_run(db, err, removals[i], "sss", c->framework->bytes, c->executor->bytes,
                         c->run->bytes) < 0)
            return -1;
    return 0;
}

static int apply_intent(struct database *db, struct change *c, struct error *err)
{
    if (apply_framework(db, c, err) < 0 || remove_earlier(db, c, err) < 0 ||
        database_run(db, err, "INSERT INTO runs VALUES(?, ?, ?, ?, ?, ?, ?, '')", "sssissb",
                     c->run->bytes, c->framework->bytes, c->executor->bytes, (int64_t)c->builtin,
                     c->sandbox, c->boot_id, buffer_data(&c->info), buffer_length(&c->info)) < 0)
        return -1;
    return apply_tasks(db, c, err);
}

static void set_tasks(struct change *c, const struct store_tasks *tasks)
{
    c->tasks = mem_array(tasks->n, sizeof *c->tasks);
    c->n_tasks = tasks->n;
    for (size_t i = 0; i < tasks->n; i++) {
        c->tasks[i].id = mem_strdup(tasks->v[i]->task_id->value);
        proto_pack(&tasks->v[i]->base, &c->tasks[i].info);
    }
    c->group = tasks->group ? mem_strdup(tasks->group) : NULL;
}

struct future *store_put_intent(struct store *s, const Pb__FrameworkInfo *framework,
                                const char *framework_pid, const struct store_run *run,
                                const struct store_tasks *tasks)
{
    struct change *c = change_create(apply_intent);

    set_framework(c, framework, framework_pid);
    c->run = text_ref(run->id.text);
    c->executor = text_ref(run->executor.text);
    c->builtin = run->builtin;
    c->sandbox = mem_strdup(run->sandbox);
    c->boot_id = mem_strdup(run->boot_id);
    proto_pack(&run->info->base, &c->info);
    set_tasks(c, tasks);
    return commit(s, c);
}

struct future *store_put_tasks(struct store *s, struct framework_id framework,
                               struct container_id run, const struct store_tasks *tasks)
{
    struct change *c = change_create(apply_tasks);

    c->framework = text_ref(framework.text);
    c->run = text_ref(run.text);
    set_tasks(c, tasks);
    return commit(s, c);
}

static int apply_executor_pid(struct database *db, struct change *c, struct error *err)
{
    return database_run(db, err, "UPDATE runs SET pid = ? WHERE id = ?", "ss", c->pid,
                        c->run->bytes);
}

struct future *store_put_executor_pid(struct store *s, struct container_id run, const char *pid)
{
    struct change *c = change_create(apply_executor_pid);

    c->run = text_ref(run.text);
    c->pid = mem_strdup(pid);
    return commit(s, c);
}

static int apply_no_task(struct database *db, struct change *c, struct error *err)
{
    if (database_run(db, err, "DELETE FROM updates WHERE framework = ? AND task = ?", "ss",
                     c->framework->bytes, c->task->bytes) < 0)
        return -1;
    return database_run(db, err, "DELETE FROM tasks WHERE framework = ? AND task = ?", "ss",
                        c->framework->bytes, c->task->bytes);
}

struct future *store_remove_task(struct store *s, struct framework_id framework,
                                 struct task_id task)
{
    struct change *c = change_create(apply_no_task);

    c->framework = text_ref(framework.text);
    c->task = text_ref(task.text);
    return commit(s, c);
}

static int apply_no_run(struct database *db, struct change *c, struct error *err)
{
    if (database_run(db, err,
                     "DELETE FROM updates WHERE (framework, task) IN"
                     " (SELECT framework, task FROM tasks WHERE run = ?)",
                     "s", c->run->bytes) < 0)
        return -1;
    if (database_run(db, err, "DELETE FROM tasks WHERE run = ?", "s", c->run->bytes) < 0)
        return -1;
    return database_run(db, err, "DELETE FROM runs WHERE id = ?", "s", c->run->bytes);
}

struct future *store_remove_run(struct store *s, struct container_id run)
{
    struct change *c = change_create(apply_no_run);

    c->run = text_ref(run.text);
    return commit(s, c);
}

static int apply_forget(struct database *db, struct change *c UNUSED, struct error *err)
{
    static const char *const tables[] = { "DELETE FROM agent", "DELETE FROM frameworks",
                                          "DELETE FROM runs", "DELETE FROM tasks",
                                          "DELETE FROM updates" };

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        if (database_run(db, err, tables[i], "") < 0)
            return -1;
    return 0;
}

struct future *store_forget(struct store *s)
{
    return commit(s, change_create(apply_forget));
}

/* ---- updates ---- */

static int apply_update(struct database *db, struct change *c, struct error *err)
{
    return database_run(db, err, "INSERT OR IGNORE INTO updates VALUES(?, ?, ?, ?, 0)", "ssbb",
                        c->framework->bytes, c->task->bytes, buffer_data(&c->uuid),
                        buffer_length(&c->uuid), buffer_data(&c->info), buffer_length(&c->info));
}

struct future *store_put_update(struct store *s, const Pb__StatusUpdate *update)
{
    struct change *c = change_create(apply_update);

    c->framework = text_create(update->framework_id->value);
    c->task = text_create(update->status->task_id->value);
    buffer_append(&c->uuid, update->uuid.data, update->uuid.len);
    proto_pack(&update->base, &c->info);
    return commit(s, c);
}

static int apply_acknowledged(struct database *db, struct change *c, struct error *err)
{
    return database_run(
        db, err,
        "UPDATE updates SET acknowledged = 1 WHERE framework = ? AND task = ? AND uuid = ?", "ssb",
        c->framework->bytes, c->task->bytes, buffer_data(&c->uuid), buffer_length(&c->uuid));
}

struct future *store_acknowledge(struct store *s, struct framework_id framework,
                                 struct task_id task, const ProtobufCBinaryData *uuid)
{
    struct change *c = change_create(apply_acknowledged);

    c->framework = text_ref(framework.text);
    c->task = text_ref(task.text);
    buffer_append(&c->uuid, uuid->data, uuid->len);
    return commit(s, c);
}

/* ---- recovery ---- */

struct reading { const struct store_reader *reader; void *arg; };

/* A row that does not read back is damage: the error names the table. */
static struct message *message_of(struct database_row *row, int column,
                                  const ProtobufCMessageDescriptor *type, const char *table,
                                  struct error *err)
{
    size_t size;
    const void *bytes = database_blob(row, column, &size);
    struct message *m = message_parse(type, bytes, size, err);

    if (!m)
        error_wrap(err, "agent.db is damaged: table %s", table);
    return m;
}

static int read_agent(void *arg, struct database_row *row, struct error *err)
{
    struct reading *r = arg;
    struct message *m = message_of(row, 0, &pb__agent_info__descriptor, "agent", err);
    int result;

    if (!m)
        return -1;
    result = r->reader->agent(r->arg, (const Pb__AgentInfo *)m->body, database_text(row, 1), err);
    message_unref(m);
    return result;
}

static int read_framework(void *arg, struct database_row *row, struct error *err)
{
    struct reading *r = arg;
    struct message *m = message_of(row, 0, &pb__framework_info__descriptor, "frameworks", err);
    int result;

    if (!m)
        return -1;
    result = r->reader->framework(r->arg, (const Pb__FrameworkInfo *)m->body, database_text(row, 1),
                                  err);
    message_unref(m);
    return result;
}

static int read_run(void *arg, struct database_row *row, struct error *err)
{
    struct reading *r = arg;
    struct store_run run = { .builtin = database_integer(row, 3) != 0,
                             .sandbox = database_text(row, 4),
                             .boot_id = database_text(row, 5),
                             .pid = database_text(row, 7) };
    struct message *m = message_of(row, 6, &pb__executor_info__descriptor, "runs", err);
    int result = -1;

    if (!m)
        return -1;
    run.info = (const Pb__ExecutorInfo *)m->body;
    if (container_id_parse(database_text(row, 0), &run.id, err) == 0 &&
        framework_id_parse(database_text(row, 1), &run.framework, err) == 0 &&
        executor_id_parse(database_text(row, 2), &run.executor, err) == 0)
        result = r->reader->run(r->arg, &run, err);
    container_id_release(&run.id);
    framework_id_release(&run.framework);
    executor_id_release(&run.executor);
    message_unref(m);
    return result;
}

static int read_task(void *arg, struct database_row *row, struct error *err)
{
    struct reading *r = arg;
    struct container_id run = { NULL };
    struct message *m = message_of(row, 1, &pb__task_info__descriptor, "tasks", err);
    int result = -1;

    if (!m)
        return -1;
    if (container_id_parse(database_text(row, 0), &run, err) == 0)
        result = r->reader->task(r->arg, run, (const Pb__TaskInfo *)m->body,
                                 database_text(row, 2), err);
    container_id_release(&run);
    message_unref(m);
    return result;
}

static int read_update(void *arg, struct database_row *row, struct error *err)
{
    struct reading *r = arg;
    struct message *m = message_of(row, 0, &pb__status_update__descriptor, "updates", err);
    int result;

    if (!m)
        return -1;
    result = r->reader->update(r->arg, (const Pb__StatusUpdate *)m->body,
                               database_integer(row, 1) != 0, err);
    message_unref(m);
    return result;
}

int store_recover(struct store *s, const struct store_reader *reader, void *arg, struct error *err)
{
    struct reading r = { reader, arg };
    static const struct { database_row_f row; const char *sql;
    } tables[] = {
        { read_agent, "SELECT info, boot_id FROM agent" },
        { read_framework, "SELECT info, pid FROM frameworks ORDER BY rowid" },
        { read_run,
          "SELECT id, framework, executor, builtin, sandbox, boot_id, info, pid FROM runs"
          " ORDER BY rowid" },
        { read_task, "SELECT t.run, t.info, g.name FROM tasks AS t LEFT JOIN task_groups AS g"
          " USING (framework, task, run) ORDER BY t.rowid" },
        { read_update, "SELECT body, acknowledged FROM updates ORDER BY rowid" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        if (database_query(s->db, err, tables[i].row, &r, tables[i].sql, "") < 0)
            return -1;
    return 0;
}
