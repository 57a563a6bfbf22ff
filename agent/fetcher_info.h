/* fetcher_info.h - what the agent tells mesos-lite-fetcher
 *
 * By two environment variables: MESOS_FETCHER_INFO, the JSON of Mesos's
 * FetcherInfo (of which we have sandbox_directory and items[].uri), and
 * MESOS_LITE_FETCHER_REASON, a file into which it writes one line when it
 * fails: "<uri>: <why>".  Exit status 0 or 1.
 */
#ifndef FETCHER_INFO_H
#define FETCHER_INFO_H

#include <stdbool.h>

struct error;

#define FETCHER_INFO "MESOS_FETCHER_INFO"
#define FETCHER_INFO_REASON "MESOS_LITE_FETCHER_REASON"

enum fetcher_info_kind { FETCHER_INFO_COPY, FETCHER_INFO_DOWNLOAD };

/* An absolute path or file:// is copied, http, https, ftp and ftps are
 * downloaded; others are refused. */
int fetcher_info_parse_uri(const char *uri, enum fetcher_info_kind *ret_kind, struct error *err);
/* Of what is behind its last '/', as in Mesos. Refused when that is no name. */
int fetcher_info_get_name(const char *uri, const char **ret_name, struct error *err);
/* A path that stays below where it is applied: relative, no "..", names a file. */
bool fetcher_info_is_below(const char *path);

#endif
