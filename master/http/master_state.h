/* master_state.h - what is asked of the master's state over HTTP, file by file */
#ifndef MASTER_STATE_H
#define MASTER_STATE_H

struct json_writer;
struct master;

void master_state_init(struct master *m);   /* /state, /slaves, /frameworks */
void master_tasks_init(struct master *m);   /* master_tasks.c: /tasks */
void master_summary_init(struct master *m); /* master_summary.c: /state-summary */
void master_roles_init(struct master *m);   /* master_roles.c: /roles */
void master_files_init(struct master *m);   /* master_files.c: /files */

/* An object: name, value in text form. */
void master_state_write_flags(struct json_writer *w, const struct master *m);

#endif
