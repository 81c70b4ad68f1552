// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fomit-frame-pointer -fno-optimize-sibling-calls
 *
 * Eight threads that allocate at the same time. Each hands a prime number of its blocks to the next
 * one, which frees them, and frees another prime number itself.
 */
#include <pthread.h>

#include "workload.h"

#define THREADS 8
#define BLOCKS	5003
#define HANDED	1009
#define FREED	2003

struct worker {
	pthread_t thread;
	unsigned int index;
	void *blocks[BLOCKS];
	struct ledger own;
};

static struct worker workers[THREADS];
static pthread_barrier_t barrier;

static size_t size_of(unsigned int worker, unsigned int i)
{
	return 24 + (i * 13 + worker) % 997;
}

static NOINLINE void thread_allocate(struct worker *w)
{
	for (unsigned int i = 0; i < BLOCKS; i++) {
		w->blocks[i] = malloc(size_of(w->index, i));
		if (!w->blocks[i])
			die("malloc failed");
		ledger_add(&w->own, size_of(w->index, i));
	}
}

static void free_range(struct worker *w, struct worker *owner, unsigned int from, unsigned int n)
{
	for (unsigned int i = from; i < from + n; i++) {
		free(owner->blocks[i]);
		ledger_free(&w->own, size_of(owner->index, i));
	}
}

static void *work(void *argument)
{
	struct worker *w = argument;

	(void)pthread_barrier_wait(&barrier);
	thread_allocate(w);
	(void)pthread_barrier_wait(&barrier);
	free_range(w, &workers[(w->index + 1) % THREADS], 0, HANDED);
	free_range(w, w, HANDED, FREED);
	return NULL;
}

int main(int argc, char **argv)
{
	struct ledger sum = { .function = "thread_allocate" };

	workload_begin(argc, argv);
	if (pthread_barrier_init(&barrier, NULL, THREADS) != 0)
		die("pthread_barrier_init failed");
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			die("pthread_create failed");
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		sum.allocated_count += workers[i].own.allocated_count;
		sum.allocated_bytes += workers[i].own.allocated_bytes;
		sum.freed_count += workers[i].own.freed_count;
		sum.freed_bytes += workers[i].own.freed_bytes;
	}
	say_truth(&sum, 1);
	workload_end(argc, argv);
	return 0;
}
