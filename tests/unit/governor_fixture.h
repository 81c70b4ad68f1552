/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the governor's tests share: prices that are easy to reckon with, and how one begins. */
#ifndef SEEP_TESTS_GOVERNOR_FIXTURE_H
#define SEEP_TESTS_GOVERNOR_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "probe/governor.h"

#define MS     1000000ull
#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)
#define BEGIN  (1000 * SECOND)
#define KIB    1024ull

/* A pair costs 800 ns, and 600 more if its block is taken. Steady modes may cost 16 ms a second. */
static const struct governor_prices prices = { .skip_ns = 400,
					       .return_ns = 100,
					       .block_ns = 500,
					       .free_ns = 400 };
static const struct governor_counts nothing;

static inline void assert_close(double value, double expected, double error)
{
	if (!(fabs(value - expected) <= error))
		fail_msg("%.17g is not %.17g", value, expected);
}

static inline struct governor_counts pairs(uint64_t n, uint64_t size, uint64_t taken)
{
	return (struct governor_counts){
		.allocations = n, .bytes = n * size, .frees = n, .taken = taken
	};
}

/* A governor whose probes count since BEGIN. */
static inline void begin(struct governor *g, struct governor_total *total)
{
	struct governor_limits limits = governor_default_limits(2);

	assert_int_equal(governor_init(g, &limits, &prices, total, BEGIN), 1);
	assert_int_equal(g->plan.mode, GOVERNOR_COUNT);
	assert_int_equal(g->plan.probes, GOVERNOR_PROBES_ALL);
	assert_int_equal(g->plan.reason, GOVERNOR_MEASURING);
	assert_true(g->plan.next_ns == UINT64_MAX);
	assert_false(governor_applied(g, BEGIN, &nothing));
	assert_true(g->plan.next_ns == BEGIN + 200 * MS);
}

/* The same after the count: its plan is in force since BEGIN + 200 ms. */
static inline void begin_after(struct governor *g, uint64_t counted, uint64_t size,
			       enum governor_mode mode)
{
	struct governor_counts c = pairs(counted, size, 0);

	begin(g, NULL);
	assert_true(governor_measure(g, BEGIN + 200 * MS, &c));
	assert_int_equal(g->plan.mode, mode);
	(void)governor_applied(g, BEGIN + 200 * MS, &nothing);
}

#endif
