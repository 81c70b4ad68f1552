// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * churn [THREADS]: allocates and frees as fast as it can until its standard input ends; no block
 * lives long. Every byte on standard input is answered with "alive" once it has moved on.
 */
#include <poll.h>
#include <pthread.h>

#include "workload.h"

#define MAX_THREADS 64
#define HELD	    31

static volatile bool stop;
static uint64_t rounds[MAX_THREADS];

static NOINLINE void churn_once(size_t i)
{
	void *held[HELD];

	for (size_t k = 0; k < HELD; k++) {
		held[k] = malloc(16 + (i * 7 + k * 31) % 2003);
		if (!held[k])
			die("malloc failed");
	}
	held[0] = realloc(held[0], 4001);
	if (!held[0])
		die("realloc failed");
	for (size_t k = 0; k < HELD; k++)
		free(held[k]);
}

static void *work(void *argument)
{
	uint64_t *done = argument;

	while (!stop) {
		churn_once(*done);
		__atomic_store_n(done, *done + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long n = number_argument(argc, argv, 0, 2);
	pthread_t threads[MAX_THREADS];
	uint64_t sum = 0;
	char byte;

	if (n == 0 || n > MAX_THREADS)
		die("1 to 64 threads");
	workload_begin(argc, argv);
	for (unsigned long i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, work, &rounds[i]) != 0)
			die("pthread_create failed");
	while (read(STDIN_FILENO, &byte, 1) == 1) {
		uint64_t before = __atomic_load_n(&rounds[0], __ATOMIC_RELAXED);

		while (__atomic_load_n(&rounds[0], __ATOMIC_RELAXED) == before)
			(void)poll(NULL, 0, 1);
		say("alive\n");
	}
	stop = true;
	for (unsigned long i = 0; i < n; i++) {
		(void)pthread_join(threads[i], NULL);
		sum += rounds[i];
	}
	say("{\"rounds\":%llu,\"held\":%d}\n", (unsigned long long)sum, HELD);
	return 0;
}
