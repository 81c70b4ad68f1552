// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin
 *
 * A signal that comes at any time, in the middle of prologues, epilogues and calls, and whose
 * handler allocates: the interrupted functions are known, and are no allocator's. stack_timer N:
 * so many signals for each loop.
 */
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "stack_shadow.h"

#define IN_CODE	  40009 /* bytes that are asked for when code of its own is interrupted */
#define IN_CLOCK  40013 /* and the kernel's, in the vDSO */
#define PERIOD_US 211

static volatile sig_atomic_t ticks;
static volatile size_t wanted;
static volatile unsigned int some = 3;
static void *volatile escaped;

static void s_tick(int sig)
{
	(void)sig;
	if (!wanted)
		return;
	escaped = malloc(wanted);
	if (!escaped)
		die("malloc failed");
	ticks = ticks + 1;
}

static NOINLINE unsigned int s_work_leaf(unsigned int x)
{
	return x * 2654435761u + some;
}

/* Saves registers, so that there are many addresses with rules of their own. */
static NOINLINE unsigned int s_work(unsigned int x)
{
	unsigned int a = x ^ some, b = x + 7, c = x * 3, d = x >> 2, e = ~x;

	return s_work_leaf(a) + s_work_leaf(b) + s_work_leaf(c) + s_work_leaf(d) + s_work_leaf(e) +
	       a + b + c + d + e;
}

static NOINLINE unsigned int s_work_realigned(unsigned int x)
{
	char local[128] __attribute__((aligned(64)));

	__asm__ volatile("" : : "r"(local) : "memory");
	return s_work_leaf(x) + s_work(x + 1);
}

static NOINLINE void s_spin(int n)
{
	unsigned int sum = some;

	while (ticks < n)
		sum += s_work(sum) + s_work_realigned(sum);
	some = sum | 1;
}

static NOINLINE void s_clock(int n)
{
	struct timespec now;
	long sum = 0;

	while (ticks < n) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		sum += now.tv_nsec;
	}
	some = (unsigned int)sum | 1;
}

static void start(size_t bytes)
{
	ticks = 0;
	wanted = bytes;
}

int main(int argc, char **argv)
{
	int n = (int)number_argument(argc, argv, 0, 499);
	struct itimerval often = { { 0, PERIOD_US }, { 0, PERIOD_US } }, never = { 0 };
	struct sigaction action = { .sa_handler = s_tick };

	if (sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &often, NULL) != 0)
		die("no timer");
	start(IN_CODE);
	s_spin(n);
	start(IN_CLOCK);
	s_clock(n);
	wanted = 0;
	(void)setitimer(ITIMER_REAL, &never, NULL);
	say("{\"in_code\":%d,\"in_clock\":%d,\"cases\":[]}\n", IN_CODE, IN_CLOCK);
	return 0;
}
