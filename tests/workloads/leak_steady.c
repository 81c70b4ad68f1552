// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * leak_steady [RATE [BYTES]]: leaks RATE blocks of BYTES a second until a byte comes on its standard
 * input, or its end, or SIGTERM.
 */
#include <poll.h>
#include <signal.h>
#include <sys/timerfd.h>

#include "workload.h"

static struct ledger ledger = { .function = "leak_one" };
static volatile sig_atomic_t stop;

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

static NOINLINE void leak_one(size_t bytes)
{
	char *p = malloc(bytes);

	if (!p)
		die("malloc failed");
	memset(p, 'l', bytes);
	ledger_add(&ledger, bytes);
}

int main(int argc, char **argv)
{
	unsigned long rate = number_argument(argc, argv, 0, 101);
	unsigned long bytes = number_argument(argc, argv, 1, 1009);
	struct itimerspec pace = { .it_value.tv_nsec = 1 };
	struct sigaction action = { .sa_handler = on_term };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd fds[] = { { .fd = timer, .events = POLLIN },
				{ .fd = STDIN_FILENO, .events = POLLIN } };

	if (rate < 2 || timer < 0 || sigaction(SIGTERM, &action, NULL) < 0)
		die("bad arguments");
	pace.it_interval.tv_nsec = (long)(1000000000ul / rate);
	workload_begin(argc, argv);
	if (timerfd_settime(timer, 0, &pace, NULL) < 0)
		die("cannot set a timer");
	while (!stop && poll(fds, 2, -1) > 0 && !fds[1].revents) {
		uint64_t due;

		if (read(timer, &due, sizeof(due)) != sizeof(due))
			continue;
		for (; due > 0; due--)
			leak_one(bytes);
	}
	if (fds[1].revents & POLLIN)
		wait_for_byte();
	say_truth(&ledger, 1);
	workload_end(argc, argv);
	return 0;
}
