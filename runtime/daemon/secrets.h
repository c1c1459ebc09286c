/* daemon/secrets: the files that the supervisor reads for the relay: certificates, keys, and passwords for smart hosts.
 * Private to this room.
 *
 * The relay gets what is in them as memfds, never a path.  What was read is wiped; descriptors are close-on-exec and
 * the caller's. */
#ifndef SLUICE_DAEMON_SECRETS_H
#define SLUICE_DAEMON_SECRETS_H

#include "base/vec.h"
#include "mail/settings.h"

/* A memfd with the contents of a PEM file; -1 with *e, which begins with `what`. */
int secret_pem(const char *path, const char *what, struct err *e);

/* A memfd with the password of this connector's user: the one line of its file, without the line end.  -1 with *e
 * (EX_NOINPUT, EX_NOPERM, EX_CONFIG) when the file cannot be read, when others may read or write it, or its owner is
 * neither root nor we, or when it holds no password. */
int secret_password(const struct connector_settings *k, struct err *e);

/* Whether all that a start would read can be read; *diagnostics says what cannot. */
bool secrets_check(const struct settings *s, struct buf *diagnostics);

#endif
