/* master.c - the master's birth, recovery and end, and what its parts share
 *
 * Order of birth: the actor (deaf), the allocator and the registrar, which
 * need its PID; then `start`, which asks the registrar what it remembers.  Only
 * when that is known does the master listen: until then every message is
 * dropped and counted, and its sender tries again.
 */
#include "master/master.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "master/http/master_events.h"
#include "master/http/scheduler_api.h"
#include "master/election.h"
#include "master/master_private.h"
#include "master/master_version.h"
#include "process/host.h"
#include "process/runtime.h"

CLASS(master, "master", master_initialize, master_exited, master_finalize);

CALL(master, master_start, nothing, NO_RELEASE);

struct election_news {
    struct message *leader; /* NULL: nobody leads */
};
static void election_news_release(struct election_news *n)
{
    message_unref(n->leader);
}
CALL(master, master_leader_changed, election_news, election_news_release);

struct recovery {
    struct master *master;
};
LAST(master, recovery_done, recovery);

/* ---- birth ---- */

static void copy_text(char **text)
{
    *text = *text ? mem_strdup(*text) : NULL;
}

static struct master_options copy_options(const struct master_options *from)
{
    struct master_options o = *from;

    copy_text(&o.ip);
    copy_text(&o.hostname);
    copy_text(&o.advertise_ip);
    copy_text(&o.work_dir);
    copy_text(&o.registry);
    copy_text(&o.cluster);
    copy_text(&o.log);
    copy_text(&o.log_format);
    copy_text(&o.address_file);
    copy_text(&o.external_log_file);
    copy_text(&o.min_allocatable_resources);
    copy_text(&o.credentials);
    copy_text(&o.http_authenticators);
    copy_text(&o.http_framework_authenticators);
    copy_text(&o.firewall_rules);
    return o;
}

static void release_options(struct master_options *o)
{
    mem_free(o->ip);
    mem_free(o->hostname);
    mem_free(o->advertise_ip);
    mem_free(o->work_dir);
    mem_free(o->registry);
    mem_free(o->cluster);
    mem_free(o->log);
    mem_free(o->log_format);
    mem_free(o->address_file);
    mem_free(o->external_log_file);
    mem_free(o->min_allocatable_resources);
    mem_free(o->credentials);
    mem_free(o->http_authenticators);
    mem_free(o->http_framework_authenticators);
    mem_free(o->firewall_rules);
}

static struct text *make_id(struct runtime *rt)
{
    uint8_t uuid[UUID_SIZE];
    char text[UUID_TEXT];

    host_uuid(runtime_host(rt), uuid);
    return text_create(host_uuid_format(uuid, text));
}

static struct text *make_hostname(struct runtime *rt, const char *wanted)
{
    struct host_facts facts;

    if (wanted && *wanted)
        return text_create(wanted);
    host_facts(runtime_host(rt), &facts);
    return text_create(facts.hostname);
}

/* What frameworks are told of us.  `ip` is as in memory on Mesos's machines:
 * network order read as little endian. */
static Pb__MasterInfo *make_info(struct master *m)
{
    static const Pb__MasterInfo__Capability__Type can[] = {
        PB__MASTER_INFO__CAPABILITY__TYPE__AGENT_UPDATE,
        PB__MASTER_INFO__CAPABILITY__TYPE__AGENT_DRAINING,
        PB__MASTER_INFO__CAPABILITY__TYPE__QUOTA_V2,
    };
    struct address at = runtime_address(m->runtime);
    char ip[ADDRESS_TEXT];
    Pb__MasterInfo *info = arena_alloc(&m->arena, sizeof *info);
    Pb__Address *address = arena_alloc(&m->arena, sizeof *address);

    pb__master_info__init(info);
    pb__address__init(address);
    address->hostname = m->hostname->bytes;
    address->ip = arena_strdup(&m->arena, address_format_ip(at.ip, ip));
    address->port = at.port;
    info->id = m->id->bytes;
    info->ip = __builtin_bswap32(at.ip);
    info->port = at.port;
    info->pid = arena_printf(&m->arena, "master@%s:%u", address->ip, at.port);
    info->hostname = m->hostname->bytes;
    info->version = MASTER_API_VERSION;
    info->address = address;
    info->n_capabilities = ARRAY_SIZE(can);
    info->capabilities = arena_alloc(&m->arena, ARRAY_SIZE(can) * sizeof *info->capabilities);
    for (size_t i = 0; i < ARRAY_SIZE(can); i++) {
        info->capabilities[i] = arena_alloc(&m->arena, sizeof **info->capabilities);
        pb__master_info__capability__init(info->capabilities[i]);
        info->capabilities[i]->has_type = true;
        info->capabilities[i]->type = can[i];
    }
    return info;
}

static int open_registrar(struct master *m, struct error *err)
{
    const char *kind = m->options.registry;
    struct registry *registry;

    if (kind && strcmp(kind, "in_memory") == 0) {
        registry = memory_registry_create();
    } else if (!kind || !*kind || strcmp(kind, "sqlite") == 0) {
        if (!m->options.work_dir || !*m->options.work_dir)
            return error_set(err, EINVAL,
                             "The flag --work_dir is required, unless --registry=in_memory");
        char *path = mem_printf("%s/registry.db", m->options.work_dir);

        registry = sqlite_registry_open(m->runtime, path, err);
        mem_free(path);
    } else {
        return error_set(err, EINVAL,
                         "The flag --registry must be 'sqlite' or 'in_memory', not '%.50s'", kind);
    }
    if (registry)
        m->registrar = registrar_create(m->runtime, registry, err);
    return m->registrar ? 0 : -1;
}

static int open_allocator(struct master *m, struct error *err)
{
    struct allocator_options options = {
        .allocation_interval = m->options.allocation_interval,
        .min_allocatable_resources = m->options.min_allocatable_resources,
    };

    m->allocator = allocator_create(m->runtime, &options, &m->pid, offers_make, err);
    return m->allocator ? 0 : -1;
}

struct master *master_create(struct runtime *rt, const struct master_options *options,
                             struct error *err)
{
    return master_create_candidate(rt, options, election_standalone(), err);
}

struct master *master_create_candidate(struct runtime *rt, const struct master_options *options,
                                       struct election *election, struct error *err)
{
    struct master *m = mem_alloc(sizeof *m);

    m->runtime = rt;
    m->election = election;
    m->options = copy_options(options);
    m->id = make_id(rt);
    m->hostname = make_hostname(rt, options->hostname);
    m->started = runtime_wall(rt);
    m->info = make_info(m);
    list_init(&m->admissions);
    list_init(&m->completed_frameworks);
    list_init(&m->subscribers);
    if (process_spawn(rt, &m->process, &master_class, "master", &m->pid, err) < 0 ||
        open_registrar(m, err) < 0 || open_allocator(m, err) < 0) {
        master_destroy(m);
        return NULL;
    }
    dispatch(&m->pid, master_start, 0);
    return m;
}

void master_destroy(struct master *m)
{
    if (!m)
        return;
    if (!pid_is_empty(&m->pid)) {
        process_terminate(&m->pid, TERMINATE_NOW);
        CHECK(process_wait(&m->pid, DAYS(1)));
    }
    election_destroy(m->election);
    message_unref(m->leader);
    if (m->allocator)
        allocator_destroy(m->allocator);
    if (m->registrar)
        registrar_destroy(m->registrar);
    master_metrics_release(m);
    arena_release(&m->arena);
    text_unref(m->id);
    text_unref(m->hostname);
    release_options(&m->options);
    pid_release(&m->pid);
    mem_free(m);
}

const struct pid *master_pid(const struct master *m)
{
    return &m->pid;
}

const char *master_failure(const struct master *m)
{
    return m->failure;
}

static void master_initialize(struct master *m)
{
    master_metrics_init(m);
    agents_init(m);
    agent_departures_init(m);
    calls_init(m);
    tasks_init(m);
    master_http_init(m);
    scheduler_api_init(m);
}

static void master_exited(struct master *m, const struct pid *peer)
{
    agents_exited(m, peer);
    frameworks_exited(m, peer);
}

static void master_finalize(struct master *m)
{
    master_events_release(m);
    offers_release(m);
    agents_release(m);
    frameworks_release(m);
}

/* m->failure says why. */
static void end(struct master *m)
{
    log_error("master ends, because %s", m->failure);
    m->leads = m->recovered = false;
    process_terminate(&m->pid, TERMINATE_NOW);
}

/* ---- election ---- */

static void tell_master(const struct pid *to, struct message *leader)
{
    dispatch(to, master_leader_changed, .leader = leader ? message_ref(leader) : NULL);
}

static void master_start(struct master *m, struct nothing *none)
{
    struct message *candidate = message_create(&m->info->base);

    (void)none;
    log_info("master %s started at %s, hostname %s", m->id->bytes, m->info->pid,
             m->hostname->bytes);
    election_stand(m->election, &m->pid, tell_master, candidate);
    message_unref(candidate);
}

static const char *leader_id(const struct master *m)
{
    return m->leader ? ((const Pb__MasterInfo *)m->leader->body)->id : "nobody";
}

/* Another one may lead already: what we know is not to be trusted from now on. */
static void resign(struct master *m)
{
    snprintf(m->failure, sizeof m->failure, "it does not lead any more: %s leads", leader_id(m));
    end(m);
}

static void begin_to_lead(struct master *m)
{
    m->leads = true;
    m->elected = master_wall(m);
    log_info("elected as the leading master; recovering from the registry");
    FINALLY(registrar_recover(m->registrar), recovery_done, m, NULL);
}

static void master_leader_changed(struct master *m, struct election_news *news)
{
    message_unref(m->leader);
    m->leader = news->leader;
    news->leader = NULL;
    bool is_us = strcmp(leader_id(m), m->id->bytes) == 0;

    if (is_us && !m->leads)
        begin_to_lead(m);
    else if (!is_us && m->leads)
        resign(m);
    else if (!is_us)
        log_info("the leading master is %s; this one stands by", leader_id(m));
}

/* ---- recovery ---- */

static void recovery_done(struct master *m, struct future *f, struct recovery *none)
{
    (void)none;
    if (future_state(f) != FUTURE_READY) {
        master_give_up(m, "be recovered", f);
        return;
    }
    const struct registry_snapshot *snapshot = registry_snapshot_get(f);

    agents_recover(m, snapshot);
    m->recovered = true;
    log_info("master recovered: the registry knows %zu agents", snapshot->n);
}

/* ---- what the parts share ---- */

bool master_is_deaf(struct master *m)
{
    if (m->recovered)
        return false;
    master_count(m, MASTER_DROPPED_MESSAGES);
    return true;
}

struct instant master_wall(const struct master *m)
{
    return runtime_wall(m->runtime);
}

void master_drop(struct master *m, const char *what, const struct pid *from, const char *why)
{
    char text[PID_TEXT];

    log_warning("%s of %s dropped: %s", what, pid_text(from, text, sizeof text), why);
    master_count(m, MASTER_DROPPED_MESSAGES);
}

void master_give_up(struct master *m, const char *what, const struct future *f)
{
    const struct error *err = future_error(f);

    if (future_state(f) == FUTURE_DISCARDED) /* we end ourselves */
        return;
    snprintf(m->failure, sizeof m->failure, "its registry could not %s: %s", what,
             err ? err->text : "no reason given");
    end(m);
}

void master_sum_add(struct resources *sum, const struct resources *r)
{
    struct resources plain = resources_dup(r);

    resources_allocate(&plain, NULL);
    resources_add(sum, &plain);
    resources_release(&plain);
}

void master_sum_subtract(struct resources *sum, const struct resources *r)
{
    struct resources plain = resources_dup(r);

    resources_allocate(&plain, NULL);
    CHECK(resources_subtract(sum, &plain, NULL) == 0);
    resources_release(&plain);
}
