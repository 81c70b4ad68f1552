/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server on a unix socket, and on a loopback address if wanted: what the monitor knows, for
 * clients.
 *
 * Runs in the event loop that it is given and takes all of its data from the monitor. Needs SIGPIPE
 * ignored, and sees to it. At most 64 connections; a client that has not sent a whole request for 30 s is
 * left, and so is one that takes nothing of an answer for 30 s, or not all of it for five minutes.
 */
#ifndef SEEP_SERVE_SERVER_H
#define SEEP_SERVE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "serve/peer.h"

struct event_base;
struct monitor;
struct server;

#define SERVER_NO_GROUP PEER_NO_GROUP

struct server_options {
	const char *socket_path;
	int socket_fd; /* listens already, and is taken over, also on failure; 0: bind the path */
	int http_fd;   /* the same, on a loopback address; 0: none, or */
	const char *http; /* an address to listen on, as of loopback_parse(); NULL: none */
	mode_t mode;	  /* of the socket file; 0: 0660 */
	gid_t gid;	  /* of the socket file; its members may do all. SERVER_NO_GROUP: none */
	gid_t read_gid;	  /* whose members have ACCESS_READ; 0: nobody else */
	gid_t detail_gid; /* and ACCESS_DETAIL */
	uint64_t idle_timeout_ns;    /* 0: 30 s; a client that neither sends nor takes is left */
	uint64_t hold_timeout_ns;    /* 0: 25 s; how long an answer may wait for names */
	uint64_t heartbeat_ns;	     /* 0: 15 s; how often a stream of events shows that it lives */
	uint64_t request_timeout_ns; /* 0: 30 s; how long a request may take to come */
	uint64_t answer_timeout_ns;  /* 0: 300 s; how long an answer may take to be taken */
};

/*
 * Borrows @base and @m, which outlive the server. Replaces the socket file of a daemon that is gone.
 * -ENAMETOOLONG: the path has over 107 bytes; -EADDRINUSE: a daemon answers there; -ENOTSOCK: a
 * file that is no socket has the name; of http_fd and http as of loopback.h.
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

/* What the configuration is, for /v1/info. Texts are borrowed. */
struct config_status {
	const char *state; /* "loaded"; "kept": the last one was wrong, that of before holds */
	char *const *errors;
	size_t n_errors;
	char *const *files;
	size_t n_files;
	char *const *waiting; /* settings that take a restart */
	size_t n_waiting;
	uint64_t loaded_ms; /* wall clock */
};

/* @status: borrowed, and looked at each time that somebody asks; NULL: there is none. */
void server_set_config(struct server *s, const struct config_status *status);

/* For /v1/info and /healthz. */
struct server_status {
	bool is_healthy;     /* the last tick is not older than three ticks */
	uint64_t started_ns; /* monotonic */
	size_t connections;
	uint64_t refused_connections;	    /* over the limit, so far */
	uint64_t ended_connections;	    /* because they were too slow, so far */
	const char *group;		    /* whose members may do all; NULL: none */
	const char *groups[ACCESS_LEVELS];  /* whose members have a level; NULL: none */
	const struct config_status *config; /* NULL: none */
};

void server_get_status(struct server *s, struct server_status *ret);

#endif
