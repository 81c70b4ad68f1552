// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * many_sites [N [BYTES]]: N blocks, each allocated by another call stack: the bits of its number say
 * which of two functions calls which. Each has BYTES (16) and up to 12 more.
 */
#include "workload.h"

#define DEPTH 15

static unsigned long least_bytes;
static struct ledger ledger = { .function = "leaf" };

static void go_left(unsigned long path, int depth);
static void go_right(unsigned long path, int depth);

static NOINLINE void leaf(unsigned long path)
{
	size_t bytes = least_bytes + path % 13;

	if (!malloc(bytes))
		die("malloc failed");
	ledger_add(&ledger, bytes);
}

static void step(unsigned long path, int depth)
{
	if (depth == DEPTH)
		leaf(path);
	else if (path >> depth & 1)
		go_right(path, depth + 1);
	else
		go_left(path, depth + 1);
}

static NOINLINE void go_left(unsigned long path, int depth)
{
	step(path, depth);
}

static NOINLINE void go_right(unsigned long path, int depth)
{
	step(path, depth);
}

int main(int argc, char **argv)
{
	unsigned long n = number_argument(argc, argv, 0, 10007);

	if (n > 1ul << DEPTH)
		die("at most 32768");
	least_bytes = number_argument(argc, argv, 1, 16);
	workload_begin(argc, argv);
	for (unsigned long i = 0; i < n; i++)
		step(i, 0);
	say_truth(&ledger, 1);
	workload_end(argc, argv);
	return 0;
}
