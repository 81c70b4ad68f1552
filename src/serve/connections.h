/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections that are open, each with its peer.
 *
 * The HTTP library accepts and closes without telling, so a connection is known by descriptor and
 * socket cookie: a descriptor whose cookie is another one by now belongs to somebody else.
 */
#ifndef SEEP_SERVE_CONNECTIONS_H
#define SEEP_SERVE_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "serve/peer.h"

#define CONNECTIONS_MAX	      64
/* Of one uid that may not operate, so that one user cannot keep all others out. */
#define CONNECTIONS_PER_UID   8
/* Of answers that wait to be taken, before another request of the uid is answered. */
#define WAITING_BYTES_PER_UID (16u << 20)
#define WAITING_BYTES_MAX     (64u << 20)

struct bufferevent;

struct connection {
	int fd; /* borrowed */
	uint64_t cookie;
	struct bufferevent *stream; /* borrowed; there as long as fd is */
	struct peer peer;
	uint64_t since_ns; /* the last request was complete, or its answer taken, then */
	bool is_answering;
	bool is_endless; /* the answer is a stream */
};

struct connections {
	struct connection open[CONNECTIONS_MAX];
	size_t n;
	struct peer_groups groups; /* see peer_read() */
	uint64_t refused;	   /* so far */
	uint64_t ended;		   /* because they were too slow, so far */
	uint64_t request_ns;	   /* how long a request may take to come, from one answer on */
	uint64_t answer_ns;	   /* how long an answer may take to be taken */
};

/* Takes in a new connection. -ENOSPC: too many; or what peer_read() says. */
int connections_add(struct connections *c, int fd, struct bufferevent *stream, uint64_t now_ns);

/* NULL: not taken in. */
struct connection *connections_find(struct connections *c, int fd);

/* How many are open; forgets those that are not. */
size_t connections_count(struct connections *c);

/* Whether so much waits to be taken that @uid, or everybody, has to wait. */
bool connections_are_full(struct connections *c, uid_t uid);

/*
 * Shuts down those that are too slow as a whole, however small the steps in which they move; who does
 * not move at all is left by the HTTP library before.
 */
void connections_end_slow(struct connections *c, uint64_t now_ns);

#endif
