/* http_format.c - how an answer is written: status line, date, headers */
#include <stdio.h>
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

static void put_number(struct buffer *out, size_t n)
{
    char digits[3 * sizeof n];
    char *end = digits + sizeof digits, *p = end;

    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    buffer_append(out, p, (size_t)(end - p));
}

static void put_header(struct buffer *out, const char *name, const char *value)
{
    buffer_append_text(out, name);
    buffer_append_text(out, value);
    buffer_append_text(out, "\r\n");
}

/* Once for every answer: without printf, which costs more than all the rest. */
void http_format_head(struct buffer *out, const struct http_request *r, const char *date)
{
    buffer_append_text(out, "HTTP/1.1 ");
    put_number(out, (size_t)r->status);
    put_header(out, " ", http_status_text(r->status));
    put_header(out, "Date: ", date);
    if (r->content_type)
        put_header(out, "Content-Type: ", r->content_type);
    buffer_append(out, buffer_data(&r->headers), buffer_length(&r->headers));
    if (r->close)
        buffer_append_text(out, "Connection: close\r\n");
    else if (r->keep_alive_1_0)
        buffer_append_text(out, "Connection: Keep-Alive\r\n");
    if (!r->stream) {
        buffer_append_text(out, "Content-Length: ");
        put_number(out, buffer_length(&r->body));
        buffer_append_text(out, "\r\n");
    } else if (r->stream->chunked) {
        buffer_append_text(out, "Transfer-Encoding: chunked\r\n");
    }
    buffer_append_text(out, "\r\n");
}
