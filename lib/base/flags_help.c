/* flags_help.c - the table of flags as --help and as a man page */
#include "base/flags.h"

#include <ctype.h>
#include <string.h>

#include "base/buffer.h"

enum { HELP_INDENT = 8, HELP_WIDTH = 80 };

static const char *value_name(enum flag_type type)
{
    switch (type) {
    case FLAG_STRING:
        return "text";
    case FLAG_INT:
    case FLAG_DOUBLE:
        return "number";
    case FLAG_DURATION:
        return "duration";
    case FLAG_BOOL:
        break;
    }
    return "true|false";
}

/* Words with line breaks between them; returns the column behind the last. */
static size_t write_wrapped(struct buffer *out, const char *text, size_t column)
{
    while (*text) {
        size_t length;

        text += strspn(text, " \n");
        length = strcspn(text, " \n");
        if (length == 0)
            break;
        if (column > 0 && column + 1 + length > HELP_WIDTH) {
            buffer_append_char(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buffer_printf(out, "%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            buffer_append_char(out, ' ');
            column++;
        }
        buffer_append(out, text, length);
        column += length;
        text += length;
    }
    return column;
}

static void help_row(const struct flag *row, struct buffer *out)
{
    CLEANUP(buffer_release) struct buffer note = BUFFER_INIT;
    size_t column;

    if (row->type == FLAG_BOOL)
        buffer_printf(out, "  --[no-]%s\n", row->name);
    else
        buffer_printf(out, "  --%s=%s\n", row->name, value_name(row->type));
    column = write_wrapped(out, row->help, 0);
    if (row->required)
        buffer_append_text(&note, "(required)");
    else if (row->value)
        buffer_printf(&note, "(default: %s)", row->value);
    if (row->alias)
        buffer_printf(&note, " (also: --%s)", row->alias);
    write_wrapped(out, buffer_data(&note), column);
    buffer_append_char(out, '\n');
}

void flags_help(const struct flag table[], const char *usage, struct buffer *out)
{
    buffer_printf(out, "Usage: %s\n\n", usage);
    for (const struct flag *row = table; row->name; row++)
        help_row(row, out);
    buffer_append_text(out, "  --help\n");
    write_wrapped(out, "Prints this text.", 0);
    buffer_append_text(out, "\n\n");
    buffer_append_text(out, "A value of the form file:///path is read from that file.  A flag may "
                            "also be set\nby an environment variable: --work_dir by "
                            "MESOS_WORK_DIR.\n");
}

/* Text that roff takes as it is. */
static void write_roff(struct buffer *out, const char *text)
{
    bool line_start = true;

    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            buffer_append_text(out, "\\&");
        if (*text == '\\')
            buffer_append_text(out, "\\e");
        else if (*text == '-')
            buffer_append_text(out, "\\-");
        else
            buffer_append_char(out, *text);
        line_start = *text == '\n';
    }
    buffer_append_char(out, '\n');
}

static void manual_row(const struct flag *row, struct buffer *out)
{
    if (row->type == FLAG_BOOL)
        buffer_printf(out, ".It Fl \\-%s , Fl \\-no\\-%s\n", row->name, row->name);
    else
        buffer_printf(out, ".It Fl \\-%s Ns = Ns Ar %s\n", row->name, value_name(row->type));
    write_roff(out, row->help);
    if (row->required)
        buffer_append_text(out, "This flag is required.\n");
    else if (row->value && row->value[0]) {
        buffer_append_text(out, "The default is\n.Ql ");
        write_roff(out, row->value);
    }
    if (row->alias)
        buffer_printf(out, "Its old name is\n.Fl \\-%s .\n", row->alias);
}

void flags_manual(const struct flag table[], struct buffer *out)
{
    for (const struct flag *row = table; row->name; row++)
        manual_row(row, out);
}
