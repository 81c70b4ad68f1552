// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole-number arithmetic of sampling against floating point and against what the theory says of
 * a Poisson process. Every draw is deterministic, so a bound either holds or it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "../bpf/sampling.h"
#include "probe/object.h"

#define DRAWS	   1000000u
#define ERRORS_MAX 4.0 /* standard errors: 6e-5 of all seeds would be beyond */

static const uint32_t intervals[] = {
	SAMPLING_INTERVAL_MIN, 1025, 4099, 65536, 1000003, 1u << 24, SAMPLING_INTERVAL_MAX - 1,
	SAMPLING_INTERVAL_MAX,
};

/* --- the table ------------------------------------------------------------------------------------- */

static void table_holds_logarithms(void **state)
{
	uint32_t table[SAMPLING_TABLE_SIZE];

	(void)state;
	meters_fill_table(table);
	assert_int_equal(table[0], 0);
	assert_int_equal(table[SAMPLING_TABLE_SIZE - 1], 1 << 24);
	for (unsigned int i = 0; i < SAMPLING_TABLE_SIZE; i++) {
		double exact = log2(1 + i / 256.0) * (1 << 24);

		assert_true(fabs(table[i] - exact) <= 0.5);
		assert_true(i == 0 || table[i] > table[i - 1]);
	}
	assert_true(fabs(SAMPLING_LN2 - M_LN2 * (1 << 24)) <= 0.5);
}

/* --- weights --------------------------------------------------------------------------------------- */

static long double exact_extra(uint64_t size, uint32_t interval)
{
	long double x = (long double)size / interval;

	return interval * x / expm1l(x);
}

/* Half a byte of rounding, and the series' rest, of which 3e-8 is said, with the shifts. */
static void check_extra(uint64_t size, uint32_t interval)
{
	long double exact = exact_extra(size, interval);
	uint32_t extra = sampling_extra(size, interval);
	long double error = fabsl(extra - exact);

	if (error > 0.5L + 3e-8L * interval)
		fail_msg("size %llu, interval %u: %u instead of %Lf", (unsigned long long)size,
			 interval, extra, exact);
	/* Of the weight, which nothing below the interval goes under. */
	assert_true(error / (size + exact) < 5e-4L);
	assert_true(size + extra >= interval);
}

static void extra_is_right_for_every_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(intervals); i++) {
		uint32_t interval = intervals[i], step = interval / 40009 + 1;

		for (uint64_t size = 1; size < interval; size += step)
			check_extra(size, interval);
		check_extra(interval - 1, interval);
		for (uint64_t size = 1; size < interval; size = 2 * size + 1)
			check_extra(size, interval);
	}
}

/* The smallest block stands for almost an interval, the largest one for 1 / (e - 1) more. */
static void extra_at_the_ends(void **state)
{
	(void)state;
	assert_int_equal(sampling_extra(1, 65536), 65536);
	assert_int_equal(sampling_extra(2, 65536), 65535);
	assert_int_equal(sampling_extra(65535, 65536), 38141);
	assert_int_equal(sampling_extra(1, SAMPLING_INTERVAL_MAX), SAMPLING_INTERVAL_MAX);
	assert_int_equal(sampling_extra(1023, 1024), 596);
}

static void check_shares(uint64_t size, uint32_t interval)
{
	const struct block b = { .size = size, .extra = sampling_extra(size, interval) };
	double p = -expm1(-(double)size / interval);
	double count = ldexp(sampling_extra_count(&b), -SAMPLING_COUNT_SHIFT);
	double variance = ldexp(sampling_variance(&b), SAMPLING_VARIANCE_SHIFT);
	double exact_variance = size / p * (size / p) * (1 - p);

	/* Both follow from the weight, which is rounded to a byte, and are themselves cut off. */
	assert_true(fabs(count - (1 / p - 1)) <= 0.51 / size + 4e-8 / p + ldexp(1, -16));
	assert_true(fabs(variance - exact_variance) <= 4e-3 * exact_variance);
	if (interval >= 65536)
		assert_true(fabs(variance - exact_variance) <= 2e-5 * exact_variance);
}

static void counts_and_variances_follow_from_the_weight(void **state)
{
	const struct block whole = { .size = 4096 }, nothing = { .size = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(intervals); i++) {
		uint32_t interval = intervals[i], step = interval / 997 + 1;

		for (uint64_t size = 1; size < interval; size += step)
			check_shares(size, interval);
		check_shares(interval - 1, interval);
	}
	assert_int_equal(sampling_extra_count(&whole), 0);
	assert_int_equal(sampling_variance(&whole), 0);
	assert_int_equal(sampling_extra_count(&nothing), 0);
	assert_int_equal(sampling_variance(&nothing), 0);
}

/* --- the generator --------------------------------------------------------------------------------- */

/* The step of the state is linear over bits: a matrix, by columns. */
struct matrix {
	__u64 column[64];
};

static __u64 apply(const struct matrix *m, __u64 state)
{
	__u64 result = 0;

	for (unsigned int i = 0; i < 64; i++)
		if (state >> i & 1)
			result ^= m->column[i];
	return result;
}

static struct matrix product_of(const struct matrix *a, const struct matrix *b)
{
	struct matrix result;

	for (unsigned int i = 0; i < 64; i++)
		result.column[i] = apply(a, b->column[i]);
	return result;
}

static bool is_identity(const struct matrix *m)
{
	for (unsigned int i = 0; i < 64; i++)
		if (m->column[i] != 1ull << i)
			return false;
	return true;
}

static bool repeats_after(const struct matrix *step, uint64_t times)
{
	struct matrix result, square = *step;

	for (unsigned int i = 0; i < 64; i++)
		result.column[i] = 1ull << i;
	for (; times; times >>= 1) {
		if (times & 1)
			result = product_of(&result, &square);
		square = product_of(&square, &square);
	}
	return is_identity(&result);
}

/* A period that divides 2^64 - 1 and none of its largest divisors is 2^64 - 1. */
static void states_repeat_after_all_others(void **state)
{
	static const uint32_t primes[] = { 3, 5, 17, 257, 641, 65537, 6700417 };
	struct matrix step;
	uint64_t rest = UINT64_MAX;

	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		step.column[i] = 1ull << i;
		(void)sampling_random(&step.column[i]);
	}
	assert_true(repeats_after(&step, UINT64_MAX));
	for (size_t i = 0; i < ARRAY_SIZE(primes); i++) {
		assert_int_equal(rest % primes[i], 0);
		rest /= primes[i];
		assert_false(repeats_after(&step, UINT64_MAX / primes[i]));
	}
	assert_int_equal(rest, 1);
}

/* Pearson's statistic of the top and of the bottom bits over 256 cells: 255 +- sqrt(510). */
static void bits_are_even(void **state)
{
	uint32_t top[256] = { 0 }, bottom[256] = { 0 };
	double expected = DRAWS / 256.0, top_sum = 0, bottom_sum = 0;
	__u64 random = 20011;

	(void)state;
	for (unsigned int i = 0; i < DRAWS; i++) {
		uint32_t r = sampling_random(&random);

		top[r >> 24]++;
		bottom[r & 0xff]++;
	}
	for (unsigned int i = 0; i < 256; i++) {
		top_sum += (top[i] - expected) * (top[i] - expected) / expected;
		bottom_sum += (bottom[i] - expected) * (bottom[i] - expected) / expected;
	}
	assert_true(fabs(top_sum - 255) < ERRORS_MAX * sqrt(510));
	assert_true(fabs(bottom_sum - 255) < ERRORS_MAX * sqrt(510));
}

static double correlation(__u64 one, __u64 other)
{
	double sum = 0;

	for (unsigned int i = 0; i < DRAWS; i++) {
		double x = sampling_random(&one) / 4294967296.0 - 0.5;
		double y = sampling_random(&other) / 4294967296.0 - 0.5;

		sum += 12 * x * y;
	}
	return sum / DRAWS;
}

/* Each CPU starts from the seed plus its number, or from odd multiples of 2^32. */
static void neighbours_do_not_know_each_other(void **state)
{
	(void)state;
	for (uint64_t cpu = 1; cpu < 4; cpu++)
		assert_true(fabs(correlation(20011, 20011 + cpu)) < ERRORS_MAX / sqrt(DRAWS));
	assert_true(fabs(correlation(7ull << 32 | 1, 8ull << 32 | 1)) < ERRORS_MAX / sqrt(DRAWS));
}

/* --- distances ------------------------------------------------------------------------------------- */

static void check_distance(const uint32_t *table, uint32_t random, uint32_t interval)
{
	double exact = -log((random ? random : 1) / 4294967296.0) * interval;
	int64_t distance = sampling_distance(random, interval, table);

	/* The chord lies below the logarithm, the table's entries are rounded, the rest is cut off. */
	if (distance < exact - 1.5e-7 * interval || distance > exact + 1 + 2.1e-6 * interval)
		fail_msg("%u, interval %u: %lld instead of %f", random, interval,
			 (long long)distance, exact);
	assert_true(distance >= 1);
}

static void distances_are_logarithms(void **state)
{
	uint32_t table[SAMPLING_TABLE_SIZE];
	__u64 random = 30011;

	(void)state;
	meters_fill_table(table);
	for (size_t i = 0; i < ARRAY_SIZE(intervals); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			check_distance(table, 1u << bit, intervals[i]);
			check_distance(table, (1u << bit) - 1, intervals[i]);
			check_distance(table, (1u << bit) + 1, intervals[i]);
			check_distance(table, 0u - (1u << bit), intervals[i]);
		}
		for (unsigned int draw = 0; draw < DRAWS / 10; draw++)
			check_distance(table, sampling_random(&random), intervals[i]);
	}
}

/* A 32-bit number knows distances up to 32 ln 2 = 22.2 intervals; the shortest one is a byte. */
static void distances_at_the_ends(void **state)
{
	uint32_t table[SAMPLING_TABLE_SIZE];

	(void)state;
	meters_fill_table(table);
	for (size_t i = 0; i < ARRAY_SIZE(intervals); i++) {
		int64_t longest = sampling_distance(0, intervals[i], table);

		assert_int_equal(longest, sampling_distance(1, intervals[i], table));
		assert_true(fabs(longest - 32 * M_LN2 * intervals[i]) <= 1 + 2e-6 * intervals[i]);
		assert_true(sampling_distance(2, intervals[i], table) < longest);
		assert_int_equal(sampling_distance(UINT32_MAX, intervals[i], table), 1);
	}
	assert_int_equal(sampling_distance(1u << 31, 65536, table), 45426 + 1);
}

static int compare_distances(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t *draw_distances(uint32_t interval, __u64 seed)
{
	int64_t *distances = malloc(DRAWS * sizeof(*distances));
	uint32_t table[SAMPLING_TABLE_SIZE];

	assert_non_null(distances);
	meters_fill_table(table);
	for (unsigned int i = 0; i < DRAWS; i++)
		distances[i] = sampling_distance(sampling_random(&seed), interval, table);
	return distances;
}

/*
 * The number of the byte that a point falls on is geometric: P(D <= d) = 1 - exp(-d / interval), mean
 * interval + 1/2, variance interval^2 - 1/12. Of an exponential variable, the variance's own standard
 * error is sqrt(8 / n) of it (kurtosis 9).
 */
static void check_moments(const int64_t *distances, uint32_t interval)
{
	double mean = 0, variance = 0, n = DRAWS;

	for (unsigned int i = 0; i < DRAWS; i++)
		mean += distances[i] / n;
	for (unsigned int i = 0; i < DRAWS; i++)
		variance += (distances[i] - mean) * (distances[i] - mean) / (n - 1);
	assert_true(fabs(mean - (interval + 0.5)) < ERRORS_MAX * interval / sqrt(n));
	assert_true(fabs(variance / interval / interval - 1) < ERRORS_MAX * sqrt(8 / n));
}

/*
 * Kolmogorov and Smirnov: the largest distance of the two distribution functions, times sqrt(n), is
 * above 1.63 for one seed in a hundred. Compared where the steps are; sorts the distances.
 */
static void check_distribution(int64_t *distances, uint32_t interval)
{
	double worst = 0, n = DRAWS;

	qsort(distances, DRAWS, sizeof(*distances), compare_distances);
	for (unsigned int i = 0; i < DRAWS; i++) {
		if (i + 1 < DRAWS && distances[i] == distances[i + 1])
			continue;
		worst = fmax(worst, fabs((i + 1) / n + expm1(-(double)distances[i] / interval)));
	}
	assert_true(worst * sqrt(n) < 1.63);
}

/* How often a block is hit, times what it then stands for, is its size. */
static void check_chances(const int64_t *distances, uint32_t interval)
{
	double n = DRAWS;

	for (uint64_t size = interval / 600 + 1; size < interval; size *= 3) {
		double p = -expm1(-(double)size / interval);
		uint64_t weight = size + sampling_extra(size, interval);
		double hits = 0;

		for (unsigned int i = 0; i < DRAWS; i++)
			hits += distances[i] <= (int64_t)size;
		assert_true(fabs(hits * weight / n - size) <
			    ERRORS_MAX * weight * sqrt(p * (1 - p) / n));
	}
}

static void distances_are_exponential(void **state)
{
	static const uint32_t some[] = { SAMPLING_INTERVAL_MIN, 65536, SAMPLING_INTERVAL_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		_cleanup_free_ int64_t *distances = draw_distances(some[i], 40009 + i);

		check_moments(distances, some[i]);
		check_chances(distances, some[i]);
		check_distribution(distances, some[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_holds_logarithms),
		cmocka_unit_test(extra_is_right_for_every_size),
		cmocka_unit_test(extra_at_the_ends),
		cmocka_unit_test(counts_and_variances_follow_from_the_weight),
		cmocka_unit_test(states_repeat_after_all_others),
		cmocka_unit_test(bits_are_even),
		cmocka_unit_test(neighbours_do_not_know_each_other),
		cmocka_unit_test(distances_are_logarithms),
		cmocka_unit_test(distances_at_the_ends),
		cmocka_unit_test(distances_are_exponential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
