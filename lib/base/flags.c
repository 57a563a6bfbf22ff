/* flags.c - command line and environment, from one table
 *
 * Parsing has two steps: first each row's text is chosen (its default, then
 * what the environment says, then the command line), then the chosen texts are
 * turned into values.  So a bad value that another one overrides does no harm.
 */
#include "base/flags.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

enum { NAME_MAX_LENGTH = 63, FILE_MAX_BYTES = 16 * 1024 * 1024 };

/* The text that a row's value is made from. */
struct choice {
    const char *text;
    bool from_command_line;
};

static size_t count_rows(const struct flag table[])
{
    size_t n = 0;

    while (table[n].name)
        n++;
    return n;
}

static void *member(const struct flag *row, void *options)
{
    return (char *)options + row->offset;
}

static const void *const_member(const struct flag *row, const void *options)
{
    return (const char *)options + row->offset;
}

/* Distance by insertions, deletions and replacements of single characters. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1], length = strlen(b);

    if (length > NAME_MAX_LENGTH)
        return length;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 1; j <= length; j++) {
            size_t best = diagonal + (a[i] != b[j - 1]);

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[length];
}

static int unknown_flag(const struct flag table[], const char *name, struct error *err)
{
    const char *nearest = "help";
    size_t best = distance(name, nearest);

    for (const struct flag *row = table; row->name; row++) {
        size_t d = distance(name, row->name);

        if (d < best) {
            best = d;
            nearest = row->name;
        }
    }
    if (best > strlen(nearest) / 2)
        return error_set(err, EINVAL, "there is no flag --%s; --help lists them all", name);
    return error_set(err, EINVAL, "there is no flag --%s; did you mean --%s?", name, nearest);
}

static bool is_named(const struct flag *row, const char *name)
{
    return strcmp(row->name, name) == 0 || (row->alias && strcmp(row->alias, name) == 0);
}

static const struct flag *find_row(const struct flag table[], const char *name)
{
    for (const struct flag *row = table; row->name; row++)
        if (is_named(row, name))
            return row;
    return NULL;
}

/* "name" or "no-name", with or without a value. */
static int choose_word(const struct flag table[], const char *name, const char *value,
                       struct choice choices[], struct error *err)
{
    const struct flag *row = find_row(table, name);
    struct choice *choice;

    if (!row && strncmp(name, "no-", 3) == 0) {
        row = find_row(table, name + 3);
        if (row && row->type != FLAG_BOOL)
            return error_set(err, EINVAL, "--%s: only a boolean flag can be negated", name);
        if (row && value)
            return error_set(err, EINVAL, "--%s takes no value", name);
        value = "false";
    }
    if (!row)
        return unknown_flag(table, name, err);
    if (!value && row->type != FLAG_BOOL)
        return error_set(err, EINVAL, "--%s needs a value: --%s=...", name, name);

    choice = &choices[row - table];
    if (choice->from_command_line)
        return error_set(err, EINVAL, "--%s is given twice", row->name);
    choice->text = value ? value : "true";
    choice->from_command_line = true;
    return 0;
}

static int choose_argument(const struct flag table[], const char *word, struct choice choices[],
                           bool *ret_help, struct error *err)
{
    size_t length = strcspn(word, "=");
    const char *value = word[length] == '=' ? word + length + 1 : NULL;
    char name[NAME_MAX_LENGTH + 1];

    if (length > NAME_MAX_LENGTH)
        return error_set(err, EINVAL, "there is no flag --%s", word);
    memcpy(name, word, length);
    name[length] = '\0';
    if (strcmp(name, "help") == 0 && !find_row(table, name)) {
        *ret_help = true;
        return 0;
    }
    return choose_word(table, name, value, choices, err);
}

/* The value of MESOS_<NAME> in envp, or NULL. */
static const char *find_variable(char *const envp[], const char *name)
{
    static const char prefix[] = "MESOS_";

    for (; *envp; envp++) {
        const char *p = *envp, *n = name;

        if (strncmp(p, prefix, strlen(prefix)) != 0)
            continue;
        for (p += strlen(prefix); *n && *p == toupper((unsigned char)*n); p++)
            n++;
        if (!*n && *p == '=')
            return p + 1;
    }
    return NULL;
}

static void choose_from_environment(const struct flag table[], char *const envp[],
                                    struct choice choices[])
{
    for (size_t i = 0; table[i].name; i++) {
        const char *value = find_variable(envp, table[i].name);

        if (!value && table[i].alias)
            value = find_variable(envp, table[i].alias);
        if (value)
            choices[i].text = value;
    }
}

static int out_of_range(const struct flag *row, struct error *err)
{
    const char *unit = row->type == FLAG_DURATION ? " seconds" : "";

    return error_set(err, ERANGE, "it has to be from %.15g to %.15g%s", row->min, row->max, unit);
}

static bool is_within(const struct flag *row, double value)
{
    return (row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max);
}

static int set_bool(void *at, const char *text, struct error *err)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;

    if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return error_set(err, EINVAL, "'%s' is neither true nor false", text);
    *(bool *)at = yes;
    return 0;
}

static int set_int(const struct flag *row, void *at, const char *text, struct error *err)
{
    long long value;
    char *end;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno == ERANGE)
        return error_set(err, ERANGE, "'%s' is too large a number", text);
    if (end == text || *end || isspace((unsigned char)*text))
        return error_set(err, EINVAL, "'%s' is no whole number", text);
    if (!is_within(row, (double)value))
        return out_of_range(row, err);
    *(int64_t *)at = value;
    return 0;
}

static int set_double(const struct flag *row, void *at, const char *text, struct error *err)
{
    double value;
    char *end;

    value = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || value != value)
        return error_set(err, EINVAL, "'%s' is no number", text);
    if (!is_within(row, value))
        return out_of_range(row, err);
    *(double *)at = value;
    return 0;
}

static int set_duration(const struct flag *row, void *at, const char *text, struct error *err)
{
    struct duration d;

    if (duration_parse(text, &d, err) < 0)
        return -1;
    if (!is_within(row, duration_seconds(d)))
        return out_of_range(row, err);
    *(struct duration *)at = d;
    return 0;
}

static int set_value(const struct flag *row, void *options, const char *text, struct error *err)
{
    void *at = member(row, options);

    switch (row->type) {
    case FLAG_STRING:
        *(char **)at = mem_strdup(text);
        return 0;
    case FLAG_BOOL:
        return set_bool(at, text, err);
    case FLAG_INT:
        return set_int(row, at, text, err);
    case FLAG_DOUBLE:
        return set_double(row, at, text, err);
    case FLAG_DURATION:
        return set_duration(row, at, text, err);
    }
    return error_set(err, EINVAL, "the flag has no type");
}

/* The file's text without the white space around it, to be freed. */
static char *read_text(const char *path, struct error *err)
{
    CLEANUP(buffer_release) struct buffer content = BUFFER_INIT;
    FILE *file = fopen(path, "re");
    size_t n, length;
    char *text;
    bool failed;

    if (!file) {
        error_errno(err, "cannot open %s", path);
        return NULL;
    }
    while ((n = fread(buffer_reserve(&content, 4096), 1, 4096, file)) > 0 &&
           buffer_length(&content) <= FILE_MAX_BYTES)
        buffer_commit(&content, n);
    failed = ferror(file);
    fclose(file);

    text = buffer_data(&content);
    length = strlen(text);
    if (failed || length != buffer_length(&content) || length > FILE_MAX_BYTES) {
        error_set(err, EINVAL, "%s is no readable text of at most %d MB", path,
                  FILE_MAX_BYTES / 1024 / 1024);
        return NULL;
    }
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    return mem_strndup(text, length);
}

static int apply(const struct flag *row, void *options, const struct choice *choice,
                 struct error *err)
{
    static const char scheme[] = "file://";
    const char *text = choice->text ? choice->text : row->value;
    char *content;
    int rc;

    if (!text && row->required)
        return error_set(err, EINVAL, "--%s is required", row->name);
    if (!text)
        return 0;
    if (choice->text && strncmp(text, scheme, strlen(scheme)) == 0) {
        content = read_text(text + strlen(scheme), err);
        rc = content ? set_value(row, options, content, err) : -1;
        mem_free(content);
    } else {
        rc = set_value(row, options, text, err);
    }
    if (rc == 0)
        return 0;
    if (choice->text && !choice->from_command_line)
        return error_wrap(err, "--%s, from the environment", row->name);
    return error_wrap(err, "--%s", row->name);
}

static int apply_all(const struct flag table[], void *options, const struct choice choices[],
                     struct error *err)
{
    for (size_t i = 0; table[i].name; i++)
        if (apply(&table[i], options, &choices[i], err) < 0) {
            flags_release(table, options);
            return -1;
        }
    return 0;
}

/* Words that are no flags: argv order, borrowed from argv, ended by NULL. */
static int choose_all(const struct flag table[], int argc, char *const argv[],
                      struct choice choices[], bool *ret_help, char **rest, struct error *err)
{
    size_t n = 0;
    bool flags_ended = false;

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];

        if (!flags_ended && strcmp(word, "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && strncmp(word, "--", 2) == 0) {
            if (choose_argument(table, word + 2, choices, ret_help, err) < 0)
                return -1;
        } else if (rest) {
            rest[n++] = argv[i];
        } else {
            return error_set(err, EINVAL, "'%s' is no flag; flags are written --name=value", word);
        }
    }
    return 0;
}

static void clear(const struct flag *row, void *options)
{
    void *at = member(row, options);

    switch (row->type) {
    case FLAG_STRING:
        *(char **)at = NULL;
        break;
    case FLAG_BOOL:
        *(bool *)at = false;
        break;
    case FLAG_INT:
        *(int64_t *)at = 0;
        break;
    case FLAG_DOUBLE:
        *(double *)at = 0;
        break;
    case FLAG_DURATION:
        *(struct duration *)at = NANOSECONDS(0);
        break;
    }
}

int flags_parse(const struct flag table[], void *options, int argc, char *const argv[],
                char *const envp[], bool *ret_help, char ***ret_rest, struct error *err)
{
    CLEANUP(mem_free_p) struct choice *choices = mem_array(count_rows(table) + 1, sizeof *choices);
    CLEANUP(mem_free_p) char **rest = mem_array((size_t)argc + 1, sizeof *rest);
    bool help = false;

    for (const struct flag *row = table; row->name; row++)
        clear(row, options);
    if (envp)
        choose_from_environment(table, envp, choices);
    if (choose_all(table, argc, argv, choices, &help, ret_rest ? rest : NULL, err) < 0)
        return -1;
    if (!help && apply_all(table, options, choices, err) < 0)
        return -1;

    *ret_help = help;
    if (ret_rest) {
        *ret_rest = rest;
        rest = NULL;
    }
    return 0;
}

void flags_release(const struct flag table[], void *options)
{
    for (const struct flag *row = table; row->name; row++) {
        if (row->type == FLAG_STRING)
            mem_free(*(char **)member(row, options));
        clear(row, options);
    }
}

/* A flag without a default that nobody set has the value 0, which cannot be
 * told from a 0 that somebody set; for lack of a better word it is unset. */
bool flags_format(const struct flag *row, const void *options, struct buffer *out)
{
    const void *at = const_member(row, options);
    char text[DURATION_TEXT];

    switch (row->type) {
    case FLAG_STRING:
        if (!*(char *const *)at)
            return false;
        buffer_append_text(out, *(char *const *)at);
        return true;
    case FLAG_BOOL:
        if (!row->value && !*(const bool *)at)
            return false;
        buffer_append_text(out, *(const bool *)at ? "true" : "false");
        return true;
    case FLAG_INT:
        if (!row->value && *(const int64_t *)at == 0)
            return false;
        buffer_printf(out, "%lld", (long long)*(const int64_t *)at);
        return true;
    case FLAG_DOUBLE:
        if (!row->value && *(const double *)at == 0)
            return false;
        buffer_printf(out, "%.15g", *(const double *)at);
        return true;
    case FLAG_DURATION:
        if (!row->value && ((const struct duration *)at)->ns == 0)
            return false;
        buffer_append_text(out, duration_format(*(const struct duration *)at, text));
        return true;
    }
    return false;
}
