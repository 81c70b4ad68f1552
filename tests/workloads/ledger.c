// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * ledger [THREADS]: leaks one block in 7, frees the others later, as fast as it can. A byte on standard
 * input makes it pause and tell the truth so far, the next one lets it go on; the end of the input, exit.
 */
#include <pthread.h>

#include "workload.h"

#define MAX_THREADS 16
#define HELD	    101
#define LEAK_EACH   7

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool stop;

struct worker {
	pthread_t thread;
	struct ledger kept;
	struct ledger passed;
	struct {
		char *block;
		size_t bytes;
	} held[HELD];
};

static struct worker workers[MAX_THREADS];

static NOINLINE char *keep_one(size_t bytes)
{
	char *p = malloc(bytes);

	if (!p)
		die("malloc failed");
	*p = 'k';
	return p;
}

static NOINLINE char *pass_one(size_t bytes)
{
	char *p = malloc(bytes);

	if (!p)
		die("malloc failed");
	*p = 'p';
	return p;
}

static void step(struct worker *w, size_t i)
{
	size_t slot = i * 31 % HELD, bytes = 24 + i * 13 % 997;

	if (i % LEAK_EACH == 0) {
		(void)keep_one(bytes);
		ledger_add(&w->kept, bytes);
		return;
	}
	if (w->held[slot].block) {
		free(w->held[slot].block);
		ledger_free(&w->passed, w->held[slot].bytes);
	}
	w->held[slot].block = pass_one(bytes);
	w->held[slot].bytes = bytes;
	ledger_add(&w->passed, bytes);
}

static void *work(void *argument)
{
	struct worker *w = argument;
	bool is_over = false;

	for (size_t i = 0; !is_over; i++) {
		(void)pthread_mutex_lock(&lock);
		is_over = stop;
		(void)pthread_mutex_unlock(&lock);
		if (!is_over)
			step(w, i);
		/* Slow enough for a leak that fits the room for blocks for some minutes. */
		if (i % 16 == 0)
			(void)usleep(500);
	}
	return NULL;
}

static void add(struct ledger *sum, const struct ledger *part)
{
	sum->allocated_count += part->allocated_count;
	sum->allocated_bytes += part->allocated_bytes;
	sum->freed_count += part->freed_count;
	sum->freed_bytes += part->freed_bytes;
}

static void set_stop(bool to)
{
	(void)pthread_mutex_lock(&lock);
	stop = to;
	(void)pthread_mutex_unlock(&lock);
}

/* Threads are ended for a pause: none of them is within a call. */
static void run_until_byte(unsigned long n)
{
	set_stop(false);
	for (unsigned long i = 0; i < n; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			die("pthread_create failed");
	wait_for_byte();
	set_stop(true);
	for (unsigned long i = 0; i < n; i++)
		(void)pthread_join(workers[i].thread, NULL);
}

int main(int argc, char **argv)
{
	unsigned long n = number_argument(argc, argv, 0, 2);
	char byte;

	if (n == 0 || n > MAX_THREADS)
		die("1 to 16 threads");
	workload_begin(argc, argv);
	do {
		struct ledger sums[] = { { .function = "keep_one" }, { .function = "pass_one" } };

		run_until_byte(n);
		for (unsigned long i = 0; i < n; i++) {
			add(&sums[0], &workers[i].kept);
			add(&sums[1], &workers[i].passed);
		}
		say_truth(sums, sizeof(sums) / sizeof(sums[0]));
	} while (read(STDIN_FILENO, &byte, 1) == 1);
	return 0;
}
