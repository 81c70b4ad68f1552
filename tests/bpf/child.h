/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child that waits on a pipe until its probes are set, then runs a function, and lives on until
 * the test has looked at what was counted.
 */
#ifndef SEEP_TESTS_CHILD_H
#define SEEP_TESTS_CHILD_H

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 30000

typedef void (*child_fn)(void);

struct child {
	pid_t pid;
	int go;	   /* written to: run the function; closed: exit */
	int ended; /* readable: the function has returned */
};

static inline void child_start(struct child *c, child_fn function)
{
	int go[2], ended[2];
	char byte;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ended, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			function();
		(void)!write(ended[1], "e", 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	close(go[0]);
	close(ended[1]);
	c->go = go[1];
	c->ended = ended[0];
}

static inline void child_run(struct child *c)
{
	struct pollfd p = { .fd = c->ended, .events = POLLIN };
	char byte;

	assert_int_equal(write(c->go, "g", 1), 1);
	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	assert_int_equal(read(c->ended, &byte, 1), 1);
}

static inline void child_end(struct child *c)
{
	int status;

	close(c->go);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	close(c->ended);
}

#endif
