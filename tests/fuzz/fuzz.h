/* fuzz.h - what every fuzz target has
 *
 * A target is one function, which is given any bytes: it must come back, and CHECK
 * what holds for all of them.  libFuzzer calls it (make fuzz), and replay.c with the
 * files of corpus/<target>/ (make check).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
