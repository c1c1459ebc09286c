/* daemon/sockets: the supervisor's sockets and files: listeners, the control socket, the last accepted program.
 * Private to this room.  Everything it opens is close-on-exec and the caller's. */
#ifndef SLUICE_DAEMON_SOCKETS_H
#define SLUICE_DAEMON_SOCKETS_H

#include "mail/settings.h"

/* A listening TCP socket; -1 with *e naming listener and address. */
int socket_listen(const struct listener_settings *l, struct err *e);

/* The control socket (0660, of `user` when root), its directory made when missing.  A stale one is replaced; one that
 * answers is another relay's: EX_UNAVAILABLE. */
int socket_control(const char *path, const char *user, struct err *e);

/* The state directory, made when missing, of `user` when root. */
bool file_make_state(const char *path, const char *user, struct err *e);

#define ACCEPTED_PROGRAM "program.sluicec"
/* Replaces state/program.sluicec by the bytes of `program`, durably. */
bool file_keep_program(const char *state, int program, struct err *e);

/* sd_notify's datagram, when NOTIFY_SOCKET asks for it. */
void socket_notify(const char *text);

#endif
