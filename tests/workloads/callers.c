// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin -fno-optimize-sibling-calls
 *
 * Who calls the allocator, without frame pointers: each function's name and line are told, and the
 * functions that called it.
 */
#include "workload.h"

#define FUNCTIONS 4

struct caller {
	struct ledger ledger;
	int line; /* of the call */
};

static struct caller callers[FUNCTIONS] = {
	{ .ledger.function = "caller_malloc" },
	{ .ledger.function = "caller_calloc" },
	{ .ledger.function = "caller_realloc" },
	{ .ledger.function = "caller_aligned" },
};

/* Whatever the optimiser may think, a block has left the function. */
static void *volatile escaped;

static void keep(int index, int line, void *p, size_t bytes)
{
	if (!p)
		die("an allocation failed");
	escaped = p;
	callers[index].line = line;
	ledger_add(&callers[index].ledger, bytes);
}

static NOINLINE void caller_malloc(size_t bytes)
{
	void *p = malloc(bytes); /* one line */
	keep(0, __LINE__ - 1, p, bytes);
}

static NOINLINE void caller_calloc(size_t bytes)
{
	void *p = calloc(3, bytes);
	keep(1, __LINE__ - 1, p, 3 * bytes);
}

static NOINLINE void caller_realloc(size_t bytes)
{
	void *p = realloc(NULL, bytes);
	keep(2, __LINE__ - 1, p, bytes);
}

/* A frame that is realigned is found by other rules than rsp plus a constant. */
static NOINLINE void caller_aligned(size_t bytes)
{
	char local[256] __attribute__((aligned(128)));
	void *p;

	__asm__ volatile("" : : "r"(local) : "memory");
	p = malloc(bytes);
	keep(3, __LINE__ - 1, p, bytes);
	__asm__ volatile("" : : "r"(local) : "memory");
}

/* A frame whose size is only known when it runs. */
static NOINLINE void middle(unsigned int i)
{
	char *local = __builtin_alloca(16 + i % 97);

	__asm__ volatile("" : : "r"(local) : "memory");
	caller_malloc(16 + i);
	caller_calloc(16 + i);
	caller_realloc(16 + i);
	caller_aligned(16 + i);
	__asm__ volatile("" : : "r"(local) : "memory");
}

static NOINLINE void outer(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		middle(i);
}

int main(int argc, char **argv)
{
	workload_begin(argc, argv);
	outer(103);
	say("{\"functions\":{");
	for (int i = 0; i < FUNCTIONS; i++) {
		if (i)
			say(",");
		say_ledgers(&callers[i].ledger, 1);
	}
	say("},\"lines\":{");
	for (int i = 0; i < FUNCTIONS; i++)
		say("%s\"%s\":%d", i ? "," : "", callers[i].ledger.function, callers[i].line);
	say("},\"stack\":[\"middle\",\"outer\",\"main\"]}\n");
	workload_end(argc, argv);
	return 0;
}
