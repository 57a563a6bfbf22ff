/* help.h - /help: what can be asked of whom, from the routes' own tables */
#ifndef HELP_H
#define HELP_H

struct buffer;
struct error;
struct runtime;

int help_spawn(struct runtime *rt, struct error *err);

/* A page of the help's markdown: headings, lists of links, quotes, `code`, and
 * paragraphs; nothing in the text can be more than text. */
void help_write_html(const char *markdown, struct buffer *out);

#endif
