/* json_writer.h - JSON straight into a buffer
 *
 * Compact, no newline inside.  Commas are put by the writer.  Strings are
 * escaped as in RFC 8259, '/' is not; invalid UTF-8 becomes U+FFFD.  Doubles
 * are the shortest that read back the same, with ".0" when integral (15.0), as
 * Mesos prints them; not-a-number and infinities are written as null.
 * CHECKs that begins and ends match.
 */
#ifndef JSON_WRITER_H
#define JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

struct json_writer {
    struct buffer *out;
    int depth;
    bool comma;                       /* the next value needs one in front */
    bool key;                         /* a key was just written */
    uint64_t objects;                 /* a bit per depth: an object, no array */
};

void json_writer_init(struct json_writer *w, struct buffer *out);   /* nothing to release */
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);

/* Values: an array's elements, or what follows a key.  (Their names keep off
 * those of jansson, whose json_string() would be replaced by ours.) */
void json_write_string(struct json_writer *w, const char *s);       /* NULL is written as null */
void json_write_string_n(struct json_writer *w, const char *s, size_t n);
void json_write_integer(struct json_writer *w, int64_t i);
void json_write_unsigned(struct json_writer *w, uint64_t u);
void json_write_double(struct json_writer *w, double d);
void json_write_bool(struct json_writer *w, bool b);
void json_write_null(struct json_writer *w);
void json_write_base64(struct json_writer *w, const void *data, size_t size);
/* A value that is JSON already, as it is. */
void json_write_raw(struct json_writer *w, const char *json, size_t length);

/* key and value in one call */
void json_put_string(struct json_writer *w, const char *key, const char *s);
void json_put_integer(struct json_writer *w, const char *key, int64_t i);
void json_put_double(struct json_writer *w, const char *key, double d);
void json_put_bool(struct json_writer *w, const char *key, bool b);

#endif
