// SPDX-License-Identifier: GPL-2.0-or-later
/* probe/governor.c: probes that went by themselves, or that could not be set. */
#include "base/cleanup.h"
#include "governor_fixture.h"

static void assert_waits(const struct governor *g, uint64_t until_ns)
{
	assert_int_equal(g->plan.mode, GOVERNOR_NONE);
	assert_int_equal(g->plan.probes, GOVERNOR_PROBES_NONE);
	assert_int_equal(g->plan.reason, GOVERNOR_NO_PROBES);
	assert_int_equal(g->plan.interval_bytes, 0);
	assert_int_equal(g->plan.alarm_hits, 0);
	assert_int_equal(g->plan.next_ns, until_ns);
}

/* Whatever it did, it counts anew a second later; what has been spent is not forgotten. */
static void test_any_mode(void **state)
{
	static const struct {
		uint64_t counted;
		enum governor_mode mode;
	} cases[] = {
		{ 10, GOVERNOR_EXACT },
		{ 3000, GOVERNOR_SAMPLED },
		{ 20000, GOVERNOR_WINDOWED },
	};
	struct governor_counts few = pairs(10, 64, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct governor g;
		double level;

		begin_after(&g, cases[i].counted, 64, cases[i].mode);
		level = g.ledger.level_ns;
		governor_lost(&g, BEGIN + SECOND, &few);
		assert_waits(&g, BEGIN + 2 * SECOND);
		assert_close(g.ledger.level_ns, fmin(level + 12.8e6 - 8e3, g.ledger.capacity_ns),
			     20e3);
		assert_int_equal(governor_report(&g, BEGIN + SECOND).mode, GOVERNOR_NONE);
		assert_false(governor_measure(&g, BEGIN + 2 * SECOND - 1, &nothing));
		assert_true(governor_measure(&g, BEGIN + 2 * SECOND, &nothing));
		assert_int_equal(g.plan.mode, GOVERNOR_COUNT);
		assert_int_equal(g.plan.probes, GOVERNOR_PROBES_ALL);
		assert_false(governor_applied(&g, BEGIN + 2 * SECOND, &nothing));
		assert_true(governor_measure(&g, BEGIN + 2200 * MS, &few));
		assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
		governor_done(&g);
	}
}

/* Twice as long each time, ten minutes at most; and from the beginning once they could be set. */
static void test_again(void **state)
{
	uint64_t t = BEGIN, wait = SECOND;
	struct governor g;

	(void)state;
	begin(&g, NULL);
	for (int i = 0; i < 20; i++) {
		governor_lost(&g, t, &nothing);
		assert_waits(&g, t + wait);
		t += wait;
		assert_true(governor_measure(&g, t, &nothing));
		assert_int_equal(g.plan.mode, GOVERNOR_COUNT);
		wait = wait < 5 * MINUTE ? 2 * wait : 10 * MINUTE;
	}
	assert_false(governor_applied(&g, t, &nothing));
	governor_lost(&g, t, &nothing);
	assert_waits(&g, t + SECOND);
}

static void test_forced(void **state)
{
	struct governor_limits limits = governor_default_limits(2);
	struct governor g;

	(void)state;
	limits.is_forced = true;
	limits.forced_mode = GOVERNOR_SAMPLED;
	limits.forced_interval_bytes = 7 * KIB;
	assert_int_equal(governor_init(&g, &limits, &prices, NULL, BEGIN), 1);
	assert_false(governor_applied(&g, BEGIN, &nothing));
	governor_lost(&g, BEGIN + SECOND, &nothing);
	assert_waits(&g, BEGIN + 2 * SECOND);
	assert_false(governor_measure(&g, BEGIN + 2 * SECOND - 1, &nothing));
	assert_true(governor_measure(&g, BEGIN + 2 * SECOND, &nothing));
	assert_int_equal(g.plan.mode, GOVERNOR_SAMPLED);
	assert_int_equal(g.plan.reason, GOVERNOR_FORCED);
	assert_int_equal(g.plan.interval_bytes, 7 * KIB);
	assert_false(governor_applied(&g, BEGIN + 2 * SECOND, &nothing));
	governor_done(&g);
}

/* What it had taken out of the total, and its place in the queue, are left to others. */
static void test_total(void **state)
{
	struct governor_counts busy = pairs(18750, 64, 0);
	struct governor_total total;
	struct governor g;
	double level;

	(void)state;
	governor_total_init(&total, 0.05, BEGIN);
	level = total.ledger.level_ns;
	begin(&g, &total);
	assert_true(total.ledger.level_ns < level);
	governor_lost(&g, BEGIN, &nothing);
	assert_close(total.ledger.level_ns, level, 1);
	assert_true(governor_measure(&g, BEGIN + SECOND, &nothing));
	assert_false(governor_applied(&g, BEGIN + SECOND, &nothing));
	assert_true(governor_measure(&g, BEGIN + 1200 * MS, &busy));
	(void)governor_applied(&g, BEGIN + 1200 * MS, &nothing);
	assert_int_equal(g.plan.mode, GOVERNOR_WINDOWED);
	assert_true(g.demand > 0);
	governor_lost(&g, BEGIN + 1210 * MS, &nothing);
	assert_null(total.first);
	assert_true(isinf(governor_total_share(&total)));
	governor_done(&g);
}

/* It waits for the budget, no longer for probes. */
static void test_debt(void **state)
{
	struct governor_counts busy = pairs(1000000, 64, 0);
	struct governor g;

	(void)state;
	begin(&g, NULL);
	governor_lost(&g, BEGIN + 100 * MS, &busy);
	assert_waits(&g, BEGIN + 1100 * MS);
	assert_true(g.ledger.level_ns < 0);
	assert_false(governor_measure(&g, BEGIN + 1100 * MS, &nothing));
	assert_int_equal(g.plan.mode, GOVERNOR_NONE);
	assert_int_equal(g.plan.reason, GOVERNOR_BUDGET);
	assert_true(g.plan.next_ns > BEGIN + 2 * SECOND);
	assert_true(governor_measure(&g, g.plan.next_ns, &nothing));
}

/* Another governor has decided: nothing changes, nothing is paid for again, and it is measured. */
static void test_resumed(void **state)
{
	struct governor_limits limits = governor_default_limits(2);
	struct governor_counts few = pairs(10, 64, 10), many = pairs(200000, 64, 200000);
	struct governor_total total;
	struct governor g;

	(void)state;
	governor_total_init(&total, 0.05, BEGIN);
	assert_int_equal(governor_resume(&g, &limits, &prices, &total, BEGIN, GOVERNOR_EXACT, 0),
			 1);
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_ALL);
	assert_false(governor_applied(&g, BEGIN, &nothing));
	assert_true(g.plan.next_ns == BEGIN + SECOND);
	assert_false(governor_measure(&g, BEGIN + SECOND, &few));
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
	assert_close(governor_report(&g, BEGIN + SECOND).cost_ratio, 10 * 1400 / 60e9, 1e-9);
	assert_true(governor_measure(&g, BEGIN + 2 * SECOND, &many));
	assert_int_not_equal(g.plan.mode, GOVERNOR_EXACT);
	governor_done(&g);
}

static void test_resumed_sampling(void **state)
{
	static const struct {
		enum governor_mode mode;
		uint64_t interval;
		enum governor_mode expected;
		uint64_t expected_interval;
	} cases[] = {
		{ GOVERNOR_SAMPLED, 128 * KIB, GOVERNOR_SAMPLED, 128 * KIB },
		/* What these limits do not allow, and what is no steady mode, is counted first. */
		{ GOVERNOR_SAMPLED, 3, GOVERNOR_COUNT, 0 },
		{ GOVERNOR_SAMPLED, 1ull << 40, GOVERNOR_COUNT, 0 },
		{ GOVERNOR_WINDOWED, 128 * KIB, GOVERNOR_COUNT, 0 },
	};
	struct governor_limits limits = governor_default_limits(2);
	struct governor g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(governor_resume(&g, &limits, &prices, NULL, BEGIN, cases[i].mode,
						 cases[i].interval),
				 1);
		assert_int_equal(g.plan.mode, cases[i].expected);
		assert_int_equal(g.plan.interval_bytes, cases[i].expected_interval);
		governor_done(&g);
	}
	limits.is_forced = true;
	limits.forced_mode = GOVERNOR_EXACT;
	assert_int_equal(governor_resume(&g, &limits, &prices, NULL, BEGIN, GOVERNOR_SAMPLED, 3),
			 1);
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
	governor_done(&g);
	limits.budget_ratio = -1;
	assert_int_equal(governor_resume(&g, &limits, &prices, NULL, BEGIN, GOVERNOR_EXACT, 0),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_mode),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_debt),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_resumed_sampling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
