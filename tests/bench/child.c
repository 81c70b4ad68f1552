// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting and asking the program that is measured. See child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness.h"

static void become_loop(const char *build, int in, int out)
{
	char path[512];

	/* dup2() clears the flag that closes descriptors on exec. */
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    snprintf(path, sizeof(path), "%s/bench/loop", build) >= (int)sizeof(path))
		_exit(126);
	execl(path, "loop", (char *)NULL);
	_exit(127);
}

struct child child_start(const char *build)
{
	struct child c;
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		die("pipe", errno);
	c.pid = fork();
	if (c.pid < 0)
		die("fork", errno);
	if (c.pid == 0)
		become_loop(build, to[0], from[1]);
	close_fd(to[0]);
	close_fd(from[1]);
	c.to = to[1];
	c.from = from[0];
	/* It has executed, and its libraries are mapped, once it answers. */
	(void)child_ask(&c, LOOP_PACE, 1, 0);
	return c;
}

struct loop_answer child_ask(struct child *c, enum loop_command command, uint32_t count,
			     uint32_t depth)
{
	const struct loop_request q = { .command = command, .count = count, .depth = depth };
	struct loop_answer answer;

	if (write(c->to, &q, sizeof(q)) != sizeof(q) ||
	    read(c->from, &answer, sizeof(answer)) != sizeof(answer))
		die("the child does not answer", EPIPE);
	return answer;
}

double child_spin(struct child *c, uint32_t ms, uint32_t depth)
{
	struct loop_answer a = child_ask(c, LOOP_SPIN, ms, depth);

	return (double)a.ns / (double)a.pairs;
}

void child_end(struct child *c)
{
	c->to = close_fd(c->to);
	c->from = close_fd(c->from);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}
