// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * spawn_storm [N]: forks N children as fast as it can; each allocates a prime number of blocks,
 * frees another, and exits. At most 32 are alive at a time.
 */
#include <sys/wait.h>

#include "workload.h"

#define ALIVE	     32
#define CHILD_BLOCKS 7
#define CHILD_FREED  3

static struct ledger ledgers[] = {
	{ .function = "parent_block" },
	{ .function = "child_blocks" },
};

static NOINLINE void parent_block(void)
{
	if (!malloc(80))
		die("malloc failed");
	ledger_add(&ledgers[0], 80);
}

static NOINLINE void child_blocks(void)
{
	for (int i = 0; i < CHILD_BLOCKS; i++) {
		void *p = malloc(64);

		if (!p)
			die("malloc failed");
		if (i < CHILD_FREED)
			free(p);
	}
}

int main(int argc, char **argv)
{
	unsigned long n = number_argument(argc, argv, 0, 503), alive = 0;
	int status;

	workload_begin(argc, argv);
	for (unsigned long i = 0; i < n; i++) {
		pid_t pid;

		parent_block();
		pid = fork();
		if (pid < 0)
			die("fork failed");
		if (pid == 0) {
			child_blocks();
			_exit(0);
		}
		if (++alive == ALIVE && wait(&status) > 0)
			alive--;
	}
	while (alive > 0 && wait(&status) > 0)
		alive--;
	ledgers[1].allocated_count = n * CHILD_BLOCKS;
	ledgers[1].allocated_bytes = n * CHILD_BLOCKS * 64;
	ledgers[1].freed_count = n * CHILD_FREED;
	ledgers[1].freed_bytes = n * CHILD_FREED * 64;
	say("{\"functions\":{");
	say_ledgers(ledgers, 2);
	say("},\"children\":%lu}\n", n);
	workload_end(argc, argv);
	return 0;
}
