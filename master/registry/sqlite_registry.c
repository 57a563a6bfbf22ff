/* sqlite_registry.c - the registry in one SQLite file
 *
 * One row for each agent; a change is one row, so its cost does not grow with
 * the cluster, and changes that come while one is written are committed together.
 */
#include <errno.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "master/registry/registry.h"
#include "process/database.h"
#include "process/future.h"
#include "process/message.h"
#include "process/proto.h"

static const char schema[] = "CREATE TABLE IF NOT EXISTS agents("
                             " id TEXT PRIMARY KEY, state INTEGER NOT NULL, info BLOB,"
                             " since INTEGER NOT NULL);";

struct sqlite_registry {
    struct registry registry;
    struct database *db;
};

/* ---- loading ---- */

struct loading {
    int (*see)(void *arg, const struct registry_agent *agent);
    void *arg;
};

static int load_row(void *arg, struct database_row *row, struct error *err)
{
    struct loading *l = arg;
    struct registry_agent agent = { .since = { database_integer(row, 3) } };
    int64_t state = database_integer(row, 1);
    size_t size;
    const void *info = database_blob(row, 2, &size);
    int result = -1;

    if (state < REGISTRY_ADMITTED || state > REGISTRY_GONE)
        return error_set(err, EUCLEAN, "the registry is damaged: agent %s has state %d",
                         database_text(row, 0), (int)state);
    agent.state = (enum registry_agent_state)state;
    if (agent_id_parse(database_text(row, 0), &agent.id, err) < 0)
        return error_wrap(err, "the registry is damaged");
    if (info)
        agent.info = message_parse(&pb__agent_info__descriptor, info, size, err);
    if (info && !agent.info)
        error_wrap(err, "the registry is damaged: agent %s", agent_id_text(&agent.id));
    else
        result = l->see(l->arg, &agent);
    message_unref(agent.info);
    agent_id_release(&agent.id);
    return result;
}

static int sqlite_load(struct registry *registry,
                       int (*see)(void *arg, const struct registry_agent *agent), void *arg,
                       struct error *err)
{
    struct sqlite_registry *r = (struct sqlite_registry *)registry;
    struct loading l = { see, arg };

    return database_query(r->db, err, load_row, &l,
                          "SELECT id, state, info, since FROM agents ORDER BY rowid", "");
}

/* ---- changes ---- */

struct agent_row {
    struct text *id;
    int64_t state, since;
    struct buffer info;
    bool has_info;
};

static void row_release(void *args)
{
    struct agent_row *row = args;

    text_unref(row->id);
    buffer_release(&row->info);
    mem_free(row);
}

static int put_row(struct database *db, void *args, struct error *err)
{
    struct agent_row *row = args;

    if (!row->has_info)
        return database_run(db, err,
                            "INSERT INTO agents VALUES(?1, ?2, NULL, ?3)"
                            " ON CONFLICT(id) DO UPDATE SET state = ?2, info = NULL, since = ?3",
                            "sii", row->id->bytes, row->state, row->since);
    return database_run(db, err,
                        "INSERT INTO agents VALUES(?1, ?2, ?3, ?4)"
                        " ON CONFLICT(id) DO UPDATE SET state = ?2, info = ?3, since = ?4",
                        "sibi", row->id->bytes, row->state, buffer_data(&row->info),
                        buffer_length(&row->info), row->since);
}

static struct future *sqlite_put(struct registry *registry, const struct registry_agent *agent)
{
    struct sqlite_registry *r = (struct sqlite_registry *)registry;
    struct agent_row *row = mem_alloc(sizeof *row);

    row->id = text_ref(agent->id.text);
    row->state = agent->state;
    row->since = agent->since.ns;
    row->has_info = agent->info != NULL;
    if (agent->info)
        proto_pack(agent->info->body, &row->info);
    return database_commit(r->db, put_row, row, row_release);
}

static int remove_row(struct database *db, void *args, struct error *err)
{
    struct agent_row *row = args;

    return database_run(db, err, "DELETE FROM agents WHERE id = ?", "s", row->id->bytes);
}

static struct future *sqlite_remove(struct registry *registry, struct agent_id id)
{
    struct sqlite_registry *r = (struct sqlite_registry *)registry;
    struct agent_row *row = mem_alloc(sizeof *row);

    row->id = text_ref(id.text);
    return database_commit(r->db, remove_row, row, row_release);
}

/* ---- life ---- */

static void sqlite_destroy(struct registry *registry)
{
    struct sqlite_registry *r = (struct sqlite_registry *)registry;

    database_close(r->db);
    mem_free(r);
}

static const struct registry_ops sqlite_ops = { sqlite_load, sqlite_put, sqlite_remove,
                                                sqlite_destroy };

struct registry *sqlite_registry_open(struct runtime *rt, const char *path, struct error *err)
{
    struct sqlite_registry *r = mem_alloc(sizeof *r);

    r->registry.ops = &sqlite_ops;
    if (database_open(rt, path, schema, &r->db, err) < 0) {
        mem_free(r);
        return NULL;
    }
    return &r->registry;
}
