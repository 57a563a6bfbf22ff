/* help.h - /help: what can be asked of whom, from the routes' own tables */
#ifndef HELP_H
#define HELP_H

struct error;
struct runtime;

int help_spawn(struct runtime *rt, struct error *err);

#endif
