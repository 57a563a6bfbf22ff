/* fetcher_extract.h - the door to libarchive */
#ifndef FETCHER_EXTRACT_H
#define FETCHER_EXTRACT_H

#include <stdbool.h>

struct error;

/* By the ending of its name: .tar .tar.gz .tgz .tar.bz2 .tbz2 .tar.xz .txz .zip .gz */
bool fetcher_extract_is_known(const char *path);
/* Into the current folder, which nothing leaves; path is kept. */
int fetcher_extract(const char *path, struct error *err);

#endif
