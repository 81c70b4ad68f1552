// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * million [LIVE [FREED]]: a million live blocks, and a prime number of others that were freed.
 */
#include "workload.h"

static struct ledger ledger = { .function = "fill" };

/* Blocks are chained through their first word: no table of them is needed. */
static NOINLINE void *fill(unsigned long live, unsigned long freed)
{
	void **first = NULL;

	for (unsigned long i = 0; i < live + freed; i++) {
		size_t bytes = 8 + i % 31;
		void **p = malloc(bytes);

		if (!p)
			die("malloc failed");
		ledger_add(&ledger, bytes);
		if (i < freed) {
			free(p);
			ledger_free(&ledger, bytes);
			continue;
		}
		*p = first;
		first = p;
	}
	return first;
}

int main(int argc, char **argv)
{
	workload_begin(argc, argv);
	if (!fill(number_argument(argc, argv, 0, 1000000), number_argument(argc, argv, 1, 99991)))
		die("nothing to hold");
	say_truth(&ledger, 1);
	workload_end(argc, argv);
	return 0;
}
