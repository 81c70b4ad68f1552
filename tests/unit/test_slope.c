// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/slope.c: exact lines, the error, and what stays of a long series. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "trend/slope.h"

#define SECOND 1000000000ull
#define HOUR   (3600 * SECOND)

static void assert_close(double value, double expected, double relative)
{
	if (!(fabs(value - expected) <= relative * fabs(expected)))
		fail_msg("%.17g is not %.17g", value, expected);
}

static void test_too_few(void **state)
{
	struct slope s = { 0 };

	(void)state;
	assert_false(slope_estimate(&s).valid);
	slope_add(&s, 23, 1);
	assert_false(slope_estimate(&s).valid);
	/* The same time again is the same point, corrected. */
	slope_add(&s, 23, 5);
	assert_int_equal(s.n, 1);
	assert_true(s.value[0] == 5);
	assert_false(slope_estimate(&s).valid);
	/* Backwards: ignored. */
	slope_add(&s, 22, 7);
	assert_int_equal(s.n, 1);
	assert_true(s.value[0] == 5);
}

static void test_two_points(void **state)
{
	struct slope s = { 0 };
	struct slope_estimate e;

	(void)state;
	slope_add(&s, 17 * HOUR, 1000);
	slope_add(&s, 19 * HOUR, 1046);
	e = slope_estimate(&s);
	assert_true(e.valid);
	assert_close(e.per_hour, 23, 1e-12);
	assert_true(e.per_hour_error == 0);
	assert_true(e.since_ns == 17 * HOUR);
}

/* Hand-computed: x = 0 1 2 3, y = 1 3 2 6: slope 1.4, residuals .2 -.8 ... */
static void test_known_error(void **state)
{
	static const double y[] = { 1, 3, 2, 6 };
	struct slope s = { 0 };
	struct slope_estimate e;

	(void)state;
	for (int i = 0; i < 4; i++)
		slope_add(&s, 100 * HOUR + i * HOUR, y[i]);
	e = slope_estimate(&s);
	/* sxx 5, sxy 7, syy 14: residuals 14 - 49 / 5 = 4.2; error sqrt(4.2 / 2 / 5). */
	assert_close(e.per_hour, 1.4, 1e-12);
	assert_close(e.per_hour_error, sqrt(0.42), 1e-12);
}

static void test_flat(void **state)
{
	struct slope s = { 0 };
	struct slope_estimate e;

	(void)state;
	for (int i = 0; i < 997; i++)
		slope_add(&s, i * 10 * SECOND, 4096);
	e = slope_estimate(&s);
	assert_true(e.valid);
	assert_true(e.per_hour == 0);
	assert_true(e.per_hour_error == 0);
}

/* Whatever the tick, the series spans the whole life and keeps its slope. */
static void test_long_series(void **state)
{
	static const uint64_t ticks[] = { SECOND / 10, 10 * SECOND, 3600 * SECOND };

	(void)state;
	for (size_t t = 0; t < 3; t++) {
		/* Late in the life of the machine, with values where doubles have few digits left. */
		uint64_t begin = 400 * 24 * HOUR + 7;
		uint64_t last = 0;
		struct slope s = { 0 };
		struct slope_estimate e;

		for (uint64_t i = 0; i < 100003; i++) {
			last = begin + i * ticks[t];
			slope_add(&s, last, 1e12 + (double)i * 37);
			assert_in_range(s.n, 1, SLOPE_POINTS);
			assert_true(s.time_ns[s.n - 1] == last);
			assert_true(s.time_ns[0] == begin);
		}
		assert_true(s.n > SLOPE_POINTS / 2);
		for (uint32_t i = 2; i < s.n; i++) {
			uint64_t distance = s.time_ns[i - 1] - s.time_ns[i - 2];

			assert_true(distance >= s.spacing_ns);
			assert_true(distance <= s.spacing_ns + s.spacing_ns / 10);
		}
		e = slope_estimate(&s);
		assert_close(e.per_hour, 37.0 * HOUR / ticks[t], 1e-6);
		assert_true(e.per_hour_error < e.per_hour * 1e-6);
		assert_true(e.since_ns == begin);
	}
}

/* Ticks that come up to 1 % early or late still leave evenly spaced points. */
static void test_jitter(void **state)
{
	struct slope s = { 0 };
	uint32_t seed = 12345;

	(void)state;
	for (uint64_t i = 0; i < 10007; i++) {
		seed = seed * 1664525 + 1013904223;
		slope_add(&s, i * 10 * SECOND + (seed >> 16) % (SECOND / 10), (double)i);
	}
	assert_in_range(s.n, SLOPE_POINTS / 2 + 1, SLOPE_POINTS);
	assert_close(slope_estimate(&s).per_hour, 360, 1e-4);
	for (uint32_t i = 2; i < s.n; i++) {
		uint64_t distance = s.time_ns[i - 1] - s.time_ns[i - 2];

		assert_true(distance <= s.spacing_ns + s.spacing_ns / 8);
	}
}

/* What goes down has a negative slope; a step in the middle is not lost by thinning. */
static void test_falling_and_step(void **state)
{
	struct slope falling = { 0 };
	struct slope step = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 499; i++) {
		slope_add(&falling, i * HOUR, 1e6 - (double)i * 11);
		slope_add(&step, i * HOUR, i < 250 ? 0 : 1e6);
	}
	assert_close(slope_estimate(&falling).per_hour, -11, 1e-9);
	/* A step in the middle of a span T has the slope 1.5 * height / T. */
	assert_close(slope_estimate(&step).per_hour, 1.5e6 / 498, 0.1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_few),		 cmocka_unit_test(test_two_points),
		cmocka_unit_test(test_known_error),	 cmocka_unit_test(test_flat),
		cmocka_unit_test(test_long_series),	 cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_falling_and_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
