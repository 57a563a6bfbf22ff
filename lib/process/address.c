/* address.c - where a node listens: an IPv4 address and a port */
#include "process/address.h"

#include <errno.h>

#include "base/error.h"

/* By hand, as every message to another node names two addresses.  Both give the
 * end of what they wrote. */
static char *put_number(char *p, uint32_t n)
{
    if (n >= 10)
        p = put_number(p, n / 10);
    *p = (char)('0' + n % 10);
    return p + 1;
}

static char *put_ip(char *p, uint32_t ip)
{
    for (int shift = 24; shift > 0; shift -= 8) {
        p = put_number(p, ip >> shift & 255);
        *p++ = '.';
    }
    return put_number(p, ip & 255);
}

const char *address_format_ip(uint32_t ip, char text[ADDRESS_TEXT])
{
    *put_ip(text, ip) = '\0';
    return text;
}

const char *address_format(struct address a, char text[ADDRESS_TEXT])
{
    char *p = put_ip(text, a.ip);

    *p++ = ':';
    *put_number(p, a.port) = '\0';
    return text;
}

/* Decimal digits up to max, no sign, no leading zero; NULL when there are none,
 * else what follows them. */
static const char *parse_number(const char *p, uint32_t max, uint32_t *ret)
{
    uint32_t n = 0;

    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return NULL;
    for (; *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (uint32_t)(*p - '0');
        if (n > max)
            return NULL;
    }
    *ret = n;
    return p;
}

/* What follows the four numbers, or NULL. */
static const char *parse_ip(const char *p, uint32_t *ret_ip)
{
    uint32_t ip = 0, part;

    for (int i = 0; i < 4; i++) {
        if (i > 0 && *p++ != '.')
            return NULL;
        p = parse_number(p, 255, &part);
        if (!p)
            return NULL;
        ip = ip << 8 | part;
    }
    *ret_ip = ip;
    return p;
}

int address_parse_ip(const char *text, uint32_t *ret_ip, struct error *err)
{
    uint32_t ip;
    const char *rest = parse_ip(text, &ip);

    if (!rest || *rest)
        return error_set(err, EINVAL, "'%.60s' is not an IPv4 address", text);
    *ret_ip = ip;
    return 0;
}

int address_parse(const char *text, struct address *ret_address, struct error *err)
{
    uint32_t ip, port;
    const char *rest = parse_ip(text, &ip);

    if (!rest || *rest != ':')
        return error_set(err, EINVAL, "'%.60s' is not an IPv4 address and a port", text);
    rest = parse_number(rest + 1, 65535, &port);
    if (!rest || *rest)
        return error_set(err, EINVAL, "'%.60s' has no port from 0 to 65535", text);
    *ret_address = (struct address){ .ip = ip, .port = (uint16_t)port };
    return 0;
}
