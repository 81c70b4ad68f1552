// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * grow_then_plateau [BLOCKS]: fills a cache, then replaces its entries round and round until its
 * standard input ends. It grows, but it does not leak.
 */
#include <poll.h>

#include "workload.h"

#define MAX_BLOCKS  100000
#define BLOCK_BYTES 512

static struct ledger ledger = { .function = "fill_entry" };
static void *cache[MAX_BLOCKS];

static NOINLINE void fill_entry(unsigned long i)
{
	void *fresh = malloc(BLOCK_BYTES);

	if (!fresh)
		die("malloc failed");
	ledger_add(&ledger, BLOCK_BYTES);
	if (cache[i])
		ledger_free(&ledger, BLOCK_BYTES);
	free(cache[i]);
	cache[i] = fresh;
}

int main(int argc, char **argv)
{
	unsigned long n = number_argument(argc, argv, 0, 10007), i = 0;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	if (n == 0 || n > MAX_BLOCKS)
		die("bad arguments");
	workload_begin(argc, argv);
	while (poll(&input, 1, i < n ? 0 : 1) == 0)
		for (int k = 0; k < 31; k++, i++)
			fill_entry(i % n);
	say_truth(&ledger, 1);
	return 0;
}
