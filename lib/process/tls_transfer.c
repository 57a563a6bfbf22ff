/* tls_transfer.c - bytes through a TLS stream, both ways
 *
 * What OpenSSL writes goes into a buffer, which is written to the inner stream
 * in one go; so OpenSSL never waits to write, not even while it reads, and many
 * records leave in one call.  A byte counts as taken only when all of its record
 * has been given to the inner stream: until then its writer, who has it still,
 * gives it again, and we skip what is `owed`.  Therefore a stream may be closed
 * as soon as everything was taken, as any other, and nothing is lost.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/check.h"
#include "process/host.h"
#include "process/tls_private.h"

enum { BATCH_BYTES = 64 * 1024 }; /* encrypted before they are written */

/* The frequent case, without formatting a sentence. */
static ssize_t try_again(struct error *err)
{
    if (err) {
        err->code = EAGAIN;
        memcpy(err->text, "would block", sizeof "would block");
    }
    return -1;
}

/* ---- writing what OpenSSL has made ---- */

bool tls_transfer_flush(struct tls_stream *s)
{
    struct error err;

    while (buffer_length(&s->out) > 0) {
        struct stream_bytes v = { buffer_data(&s->out), buffer_length(&s->out) };
        ssize_t n = stream_write(s->inner, &v, 1, &err);

        if (n < 0 && err.code == EAGAIN)
            return true;
        if (n < 0) {
            s->inner_failure = err;
            return false;
        }
        buffer_consume(&s->out, (size_t)n);
    }
    buffer_release(&s->out);
    return true;
}

/* ---- reading ---- */

/* What there is, as far as there is room; *ret_status is OpenSSL's last word.  What
 * it does not hold yet is left to the inner stream, which will tell of it. */
static size_t decrypt(struct tls_stream *s, char *out, size_t size, int *ret_status)
{
    size_t got = 0;

    ERR_clear_error();
    do {
        size_t room = size - got;

        *ret_status = SSL_read(s->ssl, out + got, room < INT_MAX ? (int)room : INT_MAX);
        if (*ret_status > 0)
            got += (size_t)*ret_status;
    } while (*ret_status > 0 && got < size && SSL_has_pending(s->ssl));
    return got;
}

static void read_failed(struct tls_stream *s)
{
    struct error err;

    tls_stream_explain(s, &err);
    if (!s->inner_ended && !s->inner_failure.code && !s->name)
        tls_complain(s->tls, TLS_OF_STREAM, &err);
    tls_transfer_flush(s); /* the alert */
    s->state = TLS_FAILED;
    s->failure = err;
}

/* What there is; also sees the end, and what breaks the stream. */
static size_t read_open(struct tls_stream *s, char *out, size_t size)
{
    int status, why;
    size_t got = decrypt(s, out, size, &status);

    if (status > 0) {
        s->may_have_more = SSL_has_pending(s->ssl);
        return got;
    }
    why = SSL_get_error(s->ssl, status);
    s->may_have_more = false;
    if (why == SSL_ERROR_ZERO_RETURN)
        s->ended = true;
    else if (why != SSL_ERROR_WANT_READ)
        read_failed(s);
    return got;
}

static ssize_t read_plain(struct tls_stream *s, char *out, size_t size, struct error *err)
{
    unsigned left = s->n_first - s->first_taken;

    if (left == 0)
        return stream_read(s->inner, out, size, err);
    if (size > left)
        size = left;
    memcpy(out, s->first + s->first_taken, size);
    s->first_taken += (unsigned)size;
    return (ssize_t)size;
}

ssize_t tls_transfer_read(struct stream *stream, void *out, size_t size, struct error *err)
{
    struct tls_stream *s = (struct tls_stream *)stream;
    size_t got;

    if (s->state == TLS_PLAIN)
        return read_plain(s, out, size, err);
    if (s->state == TLS_FAILED)
        return error_copy(err, &s->failure);
    if (s->state != TLS_OPEN || buffer_length(&s->out) >= TLS_OUT_BYTES_MAX)
        return try_again(err);
    got = s->ended ? 0 : read_open(s, out, size);
    if (s->state == TLS_OPEN && !tls_transfer_flush(s)) /* reading may have made us answer */
        read_failed(s);
    tls_stream_follow(s);
    if (got > 0)
        return (ssize_t)got;
    if (s->state == TLS_FAILED)
        return error_copy(err, &s->failure);
    return s->ended ? 0 : try_again(err);
}

/* ---- writing ---- */

/* Up to max bytes behind the first `skip` ones, into `out`; -1: broken. */
static ssize_t encrypt(struct tls_stream *s, const struct stream_bytes v[], unsigned n, size_t skip,
                       size_t max)
{
    size_t done = 0;

    ERR_clear_error();
    for (unsigned i = 0; i < n && done < max; i++) {
        size_t size = v[i].size > skip ? v[i].size - skip : 0;

        size = size < max - done ? size : max - done;
        if (size > 0 && SSL_write(s->ssl, (const char *)v[i].data + skip, (int)size) != (int)size)
            return -1;
        done += size;
        skip -= skip < v[i].size ? skip : v[i].size;
    }
    return (ssize_t)done;
}

static size_t sum_of(const struct stream_bytes v[], unsigned n)
{
    size_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += v[i].size;
    return sum;
}

static ssize_t write_failed(struct tls_stream *s, struct error *err)
{
    tls_stream_explain(s, &s->failure);
    s->state = TLS_FAILED;
    tls_stream_follow(s);
    return error_copy(err, &s->failure);
}

/* `out` is empty: all that was owed has left. */
static ssize_t write_open(struct tls_stream *s, const struct stream_bytes v[], unsigned n,
                          struct error *err)
{
    size_t taken = s->owed;
    ssize_t made;

    CHECK(taken <= sum_of(v, n)); /* what was not taken is given again */
    s->owed = 0;
    while ((made = encrypt(s, v, n, taken, BATCH_BYTES)) > 0) {
        if (!tls_transfer_flush(s))
            return write_failed(s, err);
        if (buffer_length(&s->out) > 0) {
            s->owed = (size_t)made;
            return taken > 0 ? (ssize_t)taken : try_again(err);
        }
        taken += (size_t)made;
    }
    return made < 0 ? write_failed(s, err) : (ssize_t)taken;
}

ssize_t tls_transfer_write(struct stream *stream, const struct stream_bytes v[], unsigned n,
                           struct error *err)
{
    struct tls_stream *s = (struct tls_stream *)stream;
    ssize_t taken;

    if (s->state == TLS_PLAIN)
        return stream_write(s->inner, v, n, err);
    if (s->state == TLS_FAILED)
        return error_copy(err, &s->failure);
    if (s->state != TLS_OPEN)
        return try_again(err);
    if (!tls_transfer_flush(s))
        return write_failed(s, err);
    taken = buffer_length(&s->out) > 0 ? try_again(err) : write_open(s, v, n, err);
    if (s->state == TLS_OPEN && buffer_length(&s->out) > 0)
        tls_stream_follow(s);
    return taken;
}
