// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * dlopen_late PLUGIN: loads a library late and has it allocate (plugin/plugin.c), twice with the
 * library unloaded in between.
 */
#include <dlfcn.h>

#include "workload.h"

static struct ledger ledger = { .function = "plugin_allocate" };

static void use(const char *path, unsigned int n)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*function)(unsigned int);

	if (!library)
		die(dlerror());
	function = (int (*)(unsigned int))dlsym(library, "plugin_run");
	if (!function || function(n) != 0)
		die("the plugin failed");
	for (unsigned int i = 0; i < n; i++)
		ledger_add(&ledger, 56 + i);
	(void)dlclose(library);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("usage: dlopen_late PLUGIN");
	workload_begin(argc, argv);
	use(argv[1], 101);
	use(argv[1], 53);
	say_truth(&ledger, 1);
	workload_end(argc, argv);
	return 0;
}
