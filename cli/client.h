/* cli/client: one request to the relay's control socket and its answer.
 *
 * JSON lines both ways, {"v":1,"op":…} up; down come rows, and last one object with "ok".  Owns the connection for
 * the length of a call. */
#ifndef SLUICE_CLI_CLIENT_H
#define SLUICE_CLI_CLIENT_H

#include "base/json.h"
#include "cli/cli.h"

struct client {
    const char *socket;   /* --socket, else $SLUICE_SOCKET, else the default */
    /* One row of the answer, alive until it returns; `line` is the row as it came. */
    void (*row)(void *owner, const struct js *row, struct str line);
    void *owner;
};

#define CLIENT_SOCKET_OPTION(variable) {"socket", &(variable), NULL, NULL}

/* {"v":1,"op":op}: the caller puts further members and hands it to client_send, which frees it and answers as
 * client_call. */
struct js *client_request(const char *op);
int client_send(const struct client *c, struct js *request);

/* Sends {"v":1,"op":op} with "id" when it is not NULL.  Answers EX_OK, or what the relay's refusal or the lack of a
 * relay calls for, after one sentence on stderr (diagnostics of a refused reload come as they are). */
int client_call(const struct client *c, const char *op, const char *id);

/* Several requests over one connection: each line is one, without its newline.  A connection that cannot be made is
 * NULL, after one sentence; *status, and what a line answers, is what the relay's answer or its lack calls for. */
struct client_talk;
struct client_talk *client_talk_begin(const struct client *c, int *status);
int client_talk_line(struct client_talk *t, struct str request);
void client_talk_end(struct client_talk **t); /* NULL-safe */

#endif
