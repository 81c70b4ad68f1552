// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin -fno-optimize-sibling-calls
 *
 * Allocates on a stack whose older part cannot be read: the walk ends at a frame whose return
 * address lies in a page without access.
 */
#include <sys/mman.h>
#include <ucontext.h>

#include "workload.h"

#define PAGE	    4096ul
#define STACK_PAGES 16
#define TOP_PAGES   2
#define CALLS	    23

static struct ledger ledger = { .function = "allocate_below" };
static char *stack;
static ucontext_t main_context, small_context;

static char *top(void)
{
	return stack + (STACK_PAGES - TOP_PAGES) * PAGE;
}

/* The result stays in a register while the pages are closed: they hold older frames only. */
static NOINLINE void allocate_below(size_t bytes)
{
	void *p;

	if (mprotect(top(), TOP_PAGES * PAGE, PROT_NONE) != 0)
		die("mprotect failed");
	p = malloc(bytes);
	if (mprotect(top(), TOP_PAGES * PAGE, PROT_READ | PROT_WRITE) != 0)
		die("mprotect failed");
	if (!p)
		die("malloc failed");
	ledger_add(&ledger, bytes);
}

/* A frame that spans all of the closed pages, so that allocate_below()'s is outside of them. */
static NOINLINE void spanning_frame(void)
{
	volatile char local[(TOP_PAGES + 2) * PAGE];

	local[0] = 0;
	for (unsigned int i = 0; i < CALLS; i++)
		allocate_below(48 + i);
	local[1] = local[0];
}

static void on_small_stack(void)
{
	spanning_frame();
}

int main(int argc, char **argv)
{
	stack = mmap(NULL, STACK_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (stack == MAP_FAILED || getcontext(&small_context) != 0)
		die("no stack");
	small_context.uc_stack.ss_sp = stack;
	small_context.uc_stack.ss_size = STACK_PAGES * PAGE;
	small_context.uc_link = &main_context;
	makecontext(&small_context, on_small_stack, 0);
	workload_begin(argc, argv);
	if (swapcontext(&main_context, &small_context) != 0)
		die("swapcontext failed");
	say_truth(&ledger, 1);
	workload_end(argc, argv);
	return 0;
}
