/* fetcher_download.h - the door to libcurl */
#ifndef FETCHER_DOWNLOAD_H
#define FETCHER_DOWNLOAD_H

#include <stdio.h>

struct error;

/* Follows redirects; refuses answers of 400 and above; gives up after a minute
 * without a byte. */
int fetcher_download(const char *uri, FILE *to, struct error *err);

#endif
