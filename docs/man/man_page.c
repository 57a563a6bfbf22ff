/* man_page.c - a manual page from what a person wrote and a program's table of flags
 *
 *     man_page VERSION <mesos-lite-master.mdoc >mesos-lite-master.8
 *
 * Lines pass as they are, except that "@FLAGS master@" becomes the list of the
 * master's flags, @VARIABLES@ that of the runtime's variables, and @VERSION@ at the end of a line becomes VERSION.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_options.h"
#include "base/buffer.h"
#include "base/flags.h"
#include "framework/batch_options.h"
#include "master/master_options.h"
#include "process/program_environment.h"

enum { LINE_SIZE = 1024 };

static const struct table { const char *line; const struct flag *flags; } tables[] = {
    { "@FLAGS master@\n", master_flags },
    { "@FLAGS agent@\n", agent_flags },
    { "@FLAGS framework@\n", batch_flags },
};
static const char variables_line[] = "@VARIABLES@\n";

/* In mdoc each sentence begins a line. */
static void print_sentences(const char *text)
{
    for (char last = '\n'; *text; last = *text++)
        putchar(*text == ' ' && last == '.' && isalnum((unsigned char)text[1]) ? '\n' : *text);
}

static void print_flags(const struct flag flags[])
{
    struct buffer out = BUFFER_INIT;

    flags_manual(flags, &out);
    print_sentences(buffer_data(&out));
    buffer_release(&out);
}

static void print_variables(void)
{
    struct buffer out = BUFFER_INIT;

    program_environment_manual(&out);
    print_sentences(buffer_data(&out));
    buffer_release(&out);
}

/* False: a line that begins as ours do, and names no table. */
static bool print_line(const char *line, const char *version)
{
    static const char mark[] = "@VERSION@\n";
    size_t length = strlen(line), mark_length = sizeof mark - 1;

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        if (strcmp(line, tables[i].line) == 0) {
            print_flags(tables[i].flags);
            return true;
        }
    if (strcmp(line, variables_line) == 0) {
        print_variables();
        return true;
    }
    if (line[0] == '@')
        return false;
    if (length >= mark_length && strcmp(line + length - mark_length, mark) == 0)
        printf("%.*s%s\n", (int)(length - mark_length), line, version);
    else
        fputs(line, stdout);
    return true;
}

int main(int argc, char **argv)
{
    char line[LINE_SIZE];

    if (argc != 2) {
        fprintf(stderr, "usage: man_page VERSION <page.mdoc >page.8\n");
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof line, stdin))
        if (!print_line(line, argv[1])) {
            fprintf(stderr, "man_page: there is no table for %s", line);
            return EXIT_FAILURE;
        }
    return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
