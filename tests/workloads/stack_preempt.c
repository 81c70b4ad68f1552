// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin -fno-optimize-sibling-calls
 *
 * stack_preempt SECONDS: eight threads that allocate along a few known chains of different depth as
 * fast as they can. A block's size tells its chain: 80021 + 2 * LEVELS bytes, LEVELS calls of
 * s_level below s_chain. Tells how many blocks each chain has had.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "workload.h"

#define THREADS 8
#define CHAINS	7
#define BASE	80021

static const unsigned int levels[CHAINS] = { 1, 2, 3, 7, 13, 29, 53 };

struct worker {
	pthread_t thread;
	unsigned int index;
	unsigned long counts[CHAINS];
};

static struct worker workers[THREADS];
static volatile bool done;
static void *volatile escaped;

/* Another frame on each level. */
static NOINLINE void s_level(unsigned int n, size_t bytes)
{
	char local[16 + 8 * (n % 5)];
	void *p;

	__asm__ volatile("" : : "r"(local) : "memory");
	if (n > 1) {
		s_level(n - 1, bytes);
	} else {
		p = malloc(bytes);
		if (!p)
			die("malloc failed");
		escaped = p;
		free(p);
	}
	__asm__ volatile("" : : "r"(local) : "memory");
}

static NOINLINE void s_chain(struct worker *w, unsigned int chain)
{
	s_level(levels[chain], BASE + 2 * levels[chain]);
	w->counts[chain]++;
}

static void *s_work(void *argument)
{
	struct worker *w = argument;

	for (unsigned int i = w->index; !done; i++)
		s_chain(w, i % CHAINS);
	return NULL;
}

int main(int argc, char **argv)
{
	struct timespec time = { (time_t)number_argument(argc, argv, 0, 1), 0 };

	workload_begin(argc, argv);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, s_work, &workers[i]) != 0)
			die("pthread_create failed");
	}
	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		;
	done = true;
	for (unsigned int i = 0; i < THREADS; i++)
		(void)pthread_join(workers[i].thread, NULL);
	say("{\"cases\":[");
	for (unsigned int c = 0; c < CHAINS; c++) {
		unsigned long sum = 0;

		for (unsigned int i = 0; i < THREADS; i++)
			sum += workers[i].counts[c];
		say("%s{\"bytes\":%u,\"levels\":%u,\"count\":%lu}", c ? "," : "",
		    BASE + 2 * levels[c], levels[c], sum);
	}
	say("]}\n");
	workload_end(argc, argv);
	return 0;
}
