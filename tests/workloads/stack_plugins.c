// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin -rdynamic
 *
 * stack_plugins ROUNDS FIRST SECOND: loads and unloads two libraries in turn
 * (tests/stacks/plugin.c), which come to lie at the same address. With --step it waits for a byte
 * between them. stack_plugins N FOLDER --keep: loads and uses FOLDER/0.so and so on, and uses them
 * once more for each byte "x". See stack_shadow.h.
 */
#include <dlfcn.h>

#include "stack_shadow.h"

typedef void (*run_function)(void (*callback)(size_t bytes));

static unsigned int moves; /* times that a library was not where the last one had been */
static const char *last;

static void s_callback(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	LEAVE();
}

static NOINLINE void s_call(run_function run)
{
	ENTER();
	run(s_callback);
	LEAVE();
}

/* The library's constructor allocates, too. */
static NOINLINE void *s_load(const char *path)
{
	void *library;

	ENTER();
	library = dlopen(path, RTLD_NOW);
	if (!library)
		die(dlerror());
	LEAVE();
	return library;
}

static NOINLINE void s_use(const char *path)
{
	void *library;
	run_function run;
	Dl_info info;

	ENTER();
	library = s_load(path);
	run = (run_function)dlsym(library, "plugin_run");
	if (!run || !dladdr((void *)run, &info))
		die("not a plugin");
	moves += last && last != (const char *)info.dli_fbase;
	last = (const char *)info.dli_fbase;
	s_call(run);
	if (dlclose(library) != 0)
		die("dlclose failed");
	LEAVE();
}

#define KEPT_MAX 1009

static run_function kept[KEPT_MAX];

static NOINLINE void s_use_again(unsigned long n)
{
	ENTER();
	for (unsigned long i = 0; i < n; i++)
		s_call(kept[i]);
	LEAVE();
}

static NOINLINE void s_keep(const char *folder, unsigned long n)
{
	char path[4096];

	ENTER();
	for (unsigned long i = 0; i < n; i++) {
		if (snprintf(path, sizeof(path), "%s/%lu.so", folder, i) >= (int)sizeof(path))
			die("the path is too long");
		kept[i] = (run_function)dlsym(s_load(path), "plugin_run");
		s_call(kept[i]);
	}
	LEAVE();
}

/* Whether to go on. */
static bool step(void)
{
	char byte = 0;

	say("step\n");
	return read(STDIN_FILENO, &byte, 1) == 1 && byte == 'x';
}

int main(int argc, char **argv)
{
	unsigned long rounds;
	const char *paths[2] = { NULL, NULL };
	char text[64];

	for (int i = 1, n = 0; i < argc && n < 2; i++)
		if (argv[i][0] == '/')
			paths[n++] = argv[i];
	rounds = number_argument(argc, argv, 0, 3);
	if (!paths[0] || rounds > KEPT_MAX)
		die("usage: stack_plugins ROUNDS FIRST SECOND");
	shadow_begin();
	workload_begin(argc, argv);
	ENTER();
	if (has_flag(argc, argv, "--keep")) {
		s_keep(paths[0], rounds);
		while (step())
			s_use_again(rounds);
	}
	for (unsigned long i = 0; i < 2 * rounds && paths[1]; i++) {
		s_use(paths[i % 2]);
		if (has_flag(argc, argv, "--step"))
			(void)step();
	}
	if (snprintf(text, sizeof(text), "\"moves\":%u,", moves) >= (int)sizeof(text))
		die("snprintf failed");
	shadow_tell(text);
	LEAVE();
	workload_end(argc, argv);
	return 0;
}
