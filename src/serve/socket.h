/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listening socket and its name in the file system.
 */
#ifndef SEEP_SERVE_SOCKET_H
#define SEEP_SERVE_SOCKET_H

#include <sys/types.h>

#include "serve/peer.h"

/* Which file is ours, so that a successor's socket is never removed. */
struct socket_name {
	char *path; /* owned; NULL: none */
	dev_t dev;
	ino_t inode;
};

/*
 * Binds and listens. A socket file that nobody answers on is replaced. @group: PEER_NO_GROUP
 * leaves the group alone.
 * -ENAMETOOLONG: over 107 bytes; -EADDRINUSE: somebody answers; -ENOTSOCK: another kind of file has
 * the name, it is left alone.
 */
int socket_listen(const char *path, mode_t mode, gid_t group, int backlog, int *ret_fd,
		  struct socket_name *ret_name);

/* Removes the file if it is still ours. */
void socket_name_done(struct socket_name *name);

#endif
