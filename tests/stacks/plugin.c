// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A library for stack_plugins.c, built twice: with -DFIRST and without. Same places, same sizes,
 * but functions of other names with other frames.
 */
#define SHADOW_OF_HOST
#include "stack_shadow.h"

#ifdef FIRST
#define INNER s_first_inner
#define OUTER s_first_outer
#define BUILD s_first_build
#define BYTES 60013
#define LOCAL 40
#else
#define INNER s_second_inner
#define OUTER s_second_outer
#define BUILD s_second_build
#define BYTES 61027
#define LOCAL 1320
#endif

void plugin_run(void (*callback)(size_t bytes));

static NOINLINE void INNER(size_t bytes)
{
	char local[LOCAL];

	ENTER();
	__asm__ volatile("" : : "r"(local) : "memory");
	ALLOCATE(bytes);
	__asm__ volatile("" : : "r"(local) : "memory");
	LEAVE();
}

static NOINLINE void OUTER(size_t bytes)
{
	char local[LOCAL + 24];

	ENTER();
	__asm__ volatile("" : : "r"(local) : "memory");
	INNER(bytes);
	__asm__ volatile("" : : "r"(local) : "memory");
	LEAVE();
}

__attribute__((constructor)) static NOINLINE void BUILD(void)
{
	ENTER();
	OUTER(BYTES + 64);
	LEAVE();
}

void plugin_run(void (*callback)(size_t bytes))
{
	ENTER();
	OUTER(BYTES);
	callback(BYTES + 128);
	LEAVE();
}
