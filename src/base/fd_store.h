/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that the service manager has: those that it handed over at the start (sd_listen_fds(3)),
 * and its store, where descriptors outlive this process ("FDSTORE=1" of sd_notify(3)).
 *
 * Whether the manager has room for what it is sent is not told: what counts is what the next process
 * gets. Names are unique; systemd(1) takes no colon in them.
 */
#ifndef SEEP_BASE_FD_STORE_H
#define SEEP_BASE_FD_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct fd_store;

/*
 * Takes what was handed over to this process, and clears the environment of it ($LISTEN_FDS, _PID and
 * _FDNAMES). -ENOMEM.
 */
int fd_store_new(struct fd_store **ret);
/* Closes what nobody has taken. */
struct fd_store *fd_store_free(struct fd_store *s);
DEFINE_CLEANUP(struct fd_store *, fd_store_free)

/* Closes what was handed over and nobody has taken, with a warning for each name. */
void fd_store_close_rest(struct fd_store *s);

/* Whether there is a manager that may keep descriptors ($NOTIFY_SOCKET, and $FDSTORE is not 0). */
bool fd_store_keeps(const struct fd_store *s);

/* The first one of a name that was handed over, which is the caller's then. -ENOENT. */
int fd_store_take(struct fd_store *s, const char *name);

/* Whether one was handed over and is not taken: of a name, or of any that begins so. */
bool fd_store_has(const struct fd_store *s, const char *name);
bool fd_store_has_any(const struct fd_store *s, const char *prefix);

/* Copies one into the store. 0, or a negative errno if it could not be sent. */
int fd_store_put(struct fd_store *s, const char *name, int fd);

/* Removes it from the store. */
int fd_store_drop(struct fd_store *s, const char *name);

/* Removes, and closes here, all that were handed over under names that begin so and were not taken. */
void fd_store_drop_all(struct fd_store *s, const char *prefix);

#endif
