/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disposable child for what touches hostile data, as its parent sees it: a process and a socket.
 *
 * A SOCK_SEQPACKET pair keeps message borders. Both sides are the same program image, so structs are
 * sent as they are; the child is believed nothing unchecked. A worker that was stopped is reaped when it
 * has ended, without waiting for it; until then it stays on its list.
 */
#ifndef SEEP_BASE_WORKER_H
#define SEEP_BASE_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct worker;

/* Before the body of each message. */
struct message {
	uint32_t type;
	uint32_t id;   /* of the request; an answer repeats it */
	int32_t error; /* answers: 0 or a negative errno */
	uint32_t slot;
	uint32_t count;
	uint32_t flags;
};

#define MESSAGE_LAST (1u << 0)

/* Well below the least socket buffer that Linux uses by default (208 KiB). */
#define MESSAGE_BYTES_MAX 65536

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

/*
 * What the child does: its exit code. It is fresh from fork(), @parent is who forked; @cpu_seconds is the
 * CPU time that it may use in its life.
 */
typedef int (*worker_main_fn)(int socket, pid_t parent, uint64_t cpu_seconds, const void *data);

/* Starts a child. @list outlives it. */
int worker_start(struct event_base *base, struct worker_list *list, worker_main_fn run,
		 const void *data, uint64_t cpu_seconds, const struct worker_callbacks *callbacks,
		 struct worker **ret);

/* CPU time that the child has used so far; 0: it is gone. */
uint64_t worker_cpu_ns(const struct worker *w);

/* Sends a message of up to MESSAGE_BYTES_MAX, with a descriptor unless @fd is negative. */
int worker_send(struct worker *w, const struct message *header, const void *body, size_t size,
		int fd);

/* Kills the child; no callback comes any more. Accepts NULL, returns NULL. */
struct worker *worker_stop(struct worker *w);

/* Waits, a few seconds at most, for stopped workers to end, and forgets them. */
void worker_list_done(struct worker_list *list);

#endif
