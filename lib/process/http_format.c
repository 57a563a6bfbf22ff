/* http_format.c - how an answer is written: status line, date, headers */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "process/http_private.h"

static const struct {
    int status;
    const char *text;
} statuses[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 203, "Non-Authoritative Information" },
    { 204, "No Content" },
    { 205, "Reset Content" },
    { 206, "Partial Content" },
    { 300, "Multiple Choices" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 305, "Use Proxy" },
    { 307, "Temporary Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Time-out" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Request Entity Too Large" },
    { 414, "Request-URI Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Requested range not satisfiable" },
    { 417, "Expectation Failed" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Time-out" },
    { 505, "HTTP Version not supported" },
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].text;
    return "Unknown";
}

/* The C library's strftime would speak the language of the environment. */
void http_format_date(struct instant wall, char text[HTTP_DATE_TEXT])
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(wall.ns / 1000000000);
    struct tm t;

    gmtime_r(&seconds, &t);
    snprintf(text, HTTP_DATE_TEXT, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday % 7],
             (unsigned)t.tm_mday % 32, months[t.tm_mon % 12], (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)t.tm_hour % 24, (unsigned)t.tm_min % 60, (unsigned)t.tm_sec % 61);
}

/* ---- the head of an answer ----
 *
 * Once for every answer: without printf, which costs more than all the rest, and into
 * one room.  What has a length of its own is counted, the rest is less than this. */
enum { HEAD_BYTES = 160, DATE = sizeof "Sun, 06 Nov 1994 08:49:37 GMT" - 1 };

#define PUT(to, literal) mempcpy(to, literal, sizeof literal - 1)

static char *put_number(char *to, size_t n)
{
    char digits[3 * sizeof n];
    char *end = digits + sizeof digits, *p = end;

    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return mempcpy(to, p, (size_t)(end - p));
}

static char *put_length(char *to, const struct http_request *r)
{
    if (!r->stream)
        return PUT(put_number(PUT(to, "Content-Length: "), http_answer_size(r)), "\r\n");
    return r->stream->chunked ? PUT(to, "Transfer-Encoding: chunked\r\n") : to;
}

void http_format_head(struct buffer *out, const struct http_request *r, const char *date)
{
    const char *status = http_status_text(r->status);
    size_t n_status = strlen(status), n_headers = buffer_length(&r->headers);
    size_t n_type = r->content_type ? strlen(r->content_type) : 0;
    char *head = buffer_reserve(out, HEAD_BYTES + n_status + n_type + n_headers), *p;

    p = put_number(PUT(head, "HTTP/1.1 "), (size_t)r->status);
    *p++ = ' ';
    p = mempcpy(p, status, n_status);
    p = mempcpy(PUT(p, "\r\nDate: "), date, DATE);
    p = PUT(p, "\r\n");
    if (r->content_type)
        p = PUT(mempcpy(PUT(p, "Content-Type: "), r->content_type, n_type), "\r\n");
    p = mempcpy(p, buffer_data(&r->headers), n_headers);
    if (r->close)
        p = PUT(p, "Connection: close\r\n");
    else if (r->keep_alive_1_0)
        p = PUT(p, "Connection: Keep-Alive\r\n");
    p = PUT(put_length(p, r), "\r\n");
    buffer_commit(out, (size_t)(p - head));
}
