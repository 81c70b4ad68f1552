// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -rdynamic -fno-builtin -fno-optimize-sibling-calls
 *
 * balanced [ROUNDS [THREADS]]: frees all that it allocates, in two functions with exported names.
 * Prints what the allocator says is still in use all the same. Each block holds a pattern, so that
 * one that is handed out twice is found.
 */
#include <malloc.h>
#include <pthread.h>

#include "workload.h"

#define HELD 101 /* blocks at a time, each */

NOINLINE void *planted_new(size_t n);
NOINLINE void *other_new(size_t n);
NOINLINE void *other_resize(void *p, size_t n);

static NOINLINE void *deeper(size_t n)
{
	void *p = n % 3 == 0 ? calloc(1, n) : malloc(n);

	if (!p)
		die("malloc failed");
	return p;
}

NOINLINE void *planted_new(size_t n)
{
	char *p = deeper(n);

	p[n - 1] = 'p';
	return p;
}

NOINLINE void *other_new(size_t n)
{
	char *p = deeper(n);

	p[n - 1] = 'o';
	return p;
}

NOINLINE void *other_resize(void *p, size_t n)
{
	char *q = realloc(p, n);

	if (!q)
		die("realloc failed");
	q[n - 1] = 'r';
	return q;
}

struct held {
	unsigned char *at;
	size_t n;
};

static void check_and_free(struct held *h, unsigned char what)
{
	if (!h->at)
		return;
	for (size_t i = 0; i + 1 < h->n; i++)
		if (h->at[i] != what)
			die("a block was written by somebody else");
	free(h->at);
	h->at = NULL;
}

static void hold(struct held *h, void *p, size_t n, unsigned char what)
{
	*h = (struct held){ p, n };
	memset(h->at, what, n - 1);
}

static void *work(void *userdata)
{
	unsigned long rounds = *(unsigned long *)userdata;
	struct held planted[HELD] = { { 0 } };
	struct held others[HELD] = { { 0 } };

	for (unsigned long i = 0; i < rounds + HELD; i++) {
		size_t k = i % HELD;
		size_t n = 17 + i * 7919 % 1009;

		check_and_free(&planted[k], (unsigned char)k);
		check_and_free(&others[k], (unsigned char)(255 - k));
		if (i >= rounds)
			continue;
		hold(&planted[k], planted_new(n), n, (unsigned char)k);
		hold(&others[k], other_new(n), n, (unsigned char)(255 - k));
		if (i % 10 == 0) {
			void *p = other_resize(planted[k].at, 3 * n);

			hold(&planted[k], p, 3 * n, (unsigned char)k);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long rounds = number_argument(argc, argv, 0, 10007);
	unsigned long n = number_argument(argc, argv, 1, 1);
	pthread_t threads[64];
	struct mallinfo2 before, after;

	if (n > 64)
		die("too many threads");
	workload_begin(argc, argv);
	before = mallinfo2();
	for (unsigned long i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, work, &rounds) != 0)
			die("no thread");
	for (unsigned long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	after = mallinfo2();
	say("{\"planted\":%lu,\"others\":%lu,\"resized\":%lu,\"still_bytes\":%lld}\n", n * rounds,
	    n * rounds, n * ((rounds + 9) / 10), (long long)(after.uordblks - before.uordblks));
	workload_end(argc, argv);
	return 0;
}
