/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to a unix socket with a deadline, and its bytes; for http_client.c only.
 *
 * Functions return -ETIMEDOUT when the deadline is over.
 */
#ifndef SEEP_CLI_HTTP_CONNECTION_H
#define SEEP_CLI_HTTP_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

/* Longest status or header line. Far above what the daemon sends. */
#define HTTP_LINE_BYTES 8192

struct http_connection {
	int fd;
	uint64_t deadline_ns; /* monotonic */
	uint64_t idle_ns;     /* 0: none; else the deadline moves to so long after each arrival */
	size_t start, end;    /* unread part of buffer */
	char buffer[16384];
};

/* Errors of socket(2) and connect(2). */
int http_connect(struct http_connection *c, const char *path);

/* A server may answer and close before it has read everything: then the answer counts. */
int http_send(struct http_connection *c, const char *data, size_t n);

/* Reads more into the empty buffer: 1, or 0 at the end. */
int http_fill(struct http_connection *c);

/* A line without its end; -ECONNRESET when the stream ends inside it, -EPROTO when it is too long. */
int http_read_line(struct http_connection *c, char line[HTTP_LINE_BYTES]);

void http_connection_done(struct http_connection *c);

#endif
