/* greeter.h - welcomes whoever says hello, and counts them */
#ifndef GREETER_H
#define GREETER_H

struct error;
struct runtime;

/* Spawns a greeter that frees itself; its id is "greeter". */
int greeter_start(struct runtime *rt, struct error *err);

#endif
