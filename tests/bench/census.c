// SPDX-License-Identifier: GPL-2.0-or-later
/* How long a census of a million Python objects takes, and how much memory it needs. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "python/census.h"
#include "tables.h"

#define TIMES	 7
#define MEGABYTE (1 << 20)
#define PROGRAM	 "tests/python/heap.py"
#define PYTHON	 "/usr/bin/python3"

/* A process that holds a million objects; it has them once it writes its first line. */
static pid_t start_heap(void)
{
	int from[2];
	char byte;
	pid_t pid;

	if (pipe(from) < 0)
		die("pipe", -errno);
	pid = fork();
	if (pid < 0)
		die("fork", -errno);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(from[1], STDOUT_FILENO) < 0)
			_exit(126);
		execl(PYTHON, PYTHON, PROGRAM, "million", (char *)NULL);
		_exit(127);
	}
	close_fd(from[1]);
	if (read(from[0], &byte, 1) != 1)
		die_of("%s does not start", PROGRAM);
	close_fd(from[0]);
	return pid;
}

static long resident_kb(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void take(pid_t pid)
{
	const struct python_census_options options = { .by_code = true };
	double cpu[TIMES], wall[TIMES];
	struct python_interpreter i;
	struct python_census c;
	const char *why = NULL;
	long before;
	int r;

	r = python_interpreter_find(pid, &i, &why);
	if (r < 0)
		die(why ? why : PYTHON, r);
	before = resident_kb();
	for (int t = 0; t < TIMES; t++) {
		r = python_census_take(&i, &options, &c, &why);
		if (r < 0)
			die(why ? why : "census", r);
		cpu[t] = (double)c.cpu_ns / 1e6;
		wall[t] = (double)c.wall_ns / 1e6;
		if (t + 1 < TIMES)
			python_census_done(&c);
	}
	printf("  Python 3.%u: %llu objects, %.1f MB, in %.1f ms of CPU, %.1f ms of wall time, "
	       "%.1f MB of memory for it\n",
	       i.layout.minor, (unsigned long long)c.objects, (double)c.bytes / MEGABYTE,
	       median(cpu, TIMES), median(wall, TIMES), (double)(resident_kb() - before) / 1024);
	python_census_done(&c);
}

void bench_census(void)
{
	pid_t pid;

	printf("\ncensus of a Python process\n");
	if (access(PYTHON, X_OK) < 0) {
		printf("  %s is not there\n", PYTHON);
		return;
	}
	pid = start_heap();
	take(pid);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}
