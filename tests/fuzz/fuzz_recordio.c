/* fuzz_recordio.c - any bytes as a stream of records
 *
 * The first byte says in which pieces it comes, which must not matter.  The records
 * that were read make the same stream again.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "mesos/recordio.h"
#include "tests/fuzz/fuzz.h"

static int read_all(const char *data, size_t size, size_t piece, struct buffer *records,
                    size_t *ret_sum)
{
    struct recordio_reader r;
    const char *record;
    size_t length;
    int more = 0;

    recordio_reader_init(&r, 1000);
    for (size_t at = 0; at < size && more >= 0; at += piece) {
        recordio_feed(&r, data + at, size - at < piece ? size - at : piece);
        while ((more = recordio_next(&r, &record, &length, NULL)) == 1) {
            CHECK(length <= 1000);
            recordio_format(records, record, length);
            *ret_sum += length;
        }
    }
    if (more == 0 && recordio_is_complete(&r))
        more = 1;
    recordio_reader_release(&r);
    return more;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(buffer_release) struct buffer once = BUFFER_INIT, pieces = BUFFER_INIT,
                                          again = BUFFER_INIT;
    size_t sum = 0, sum_of_pieces = 0, sum_again = 0;

    if (size < 2)
        return 0;
    const char *data = (const char *)bytes + 1;
    int end = read_all(data, size - 1, size - 1, &once, &sum);

    CHECK(read_all(data, size - 1, bytes[0] % 16 + 1, &pieces, &sum_of_pieces) == end);
    CHECK(sum == sum_of_pieces && buffer_length(&once) == buffer_length(&pieces));
    CHECK(memcmp(buffer_data(&once), buffer_data(&pieces), buffer_length(&once)) == 0);
    if (buffer_length(&once) > 0)
        CHECK(read_all(buffer_data(&once), buffer_length(&once), buffer_length(&once), &again,
                       &sum_again) == 1 &&
              sum_again == sum);
    return 0;
}
