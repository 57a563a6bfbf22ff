/* bytes.h - bytes that come as a future
 *
 * What subprocess.h and http_reader.h read.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>

#include "process/typed.h"

struct bytes { char *data; size_t size; }; /* a NUL is behind them */
FUTURE_TYPE(bytes, struct bytes);

#endif
