/* master_http.c - the master's endpoints */
#include "base/flags.h"
#include "base/json_writer.h"
#include "master/http/master_state.h"
#include "master/master_private.h"

/* clang-format off */
#define ENDPOINTS(AT)                                                                              \
    AT("/state", serve_state,                                                                      \
       "All that the master knows of agents, frameworks and tasks.\n"                              \
       "A JSON object. It is large in a large cluster: do not poll it often.")                     \
    AT("/flags", serve_flags, "The master's flags.\nA JSON object of texts.")                      \
    AT("/health", serve_health,                                                                    \
       "Whether the master answers.\n200 with an empty body while it does.")                       \
    AT("/redirect", serve_redirect,                                                                \
       "The leading master.\n307 with its address as Location.")
/* clang-format on */

ROUTES(master, master_routes, ENDPOINTS);

void master_http_init(struct master *m)
{
    process_route(&m->process, master_routes);
}

static void answer_json(struct http_request *r, struct buffer *json)
{
    http_answer_json(r, json);
    buffer_release(json);
}

static void serve_state(struct master *m, struct http_request *r)
{
    struct buffer out = BUFFER_INIT;
    struct json_writer w;

    if (!http_require_method(r, "GET"))
        return;
    json_writer_init(&w, &out);
    master_state_write(&w, m);
    answer_json(r, &out);
}

void master_state_write_flags(struct json_writer *w, const struct master *m)
{
    CLEANUP(buffer_release) struct buffer value = BUFFER_INIT;

    json_begin_object(w);
    for (const struct flag *row = master_flags; row->name; row++) {
        buffer_clear(&value);
        if (flags_format(row, &m->options, &value))
            json_put_string(w, row->name, buffer_data(&value));
    }
    json_end_object(w);
}

static void serve_flags(struct master *m, struct http_request *r)
{
    struct buffer out = BUFFER_INIT;
    struct json_writer w;

    if (!http_require_method(r, "GET"))
        return;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "flags");
    master_state_write_flags(&w, m);
    json_end_object(&w);
    answer_json(r, &out);
}

static void serve_health(struct master *m, struct http_request *r)
{
    (void)m;
    if (http_require_method(r, "GET"))
        http_answer(r, 200, NULL, NULL, 0);
}

static void serve_redirect(struct master *m, struct http_request *r)
{
    CLEANUP(buffer_release) struct buffer location = BUFFER_INIT;

    if (!http_require_method(r, "GET"))
        return;
    buffer_printf(&location, "//%s:%u", m->hostname->bytes, (unsigned)m->info->port);
    http_answer_header(r, "Location", buffer_data(&location));
    http_answer(r, 307, NULL, NULL, 0);
}
