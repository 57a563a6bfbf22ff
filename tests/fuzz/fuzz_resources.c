/* fuzz_resources.c - any text as resources, attributes, a duration
 *
 * What is let in can be written, and is the same when it is read again.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/instant.h"
#include "base/memory.h"
#include "mesos/attributes.h"
#include "mesos/resources.h"
#include "tests/fuzz/fuzz.h"

static void check_resources(const char *text)
{
    CLEANUP(buffer_release) struct buffer written = BUFFER_INIT;
    struct resources r, again, none = RESOURCES_INIT;

    if (resources_parse(text, "*", &r, NULL) < 0)
        return;
    CHECK(resources_contain(&r, &r) && resources_contain(&r, &none));
    resources_format(&r, &written);
    if (resources_parse(buffer_data(&written), "*", &again, NULL) == 0) {
        CHECK(resources_equal(&r, &again));
        CHECK(resources_subtract(&again, &r, NULL) == 0 && resources_is_empty(&again));
        resources_release(&again);
    } else {
        CHECK(strchr(text, '[') == text); /* only what came as JSON may have no text */
    }
    resources_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena arena = ARENA_INIT;
    struct duration d;
    Pb__Attribute **v;
    size_t n;

    if (size == 0)
        return 0;
    char *text = mem_strndup((const char *)bytes + 1, size - 1);

    if (bytes[0] == 'r')
        check_resources(text);
    else if (bytes[0] == 'a')
        attributes_parse(text, &arena, &v, &n, NULL);
    else
        duration_parse(text, &d, NULL);
    arena_release(&arena);
    mem_free(text);
    return 0;
}
