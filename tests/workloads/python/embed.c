/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that loads Python late: embed LIBPYTHON. "ready", then "loaded", then "done". */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char code[] = "kept = []\n"
			   "def inside():\n"
			   "    kept.append(bytearray(12007))\n"
			   "for _ in range(7):\n"
			   "    inside()\n";

static void say(const char *word)
{
	char c;

	(void)puts(word);
	(void)fflush(stdout);
	if (read(STDIN_FILENO, &c, 1) < 0)
		exit(1);
}

int main(int argc, char **argv)
{
	void (*initialize)(int);
	int (*run)(const char *);
	void *library;

	say("ready");
	library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
	if (!library)
		return 1;
	initialize = (void (*)(int))dlsym(library, "Py_InitializeEx");
	run = (int (*)(const char *))dlsym(library, "PyRun_SimpleString");
	initialize(0);
	say("loaded");
	(void)run(code);
	say("done");
	_exit(0);
}
