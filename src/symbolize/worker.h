/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbolizer's child as its parent sees it: a process and a socket.
 *
 * A worker that was stopped is reaped when it has ended, without waiting for it; until then it
 * stays on its list.
 */
#ifndef SEEP_SYMBOLIZE_WORKER_H
#define SEEP_SYMBOLIZE_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "symbolize/protocol.h"

struct event_base;
struct worker;

struct worker_callbacks {
	/* One message, at least a whole header. The worker may be stopped from inside. */
	void (*received)(const struct message *header, const uint8_t *body, size_t size,
			 void *userdata);
	/* The process is gone, or says things that are no messages. Stop it. */
	void (*lost)(void *userdata);
	void *userdata;
};

/* Stopped workers that have not ended yet. */
struct worker_list {
	struct worker *first;
};

/* Starts a child. @list outlives it. */
int worker_start(struct event_base *base, struct worker_list *list, uint64_t cpu_seconds,
		 const struct worker_callbacks *callbacks, struct worker **ret);

/* Sends a message of up to MESSAGE_BYTES_MAX, with a descriptor unless @fd is negative. */
int worker_send(struct worker *w, const struct message *header, const void *body, size_t size,
		int fd);

/* Kills the child; no callback comes any more. Accepts NULL, returns NULL. */
struct worker *worker_stop(struct worker *w);

/* Waits, a few seconds at most, for stopped workers to end, and forgets them. */
void worker_list_done(struct worker_list *list);

#endif
