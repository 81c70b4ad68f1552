// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * pace [LEAKED]: malloc/free pairs at the pace that it is told, in pairs per second, by lines on
 * standard input ("0": none; "max": as fast as it can); starts at none. Of each line it tells that it
 * was taken: {"pairs": so many so far, "seconds": CPU time used}. "leak" lets one of LEAKED (1009) blocks
 * be kept from then on.
 */
#include <poll.h>
#include <time.h>

#include "workload.h"

#define BATCH 100

static void *volatile sink;
static uint64_t pairs;
static unsigned long leaked;
static bool leaks;

static NOINLINE void keep(size_t bytes)
{
	sink = malloc(bytes);
	if (!sink)
		die("malloc failed");
}

static NOINLINE void pair(size_t bytes)
{
	void *p = sink = malloc(bytes);

	if (!p)
		die("malloc failed");
	free(p);
}

static double now(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void work(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		pair(16 + (i * 37) % 2003);
		pairs++;
		if (leaks && pairs % leaked == 0)
			keep(997);
	}
}

/* The next line, if there is one within @seconds. False: the input has ended. */
static bool take_line(double seconds, double *pace)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[64];
	ssize_t n;

	if (poll(&input, 1, seconds > 0 ? (int)(seconds * 1000) + 1 : 0) <= 0)
		return true;
	n = read(STDIN_FILENO, line, sizeof(line) - 1);
	if (n <= 0)
		return false;
	line[n] = '\0';
	if (strncmp(line, "leak", 4) == 0)
		leaks = true;
	else if (strncmp(line, "max", 3) == 0)
		*pace = 1e12;
	else if (line[0] >= '0' && line[0] <= '9')
		*pace = strtod(line, NULL);
	say("{\"pairs\":%llu,\"seconds\":%.6f}\n", (unsigned long long)pairs,
	    now(CLOCK_PROCESS_CPUTIME_ID));
	return true;
}

int main(int argc, char **argv)
{
	double pace = 0, old = 0, wait = 0, begin = 0, done = 0;

	leaked = number_argument(argc, argv, 0, 1009);
	while (take_line(pace > 0 ? wait : 3600, &pace)) {
		/* What could not be done in time is not made up for. */
		if (pace != old || wait < -0.1) {
			begin = now(CLOCK_MONOTONIC);
			done = 0;
			wait = 0;
		}
		old = pace;
		if (pace <= 0 || wait > 0.001) {
			wait = done / pace - (now(CLOCK_MONOTONIC) - begin);
			if (pace <= 0 || wait > 0.001)
				continue;
		}
		work(BATCH);
		done += BATCH;
		wait = done / pace - (now(CLOCK_MONOTONIC) - begin);
	}
	return 0;
}
