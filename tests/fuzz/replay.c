/* replay.c - runs a fuzz target with the files that are named, once each */
#include <stdio.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "tests/fuzz/fuzz.h"

/* In memory of just its size, so that a sanitizer sees a step beyond. */
static void run(const char *data, size_t size)
{
    uint8_t *exact = size > 0 ? mem_dup(data, size) : NULL;

    LLVMFuzzerTestOneInput(exact, size);
    mem_free(exact);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct buffer bytes = BUFFER_INIT;
        FILE *file = fopen(argv[i], "rb");
        size_t n;

        if (!file) {
            perror(argv[i]);
            return 1;
        }
        while ((n = fread(buffer_reserve(&bytes, 4096), 1, 4096, file)) > 0)
            buffer_commit(&bytes, n);
        fclose(file);
        run(buffer_data(&bytes), buffer_length(&bytes));
        buffer_release(&bytes);
    }
    printf("%d files\n", argc - 1);
    return 0;
}
