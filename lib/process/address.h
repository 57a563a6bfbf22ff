/* address.h - where a node listens: an IPv4 address and a port
 *
 * libprocess's wire has no IPv6 in PIDs (FACTS 1.1), so neither have we.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct address {
    uint32_t ip;        /* host byte order: 127.0.0.1 is 0x7f000001 */
    uint16_t port;
};

#define ADDRESS_TEXT 24
const char *address_format(struct address a, char text[ADDRESS_TEXT]);     /* "127.0.0.1:5050" */
const char *address_format_ip(uint32_t ip, char text[ADDRESS_TEXT]);
/* Numbers only: host names are resolved by the host (host_resolve). */
int address_parse(const char *text, struct address *ret_address, struct error *err);
int address_parse_ip(const char *text, uint32_t *ret_ip, struct error *err);

static inline bool address_equal(struct address a, struct address b)
{
    return a.ip == b.ip && a.port == b.port;
}

#endif
