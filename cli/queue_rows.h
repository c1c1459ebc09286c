/* cli/queue_rows: how a message of the queue is shown: to people, or the JSON line as it came. */
#ifndef SLUICE_CLI_QUEUE_ROWS_H
#define SLUICE_CLI_QUEUE_ROWS_H

#include "cli/client.h"

struct queue_listing {
    bool json, colour;
    size_t messages, recipients;
    struct buf out;
};

void queue_print_row(void *listing, const struct js *row, struct str line); /* a struct client's `row` */
void queue_print_span(struct buf *out, int64_t seconds);                    /* "2 h 5 min", "40 s" */

#endif
