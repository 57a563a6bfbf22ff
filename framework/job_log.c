/* job_log.c - the columns that users of GNU parallel know */
#include "framework/job_log.h"

#include <string.h>

#include "base/buffer.h"
#include "framework/batch_jobs.h"

const char job_log_header[] =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

/* A host name is the agent's word: it must not break the columns. */
static void add_host(const char *name, struct buffer *out)
{
    size_t before = buffer_length(out);

    for (; name && *name; name++)
        if ((unsigned char)*name > ' ')
            buffer_append_char(out, *name);
    if (buffer_length(out) == before)
        buffer_append_char(out, '-');
}

void job_log_line(const struct batch_job *job, struct buffer *out)
{
    double runtime = duration_seconds(instant_since(job->end, job->begin));

    buffer_printf(out, "%zu\t", job->seq);
    add_host(job->hostname, out);
    buffer_printf(out, "\t%.3f\t%10.3f\t0\t%zu\t%d\t%d\t%s\n", instant_seconds(job->begin),
                  runtime > 0 ? runtime : 0, job->received, job->exit_value, job->signal,
                  job->command);
}
