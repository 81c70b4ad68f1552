/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child that waits on a pipe until its probes are set, then runs a function, and lives on until
 * the test has looked at what was counted. It may be asked for other functions in between.
 */
#ifndef SEEP_TESTS_CHILD_H
#define SEEP_TESTS_CHILD_H

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 120000

typedef void (*child_fn)(void);
typedef void (*child_step_fn)(uint64_t argument);

/* A fork has its functions where its parent has them. */
struct child_order {
	child_step_fn step; /* NULL: the child's function */
	uint64_t argument;
};

struct child {
	pid_t pid;
	int go;	   /* orders go in; closed: exit */
	int ended; /* readable: the function has returned */
};

static inline void child_start(struct child *c, child_fn function)
{
	struct child_order order;
	int go[2], ended[2];

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ended, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		close(go[1]);
		while (read(go[0], &order, sizeof(order)) == sizeof(order)) {
			if (order.step)
				order.step(order.argument);
			else
				function();
			(void)!write(ended[1], "e", 1);
		}
		_exit(0);
	}
	close(go[0]);
	close(ended[1]);
	c->go = go[1];
	c->ended = ended[0];
}

static inline void child_begin(struct child *c, child_step_fn step, uint64_t argument)
{
	struct child_order order = { .step = step, .argument = argument };

	assert_int_equal(write(c->go, &order, sizeof(order)), sizeof(order));
}

static inline void child_wait(struct child *c)
{
	struct pollfd p = { .fd = c->ended, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	assert_int_equal(read(c->ended, &byte, 1), 1);
}

static inline void child_run(struct child *c)
{
	child_begin(c, NULL, 0);
	child_wait(c);
}

static inline void child_ask(struct child *c, child_step_fn step, uint64_t argument)
{
	child_begin(c, step, argument);
	child_wait(c);
}

static inline void child_end(struct child *c)
{
	int status;

	close(c->go);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	close(c->ended);
}

#endif
