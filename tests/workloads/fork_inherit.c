// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * A parent whose forked child frees blocks that it inherited and allocates others, from its first
 * instruction on; then one child by vfork and exec, and one by posix_spawn. Every process tells its
 * own truth under its own name, and the parent prints all.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "workload.h"

#define PARENT_BLOCKS	      1009
#define PARENT_FREED	      307
#define CHILD_FREED_INHERITED 401
#define CHILD_BLOCKS	      211
#define CHILD_FREED	      101

extern char **environ;

static struct ledger ledgers[] = {
	{ .function = "parent_allocate" },
	{ .function = "child_allocate" },
	{ .function = "image_allocate" },
};
static void *blocks[PARENT_BLOCKS];
static void *child_blocks[CHILD_BLOCKS];

static NOINLINE void parent_allocate(void)
{
	for (unsigned int i = 0; i < PARENT_BLOCKS; i++) {
		blocks[i] = malloc(32 + i);
		if (!blocks[i])
			die("malloc failed");
		ledger_add(&ledgers[0], 32 + i);
	}
}

static NOINLINE void child_allocate(void)
{
	for (unsigned int i = 0; i < CHILD_BLOCKS; i++) {
		child_blocks[i] = malloc(40 + i);
		if (!child_blocks[i])
			die("malloc failed");
	}
}

/* In the new image of a child. */
static NOINLINE void image_allocate(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		if (!malloc(72))
			die("malloc failed");
}

static void run_child(void)
{
	for (unsigned int i = 0; i < CHILD_FREED_INHERITED; i++)
		free(blocks[i]);
	child_allocate();
	for (unsigned int i = 0; i < CHILD_FREED; i++)
		free(child_blocks[i]);
	_exit(0);
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("a child failed");
}

static void run_images(char *self)
{
	char *const by_vfork[] = { self, "image", "113", NULL };
	char *const by_spawn[] = { self, "image", "127", NULL };
	pid_t pid;

	pid = vfork();
	if (pid < 0)
		die("vfork failed");
	if (pid == 0) {
		(void)execv(self, by_vfork);
		_exit(98);
	}
	wait_for(pid);
	if (posix_spawn(&pid, self, NULL, NULL, by_spawn, environ) != 0)
		die("posix_spawn failed");
	wait_for(pid);
}

static void say_children(void)
{
	size_t bytes = 0, freed_bytes = 0;

	for (unsigned int i = 0; i < CHILD_BLOCKS; i++)
		bytes += 40 + i;
	for (unsigned int i = 0; i < CHILD_FREED; i++)
		freed_bytes += 40 + i;
	ledgers[1].allocated_count = CHILD_BLOCKS;
	ledgers[1].allocated_bytes = bytes;
	ledgers[1].freed_count = CHILD_FREED;
	ledgers[1].freed_bytes = freed_bytes;
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc == 3 && strcmp(argv[1], "image") == 0) {
		image_allocate(number_argument(argc, argv, 0, 0));
		return 0;
	}
	workload_begin(argc, argv);
	parent_allocate();
	pid = fork();
	if (pid < 0)
		die("fork failed");
	if (pid == 0)
		run_child();
	for (unsigned int i = 0; i < PARENT_FREED; i++) {
		free(blocks[i]);
		ledger_free(&ledgers[0], 32 + i);
	}
	wait_for(pid);
	run_images(argv[0]);
	say_children();
	say("{\"functions\":{");
	say_ledgers(ledgers, 2);
	say("},\"freed_inherited\":%d,\"images\":[113,127],\"child\":%d}\n", CHILD_FREED_INHERITED,
	    (int)pid);
	workload_end(argc, argv);
	return 0;
}
