/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that the service manager hands over at start: sockets of .socket units and what lies
 * in the descriptor store, by name; sd_listen_fds_with_names(3).
 */
#ifndef SEEP_DAEMON_LISTEN_FDS_H
#define SEEP_DAEMON_LISTEN_FDS_H

#include <stddef.h>

#include "base/cleanup.h"

struct listen_fds;

/*
 * Takes all of them, close-on-exec, and removes $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES, so to
 * be called once, before anything else opens a descriptor. None is no error. Negative errno.
 */
int listen_fds_new(struct listen_fds **ret);

/* Closes those that nobody took, with a warning for each name. */
struct listen_fds *listen_fds_free(struct listen_fds *l);
DEFINE_CLEANUP(struct listen_fds *, listen_fds_free)

/*
 * The next one of this name, in the order of the service manager: it is the caller's now. -ENOENT:
 * there is none (left).
 */
int listen_fds_take(struct listen_fds *l, const char *name);

/* How many of this name are left to be taken. NULL: of any name. */
size_t listen_fds_count(const struct listen_fds *l, const char *name);

/*
 * The name of the @i-th one that is left, in the order of the service manager; NULL after the last.
 * Borrowed until that one is taken.
 */
const char *listen_fds_name(const struct listen_fds *l, size_t i);

#endif
