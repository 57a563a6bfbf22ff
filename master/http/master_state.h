/* master_state.h - the master's picture of the cluster as JSON, with Mesos's keys */
#ifndef MASTER_STATE_H
#define MASTER_STATE_H

struct json_writer;
struct master;

void master_state_write(struct json_writer *w, const struct master *m);
void master_state_write_flags(struct json_writer *w, const struct master *m);

#endif
