/* Makes a long queue in a state directory, through the store itself.
 *
 *     build/release/bench/queue_fill_bench STATE MESSAGES LIVE
 *
 * 4 KiB each, one recipient: the first LIVE of them for live.example, as many for cold.example, the others for
 * dead.example; due in an hour, and tried three times already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/store_driver.h"

enum { GROUP = 200, BODY = 4096 };

int main(int argc, char **argv)
{
    static char body[BODY], id[GROUP][32], address[GROUP][48];
    static struct stored_recipient r[GROUP];
    static struct stored_message m[GROUP];
    static struct store_write w[GROUP];
    static struct answer a[GROUP];
    struct driver d;
    struct err e = {0};
    if (argc != 4) return 64;
    long total = atol(argv[2]), live = atol(argv[3]);
    if (!driver_open(&d, argv[1], NULL, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    int64_t now = (int64_t)time(NULL);
    memset(body, 'b', sizeof body);
    memcpy(body, "Subject: x\r\n\r\n", 14);
    for (size_t i = 78; i + 1 < sizeof body; i += 80) memcpy(body + i, "\r\n", 2);
    memcpy(body + sizeof body - 2, "\r\n", 2);
    for (long n = 0; n < total; n += GROUP) {
        int k = 0;
        for (; k < GROUP && n + k < total; k++) {
            const char *domain = n + k < live ? "live" : n + k < 2 * live ? "cold" : "dead";
            snprintf(id[k], sizeof id[k], "0fill%015ld", n + k);
            snprintf(address[k], sizeof address[k], "u%ld@%s.example", n + k, domain);
            m[k] = plain_message(str_of(id[k]), (struct str){body, BODY}, &r[k]);
            m[k].arrived = now - 60;
            r[k].address = str_of(address[k]);
            r[k].next_try = now + 3600;
            r[k].expires = now + 5 * 86400;
            r[k].attempts = 3;
            r[k].reason = STR("4.4.1 127.0.0.1:9: connection refused");
            w[k] = (struct store_write){.messages = &m[k], .message_count = 1};
            driver_write(&d, &w[k], &a[k]);
        }
        driver_run(&d);
        for (int i = 0; i < k; i++) INVARIANT(a[i].ok);
    }
    driver_close(&d);
    return 0;
}
