/* cli/transfer: messages of the queue as files, one for each: `sluice queue export` and `import`.
 *
 * A file describes itself: lines of JSON (message, delivered forms, recipients with what they demand), a line with the
 * SHA-256 of those before it, an empty line, and the content, byte for byte. */
#ifndef SLUICE_CLI_TRANSFER_H
#define SLUICE_CLI_TRANSFER_H

#include "cli/client.h"

/* Every message that `listing` (a request for rows; freed) answers, into files in `directory`, which is made. */
int transfer_export(struct client *c, struct js *listing, const char *directory);
/* One file, or every one in a directory; one that the queue holds already is told and passed over. */
int transfer_import(struct client *c, const char *path);

#endif
