// SPDX-License-Identifier: GPL-2.0-or-later
/* Removes links, many at once. See remover.h. */
#include "probe/remover.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/*
 * 200 targets of 3 session links each stop in 26 s with one, 4.3 s with 8, 2.4 s with 16, 1.0 s with 64
 * and 0.8 s with 128 (build machine). With more targets it is the kernel's own work that takes the time.
 */
#define THREADS_MAX	      64
#define STACK_BYTES_OF_THREAD (64u << 10)

struct removal {
	struct link_answer answer;
	int *fds; /* owned */
	size_t n;
	size_t n_begun;
	size_t n_closed;
	struct removal *next;
};

void remover_init(struct remover *r, int socket)
{
	*r = (struct remover){
		.socket = socket,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.is_done = PTHREAD_COND_INITIALIZER,
	};
}

/* If the other side is gone, there is nobody to be told. */
static void tell(const struct remover *r, const struct link_answer *answer)
{
	while (send(r->socket, answer, sizeof(*answer), MSG_NOSIGNAL) < 0 && errno == EINTR)
		continue;
}

/* The lock is held, but not while a link is closed. */
static void work(struct remover *r)
{
	struct removal *at;
	int fd;

	while ((at = r->first)) {
		fd = at->fds[at->n_begun];
		if (++at->n_begun == at->n)
			r->first = at->next;
		(void)pthread_mutex_unlock(&r->lock);
		close_fd(fd);
		(void)pthread_mutex_lock(&r->lock);
		if (++at->n_closed < at->n)
			continue;
		(void)pthread_mutex_unlock(&r->lock);
		tell(r, &at->answer);
		free(at->fds);
		free(at);
		(void)pthread_mutex_lock(&r->lock);
	}
}

static void *run_thread(void *userdata)
{
	struct remover *r = userdata;

	(void)pthread_mutex_lock(&r->lock);
	work(r);
	r->n_threads--;
	(void)pthread_cond_signal(&r->is_done);
	(void)pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* As many as there are links to close. Without any the caller does it. */
static void start_threads(struct remover *r, size_t n)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (pthread_attr_init(&attributes) != 0)
		n = 0;
	else
		(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (n > 0)
		(void)pthread_attr_setstacksize(&attributes, STACK_BYTES_OF_THREAD);
	while (n-- > 0 && r->n_threads < THREADS_MAX) {
		if (pthread_create(&thread, &attributes, run_thread, r) != 0)
			break;
		r->n_threads++;
	}
	(void)pthread_attr_destroy(&attributes);
	if (r->n_threads == 0)
		work(r);
}

void remover_add(struct remover *r, const struct link_answer *answer, int *fds, size_t n)
{
	struct removal *added = n > 0 ? calloc(1, sizeof(*added)) : NULL;

	if (!added) {
		for (size_t i = 0; i < n; i++)
			close_fd(fds[i]);
		free(fds);
		tell(r, answer);
		return;
	}
	*added = (struct removal){ .answer = *answer, .fds = fds, .n = n };
	(void)pthread_mutex_lock(&r->lock);
	if (r->first)
		r->last->next = added;
	else
		r->first = added;
	r->last = added;
	start_threads(r, n);
	(void)pthread_mutex_unlock(&r->lock);
}

void remover_wait(struct remover *r)
{
	(void)pthread_mutex_lock(&r->lock);
	while (r->n_threads > 0)
		(void)pthread_cond_wait(&r->is_done, &r->lock);
	(void)pthread_mutex_unlock(&r->lock);
}
