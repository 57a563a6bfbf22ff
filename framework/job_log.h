/* job_log.h - the columns that users of GNU parallel know: pure
 *
 * Seq  Host  Starttime  JobRuntime  Send  Receive  Exitval  Signal  Command,
 * separated by tabs, one line for each attempt that ended.  Receive is the size
 * of what was fetched from its stdout.  Exitval and Signal are both -1 when the
 * agent is gone: the command may have run.  A tab in the command is kept: it is
 * the last column.
 */
#ifndef JOB_LOG_H
#define JOB_LOG_H

struct batch_job;
struct buffer;

extern const char job_log_header[];
void job_log_line(const struct batch_job *job, struct buffer *out);      /* appended */

#endif
