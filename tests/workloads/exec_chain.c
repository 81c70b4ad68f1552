// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * A process that executes itself twice: three images, each with a function and a prime number of
 * blocks of its own. Only those of the last image live on.
 */
#include "workload.h"

static struct ledger ledger;

static void allocate(const char *function, unsigned int n, size_t bytes)
{
	ledger.function = function;
	for (unsigned int i = 0; i < n; i++) {
		if (!malloc(bytes))
			die("malloc failed");
		ledger_add(&ledger, bytes);
	}
}

static NOINLINE void first_image(void)
{
	for (unsigned int i = 0; i < 503; i++)
		if (!malloc(64))
			die("malloc failed");
}

static NOINLINE void second_image(void)
{
	for (unsigned int i = 0; i < 211; i++)
		if (!malloc(80))
			die("malloc failed");
}

static NOINLINE void third_image(void)
{
	allocate("allocate", 307, 96);
}

int main(int argc, char **argv)
{
	if (has_flag(argc, argv, "third")) {
		third_image();
		say_truth(&ledger, 1);
		workload_end(argc, argv);
		return 0;
	}
	if (has_flag(argc, argv, "second")) {
		second_image();
		(void)execl("/proc/self/exe", argv[0], "third",
			    has_flag(argc, argv, "--hold") ? "--hold" : NULL, NULL);
		die("exec failed");
	}
	workload_begin(argc, argv);
	first_image();
	(void)execl("/proc/self/exe", argv[0], "second",
		    has_flag(argc, argv, "--hold") ? "--hold" : NULL, NULL);
	die("exec failed");
}
