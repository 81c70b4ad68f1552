// SPDX-License-Identifier: GPL-2.0-or-later
/* probe/governor_window.c: windows, and what follows them; and that nothing hostile breaks it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/cleanup.h"
#include "governor_fixture.h"

/* Lets a process of so many pairs a second run until its plan changes, which is applied at once. */
static void run_to_change(struct governor *g, uint64_t *t, double pairs_per_second)
{
	struct governor_counts c;
	bool is_new;

	do {
		uint64_t next = g->plan.next_ns;
		uint64_t n = (uint64_t)((double)(next - *t) * pairs_per_second / SECOND);

		c = pairs(g->plan.probes == GOVERNOR_PROBES_ALL ? n : 0, 64, n / 1024);
		if (g->plan.probes == GOVERNOR_PROBES_ALL)
			c.taken = g->plan.mode == GOVERNOR_COUNT ? 0 : n / 1024;
		else
			c.taken = 0;
		if (g->plan.probes == GOVERNOR_PROBES_FREES)
			c.frees = n;
		*t = next;
		is_new = governor_measure(g, next, &c);
	} while (!is_new);
}

/*
 * 100,000 pairs a second, each of 800.586 ns: 80.0586 ms a second. After the count the probes stayed
 * for 30 ms, of which a quarter is believed: 82.5 ms. A window is paid half of the reserve of 240 ms:
 * 120 / 80.0586 - 0.0825 s = 1.4164 s.
 */
static void test_windows(void **state)
{
	struct governor_counts c = pairs(20000, 64, 0);
	struct governor_report r;
	struct governor g;
	uint64_t t = BEGIN + 200 * MS, gone, opened;
	double level;

	(void)state;
	begin(&g, NULL);
	assert_true(governor_measure(&g, t, &c));
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
	assert_false(governor_measure(&g, t + 20 * MS, &nothing));
	c = pairs(3000, 64, 0);
	t += 40 * MS;
	/* There is enough for the first one. */
	assert_true(governor_applied(&g, t, &c));
	assert_int_equal(g.plan.mode, GOVERNOR_WINDOWED);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_ALL);
	assert_int_equal(g.plan.interval_bytes, 64 * KIB);
	assert_false(governor_applied(&g, t, &nothing));
	assert_close((double)(g.plan.next_ns - t), 1416.4e6, 0.1e6);
	r = governor_report(&g, t);
	assert_true(r.window_ns == g.plan.next_ns - t && r.next_window_ns == 0);
	assert_close(r.duty_ratio, 0.24 / 60, 1e-9);

	opened = t;
	run_to_change(&g, &t, 1e5);
	assert_close((double)(t - opened), 1416.4e6, 0.1e6);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
	c = pairs(8250, 64, 8);
	t += 90 * MS;
	assert_false(governor_applied(&g, t, &c));
	/* 131 ms are left, but two windows within one second would cost 160. */
	assert_true(g.plan.next_ns < t + SECOND / 4);
	run_to_change(&g, &t, 1e5);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_ALL);
	assert_false(governor_applied(&g, t, &nothing));
	run_to_change(&g, &t, 1e5);
	gone = t + 90 * MS;
	assert_false(governor_applied(&g, gone, &c));
	/* The reserve, 16 ms a second, less what the calls cost. */
	level = 240e6 + 0.016 * (double)(gone - BEGIN) -
		(20000 + 3000 + 2 * (141640 + 8250)) * 800.0 - 2 * 146 * 600.0;
	assert_close((double)(g.plan.next_ns - gone), (120e6 - level) / 0.016, 10e6);
	r = governor_report(&g, gone);
	assert_true(r.next_window_ns == g.plan.next_ns);
	assert_close(r.hits_per_second, 200000, 10);
	assert_close(r.ns_per_hit, 400.3, 0.1);
	/* Not before its time, and then at once. */
	assert_false(governor_measure(&g, g.plan.next_ns - MS, &nothing));
	assert_true(governor_measure(&g, g.plan.next_ns + MS, &nothing));
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_ALL);
}

/* What a burst has cost is paid by the windows after it: 160 ms are ten seconds of 16 ms. */
static void test_other_spending(void **state)
{
	struct governor_counts c = pairs(20000, 64, 0);
	uint64_t t = BEGIN + 200 * MS, due;
	struct governor g;
	double cost;

	(void)state;
	begin(&g, NULL);
	assert_true(governor_measure(&g, t, &c));
	t += 40 * MS;
	assert_true(governor_applied(&g, t, &nothing));
	assert_false(governor_applied(&g, t, &nothing));
	for (int windows = 1; windows < 3; windows++) {
		run_to_change(&g, &t, 1e5);
		t += 90 * MS;
		assert_false(governor_applied(&g, t, &nothing));
		assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
		if (windows < 2) {
			run_to_change(&g, &t, 1e5);
			assert_false(governor_applied(&g, t, &nothing));
		}
	}
	due = g.plan.next_ns;
	cost = governor_report(&g, t).cost_ratio;
	governor_spend(&g, t - 50 * MS, t, 160e6);
	assert_close(governor_report(&g, t).cost_ratio, cost + 0.16 / 60, 1e-6);
	assert_false(governor_measure(&g, due, &nothing));
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
	assert_close((double)g.plan.next_ns, (double)due + 10e9, 0.1e9);
}

/* When a target becomes quiet, three windows say so, and the probes of the third one stay. */
static void test_up_from_windows(void **state)
{
	struct governor_counts busy = pairs(20000, 64, 0);
	struct governor g;
	uint64_t t = BEGIN + 200 * MS;
	int windows = 0;

	(void)state;
	begin(&g, NULL);
	assert_true(governor_measure(&g, t, &busy));
	for (int i = 0; i < 30 && g.plan.mode == GOVERNOR_WINDOWED; i++) {
		if (g.plan.next_ns == UINT64_MAX) {
			t += 10 * MS;
			(void)governor_applied(&g, t, &nothing);
			continue;
		}
		t = g.plan.next_ns;
		windows += g.plan.probes == GOVERNOR_PROBES_ALL;
		assert_true(governor_measure(&g, t, &nothing));
	}
	assert_int_equal(windows, 3);
	assert_int_equal(g.plan.mode, GOVERNOR_EXACT);
	assert_int_equal(g.plan.probes, GOVERNOR_PROBES_ALL);
}

/*
 * 1.8 cores: the shortest window, 20 ms and 100 for the removal, costs 216 ms, less than the reserve,
 * but more than 150. A count after 60 s, 120 s ... 600 s.
 */
static void test_too_busy(void **state)
{
	static const uint64_t waits[] = { 60, 120, 240, 480, 600, 600 };
	struct governor_counts c = pairs(45000, 64, 0);	     /* in 20 ms */
	struct governor_counts later = pairs(225000, 64, 0); /* in 100 ms */
	struct governor g;
	uint64_t t = BEGIN;

	(void)state;
	begin(&g, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		t += 20 * MS;
		assert_true(governor_measure(&g, t, &c));
		t += 100 * MS;
		assert_true(governor_applied(&g, t, &later));
		assert_int_equal(g.plan.mode, GOVERNOR_NONE);
		assert_int_equal(g.plan.reason, GOVERNOR_TOO_BUSY);
		assert_int_equal(g.plan.probes, GOVERNOR_PROBES_NONE);
		assert_false(governor_applied(&g, t, &nothing));
		assert_true(g.plan.next_ns == t + waits[i] * SECOND);
		t = g.plan.next_ns;
		assert_true(governor_measure(&g, t, &nothing));
		assert_int_equal(g.plan.mode, GOVERNOR_COUNT);
		assert_false(governor_applied(&g, t, &nothing));
	}
}

/*
 * Of 120 ms a third is for watching: at 100,000 frees a second, of 400 ns each, that is a second. The
 * window itself is 80 / 80.0586 s less the removal, which takes no time here: less than 1 ms after
 * twenty windows.
 */
static void test_watch(void **state)
{
	struct governor_limits limits = governor_default_limits(2);
	struct governor g;
	uint64_t t = BEGIN, spent[3] = { 0 };
	enum governor_probes before;
	double watched = 0, window = 0;

	(void)state;
	limits.watch_ratio = 0.5;
	assert_int_equal(governor_init(&g, &limits, &prices, NULL, BEGIN), 1);
	assert_false(governor_applied(&g, BEGIN, &nothing));
	for (int i = 0; i < 90; i++) {
		uint64_t from = t;

		before = g.plan.probes;
		run_to_change(&g, &t, 1e5);
		(void)governor_applied(&g, t, &nothing);
		if (g.plan.next_ns == UINT64_MAX)
			(void)governor_applied(&g, t, &nothing);
		spent[before] += t - from;
		if (before == GOVERNOR_PROBES_FREES && g.plan.probes == GOVERNOR_PROBES_NONE)
			watched = (double)(t - from);
		if (before == GOVERNOR_PROBES_ALL)
			window = (double)(t - from);
	}
	assert_int_equal(g.plan.mode, GOVERNOR_WINDOWED);
	assert_close(watched, 1e9, 5e6);
	assert_close(window, 80 / 80.0586e-9, 5e6);
	/* What is left of the budget after the reserve went: 7.5 s for each window. */
	assert_close((double)spent[GOVERNOR_PROBES_NONE] / (double)(t - BEGIN), 5.5 / 7.5, 0.03);
	/* Duty is that of allocation probes. */
	assert_close(governor_report(&g, t).duty_ratio, 1 / 7.5, 0.02);
}

static uint64_t random_number(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Numbers of every size, most of them small. */
static uint64_t odd_number(uint64_t *seed)
{
	uint64_t n = random_number(seed);

	return random_number(seed) % 16 == 0 ? n : n >> (n & 63);
}

static void check_sane(const struct governor *g)
{
	struct governor_report r = governor_report(g, g->now_ns);

	assert_true((unsigned int)g->plan.mode < GOVERNOR_MODES);
	assert_true((unsigned int)g->plan.reason < GOVERNOR_REASONS);
	assert_true(isfinite(g->ledger.level_ns) && g->ledger.level_ns <= g->ledger.capacity_ns);
	assert_true(isfinite(r.cost_ratio) && r.cost_ratio >= 0);
	assert_true(r.duty_ratio >= 0 && r.duty_ratio <= 1);
	assert_true(isfinite(r.hits_per_second) && isfinite(r.ns_per_hit));
	assert_int_equal(g->plan.alarm_hits > 0, g->plan.probes != GOVERNOR_PROBES_NONE);
	assert_int_equal(g->plan.interval_bytes > 0,
			 g->plan.mode == GOVERNOR_SAMPLED || g->plan.mode == GOVERNOR_WINDOWED);
	if (!g->is_applied)
		assert_true(g->plan.next_ns == UINT64_MAX);
}

static void test_hostile_numbers(void **state)
{
	static const double odd[] = { 0, -1, 1e-300, 400, 1e30, NAN, INFINITY, -INFINITY };
	struct governor_limits limits = governor_default_limits(3);
	struct governor_total total;
	struct governor g;
	uint64_t seed = 1234567891, t = BEGIN;
	bool seen[GOVERNOR_MODES] = { false };

	(void)state;
	governor_total_init(&total, 0.05, t);
	limits.watch_ratio = 0.3;
	assert_true(governor_init(&g, &limits, &prices, &total, t) >= 0);
	for (int i = 0; i < 300000; i++) {
		struct governor_counts c = { odd_number(&seed), odd_number(&seed),
					     odd_number(&seed), odd_number(&seed) };
		uint64_t what = random_number(&seed);

		if (what % 4 != 0)
			c = nothing;
		if (what % 1000 == 7) {
			struct governor_prices p = { odd[what / 1000 % 8], odd[what / 8000 % 8],
						     odd[what / 64000 % 8], odd[what / 512000 % 8],
						     odd[what / 4096000 % 8] };

			governor_set_prices(&g, what % 2000 == 7 ? &p : &prices);
		}
		if (what % 50 == 3)
			t = g.plan.next_ns < UINT64_MAX ? g.plan.next_ns : t;
		t += random_number(&seed) % 8 == 0 ? random_number(&seed) % SECOND : 0;
		if (what % 10000 == 9)
			t -= MINUTE;
		if (what % 700 == 13)
			governor_lost(&g, t, &c);
		if (!g.is_applied && what % 3 == 0)
			(void)governor_applied(&g, t, &c);
		else
			(void)governor_measure(&g, t, &c);
		check_sane(&g);
		seen[g.plan.mode] = true;
		if (what % 5000 == 11) {
			governor_done(&g);
			assert_true(isinf(governor_total_share(&total)));
			assert_true(governor_init(&g, &limits, &prices, &total, t) >= 0);
		}
	}
	for (int i = 0; i < GOVERNOR_MODES; i++)
		assert_true(seen[i]);
	governor_done(&g);
	assert_true(isinf(governor_total_share(&total)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),	       cmocka_unit_test(test_up_from_windows),
		cmocka_unit_test(test_other_spending), cmocka_unit_test(test_too_busy),
		cmocka_unit_test(test_watch),	       cmocka_unit_test(test_hostile_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
