// SPDX-License-Identifier: GPL-2.0-or-later
/* The library that dlopen_late loads; the test builds it. Its blocks outlive it. */
#include <stdlib.h>

int plugin_run(unsigned int n);

static void *volatile escaped;

static __attribute__((noinline, noclone)) int plugin_allocate(unsigned int i)
{
	escaped = malloc(56 + i);
	return escaped ? 0 : -1;
}

int plugin_run(unsigned int n)
{
	int failures = 0;

	for (unsigned int i = 0; i < n; i++)
		failures += plugin_allocate(i);
	return failures;
}
