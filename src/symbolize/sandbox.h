/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shuts the symbolizer's child in: no descriptors, no capabilities, few system calls, limits.
 *
 * What is left to it is to read the files it was sent, to compute and to answer.
 */
#ifndef SEEP_SYMBOLIZE_SANDBOX_H
#define SEEP_SYMBOLIZE_SANDBOX_H

#include <stdint.h>

/* Descriptor number of the socket in the child, once the sandbox is closed. */
#define SANDBOX_SOCKET 3

/*
 * Called once, in a child fresh from fork() whose parent was @parent; cannot be undone. @socket
 * becomes SANDBOX_SOCKET. @cpu_seconds: CPU time the child may use in its life.
 */
int sandbox_enter(int socket, int parent, uint64_t cpu_seconds);

#endif
