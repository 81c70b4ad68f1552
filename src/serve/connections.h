/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections that are open, each with its peer.
 *
 * The HTTP library accepts and closes without telling, so a connection is known by descriptor and
 * socket cookie: a descriptor whose cookie is another one by now belongs to somebody else.
 */
#ifndef SEEP_SERVE_CONNECTIONS_H
#define SEEP_SERVE_CONNECTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "serve/peer.h"

#define CONNECTIONS_MAX	    64
/* Of one uid that is no operator, so that one user cannot keep all others out. */
#define CONNECTIONS_PER_UID 8

struct connection {
	int fd; /* borrowed */
	uint64_t cookie;
	struct peer peer;
};

struct connections {
	struct connection open[CONNECTIONS_MAX];
	size_t n;
	gid_t group;	  /* see peer_read() */
	uint64_t refused; /* so far */
};

/* Takes in a new connection. -ENOSPC: too many; or what peer_read() says. */
int connections_add(struct connections *c, int fd);

/* NULL: not taken in. */
const struct connection *connections_find(const struct connections *c, int fd);

/* How many are open; forgets those that are not. */
size_t connections_count(struct connections *c);

#endif
