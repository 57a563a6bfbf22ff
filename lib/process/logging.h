/* logging.h - the verbosity of the log, as /logging/toggle has it: 0, or 1 with debug */
#ifndef LOGGING_H
#define LOGGING_H

#include "base/instant.h"

struct runtime;

unsigned logging_level(struct runtime *rt);
/* Soon, and back after that time. */
void logging_toggle(struct runtime *rt, unsigned level, struct duration d);

#endif
