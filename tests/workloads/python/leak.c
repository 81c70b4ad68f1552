/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an extension may do: memory that Python knows nothing of. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void leak(size_t size)
{
	char *block = malloc(size);

	/* So that the compiler keeps it. */
	if (block)
		memset(block, 1, size);
	__asm__ volatile("" : : "r"(block) : "memory");
}
