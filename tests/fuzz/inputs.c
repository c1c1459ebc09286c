/* A fuzz target without libFuzzer: it runs the files it is given, and prints what each took of the processor.  What
 * libFuzzer has compilers add to every comparison takes many times as long as the product does. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* What mutators of targets ask of libFuzzer: nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room) { return (void)data, size < room ? size : room; }

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The bytes in a block of exactly their size, so that AddressSanitizer sees one more. */
static uint8_t *file_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) return NULL;
    long n = ftell(f);
    uint8_t *bytes = n >= 0 ? malloc((size_t)n + !n) : NULL;
    rewind(f);
    *size = bytes ? fread(bytes, 1, (size_t)n, f) : 0;
    fclose(f);
    return bytes;
}

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++) {
        size_t size;
        uint8_t *bytes = file_read(paths[i], &size);
        if (!bytes) return fprintf(stderr, "%s cannot be read\n", paths[i]), EXIT_FAILURE;
        double from = cpu_now();
        LLVMFuzzerTestOneInput(bytes, size);
        printf("%.3f %s\n", cpu_now() - from, paths[i]);
        fflush(stdout); /* who runs this sees by it which input ended the program */
        free(bytes);
    }
    return EXIT_SUCCESS;
}
