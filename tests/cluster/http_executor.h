/* http_executor.h - a custom executor that speaks HTTP to its agent, on any host
 *
 * It runs any number of tasks at once: a task's data is its command, "sleep 2.5; exit 3", which is
 * understood, not executed.  It answers a message of its framework with the number of tasks that
 * run.  It keeps tasks and updates until the agent has them, subscribes again whenever it has to,
 * and ends when it is told to, when its agent has left it alone for too long, or after a while
 * without a task.  Whatever the agent may not do is told as wrong.
 */
#ifndef HTTP_EXECUTOR_H
#define HTTP_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

struct error;
struct host;
struct http_executor;

struct http_executor_hooks {
    void (*started)(void *arg, const char *framework, const char *task);
    void (*ended)(void *arg, const char *framework, const char *task, int status);
    void (*acknowledged)(void *arg, const uint8_t uuid[16]);
    void (*wrong)(void *arg, const char *what);
    void (*left)(void *arg); /* it is over: the OS process is to exit */
}; /* each may be NULL */

struct http_executor_options {
    bool json_calls, json_events; /* else protobuf */
    struct duration idle;
};

/* Where the agent is, and who it is, is in the environment (FACTS 5.4).  Its hooks come on a loop
 * of the host. */
struct http_executor *http_executor_start(struct host *h,
                                          const struct http_executor_options *options,
                                          const struct http_executor_hooks *hooks, void *arg,
                                          struct error *err);
void http_executor_stop(struct http_executor *x); /* NULL is fine */

#endif
