/* fetcher_download.c - the door to libcurl
 *
 * Proxies come from the environment and redirects stay within http and ftp:
 * both are libcurl's defaults.
 */
#include "agent/fetcher_download.h"

#include <curl/curl.h>
#include <errno.h>

#include "base/error.h"

enum { STALL_SECONDS = 60, STALL_BYTES_PER_SECOND = 1, REDIRECTS_MAX = 50 };

static int describe(CURLcode code, const char *reason, struct error *err)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(err, ETIMEDOUT, "no data came for %d seconds", STALL_SECONDS);
    return error_set(err, EIO, "%s", *reason ? reason : curl_easy_strerror(code));
}

static CURLcode download(CURL *curl, const char *uri, FILE *to, char *reason)
{
    curl_easy_setopt(curl, CURLOPT_URL, uri);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_SECOND);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mesos-lite-fetcher");
    return curl_easy_perform(curl);
}

int fetcher_download(const char *uri, FILE *to, struct error *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    CURLcode code;
    CURL *curl;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(curl = curl_easy_init()))
        return error_set(err, ENOMEM, "libcurl cannot be initialized");
    code = download(curl, uri, to, reason);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return code == CURLE_OK ? 0 : describe(code, reason, err);
}
