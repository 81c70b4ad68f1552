/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removes links, many at once, inside of the processes that set probes (broker.c) only.
 *
 * To close a link's last descriptor takes tens of milliseconds, of a perf event hundreds: the kernel waits
 * until nobody can be in the probe any more. Who waits at the same time shares that wait, so each
 * link is closed by a thread of its own, up to a limit; a thread ends when there is nothing to do.
 */
#ifndef SEEP_PROBE_REMOVER_H
#define SEEP_PROBE_REMOVER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/broker.h"

struct removal;

struct remover {
	int socket; /* borrowed: for the answers */
	pthread_mutex_t lock;
	pthread_cond_t is_done;
	struct removal *first; /* owned: those whose links are not all being closed yet */
	struct removal *last;
	uint32_t n_threads;
};

void remover_init(struct remover *r, int socket);

/*
 * Closes links, whose descriptors it takes over with the array, and then sends the answer. They begin in
 * the order of the calls and of the array. Does not wait, unless it has no memory for that.
 */
void remover_add(struct remover *r, const struct link_answer *answer, int *fds, size_t n);

/* Until all are closed. */
void remover_wait(struct remover *r);

#endif
