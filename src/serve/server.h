/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server on a unix socket: what the monitor knows, for clients.
 *
 * Runs in the event loop that it is given and takes all of its data from the monitor. Needs SIGPIPE
 * ignored, and sees to it. At most 64 connections; a client that is silent for 30 s is left.
 */
#ifndef SEEP_SERVE_SERVER_H
#define SEEP_SERVE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct event_base;
struct monitor;
struct server;

#define SERVER_NO_GROUP ((gid_t)-1)

struct server_options {
	const char *socket_path;
	mode_t mode; /* of the socket file; 0: 0660 */
	gid_t gid;   /* of the socket file; its members may do all. SERVER_NO_GROUP: none */
	uint64_t idle_timeout_ns; /* 0: 30 s; a client that neither sends nor takes is left */
	uint64_t hold_timeout_ns; /* 0: 25 s; how long an answer may wait for names */
	uint64_t heartbeat_ns;	  /* 0: 15 s; how often a stream of events shows that it lives */
};

/*
 * Borrows @base and @m, which outlive the server. Replaces the socket file of a daemon that is gone.
 * -ENAMETOOLONG: the path has over 107 bytes; -EADDRINUSE: a daemon answers there; -ENOTSOCK: a
 * file that is no socket has the name.
 */
int server_new(struct event_base *base, struct monitor *m, const struct server_options *options,
	       struct server **ret);

/*
 * Drops all connections and removes the socket file, if it is still the own one. Not to be called
 * from a callback of the event loop. An answer that waits for the symbolizer is dropped, too; its
 * few bytes are freed when the symbolizer calls back.
 */
struct server *server_free(struct server *s);
DEFINE_CLEANUP(struct server *, server_free)

/* For /v1/info and /healthz. */
struct server_status {
	bool is_healthy;     /* the last tick is not older than three ticks */
	uint64_t started_ns; /* monotonic */
	size_t connections;
	uint64_t refused_connections; /* over the limit, so far */
	const char *group;	      /* whose members may do all; NULL: none */
};

void server_get_status(struct server *s, struct server_status *ret);

#endif
