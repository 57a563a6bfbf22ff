/* help_html.c - the help's markdown as a page for browsers
 *
 * Line by line: "### heading ###", "* item", ">  quote", an empty line between
 * paragraphs.  Inside of a line: `code` and [text](/link).  All else is text.
 */
#include <string.h>

#include "base/buffer.h"
#include "process/help.h"

static void append_escaped(struct buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        switch (text[i]) {
        case '<':
            buffer_append_text(out, "&lt;");
            break;
        case '>':
            buffer_append_text(out, "&gt;");
            break;
        case '&':
            buffer_append_text(out, "&amp;");
            break;
        case '"':
            buffer_append_text(out, "&quot;");
            break;
        default:
            buffer_append_char(out, text[i]);
        }
}

/* "[text](/link)" at text: its length, or 0. */
static size_t append_link(struct buffer *out, const char *text, size_t length)
{
    const char *middle = memmem(text, length, "](/", 3), *end;

    if (!middle)
        return 0;
    end = memchr(middle, ')', length - (size_t)(middle - text));
    /* The id of a process may have parentheses: the link goes to the line's last one. */
    for (const char *p = end; p && p < text + length; p++)
        if (*p == ')')
            end = p;
    if (!end)
        return 0;
    buffer_append_text(out, "<a href=\"");
    append_escaped(out, middle + 2, (size_t)(end - middle - 2));
    buffer_append_text(out, "\">");
    append_escaped(out, text + 1, (size_t)(middle - text - 1));
    buffer_append_text(out, "</a>");
    return (size_t)(end + 1 - text);
}

/* "`code`" at text: its length, or 0. */
static size_t append_code(struct buffer *out, const char *text, size_t length)
{
    const char *end = length > 1 ? memchr(text + 1, '`', length - 1) : NULL;

    if (!end)
        return 0;
    buffer_append_text(out, "<code>");
    append_escaped(out, text + 1, (size_t)(end - text - 1));
    buffer_append_text(out, "</code>");
    return (size_t)(end + 1 - text);
}

static void append_inline(struct buffer *out, const char *text, size_t length)
{
    while (length > 0) {
        size_t n = *text == '[' ? append_link(out, text, length)
                   : *text == '`' ? append_code(out, text, length)
                                  : 0;

        if (n == 0) {
            append_escaped(out, text, 1);
            n = 1;
        }
        text += n;
        length -= n;
    }
}

/* "## heading ##" */
static void append_heading(struct buffer *out, const char *text, size_t length)
{
    size_t level = 0, end = length;

    while (level < length && level < 6 && text[level] == '#')
        level++;
    while (end > level && (text[end - 1] == '#' || text[end - 1] == ' '))
        end--;
    buffer_printf(out, "<h%zu>", level);
    while (level < end && text[level] == ' ')
        level++;
    append_inline(out, text + level, end - level);
    for (level = 0; level < 6 && text[level] == '#';)
        level++;
    buffer_printf(out, "</h%zu>\n", level);
}

/* What is open between lines, with its tags. */
enum block { NOTHING, PARAGRAPH, LIST, QUOTE };

static enum block block_of(const char *text, size_t length)
{
    if (length == 0 || *text == '#')
        return NOTHING;
    return *text == '*' ? LIST : *text == '>' ? QUOTE : PARAGRAPH;
}

static void change(struct buffer *out, enum block *now, enum block next)
{
    static const char *const begin[] = { "", "<p>", "<ul>\n", "<pre>" };
    static const char *const end[] = { "", "</p>\n", "</ul>\n", "</pre>\n" };

    if (*now == next)
        return;
    buffer_append_text(out, end[*now]);
    buffer_append_text(out, begin[next]);
    *now = next;
}

static void append_line(struct buffer *out, enum block *now, const char *text, size_t length)
{
    change(out, now, block_of(text, length));
    if (length == 0)
        return;
    if (*text == '#') {
        append_heading(out, text, length);
        return;
    }
    buffer_append_text(out, *now == LIST ? "<li>" : "");
    if (*now == LIST || *now == QUOTE)
        for (text++, length--; length > 0 && *text == ' '; text++)
            length--;
    append_inline(out, text, length);
    buffer_append_text(out, *now == LIST ? "</li>\n" : "\n");
}

void help_write_html(const char *markdown, struct buffer *out)
{
    enum block now = NOTHING;

    buffer_append_text(out, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
                            "<title>Help</title></head><body>\n");
    while (*markdown) {
        size_t length = strcspn(markdown, "\n");
        append_line(out, &now, markdown, length);
        markdown += length + (markdown[length] == '\n');
    }
    change(out, &now, NOTHING);
    buffer_append_text(out, "</body></html>\n");
}
