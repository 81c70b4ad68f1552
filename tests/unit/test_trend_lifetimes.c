// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/lifetimes.c and envelope.c: hazard by hand, censoring, what counts as proven. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "trend/envelope.h"
#include "trend/lifetimes.h"

/* A life of some ticks with one live block of 100 bytes for each listed age. */
struct fixture {
	struct cohort_layout layout;
	struct cohorts cohorts;
	struct cohort_sums sums;
};

static void set_up(struct fixture *f, uint32_t now, const uint32_t *ages, size_t n)
{
	memset(f, 0, sizeof(*f));
	cohorts_advance(&f->cohorts, now);
	cohort_layout_set(&f->layout, now);
	for (size_t i = 0; i < n; i++)
		cohorts_scan_add(&f->cohorts, &f->layout, now - ages[i], 1, 100);
	cohorts_sum(&f->cohorts, &f->layout, &f->sums);
}

static void test_bins(void **state)
{
	(void)state;
	assert_true(lifetime_edge(0) == 1);
	assert_true(lifetime_edge(4) == 2);
	assert_true(lifetime_edge(60) == 32768);
	for (unsigned k = 0; k <= LIFETIME_BINS; k++)
		assert_true(fabs(lifetime_edge(k) - pow(2, k / 4.0)) < 1e-9 * pow(2, k / 4.0));
	assert_int_equal(lifetime_bin(0), 0);
	assert_int_equal(lifetime_bin(1), 0);
	assert_int_equal(lifetime_bin(2), 4);
	assert_int_equal(lifetime_bin(31.9), 19);
	assert_int_equal(lifetime_bin(32), 20);
	assert_int_equal(lifetime_bin(1e9), 60);
	for (unsigned k = 0; k < LIFETIME_BINS; k++)
		assert_int_equal(lifetime_bin(lifetime_edge(k) * 1.0001), k);
}

/* The least hazard of a bin is 1 - 0.8^(1/4) = 0.0543: of 3 that die, 52.3 may pass at most. */
static void test_longest(void **state)
{
	float life[LIFETIME_BINS] = { 0 };
	struct lifetimes earlier = { 0 };
	uint32_t ages[60];
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		ages[i] = 200;
	set_up(&f, 1000, ages, 52);
	assert_true(lifetimes_longest(life, NULL, 0.2, &f.layout, &f.sums) == 1);
	life[20] = 3; /* ages 32 to 38.05 */
	assert_true(lifetimes_longest(life, NULL, 0.2, &f.layout, &f.sums) == 39);
	set_up(&f, 1000, ages, 53);
	assert_true(lifetimes_longest(life, NULL, 0.2, &f.layout, &f.sums) == 1);
	/* Live blocks that are younger than the bin ends do not pass it. */
	for (unsigned i = 0; i < 60; i++)
		ages[i] = 30;
	set_up(&f, 1000, ages, 60);
	assert_true(lifetimes_longest(life, NULL, 0.2, &f.layout, &f.sums) == 39);
	/* Two deaths say nothing. */
	life[20] = 2;
	assert_true(lifetimes_longest(life, NULL, 0.2, &f.layout, &f.sums) == 1);
	/* Those of earlier lives count, and what was live at their end was not dead. */
	earlier.freed[20] = 1;
	assert_true(lifetimes_longest(life, &earlier, 0.2, &f.layout, &f.sums) == 39);
	earlier.censored[30] = 53;
	assert_true(lifetimes_longest(life, &earlier, 0.2, &f.layout, &f.sums) == 1);
	assert_true(lifetimes_freed_beyond(life, &earlier, 32) == 3);
	assert_true(lifetimes_freed_beyond(life, &earlier, 33) == 0);
}

static void test_add_life(void **state)
{
	float life[LIFETIME_BINS] = { [7] = 5 };
	uint32_t ages[] = { 3, 40, 41, 500 };
	struct lifetimes l = { .freed = { [7] = 1 } };
	struct fixture f;
	double censored = 0;

	(void)state;
	set_up(&f, 1000, ages, 4);
	lifetimes_add_life(&l, life, &f.layout, &f.cohorts);
	assert_true(l.freed[7] == 6);
	for (unsigned k = 0; k < LIFETIME_BINS; k++)
		censored += l.censored[k];
	assert_true(censored == 4);
	/* 2.5, 40, 41 and about 500 ticks old. */
	assert_true(l.censored[5] == 1);
	assert_true(l.censored[21] == 2);
	assert_true(l.censored[35] + l.censored[36] == 1);
}

/* One evaluation at which this many bytes are older than every age up to 2^4. */
static void evaluate(struct envelope *e, uint32_t now, double bytes)
{
	struct cohort_layout l;
	struct cohort_sums sums;
	struct cohorts c = { 0 };

	cohorts_advance(&c, now);
	cohort_layout_set(&l, now);
	cohorts_scan_add(&c, &l, now - 20, 1, bytes);
	cohorts_sum(&c, &l, &sums);
	envelope_update(e, &l, &sums);
}

static void test_envelope_fall(void **state)
{
	struct envelope e;

	(void)state;
	envelope_init(&e, 0);
	evaluate(&e, 100, 1000);
	evaluate(&e, 110, 2000);
	evaluate(&e, 120, 1001);
	assert_true(e.at[0].proven == 0);
	evaluate(&e, 130, 999);
	assert_true(e.at[0].proven == 2000);
	assert_true(e.at[4].proven == 2000);
	assert_true(e.at[0].most == 999);
	/* Nothing was ever older than 32 ticks. */
	assert_true(e.at[5].proven == 0);
}

static void test_envelope_rest(void **state)
{
	struct envelope e;

	(void)state;
	envelope_init(&e, 0);
	/* It grows until tick 600, so it must rest for 600 ticks. */
	for (uint32_t t = 100; t <= 600; t += 100)
		evaluate(&e, t, t * 10);
	evaluate(&e, 1199, 6200); /* by less than 5 % */
	assert_true(e.at[0].proven == 0);
	evaluate(&e, 1200, 6200);
	assert_true(e.at[0].proven == 6000);
	/* Growth that goes on later begins anew: two hours of rest prove it. */
	evaluate(&e, 1300, 7000);
	evaluate(&e, 1419, 7000);
	assert_true(e.at[0].proven == 6000);
	evaluate(&e, 1420, 7000);
	assert_true(e.at[0].proven == 7000);
	evaluate(&e, 1430, 9000);
	envelope_prove(&e);
	assert_true(e.at[0].proven == 9000);
}

static void test_envelope_index(void **state)
{
	(void)state;
	assert_int_equal(envelope_index(1), 0);
	assert_int_equal(envelope_index(2), 1);
	/* Up: at 33 ticks, what is older than 64. */
	assert_int_equal(envelope_index(33), 6);
	assert_int_equal(envelope_index(1e9), 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bins),	      cmocka_unit_test(test_longest),
		cmocka_unit_test(test_add_life),      cmocka_unit_test(test_envelope_fall),
		cmocka_unit_test(test_envelope_rest), cmocka_unit_test(test_envelope_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
