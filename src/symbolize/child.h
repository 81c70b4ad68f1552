/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbolizer's child: shuts itself in, then answers requests until the socket closes. */
#ifndef SEEP_SYMBOLIZE_CHILD_H
#define SEEP_SYMBOLIZE_CHILD_H

#include <stdint.h>

/* Called in a child fresh from fork(). Returns what to give to _exit(). */
int child_main(int socket, int parent, uint64_t cpu_seconds, const void *unused);

#endif
