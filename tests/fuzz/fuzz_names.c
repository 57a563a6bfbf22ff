/* fuzz_names.c - any text as a PID, an address, a URL, a path, a query
 *
 * The first byte chooses.  What is let in can be written, and is the same again.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/http_private.h"
#include "process/http_url.h"
#include "process/pid.h"
#include "tests/fuzz/fuzz.h"

static void check_pid(const char *text)
{
    struct pid pid, again;
    char written[PID_TEXT];

    if (pid_parse(text, &pid, NULL) < 0)
        return;
    CHECK(pid_is_id(pid.id->bytes, pid.id->length) && pid.address.port != 0);
    pid_text(&pid, written, sizeof written);
    CHECK(pid_parse(written, &again, NULL) == 0);
    CHECK(pid_equal(&pid, &again));
    pid_release(&pid);
    pid_release(&again);
}

static void check_address(const char *text)
{
    struct address a, again;
    char written[ADDRESS_TEXT];

    if (address_parse(text, &a, NULL) < 0)
        return;
    CHECK(address_parse(address_format(a, written), &again, NULL) == 0);
    CHECK(address_equal(a, again));
}

static void check_url(const char *text)
{
    struct http_url url, again;

    http_url_check_target(text, NULL);
    if (http_url_parse(text, &url, NULL) < 0)
        return;
    CHECK(url.port != 0 && url.host[0] && url.authority[0] && url.target[0] == '/');
    CHECK(!strpbrk(url.host, " \r\n") && !strpbrk(url.authority, " \r\n") &&
          !strpbrk(url.target, " \r\n"));
    char *written =
        mem_printf("http%s://%s%s", url.secure ? "s" : "", url.authority, url.target);
    CHECK(http_url_parse(written, &again, NULL) == 0);
    CHECK(http_url_same_origin(&url, &again) && strcmp(url.target, again.target) == 0);
    http_url_release(&url);
    http_url_release(&again);
    mem_free(written);
}

static void check_percent(const char *text, size_t length)
{
    CLEANUP(buffer_release) struct buffer plain = BUFFER_INIT, coded = BUFFER_INIT,
                                          again = BUFFER_INIT;

    if (percent_decode(text, length, &plain, NULL) < 0)
        return;
    CHECK(!memchr(buffer_data(&plain), '\0', buffer_length(&plain)));
    percent_encode(buffer_data(&plain), buffer_length(&plain), &coded);
    CHECK(percent_decode(buffer_data(&coded), buffer_length(&coded), &again, NULL) == 0);
    CHECK(strcmp(buffer_data(&plain), buffer_data(&again)) == 0);
}

static void check_pairs(const char *text, size_t length)
{
    struct http_pair *pairs = NULL;
    size_t n = 0;

    if (http_decode_pairs(text, length, 100, &pairs, &n, NULL) == 0)
        CHECK(n <= 100);
    for (size_t i = 0; i < n; i++)
        CHECK(!pairs[i].key || strlen(pairs[i].key) <= length);
    http_release_pairs(pairs, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    char *text = mem_strndup((const char *)bytes + 1, size - 1);
    size_t length = strlen(text);

    switch (bytes[0]) {
    case 'p':
        check_pid(text);
        break;
    case 'a':
        check_address(text);
        break;
    case 'u':
        check_url(text);
        break;
    case '%':
        check_percent(text, length);
        break;
    case 'q':
        check_pairs(text, length);
        break;
    }
    mem_free(text);
    return 0;
}
