/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shuts a worker (worker.h) in: no descriptors, no capabilities, few system calls, limits.
 *
 * What is left to it is to read the files it was sent, to compute and to answer, and what its
 * description adds.
 */
#ifndef SEEP_BASE_SANDBOX_H
#define SEEP_BASE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/* Descriptor number of the socket in the child, once the sandbox is closed. */
#define SANDBOX_SOCKET 3

struct sandbox {
	const char *name; /* of the process */
	uint64_t cpu_seconds;
	uint64_t address_space_bytes; /* on top of what the parent has, */
	uint64_t data_bytes;	      /* the same of private memory */
	uint64_t descriptors;
	uint64_t file_bytes;	 /* of a file that is written */
	int niceness;		 /* added to the parent's */
	const int *capabilities; /* that are kept, if the parent has them */
	size_t n_capabilities;
	/* More system calls, as rules of libseccomp's @filter (scmp_filter_ctx). NULL: none. */
	int (*allow)(void *filter);
};

/*
 * Called once, in a child fresh from fork() whose parent was @parent; cannot be undone. @socket
 * becomes SANDBOX_SOCKET.
 */
int sandbox_enter(const struct sandbox *s, int socket, int parent);

#endif
