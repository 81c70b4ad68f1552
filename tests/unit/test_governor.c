// SPDX-License-Identifier: GPL-2.0-or-later
/* probe/governor.c: what is decided, at the borders. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "base/cleanup.h"
#include "governor_fixture.h"

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(governor_mode_name(GOVERNOR_NONE), "none");
	assert_string_equal(governor_mode_name(GOVERNOR_WINDOWED), "windowed");
	assert_string_equal(governor_mode_name(GOVERNOR_MODES), "unknown");
	assert_string_equal(governor_reason_name(GOVERNOR_MEASURING), "measuring");
	assert_string_equal(governor_reason_name(GOVERNOR_TOO_BUSY), "too_busy");
	assert_string_equal(governor_reason_name(GOVERNOR_NO_PROBES), "no_probes");
	assert_string_equal(governor_reason_name(GOVERNOR_REASONS), "unknown");
	for (int i = 0; i < GOVERNOR_MODES; i++)
		assert_non_null(governor_mode_name((enum governor_mode)i));
	for (int i = 0; i < GOVERNOR_REASONS; i++)
		assert_non_null(governor_reason_name((enum governor_reason)i));
}

static void test_prices(void **state)
{
	static const struct governor_prices odd = { -1, NAN, INFINITY, -INFINITY, 2e9 };
	static const struct governor_rates rates = { .allocations = 1000,
						     .bytes = 1e6,
						     .frees = 500 };
	struct governor_prices clean = governor_clean_prices(&odd);

	(void)state;
	assert_true(clean.skip_ns == 0 && clean.return_ns == 1e9 && clean.block_ns == 1e9);
	assert_true(clean.free_ns == 0 && clean.attach_ns == 1e9);
	assert_true(governor_most_taken(&rates, 0) == 1000);
	assert_true(governor_most_taken(&rates, 100) == 1000);
	assert_true(governor_most_taken(&rates, 10000) == 100);
	/* 1000 * 400 + 500 * 400, and of 1000 or 100 / 2 blocks 600 each. */
	assert_close(governor_predict(&prices, &rates, 0, 0.5), 1.2e-3, 1e-12);
	assert_close(governor_predict(&prices, &rates, 10000, 0.5), 0.63e-3, 1e-12);
	assert_true(governor_longer_interval(0, 7, 50) == 7);
	assert_true(governor_longer_interval(14, 7, 50) == 28);
	assert_true(governor_longer_interval(28, 7, 50) == UINT64_MAX);
	assert_true(governor_longer_interval(1ull << 63, 7, UINT64_MAX) == UINT64_MAX);
}

/* Two in a row must agree. */
static void test_follow(void **state)
{
	static const struct {
		double believed, last, measured, expected;
	} cases[] = {
		{ 500, 500, 500, 500 },	      { 500, 500, 9000, 500 },
		{ 500, 9000, 500, 500 },      { 500, 9000, 5000, 5000 },
		{ 500, 600, 5000, 600 },      { 5000, 5000, 500, 5000 },
		{ 5000, 500, 1000, 4000 },    { 500, 400, 300, 475 },
		{ 500, 1e6, 1e6, 12000 },     { 101, 0, 0, 100 },
		{ 500, NAN, 700, 500 + 200 }, { 500, INFINITY, 700, 700 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_close(
			governor_follow(cases[i].believed, 400, cases[i].last, cases[i].measured),
			cases[i].expected, 1e-9);
}

static void test_limits(void **state)
{
	struct governor_limits bad[17];
	struct governor g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = governor_default_limits(2);
	assert_int_equal(governor_init(&g, &bad[0], &prices, NULL, 0), 1);
	bad[0].budget_ratio = 0;
	bad[1].budget_ratio = NAN;
	bad[2].budget_ratio = 1.5;
	bad[3].burst_ratio = 0.01;
	bad[4].burst_ratio = INFINITY;
	bad[5].count_ns = 0;
	bad[6].min_window_ns = 0;
	bad[7].max_window_ns = bad[7].min_window_ns - 1;
	bad[8].max_window_ns = UINT64_MAX;
	bad[9].removal_ns = UINT64_MAX;
	bad[10].interval_bytes = 0;
	bad[11].max_interval_bytes = bad[11].interval_bytes - 1;
	bad[12].n_cpus = 0;
	bad[13].watch_ratio = NAN;
	bad[14].is_forced = true;
	bad[14].forced_mode = GOVERNOR_COUNT;
	bad[15].is_forced = true;
	bad[15].forced_mode = GOVERNOR_SAMPLED;
	bad[16].is_forced = true;
	bad[16].forced_mode = GOVERNOR_WINDOWED;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (governor_init(&g, &bad[i], &prices, NULL, 0) != -EINVAL)
			fail_msg("limits %zu are taken", i);
	}
}

/*
 * 16 ms a second are four fifths of the budget. Exact: 1400 ns a pair, so 2285 pairs in 200 ms fit
 * (15.995 ms), 2286 do not. Sampled: 3998 pairs of 64 bytes cost 19990 * 800 + 19990 * 64 / R * 600:
 * 16.0037 ms with 64 KiB, 15.9979 with 128. 4000 cost 16 ms before a single block is taken.
 */
static void test_count_decides(void **state)
{
	static const struct {
		uint64_t counted;
		uint64_t size;
		enum governor_mode mode;
		uint64_t interval;
		enum governor_reason reason;
	} cases[] = {
		{ 0, 0, GOVERNOR_EXACT, 0, GOVERNOR_FITS },
		{ 2285, 64, GOVERNOR_EXACT, 0, GOVERNOR_FITS },
		{ 2286, 64, GOVERNOR_SAMPLED, 64 * KIB, GOVERNOR_BUDGET },
		{ 3997, 64, GOVERNOR_SAMPLED, 64 * KIB, GOVERNOR_BUDGET },
		{ 3998, 64, GOVERNOR_SAMPLED, 128 * KIB, GOVERNOR_BUDGET },
		{ 3999, 64, GOVERNOR_SAMPLED, 256 * KIB, GOVERNOR_BUDGET },
		{ 4000, 64, GOVERNOR_WINDOWED, 64 * KIB, GOVERNOR_BUDGET },
		/* Half of them would be taken with 1 MiB, all with less. */
		{ 2286, 512 * KIB, GOVERNOR_SAMPLED, 1024 * KIB, GOVERNOR_BUDGET },
		{ 2286, 1024 * KIB, GOVERNOR_WINDOWED, 64 * KIB, GOVERNOR_BUDGET },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct governor_counts c = pairs(cases[i].counted, cases[i].size, 0);
		struct governor g;

		begin(&g, NULL);
		/* Early: it goes on. */
		assert_false(governor_measure(&g, BEGIN + 50 * MS, &nothing));
		assert_true(governor_measure(&g, BEGIN + 200 * MS, &c));
		if (g.plan.mode != cases[i].mode || g.plan.interval_bytes != cases[i].interval ||
		    g.plan.reason != cases[i].reason)
			fail_msg("case %zu: %s, %s, %llu bytes", i, governor_mode_name(g.plan.mode),
				 governor_reason_name(g.plan.reason),
				 (unsigned long long)g.plan.interval_bytes);
		assert_int_equal(g.plan.probes, cases[i].mode == GOVERNOR_WINDOWED ?
							GOVERNOR_PROBES_NONE :
							GOVERNOR_PROBES_ALL);
		assert_true(g.plan.next_ns == UINT64_MAX);
	}
}

/* A core's worth: 150 ms less 100 for the removal less 15 until the next note are 35. */
static void test_count_ends_early(void **state)
{
	struct governor_counts c = pairs(18750, 64, 0);
	struct governor g;

	(void)state;
	begin(&g, NULL);
	assert_false(governor_measure(&g, BEGIN + 15 * MS, &c));
	assert_false(governor_measure(&g, BEGIN + 30 * MS, &c));
	assert_true(governor_measure(&g, BEGIN + 45 * MS, &c));
	assert_int_equal(g.plan.mode, GOVERNOR_WINDOWED);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
	assert_int_equal(g.plan.alarm_hits, 0);
}

/* A tenth of 150 ms on two CPUs: 7.5 ms a note. */
static void test_alarm_hits(void **state)
{
	struct governor_prices half = { .skip_ns = 200, .free_ns = 200 };
	struct governor_prices zero = { 0 };
	struct governor_limits limits = governor_default_limits(64);
	struct governor g;

	(void)state;
	begin(&g, NULL);
	assert_int_equal(g.plan.alarm_hits, 18750);
	governor_set_prices(&g, &half);
	assert_int_equal(g.plan.alarm_hits, 37500);
	governor_set_prices(&g, &zero);
	assert_int_equal(g.plan.alarm_hits, 1000000000);
	begin_after(&g, 2285, 64, GOVERNOR_EXACT);
	assert_int_equal(g.plan.alarm_hits, 7500);
	/* One of 1024 is taken: an allocation call costs 400.586 ns. */
	begin_after(&g, 2286, 64, GOVERNOR_SAMPLED);
	assert_int_equal(g.plan.alarm_hits, 18722);
	/* Never more than one per millisecond and CPU. */
	assert_int_equal(governor_init(&g, &limits, &prices, NULL, BEGIN), 1);
	assert_int_equal(g.plan.alarm_hits, 2500);
}

static void test_burst(void **state)
{
	struct governor_counts quiet = pairs(1000, 64, 1000);
	struct governor_counts note = pairs(7143, 64, 7143); /* 10 ms */
	struct governor g;
	uint64_t t = BEGIN + 200 * MS;
	int n = 0;

	(void)state;
	begin_after(&g, 200, 64, GOVERNOR_EXACT);
	for (int i = 0; i < 7; i++) {
		t += SECOND;
		assert_false(governor_measure(&g, t, &quiet));
	}
	/* 1.4 ms in the last second, then a core's worth; see test_count_ends_early(). */
	do {
		t += 10 * MS;
		n++;
	} while (!governor_measure(&g, t, &note));
	assert_int_equal(n, 4);
	assert_int_equal(g.plan.mode, GOVERNOR_WINDOWED);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
	assert_int_equal(g.plan.reason, GOVERNOR_BURST);
}

/*
 * Where blocks are dear, sampling is enough: 15,000 pairs a second of 10.9 us, then of 0.8. What was
 * spent in the second before, 147 ms, is no reason to stop what is cheap.
 */
static void test_burst_of_dear_blocks(void **state)
{
	struct governor_counts burst = pairs(13500, 64, 13500), after = pairs(300, 64, 0);
	struct governor_prices dear = prices;
	struct governor g;
	uint64_t t = BEGIN + 200 * MS;

	(void)state;
	begin_after(&g, 0, 0, GOVERNOR_EXACT);
	dear.block_ns = 10000;
	governor_set_prices(&g, &dear);
	t += 900 * MS;
	assert_true(governor_measure(&g, t, &burst));
	assert_int_equal(g.plan.mode, GOVERNOR_SAMPLED);
	assert_int_equal(g.plan.interval_bytes, 64 * KIB);
	assert_int_equal(g.plan.reason, GOVERNOR_BURST);
	assert_false(governor_applied(&g, t, &nothing));
	for (int i = 0; i < 20; i++) {
		t += 20 * MS;
		assert_false(governor_measure(&g, t, &after));
	}
}

/*
 * 4 % of a core: the reserve of 240 ms loses 24 a second. After 9 s 24 ms are left, more than a note
 * (15 ms) and the removal (100 ms of 4 %) cost; after 10 s nothing.
 */
static void test_reserve_runs_out(void **state)
{
	struct governor_counts c = pairs(28571, 64, 28571);
	struct governor g;
	int n = 0;

	(void)state;
	begin_after(&g, 0, 0, GOVERNOR_EXACT);
	do
		n++;
	while (!governor_measure(&g, BEGIN + 200 * MS + n * SECOND, &c));
	assert_int_equal(n, 10);
	assert_int_equal(g.plan.mode, GOVERNOR_WINDOWED);
	assert_int_equal(g.plan.reason, GOVERNOR_BUDGET);
	assert_close(governor_report(&g, g.now_ns).cost_ratio, 10 * 28571 * 1400e-9 / 60, 1e-6);
}

/* Back up at 60 % of the budget, 12 ms a second: 8572 pairs. And only when three agree. */
static void test_hysteresis(void **state)
{
	struct governor_counts above = pairs(9000, 64, 9);
	struct governor_counts below = pairs(8500, 64, 8);
	struct governor g;
	uint64_t t = BEGIN + 200 * MS;

	(void)state;
	begin_after(&g, 2286, 64, GOVERNOR_SAMPLED);
	for (int i = 0; i < 20; i++) {
		t += SECOND;
		assert_false(governor_measure(&g, t, &above));
	}
	assert_false(governor_measure(&g, t + 1 * SECOND, &below));
	assert_false(governor_measure(&g, t + 2 * SECOND, &below));
	assert_false(governor_measure(&g, t + 3 * SECOND, &above));
	assert_false(governor_measure(&g, t + 4 * SECOND, &below));
	assert_false(governor_measure(&g, t + 5 * SECOND, &below));
	assert_true(governor_measure(&g, t + 6 * SECOND, &below));
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
	assert_int_equal(g.plan.reason, GOVERNOR_FITS);
	assert_int_equal(g.plan.interval_bytes, 0);
}

/* Few, but huge blocks: the mean size says that all would be taken. The sample says otherwise. */
static void test_interval_follows_sample(void **state)
{
	struct governor_counts c = pairs(9000, 512 * KIB, 30);
	struct governor g;
	uint64_t t = BEGIN + 200 * MS;

	(void)state;
	begin_after(&g, 2286, 512 * KIB, GOVERNOR_SAMPLED);
	assert_int_equal(g.plan.interval_bytes, 1024 * KIB);
	for (int i = 0; i < 20 && g.plan.interval_bytes > 64 * KIB; i++) {
		t += SECOND;
		if (governor_measure(&g, t, &c))
			assert_false(governor_applied(&g, t, &nothing));
	}
	assert_int_equal(g.plan.mode, GOVERNOR_SAMPLED);
	assert_int_equal(g.plan.interval_bytes, 64 * KIB);
}

static void test_no_calls(void **state)
{
	struct governor_report r;
	struct governor g;
	uint64_t t = BEGIN + 200 * MS;

	(void)state;
	begin_after(&g, 0, 0, GOVERNOR_EXACT);
	for (int i = 0; i < 100; i++) {
		t = g.plan.next_ns;
		assert_false(governor_measure(&g, t, &nothing));
	}
	assert_true(g.plan.next_ns == t + 5 * SECOND);
	r = governor_report(&g, t);
	assert_int_equal(r.mode, GOVERNOR_EXACT);
	assert_int_equal(r.reason, GOVERNOR_FITS);
	assert_close(r.duty_ratio, 1, 1e-9);
	assert_true(r.hits_per_second == 0 && r.ns_per_hit == 0 && r.cost_ratio == 0);
	assert_true(r.window_ns == 0 && r.next_window_ns == 0);
}

static void test_forced(void **state)
{
	struct governor_limits limits = governor_default_limits(2);
	struct governor_counts c = pairs(5000000, 64, 5000000);
	struct governor_total total;
	struct governor g;

	(void)state;
	governor_total_init(&total, 0.05, BEGIN);
	limits.is_forced = true;
	limits.forced_mode = GOVERNOR_NONE;
	assert_int_equal(governor_init(&g, &limits, &prices, &total, BEGIN), 0);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
	assert_true(g.plan.next_ns == UINT64_MAX);
	limits.forced_mode = GOVERNOR_SAMPLED;
	limits.forced_interval_bytes = 4096;
	assert_int_equal(governor_init(&g, &limits, &prices, &total, BEGIN), 1);
	assert_int_equal(g.plan.mode, GOVERNOR_SAMPLED);
	assert_int_equal(g.plan.interval_bytes, 4096);
	limits.forced_mode = GOVERNOR_EXACT;
	assert_int_equal(governor_init(&g, &limits, &prices, &total, BEGIN), 1);
	assert_false(governor_applied(&g, BEGIN, &nothing));
	/* Whatever it costs. It is said, and the others pay nothing for it. */
	for (int i = 1; i <= 60; i++)
		assert_false(governor_measure(&g, BEGIN + i * SECOND, &c));
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
	assert_int_equal(g.plan.reason, GOVERNOR_FORCED);
	assert_int_equal(g.plan.alarm_hits, 0);
	assert_close(governor_report(&g, g.now_ns).cost_ratio, 7, 1e-9);
	assert_close(governor_total_ratio(&total, g.now_ns), 7, 1e-9);
	assert_true(total.ledger.level_ns == total.ledger.capacity_ns);
	assert_true(isinf(governor_total_share(&total)));
}

/* A budget changes in its stride; what was spent stays spent, and more is allowed only as it grows. */
static void test_other_budget(void **state)
{
	struct governor_limits limits = governor_default_limits(2);
	struct governor_counts c = pairs(1000, 64, 1000);
	struct governor_total total;
	struct governor g;
	double level;

	(void)state;
	begin_after(&g, 0, 0, GOVERNOR_EXACT);
	level = g.ledger.level_ns;
	limits.budget_ratio = 0.04;
	assert_int_equal(governor_set_limits(&g, &limits, BEGIN + 300 * MS, &c), 0);
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
	assert_close(g.ledger.capacity_ns, 0.48e9, 1);
	assert_close(g.ledger.level_ns, level - 1.4e6, 2e6);
	assert_close(governor_report(&g, BEGIN + 300 * MS).cost_ratio, 1.4e6 / 60e9, 1e-7);
	/* Less: no more is left than the new reserve. */
	limits.budget_ratio = 0.001;
	assert_int_equal(governor_set_limits(&g, &limits, BEGIN + 400 * MS, &nothing), 0);
	assert_close(g.ledger.level_ns, 0.03e9, 1);
	limits.budget_ratio = 0;
	assert_int_equal(governor_set_limits(&g, &limits, BEGIN + 500 * MS, &nothing), -EINVAL);
	assert_close(g.limits.budget_ratio, 0.001, 1e-12);
	governor_total_init(&total, 0.05, BEGIN);
	governor_ledger_spend(&total.ledger, 0.5e9);
	governor_total_change(&total, 0.1);
	assert_close(total.ratio, 0.1, 1e-12);
	assert_close(total.ledger.level_ns, 0.1e9, 1);
	assert_close(total.ledger.capacity_ns, 1.2e9, 1);
}

/* Another way of taking blocks is a plan of its own, whatever was under way. */
static void test_other_way(void **state)
{
	struct governor_limits limits = governor_default_limits(2);
	struct governor g;

	(void)state;
	begin_after(&g, 0, 0, GOVERNOR_EXACT);
	limits.is_forced = true;
	limits.forced_mode = GOVERNOR_SAMPLED;
	limits.forced_interval_bytes = 4096;
	assert_int_equal(governor_set_limits(&g, &limits, BEGIN + SECOND, &nothing), 1);
	assert_int_equal(g.plan.mode, GOVERNOR_SAMPLED);
	assert_int_equal(g.plan.interval_bytes, 4096);
	assert_int_equal(governor_set_limits(&g, &limits, BEGIN + SECOND, &nothing), 0);
	limits.forced_interval_bytes = 8192;
	assert_int_equal(governor_set_limits(&g, &limits, BEGIN + SECOND, &nothing), 1);
	assert_int_equal(g.plan.interval_bytes, 8192);
	limits.is_forced = false;
	assert_int_equal(governor_set_limits(&g, &limits, BEGIN + SECOND, &nothing), 1);
	assert_int_equal(g.plan.mode, GOVERNOR_COUNT);
	assert_false(governor_applied(&g, BEGIN + SECOND, &nothing));
	assert_true(governor_measure(&g, BEGIN + 1200 * MS, &nothing));
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
}

/* Time that stands still or goes back is no time at all; what is counted in it is paid. */
static void test_clock(void **state)
{
	struct governor_counts c = pairs(1000, 64, 1000);
	struct governor g;
	uint64_t t = BEGIN + 200 * MS;
	double level;

	(void)state;
	begin_after(&g, 0, 0, GOVERNOR_EXACT);
	level = g.ledger.level_ns;
	assert_false(governor_measure(&g, t, &c));
	assert_false(governor_measure(&g, BEGIN, &c));
	assert_false(governor_measure(&g, 0, &c));
	assert_close(level - g.ledger.level_ns, 3 * 1.4e6, 1);
	assert_true(g.now_ns == t);
	/* A day later: one reserve, not a day's worth. */
	t += 24 * 60 * MINUTE;
	assert_false(governor_measure(&g, t, &nothing));
	assert_true(g.ledger.level_ns == g.ledger.capacity_ns);
	assert_true(governor_report(&g, t).cost_ratio == 0);
	assert_close(governor_report(&g, t).duty_ratio, 1, 1e-9);
	/* At the end of time. */
	assert_false(governor_measure(&g, UINT64_MAX, &nothing));
	assert_true(g.plan.next_ns == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_prices),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_count_decides),
		cmocka_unit_test(test_count_ends_early),
		cmocka_unit_test(test_alarm_hits),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_burst_of_dear_blocks),
		cmocka_unit_test(test_reserve_runs_out),
		cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_interval_follows_sample),
		cmocka_unit_test(test_no_calls),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_other_budget),
		cmocka_unit_test(test_other_way),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
