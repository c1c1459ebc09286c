/* What the queue costs: messages of 4 KiB written and taken away again, so many at a time.
 *
 *     build/release/bench/store_bench [DIRECTORY]
 *
 * For each size of group: wall time and processor time per message (insert with content, recipient and a hit; later the
 * outcome that deletes it), and how many commits that took.  The directory must be on the disk that is to be
 * measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "mail/verdict.h"
#include "tests/support/store_driver.h"

enum { MESSAGES = 20000, GROUP_MAX = 200, BODY = 4096 };

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double processor(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void measure(struct driver *d, int group)
{
    static char body[BODY], id[GROUP_MAX][24];
    static struct stored_recipient r[GROUP_MAX];
    static struct stored_message m[GROUP_MAX];
    static struct store_write w[GROUP_MAX], o[GROUP_MAX];
    static struct outcome done[GROUP_MAX];
    static struct answer a[GROUP_MAX];
    struct stored_hit hit = {STR("a rule"), HIT_APPLIED, 1};
    int total = group == 1 ? MESSAGES / 10 : MESSAGES;
    memset(body, 'm', sizeof body);
    struct store_counts before = store_counts_of(d->store);
    double from = wall(), cpu = processor();
    for (int n = 0; n < total; n += group) {
        for (int i = 0; i < group; i++) {
            snprintf(id[i], sizeof id[i], "%d-%d-%lx", n, i, random());
            m[i] = plain_message(str_of(id[i]), (struct str){body, BODY}, &r[i]);
            w[i] = (struct store_write){.messages = &m[i], .message_count = 1, .hits = &hit, .hit_count = 1};
            driver_write(d, &w[i], &a[i]);
        }
        driver_run(d);
        for (int i = 0; i < group; i++) {
            INVARIANT(a[i].ok);
            done[i] = (struct outcome){.recipient = r[i].id, .kind = OUTCOME_DONE};
            o[i] = (struct store_write){.outcomes = &done[i], .outcome_count = 1};
            driver_write(d, &o[i], &a[i]);
        }
        driver_run(d);
    }
    double spent = wall() - from, used = processor() - cpu;
    struct store_counts after = store_counts_of(d->store);
    printf("groups of %3d: %7.1f us wall, %6.1f us processor a message; %.1f requests a commit, %llu checkpoints\n",
           group, spent / total * 1e6, used / total * 1e6,
           (double)(after.writes - before.writes) / (double)(after.commits - before.commits),
           (unsigned long long)(after.checkpoints - before.checkpoints));
}

int main(int argc, char **argv)
{
    static const int groups[] = {1, 5, 10, 20, 50, 200};
    struct driver d;
    struct err e = {0};
    char *state = argc > 1 ? mem_strdup(argv[1]) : directory_temporary();
    if (!driver_open(&d, state, NULL, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) measure(&d, groups[i]);
    driver_close(&d);
    directory_remove(state);
    free(state);
    return 0;
}
