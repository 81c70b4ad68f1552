// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * fragment [KIB]: grows by KIB KiB a second without a leak, until its standard input ends. It makes
 * small blocks of large ones, where they are; what that frees lies between them, too small for the
 * blocks that come next, which are a little larger each time. What is live is 1 % of that.
 */
#include <poll.h>

#include "workload.h"

#define FIRST_BYTES 8192
#define SMALL_BYTES 64
#define STEP_BYTES  16
#define PAUSE_MS    100
#define BLOCKS_MAX  4096

static void *blocks[BLOCKS_MAX];

static NOINLINE void fill(size_t n, size_t bytes)
{
	for (size_t i = 0; i < n; i++) {
		blocks[i] = malloc(bytes);
		if (!blocks[i])
			die("malloc failed");
		memset(blocks[i], 'f', bytes);
	}
}

static NOINLINE void shrink(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (realloc(blocks[i], SMALL_BYTES) != blocks[i])
			die("realloc moved a block that shrank");
}

int main(int argc, char **argv)
{
	unsigned long kib = number_argument(argc, argv, 0, 4096);
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	size_t bytes = FIRST_BYTES;

	workload_begin(argc, argv);
	while (poll(&input, 1, PAUSE_MS) == 0) {
		size_t n = kib * 1024 / (1000 / PAUSE_MS) / bytes;

		if (n > BLOCKS_MAX)
			die("too much at once");
		fill(n, bytes);
		shrink(n);
		bytes += STEP_BYTES;
	}
	return 0;
}
