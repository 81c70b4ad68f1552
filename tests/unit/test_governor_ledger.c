// SPDX-License-Identifier: GPL-2.0-or-later
/* probe/governor_ledger.c: sums over time, the promise about every minute, and fair shares. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/cleanup.h"
#include "probe/governor_ledger.h"

#define SECOND GOVERNOR_SECOND_NS
#define MINUTE GOVERNOR_MINUTE_NS

static void assert_close(double value, double expected, double error)
{
	if (!(fabs(value - expected) <= error))
		fail_msg("%.17g is not %.17g", value, expected);
}

static double random_share(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) * 0x1p-53;
}

static void test_spending(void **state)
{
	uint64_t t = 1000 * SECOND;
	struct governor_spending s;

	(void)state;
	governor_spending_init(&s, SECOND);
	assert_true(governor_spending_sum(&s, t, MINUTE) == 0);
	/* A quarter in the first slot, half in the second, a quarter in the third. */
	governor_spending_add(&s, t + SECOND / 2, t + 5 * SECOND / 2, 8);
	assert_close(governor_spending_sum(&s, t + 5 * SECOND / 2, MINUTE), 8, 1e-9);
	assert_close(governor_spending_sum(&s, t + 5 * SECOND / 2, 3 * SECOND / 2), 6, 1e-9);
	assert_close(governor_spending_sum(&s, t + 5 * SECOND / 2, SECOND), 4, 1e-9);
	assert_close(governor_spending_sum(&s, t + 60 * SECOND, MINUTE), 8, 1e-9);
	assert_close(governor_spending_sum(&s, t + 61 * SECOND, MINUTE), 6, 1e-9);
	assert_close(governor_spending_sum(&s, t + 63 * SECOND, MINUTE), 0, 1e-9);
	/* At one point in time, and by one that is behind the others. */
	governor_spending_add(&s, t + 9 * SECOND, t + 9 * SECOND, 5);
	governor_spending_add(&s, t + 4 * SECOND, t + 5 * SECOND, 3);
	assert_close(governor_spending_sum(&s, t + 10 * SECOND, MINUTE), 16, 1e-9);
	/* An age later, and over more time than is kept: the last 63 or 64 slots of 1000. */
	t *= 2;
	governor_spending_add(&s, t, t + 1000 * SECOND, 1000);
	assert_close(governor_spending_sum(&s, t + 1000 * SECOND, MINUTE), 60, 1e-9);
	assert_close(governor_spending_sum(&s, t + 1000 * SECOND, UINT64_MAX), 63, 1e-9);
	governor_spending_add(&s, t, t, 7);
	assert_close(governor_spending_sum(&s, t + 1000 * SECOND, SECOND / 2), 7 + 0.5, 1e-9);
}

static void test_ledger(void **state)
{
	struct governor_ledger l;

	(void)state;
	governor_ledger_init(&l, 0.02, 0.15e9, 0);
	assert_close(l.capacity_ns, 0.24e9, 1);
	assert_close(l.growth, 0.016, 1e-12);
	assert_true(l.level_ns == l.capacity_ns);
	governor_ledger_spend(&l, 0.3e9);
	assert_close(l.level_ns, -0.06e9, 1);
	assert_close(governor_ledger_wait_ns(&l, 0.02e9, 1), 5e9, 1);
	assert_close(governor_ledger_wait_ns(&l, 0.02e9, 0.5), 10e9, 1);
	assert_true(isinf(governor_ledger_wait_ns(&l, 0, 0)));
	assert_true(governor_ledger_wait_ns(&l, -0.07e9, 0) == 0);
	governor_ledger_grow(&l, 5 * SECOND, 1);
	assert_close(l.level_ns, 0.02e9, 1);
	governor_ledger_grow(&l, 4 * SECOND, 1);
	governor_ledger_grow(&l, 5 * SECOND, 1);
	assert_close(l.level_ns, 0.02e9, 1);
	governor_ledger_grow(&l, 1000 * SECOND, 1);
	governor_ledger_cap(&l);
	assert_true(l.level_ns == l.capacity_ns);
	/* A debt is forgotten after a minute's worth. */
	governor_ledger_spend(&l, 1e30);
	assert_close(l.level_ns, -1.2e9, 1);
	/* A small budget still saves for what is spent at once, up to half of a minute's worth. */
	governor_ledger_init(&l, 0.01, 0.15e9, 0);
	assert_close(l.capacity_ns, 0.15e9, 1);
	assert_close(l.growth, 0.0075, 1e-12);
	governor_ledger_init(&l, 0.001, 0.15e9, 0);
	assert_close(l.capacity_ns, 0.03e9, 1);
	assert_close(l.growth, 0.0005, 1e-12);
}

/* Whoever spends what is there, and no more, keeps the budget in every minute, and in the first. */
static void test_every_minute(void **state)
{
	enum {
		STEPS = 6000
	};
	static double spent[STEPS];
	uint64_t seed = 88172645463325252ull;

	(void)state;
	for (int run = 0; run < 20; run++) {
		double greed = run == 0 ? 1 : random_share(&seed) * 0.1, sum = 0, most = 0;
		struct governor_ledger l;

		governor_ledger_init(&l, 0.02, 0.15e9, 0);
		for (int i = 0; i < STEPS; i++) {
			governor_ledger_grow(&l, (uint64_t)i * SECOND / 10, 1);
			spent[i] = random_share(&seed) < greed ? fmax(l.level_ns, 0) : 0;
			governor_ledger_spend(&l, spent[i]);
			governor_ledger_cap(&l);
			sum += spent[i] - (i >= 600 ? spent[i - 600] : 0);
			most = fmax(most, sum);
		}
		assert_true(most <= 0.02 * MINUTE * (1 + 1e-9));
		if (run == 0)
			assert_true(most > 0.0199 * MINUTE);
	}
}

/* The share by halving: sum(min(demand, share)) = budget. */
static double find_share(const double *demands, size_t n, double budget)
{
	double low = 0, high = 1;

	for (int i = 0; i < 60; i++) {
		double middle = (low + high) / 2, sum = 0;

		for (size_t k = 0; k < n; k++)
			sum += fmin(demands[k], middle);
		*(sum > budget ? &high : &low) = middle;
	}
	return low;
}

static void test_share(void **state)
{
	static const double few[] = { 0.02, 0.001, 0.02, 0.02 };
	static double demands[500];
	uint64_t seed = 123456789;
	struct governor_total t;

	(void)state;
	governor_total_init(&t, 0.05, 0);
	assert_true(isinf(governor_total_share(&t)));
	for (size_t i = 0; i < 2; i++)
		governor_total_demand(&t, 0, few[i]);
	assert_true(isinf(governor_total_share(&t)));
	for (size_t i = 2; i < 4; i++)
		governor_total_demand(&t, 0, few[i]);
	/* One is content with 0.001; the others share 0.049. */
	assert_close(governor_total_share(&t), 0.049 / 3, 1e-12);
	governor_total_demand(&t, 0.02, 0);
	assert_true(isinf(governor_total_share(&t)));
	governor_total_init(&t, 0.05, 0);
	for (int round = 0; round < 50; round++) {
		double used = 0, share;

		for (size_t i = 0; i < ARRAY_SIZE(demands); i++) {
			double old = demands[i];

			demands[i] = random_share(&seed) < 0.2 ?
					     0 :
					     0.02 * exp(-15 * random_share(&seed));
			governor_total_demand(&t, old, demands[i]);
		}
		share = governor_total_share(&t);
		for (size_t i = 0; i < ARRAY_SIZE(demands); i++)
			used += fmin(demands[i], share);
		/* Demands of one power of two stand together: never too much, and hardly less. */
		assert_true(used <= 0.05 * (1 + 1e-9));
		assert_close(share / find_share(demands, ARRAY_SIZE(demands), 0.05), 0.9, 0.1001);
	}
	for (size_t i = 0; i < ARRAY_SIZE(demands); i++)
		governor_total_demand(&t, demands[i], 0);
	assert_true(isinf(governor_total_share(&t)));
}

static void test_odd_totals(void **state)
{
	static const double ratios[] = { 0, -1, NAN };
	struct governor_waiter w = { 0 };
	struct governor_total t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ratios); i++) {
		governor_total_init(&t, ratios[i], 0);
		assert_true(t.ratio == 0);
		governor_total_demand(&t, 0, 0.01);
		assert_true(governor_total_share(&t) == 0);
		governor_total_join(&t, &w, 1);
		assert_true(isinf(governor_total_wait_ns(&t, &w)));
		governor_total_leave(&t, &w);
	}
	governor_total_init(&t, 0.05, 0);
	governor_total_demand(&t, 0, 1e-300);
	governor_total_demand(&t, 0, 1e300);
	assert_close(governor_total_share(&t), 0.05, 1e-9);
}

/* In the order in which they joined, each when what it needs has grown. */
static void test_queue(void **state)
{
	struct governor_waiter w[4] = { 0 };
	struct governor_total t;
	uint64_t now = 100 * SECOND;

	(void)state;
	/* 600 ms, of which windows leave 150; it grows by 40 a second. */
	governor_total_init(&t, 0.05, now);
	governor_total_join(&t, &w[0], 450e6);
	assert_true(governor_total_wait_ns(&t, &w[0]) == 0);
	governor_total_join(&t, &w[1], 40e6);
	governor_total_join(&t, &w[2], 80e6);
	governor_total_join(&t, &w[3], 20e6);
	assert_close(governor_total_wait_ns(&t, &w[1]), 1e9, 10);
	assert_close(governor_total_wait_ns(&t, &w[2]), 3e9, 10);
	assert_close(governor_total_wait_ns(&t, &w[3]), 3.5e9, 10);
	/* The first one's turn, and one in the middle gives up. */
	governor_ledger_spend(&t.ledger, 450e6);
	governor_total_leave(&t, &w[0]);
	governor_total_leave(&t, &w[2]);
	governor_total_leave(&t, &w[2]);
	assert_close(governor_total_wait_ns(&t, &w[1]), 1e9, 10);
	assert_close(governor_total_wait_ns(&t, &w[3]), 1.5e9, 10);
	/* Back again, but last; who joins twice keeps its place. */
	governor_total_join(&t, &w[2], 80e6);
	governor_total_join(&t, &w[1], 60e6);
	assert_close(governor_total_wait_ns(&t, &w[1]), 1.5e9, 10);
	assert_close(governor_total_wait_ns(&t, &w[2]), 4e9, 10);
	governor_total_leave(&t, &w[2]);
	governor_total_leave(&t, &w[1]);
	governor_total_leave(&t, &w[3]);
	assert_null(t.first);
	assert_null(t.last);
	/* Booked spending is not taken twice. */
	governor_total_spend(&t, now, now + SECOND, 50e6, 30e6);
	assert_close(t.ledger.level_ns, 130e6, 1); /* 600 - 450 - 20 */
	assert_close(governor_total_ratio(&t, now + SECOND), 50e6 / MINUTE, 1e-12);
}

static void test_later(void **state)
{
	(void)state;
	assert_true(governor_later(23, 5) == 28);
	assert_true(governor_later(23, -5) == 23);
	assert_true(governor_later(23, NAN) == 23);
	assert_true(governor_later(23, INFINITY) == UINT64_MAX);
	assert_true(governor_later(UINT64_MAX - 5, 7) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spending),     cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_every_minute), cmocka_unit_test(test_share),
		cmocka_unit_test(test_odd_totals),   cmocka_unit_test(test_queue),
		cmocka_unit_test(test_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
