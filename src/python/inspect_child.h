/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inspector's child: shuts itself in, then answers requests until the socket closes. */
#ifndef SEEP_PYTHON_INSPECT_CHILD_H
#define SEEP_PYTHON_INSPECT_CHILD_H

#include <stdint.h>

#include "python/inspect.h"

/* Called in a child fresh from fork(). @readers: struct python_readers. Returns what to give to _exit(). */
int inspect_child_main(int socket, int parent, uint64_t cpu_seconds, const void *readers);

#endif
