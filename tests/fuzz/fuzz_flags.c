/* fuzz_flags.c - any lines as a command line
 *
 * What is let in is within its limits and can be written.  Values that are files'
 * contents are left out: whose files they would be is chance.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/flags.h"
#include "base/memory.h"
#include "tests/fuzz/fuzz.h"

struct options {
    char *name;
    bool verbose;
    int64_t number;
    double part;
    struct duration time;
};

static const struct flag table[] = {
    { "name", FLAG_STRING, offsetof(struct options, name), "x", "A text.", .alias = "title" },
    { "verbose", FLAG_BOOL, offsetof(struct options, verbose), "false", "Yes or no." },
    { "number", FLAG_INT, offsetof(struct options, number), "7", "From -5 to 100.", .min = -5,
      .max = 100 },
    { "part", FLAG_DOUBLE, offsetof(struct options, part), NULL, "A part." },
    { "time", FLAG_DURATION, offsetof(struct options, time), "1secs", "A time.", .min = 0,
      .max = 3600 },
    { 0 },
};

enum { MAX_WORDS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    char *text = mem_strndup((const char *)bytes, size), *at = text, **rest = NULL;
    char *argv[MAX_WORDS + 2] = { (char *)"program" };
    struct options o = { 0 };
    bool help = false;
    int argc = 1;

    while (at && argc <= MAX_WORDS && !strstr(text, "file:"))
        argv[argc++] = strsep(&at, "\n");
    if (flags_parse(table, &o, argc, argv, NULL, &help, &rest, NULL) == 0 && !help) {
        CHECK(o.number >= -5 && o.number <= 100);
        CHECK(o.time.ns >= 0 && o.time.ns <= SECONDS(3600).ns);
        for (const struct flag *f = table; f->name; f++)
            flags_format(f, &o, &out);
    }
    mem_free(rest);
    flags_release(table, &o);
    mem_free(text);
    return 0;
}
