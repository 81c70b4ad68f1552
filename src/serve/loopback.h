/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listener on the loopback interface, for monitoring systems that cannot reach a unix socket.
 *
 * Any process and any web page on this machine can send it requests, so who asks is nobody in
 * particular, and what a browser was lured into is told by its Host and Origin.
 */
#ifndef SEEP_SERVE_LOOPBACK_H
#define SEEP_SERVE_LOOPBACK_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * "127.0.0.1:9321", "[::1]:9321", "localhost:9321" (which is 127.0.0.1). -EINVAL: no address and port;
 * -EACCES: not a loopback address.
 */
int loopback_parse(const char *text, struct sockaddr_storage *ret);

/* Binds and listens. The descriptor does not block. Negative errno, also as of loopback_parse(). */
int loopback_listen(const char *text, int backlog, int *ret_fd);

/*
 * Whether a socket from elsewhere (socket activation) is a listening stream socket on a loopback
 * address: 0, -ENOTSOCK, -EINVAL (no listening stream socket), -EACCES (not loopback).
 */
int loopback_check(int fd);

/*
 * Whether the Host of a request names this machine: a loopback address or localhost, with any port. The
 * address is parsed, as 127.evil.example begins like one. NULL, without the header: false.
 */
bool loopback_is_host(const char *host);

/* The same of an Origin, "http://localhost:3000". NULL: true, no browser's page is behind it. */
bool loopback_is_origin(const char *origin);

#endif
