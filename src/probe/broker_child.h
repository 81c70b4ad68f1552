/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of broker.h: what the child does, and the messages. For broker*.c and remover.c only.
 */
#ifndef SEEP_PROBE_BROKER_CHILD_H
#define SEEP_PROBE_BROKER_CHILD_H

#include <stddef.h>

/* Sends @data in one piece, with up to two descriptors. @flags: of sendmsg(). */
int broker_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds, int flags);

/* *ret_n descriptors were received, at most 2. -EPIPE: the other side is gone. */
int broker_receive(int socket, void *data, size_t size, int fds[2], size_t *ret_n, int flags);

/*
 * Carries out requests until the other side is gone; then all links that it still has are removed, too.
 * @name: of the process.
 */
__attribute__((noreturn)) void broker_serve(int socket, const char *name);

#endif
