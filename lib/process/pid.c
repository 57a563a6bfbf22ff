/* pid.c - the name of a process, wherever it lives */
#include "process/pid.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

enum { ID_MAX = 255 };

struct pid pid_create(const char *id, struct address address)
{
    return (struct pid){ .address = address, .id = text_create(id) };
}

struct pid pid_dup(const struct pid *pid)
{
    text_ref(pid->id);
    return *pid;
}

void pid_release(struct pid *pid)
{
    text_unref(pid->id);
    *pid = (struct pid){ 0 };
}

void pid_assign(struct pid *pid, const struct pid *from)
{
    struct pid copy = pid_dup(from);          /* from may be pid itself */

    pid_release(pid);
    *pid = copy;
}

bool pid_equal(const struct pid *a, const struct pid *b)
{
    return address_equal(a->address, b->address) && text_equal(a->id, b->id);
}

void pid_set_json(struct pid *pid, bool json)
{
    pid->json = json;
}

struct text *pid_format(const struct pid *pid)
{
    char text[PID_TEXT];

    return text_create(pid_text(pid, text, sizeof text));
}

static size_t put(char *out, size_t size, size_t at, const char *bytes, size_t length)
{
    size_t fits = at + length < size ? length : size - at - 1;

    memcpy(out + at, bytes, fits);
    return at + fits;
}

const char *pid_text(const struct pid *pid, char *out, size_t size)
{
    char address[ADDRESS_TEXT];
    size_t n = 0;

    if (size == 0)
        return out;
    if (!pid_is_empty(pid)) {
        address_format(pid->address, address);
        n = put(out, size, n, pid->id->bytes, pid->id->length);
        n = put(out, size, n, "@", 1);
        n = put(out, size, n, address, strlen(address));
    }
    out[n] = '\0';
    return out;
}

bool pid_is_id(const char *id, size_t length)
{
    if (length == 0 || length > ID_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)id[i];

        if (c <= ' ' || c == 0x7f || c == '/' || c == '@')
            return false;
    }
    return true;
}

int pid_parse(const char *text, struct pid *ret_pid, struct error *err)
{
    const char *at = strchr(text, '@');
    struct address address;
    struct error why;

    if (!at)
        return error_set(err, EINVAL, "'%.60s' is not a PID: it has no '@'", text);
    if (!pid_is_id(text, (size_t)(at - text)))
        return error_set(err, EINVAL, "'%.60s' is not a PID: its id is empty, too long or holds "
                         "'/', a blank or a control character", text);
    if (address_parse(at + 1, &address, &why) < 0)
        return error_set(err, EINVAL, "'%.60s' is not a PID: %s", text, why.text);
    if (address.port == 0)
        return error_set(err, EINVAL, "'%.60s' is not a PID: its port is 0", text);
    *ret_pid = (struct pid){ .address = address, .id = text_create_n(text, (size_t)(at - text)) };
    return 0;
}
