/* Where content is kept cheaper: in the database, or in a spool file of its own.
 *
 *     build/release/bench/threshold_bench [DIRECTORY]
 *
 * For each size: processor and wall time per message (written, and later taken away again; groups of 5) with all
 * content in the database, and with all of it in spool files; then the crossing.  Both ways alternate, medians of
 * ROUNDS.  The directory must be on the disk that is to be measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/support/store_driver.h"

enum { ROUNDS = 5, GROUP = 5, SIZES = 9 };

static const size_t sizes[SIZES] = {4 << 10,   16 << 10,  32 << 10, 64 << 10, 128 << 10,
                                    256 << 10, 512 << 10, 1 << 20,  2 << 20};

struct cost {
    double wall, cpu; /* microseconds a message */
};

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double processor(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void group_of(struct driver *d, struct str body)
{
    static struct stored_recipient r[GROUP];
    static struct stored_message m[GROUP];
    static struct store_write w[GROUP], o[GROUP];
    static struct outcome done[GROUP];
    static struct answer a[GROUP];
    static char id[GROUP][32];
    static unsigned long number;
    for (int i = 0; i < GROUP; i++) {
        snprintf(id[i], sizeof id[i], "t%lu", number++);
        m[i] = plain_message(str_of(id[i]), body, &r[i]);
        w[i] = (struct store_write){.messages = &m[i], .message_count = 1};
        driver_write(d, &w[i], &a[i]);
    }
    driver_run(d);
    for (int i = 0; i < GROUP; i++) {
        INVARIANT(a[i].ok);
        done[i] = (struct outcome){.recipient = r[i].id, .kind = OUTCOME_DONE};
        o[i] = (struct store_write){.outcomes = &done[i], .outcome_count = 1};
        driver_write(d, &o[i], &a[i]);
    }
    driver_run(d);
}

static struct cost measure(const char *state, size_t size, uint64_t threshold)
{
    struct driver d;
    struct err e = {0};
    char *body = mem_alloc(size);
    int groups = size <= 64 << 10 ? 60 : 20;
    memset(body, 'm', size);
    if (!driver_open(&d, state, &(struct store_options){.spool_threshold = threshold}, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    for (int i = 0; i < 4; i++) group_of(&d, (struct str){body, size});
    double from = wall(), cpu = processor();
    for (int i = 0; i < groups; i++) group_of(&d, (struct str){body, size});
    struct cost c = {(wall() - from) / (groups * GROUP), (processor() - cpu) / (groups * GROUP)};
    driver_close(&d);
    free(body);
    return c;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    char *state = argc > 1 ? mem_strdup(argv[1]) : directory_temporary();
    size_t crossing_cpu = 0, crossing_wall = 0;
    printf("    size     database: wall    cpu     file: wall    cpu   (us a message)\n");
    for (int i = 0; i < SIZES; i++) {
        double wall_db[ROUNDS], cpu_db[ROUNDS], wall_file[ROUNDS], cpu_file[ROUNDS];
        for (int k = 0; k < ROUNDS; k++) {
            struct cost db = measure(state, sizes[i], UINT64_MAX), file = measure(state, sizes[i], 1);
            wall_db[k] = db.wall;
            cpu_db[k] = db.cpu;
            wall_file[k] = file.wall;
            cpu_file[k] = file.cpu;
        }
        double wd = median(wall_db), cd = median(cpu_db), wf = median(wall_file), cf = median(cpu_file);
        printf("%5zu KiB  %14.0f %6.0f   %12.0f %6.0f\n", sizes[i] >> 10, wd, cd, wf, cf);
        fflush(stdout);
        if (!crossing_cpu && cf <= cd) crossing_cpu = sizes[i];
        if (!crossing_wall && wf <= wd) crossing_wall = sizes[i];
    }
    printf("a file is cheaper from: %zu KiB by processor, %zu KiB by wall time (0: never here)\n", crossing_cpu >> 10,
           crossing_wall >> 10);
    directory_remove(state);
    free(state);
    return 0;
}
