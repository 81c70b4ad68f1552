// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * twins [N [FREED]]: started twice without address randomisation (setarch -R), the blocks of both
 * processes have equal addresses; "first" says which.
 */
#include "workload.h"

#define MAX_BLOCKS 100000

static struct ledger ledger = { .function = "twin_allocate" };
static void *blocks[MAX_BLOCKS];

static NOINLINE void twin_allocate(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++) {
		blocks[i] = malloc(48);
		if (!blocks[i])
			die("malloc failed");
		ledger_add(&ledger, 48);
	}
}

int main(int argc, char **argv)
{
	unsigned long n = number_argument(argc, argv, 0, 1009);
	unsigned long freed = number_argument(argc, argv, 1, 101);

	if (n > MAX_BLOCKS || freed > n || n == 0)
		die("bad arguments");
	workload_begin(argc, argv);
	twin_allocate(n);
	for (unsigned long i = 0; i < freed; i++) {
		free(blocks[i]);
		ledger_free(&ledger, 48);
	}
	say("{\"functions\":{");
	say_ledgers(&ledger, 1);
	say("},\"first\":\"%p\"}\n", blocks[0]);
	workload_end(argc, argv);
	return 0;
}
