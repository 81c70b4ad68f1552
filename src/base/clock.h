/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two clocks of the answers: what happened is kept in monotonic time and told in wall time.
 */
#ifndef SEEP_BASE_CLOCK_H
#define SEEP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = { 0 };

	/* Cannot fail for the clocks that every Linux has. */
	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static inline struct timespec timespec_from_ns(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / NS_PER_SECOND),
		.tv_nsec = (long)(ns % NS_PER_SECOND),
	};
}

#endif
