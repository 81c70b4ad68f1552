// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * Dies by a bad pointer while it holds a prime number of blocks.
 */
#include <sys/resource.h>

#include "workload.h"

static struct ledger ledger = { .function = "hold" };

static NOINLINE void hold(void)
{
	void *blocks[211];

	for (unsigned int i = 0; i < 211; i++) {
		blocks[i] = malloc(24 + i);
		if (!blocks[i])
			die("malloc failed");
		ledger_add(&ledger, 24 + i);
	}
	for (unsigned int i = 0; i < 31; i++) {
		free(blocks[i]);
		ledger_free(&ledger, 24 + i);
	}
}

int main(int argc, char **argv)
{
	const struct rlimit none = { 0, 0 };
	int *volatile nowhere = NULL;

	/* No core file is wanted. */
	(void)setrlimit(RLIMIT_CORE, &none);
	workload_begin(argc, argv);
	hold();
	say_truth(&ledger, 1);
	return *nowhere;
}
