/* master_version.h - the version of the Mesos API that the master speaks */
#ifndef MASTER_VERSION_H
#define MASTER_VERSION_H

/* Dotted digits: clients compare them (FACTS 10.19). */
#define MASTER_API_VERSION "1.11.0"
/* Agents older than this are not let in. */
#define MASTER_MIN_AGENT_MAJOR 1

#endif
