// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/records.c, confidence.c and states.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "trend/confidence.h"
#include "trend/records.h"
#include "trend/states.h"

static void assert_close(double value, double expected, double relative)
{
	if (!(fabs(value - expected) <= relative * fabs(expected)))
		fail_msg("%.10g is not %.10g", value, expected);
}

/* n records in a row are worth 0.9^(n - 1) n!. */
static void test_records(void **state)
{
	double up[10], none[3] = { 5, 5, 1 };

	(void)state;
	for (int i = 0; i < 10; i++)
		up[i] = i;
	assert_true(records_e_value(up, 0) == 1);
	assert_true(records_e_value(up, 1) == 1);
	assert_close(records_e_value(up, 5), 78.732, 1e-9);
	assert_close(records_e_value(up, 8), 0.4782969 * 40320, 1e-9);
	assert_close(records_e_value(up, 10), 0.387420489 * 3628800, 1e-9);
	/* No record, twice: 0.1 * 2 / 1, then 0.1 * 3 / 2. */
	assert_close(records_e_value(none, 3), 0.2 * 0.15, 1e-12);
}

static double next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (double)(*x >> 11);
}

/* Without a trend the mean is at most 1, and more than 20 comes in at most 5 % (1.4 % measured). */
static void test_records_are_fair(void **state)
{
	uint64_t seed = 88172645463325252ull;
	double values[16], sum = 0;
	int large = 0;

	(void)state;
	for (int run = 0; run < 20000; run++) {
		double most = 0;

		for (int i = 0; i < 16; i++)
			values[i] = next_random(&seed);
		/* The tail is heavy; cut, the mean must be below 1. */
		sum += fmin(records_e_value(values, 16), 1000);
		/* An e-process may be looked at all the time. */
		for (size_t n = 1; n <= 16; n++)
			most = fmax(most, records_e_value(values, n));
		large += most > 20;
	}
	assert_true(sum / 20000 < 1.0);
	assert_true(large > 20000 / 200 && large < 20000 / 20);
}

static void test_records_of_floors(void **state)
{
	struct floors f = { 0 };

	(void)state;
	for (uint32_t t = 0; t < 640; t++)
		floors_add(&f, t, (struct floor_point){ .old_bytes = (float)t });
	/* 16 intervals, each higher than the one before: 0.9^15 16! */
	assert_close(records_of_floors(&f), 0.205891132094649 * 20922789888000.0, 1e-9);
}

static void test_choose(void **state)
{
	static const double e[] = { 1000, 90, 61, 30, 1 };

	(void)state;
	/* At 0.05 of 5: the first k need 100 / k: 100, 50, 33, 25, 20. */
	assert_int_equal(records_choose(e, 5, 0.05), 4);
	assert_int_equal(records_choose(e + 1, 4, 0.05), 3);
	assert_int_equal(records_choose(e + 3, 2, 0.05), 0);
	assert_int_equal(records_choose(e, 0, 0.05), 0);
}

static void test_confidence(void **state)
{
	struct confidence_input in = {
		.channel = TREND_BY_COHORTS,
		.waited = 500,
		.ticks_to_limit = 1000,
		.lifetime = 20,
		.steadiness = 1,
		.shortest = 90,
		.longest = 11520,
	};
	double x[CONFIDENCE_FEATURES], p, before;

	(void)state;
	confidence_features(&in, x);
	assert_close(x[CONFIDENCE_PROGRESS], log(0.5), 1e-12);
	assert_close(x[CONFIDENCE_LENGTH], log(500 / 1440.0), 1e-12);
	assert_close(x[CONFIDENCE_AGES], log(25), 1e-12);
	assert_true(x[CONFIDENCE_DIES] == 1 && x[CONFIDENCE_CARRY] == 0);
	in.lifetime = 1;
	confidence_features(&in, x);
	assert_true(x[CONFIDENCE_DIES] == 0 && x[CONFIDENCE_AGES] == 0);
	in.lifetime = 20;
	p = confidence_of(&in, 1);
	assert_true(p > 0.5 && p < 1);
	/* The prior multiplies the odds. */
	assert_close(confidence_of(&in, 0.1) / (1 - confidence_of(&in, 0.1)), 0.1 * p / (1 - p),
		     1e-9);
	/* Longer growth is more certain, and so is one that went through earlier lives. */
	before = 0;
	for (in.waited = 100; in.waited < 5000; in.waited *= 2) {
		assert_true(confidence_of(&in, 1) > before);
		before = confidence_of(&in, 1);
	}
	in.waited = 500;
	in.has_carry = true;
	assert_true(confidence_of(&in, 1) > 0.98);
	/* Growth near the limit without flat survivors is weak. */
	in.has_carry = false;
	in.channel = TREND_BY_EXHAUSTION;
	assert_true(confidence_of(&in, 1) < 0.5);
}

static struct verdict_input found(uint32_t now, bool leaking)
{
	return (struct verdict_input){
		.now = now,
		.leaking = leaking,
		.suspect = true,
		.channel = TREND_BY_COHORTS,
		.width = 16,
		.since = 100,
		.until = now - 16,
		.found_bytes = 1000,
		.blamed_bytes = 1000,
		.rate = 10,
		.severity = TREND_LOW,
		.measured = true,
		.gap = 16,
	};
}

static void test_entering(void **state)
{
	struct verdict v = { 0 };
	struct verdict_input in = found(300, false), none = { .now = 310 };

	(void)state;
	/* One positive evaluation does nothing, neither do two that are not in a row. */
	assert_int_equal(verdict_update(&v, &in), TREND_NOTHING);
	assert_int_equal(verdict_update(&v, &none), TREND_NOTHING);
	assert_int_equal(verdict_update(&v, &in), TREND_NOTHING);
	assert_int_equal(verdict_update(&v, &in), TREND_SUSPECTED);
	assert_int_equal(v.state, TREND_SUSPECT);
	/* Held back: it stays a suspect. */
	in = found(320, true);
	in.held = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(verdict_update(&v, &in), TREND_NOTHING);
	in.held = false;
	assert_int_equal(verdict_update(&v, &in), TREND_OPENED);
	assert_int_equal(v.state, TREND_LEAKING);
	assert_int_equal(v.since, 100);
	/* One alert, however often it is confirmed. */
	assert_int_equal(verdict_update(&v, &in), TREND_NOTHING);
	in.rate = 21;
	assert_int_equal(verdict_update(&v, &in), TREND_GREW);
	assert_int_equal(verdict_update(&v, &in), TREND_NOTHING);
	in.severity = TREND_HIGH;
	assert_int_equal(verdict_update(&v, &in), TREND_GREW);
	in.now += 10080;
	assert_int_equal(verdict_update(&v, &in), TREND_GREW);
}

static void test_clearing(void **state)
{
	struct verdict v = { 0 };
	struct verdict_input in = found(300, false), none = { .now = 310 };

	(void)state;
	verdict_update(&v, &in);
	verdict_update(&v, &in);
	assert_int_equal(v.state, TREND_SUSPECT);
	/* Two negative ones, and a slice width of 16 ticks. */
	assert_int_equal(verdict_update(&v, &none), TREND_NOTHING);
	assert_int_equal(verdict_update(&v, &none), TREND_NOTHING);
	none.now = 316;
	assert_int_equal(verdict_update(&v, &none), TREND_CLEARED);
	assert_int_equal(v.state, TREND_QUIET);
}

static void open_alert(struct verdict *v)
{
	struct verdict_input in = found(300, true);

	*v = (struct verdict){ 0 };
	verdict_update(v, &in);
	assert_int_equal(verdict_update(v, &in), TREND_OPENED);
}

static void test_leaving(void **state)
{
	struct verdict v;
	struct verdict_input quiet = {
		.now = 400, .blamed_bytes = 1000, .measured = true, .gap = 16
	};

	(void)state;
	/* Not positive any more is not enough. */
	open_alert(&v);
	for (int i = 0; i < 5; i++)
		assert_int_equal(verdict_update(&v, &quiet), TREND_NOTHING);
	quiet.silence = 64;
	assert_int_equal(verdict_update(&v, &quiet), TREND_NOTHING);
	quiet.silence = 65; /* more than four slices */
	assert_int_equal(verdict_update(&v, &quiet), TREND_HAS_STOPPED);
	/* It goes on: the same alert. */
	quiet = found(500, true);
	assert_int_equal(verdict_update(&v, &quiet), TREND_NOTHING);
	assert_int_equal(verdict_update(&v, &quiet), TREND_RESUMED);

	open_alert(&v);
	quiet = (struct verdict_input){
		.now = 400, .blamed_bytes = 1000, .measured = true, .worse = true, .gap = 16
	};
	assert_int_equal(verdict_update(&v, &quiet), TREND_NOTHING);
	assert_int_equal(verdict_update(&v, &quiet), TREND_HAS_STOPPED);

	open_alert(&v);
	quiet.worse = false;
	quiet.blamed_bytes = 500;
	assert_int_equal(verdict_update(&v, &quiet), TREND_NOTHING);
	quiet.blamed_bytes = 499;
	assert_int_equal(verdict_update(&v, &quiet), TREND_HAS_RESOLVED);
	assert_int_equal(v.state, TREND_RESOLVED);
}

static void test_exhaustion(void **state)
{
	struct verdict v = { 0 };
	struct verdict_input in = { .now = 300,
				    .exhaustion = true,
				    .channel = TREND_BY_EXHAUSTION,
				    .rate = 1,
				    .found_bytes = 10,
				    .blamed_bytes = 10 };
	struct verdict_input leak = found(310, true);

	(void)state;
	assert_int_equal(verdict_update(&v, &in), TREND_NOTHING);
	assert_int_equal(verdict_update(&v, &in), TREND_OPENED);
	assert_int_equal(v.state, TREND_EXHAUSTION);
	/* A leak after all. */
	assert_int_equal(verdict_update(&v, &leak), TREND_GREW);
	assert_int_equal(verdict_update(&v, &leak), TREND_OPENED);
	assert_int_equal(v.state, TREND_LEAKING);
	/* In a later life it is the alert of before. */
	v = (struct verdict){ 0 };
	leak.earlier_alert = true;
	verdict_update(&v, &leak);
	assert_int_equal(verdict_update(&v, &leak), TREND_CONTINUED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),		  cmocka_unit_test(test_records_are_fair),
		cmocka_unit_test(test_records_of_floors), cmocka_unit_test(test_choose),
		cmocka_unit_test(test_confidence),	  cmocka_unit_test(test_entering),
		cmocka_unit_test(test_clearing),	  cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_exhaustion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
