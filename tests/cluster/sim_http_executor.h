/* sim_http_executor.h - http_executor.h as a simulated OS process
 *
 * Which of JSON and protobuf it speaks and hears is chance.
 */
#ifndef SIM_HTTP_EXECUTOR_H
#define SIM_HTTP_EXECUTOR_H

struct sim_program;

extern const struct sim_program sim_http_executor_program;

#endif
