// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/window.c, patience.c and floors.c: measures by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "trend/floors.h"
#include "trend/judge.h"
#include "trend/window.h"

#define LIFE 1024

/* A life of 1024 ticks in which the work is one allocation of another site per tick. */
struct fixture {
	struct cohort_layout layout;
	struct cohorts cohorts;
	struct cohort_sums sums;
	double work[COHORT_ORDERED + 1];
	struct life life;
};

/* bytes(t): live bytes of the one block that is born in tick t; none if 0. */
static void set_up(struct fixture *f, double (*bytes)(uint32_t t))
{
	struct cohort_walk walk;
	double work = 0;
	unsigned i = 0;

	memset(f, 0, sizeof(*f));
	cohorts_advance(&f->cohorts, LIFE);
	cohort_layout_set(&f->layout, LIFE);
	cohorts_add_births(&f->cohorts, &f->layout, 0, LIFE);
	for (uint32_t t = 0; t < LIFE; t++)
		if (bytes(t) > 0)
			cohorts_scan_add(&f->cohorts, &f->layout, t, 1, bytes(t));
	cohorts_sum(&f->cohorts, &f->layout, &f->sums);
	cohort_walk_init(&walk, &f->layout);
	while (cohort_walk_next(&walk) >= 0) {
		f->work[i++] = work;
		work += 2 * walk.width;
	}
	f->work[i] = work;
	f->life = (struct life){ &f->layout, &f->sums, f->work };
}

static void assert_close(double value, double expected, double error)
{
	if (!(fabs(value - expected) <= error))
		fail_msg("%.10g is not %.10g", value, expected);
}

static double even(uint32_t t)
{
	(void)t;
	return 100;
}

/* The derivative of a logarithm. */
static double slowing(uint32_t t)
{
	return 100000.0 / (t + 10);
}

static double one_step(uint32_t t)
{
	return t == 900 ? 1e6 : 0;
}

static void test_take(void **state)
{
	struct fixture f;
	struct window w;

	(void)state;
	set_up(&f, even);
	/* 1024 - 100 = 924: 14 whole slices of 64, the last one ends at 896. */
	assert_true(window_take(&f.life, 64, 100, 4, &w));
	assert_int_equal(w.n, 14);
	assert_int_equal(w.from, 0);
	assert_true(window_take(&f.life, 32, 100, 4, &w));
	assert_int_equal(w.n, 16);
	assert_int_equal(w.from, 896 - 16 * 32);
	for (unsigned i = 0; i < 16; i++) {
		assert_close(w.slices[i].bytes, 3200, 1e-6);
		assert_close(w.slices[i].blocks, 32, 1e-6);
		assert_close(w.slices[i].births, 32, 1e-3);
		assert_close(w.slices[i].work, 32, 1e-3);
	}
	assert_close(w.sum.bytes, 16 * 3200, 1e-6);
	/* Three slices of 256 are mature. */
	assert_false(window_take(&f.life, 256, 100, 4, &w));
	assert_true(window_take(&f.life, 256, 100, 3, &w));
	assert_int_equal(w.n, 3);
	assert_false(window_take(&f.life, 64, 2000, 1, &w));
}

static void test_presence(void **state)
{
	struct window w = { .width = 10, .n = 6 };
	static const double births[] = { 100, 100, 1, 100, 100, 100 };
	static const double bytes[] = { 50, 60, 999, 9, 70, 0 };
	struct presence p;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		w.slices[i] = (struct slice){ .births = births[i], .bytes = bytes[i] };
		w.sum.births += births[i];
	}
	/* Slice 2 had no births to speak of. Median of 0 9 50 60 70: 50; a fifth is 10. */
	p = window_presence(&w);
	assert_int_equal(p.active, 5);
	assert_int_equal(p.positive, 3);
	assert_int_equal(p.last, 4);
	assert_close(p.share, 0.6, 1e-12);
	assert_int_equal(p.gap, 2); /* distances 1 and 3 */
	w.slices[3].bytes = 10;
	assert_int_equal(window_presence(&w).positive, 4);
	memset(&w.slices, 0, sizeof(w.slices));
	assert_int_equal(window_presence(&w).active, 0);
}

static void test_steadiness(void **state)
{
	struct window w = { .width = 10, .n = 5 };
	struct steadiness s;

	(void)state;
	/* The middle slice of five belongs to neither half. */
	w.slices[0] = (struct slice){ .bytes = 60, .births = 100, .blocks = 10, .work = 500 };
	w.slices[1] = w.slices[0];
	w.slices[2] = (struct slice){ .bytes = 1e9, .births = 1, .blocks = 1 };
	w.slices[3] = (struct slice){ .bytes = 30, .births = 40, .blocks = 3, .work = 200 };
	w.slices[4] = w.slices[3];
	s = window_steadiness(&w);
	assert_close(s.time, 0.5, 1e-12);
	assert_close(s.work, 0.5 * 500 / 200, 1e-12);
	assert_close(s.survival, 0.075 / 0.1, 1e-12);
	assert_close(s.best, 1.25, 1e-12);
	assert_close(window_survival(&w), 0.1 / 0.075, 1e-12);
	/* Where most survive, survival per birth says nothing. */
	w.slices[3].blocks = w.slices[4].blocks = 40;
	w.slices[0].blocks = w.slices[1].blocks = 90;
	assert_true(window_steadiness(&w).survival == 0);
	w.slices[0].bytes = w.slices[1].bytes = 0;
	assert_true(window_steadiness(&w).best == 99);
}

static void test_life_steadiness(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, even);
	assert_close(life_steadiness(&f.life, 64).time, 1, 0.02);
	/* ln(n) over equal parts: 5 to 8 of 16 hold ln 2 / 4 each, 9 to 16 ln 2 / 8: about a half. */
	set_up(&f, slowing);
	assert_close(life_steadiness(&f.life, 64).time, 0.48, 0.05);
	/* The largest part is left out, so one step is no growth; nothing before it, nothing after. */
	set_up(&f, one_step);
	assert_true(life_steadiness(&f.life, 64).time == 99);
	assert_true(life_steadiness(&f.life, 1000).best == 99);
}

static void test_patience(void **state)
{
	struct trend_options o;
	struct trend_patience p = {
		.cold = 1, .warm = 0.25, .longest_cold = 10000, .longest_warm = 400
	};

	(void)state;
	trend_options_init(&o);
	o.shortest_cold = 90;
	o.shortest_warm = 10;
	assert_close(patience_required(&o, &p, 1000, 0, false), 1000, 1e-9);
	assert_close(patience_required(&o, &p, 1000, 1, false), 250, 1e-9);
	/* Halfway is the geometric mean: a share of 0.5, at most 2000, at least 30. */
	assert_close(patience_required(&o, &p, 1000, 0.5, false), 500, 1e-9);
	assert_close(patience_required(&o, &p, 1e6, 0.5, false), 2000, 1e-6);
	assert_close(patience_required(&o, &p, 1, 0.5, false), 30, 1e-9);
	assert_close(patience_required(&o, &p, 1, 0, false), 90, 1e-9);
	assert_close(patience_required(&o, &p, 1, 0, true), 10, 1e-9);
	p.warm = 0;
	assert_close(patience_required(&o, &p, 1000, 1, false), 1000, 1e-9);
}

static void test_known(void **state)
{
	struct trend_process process = { .now = 800 };
	struct trend_profile profile = { .observed = 0 };
	struct subject s = { .process = &process, .profile = &profile };
	struct window w = { .from = 700, .sum = { .bytes = 1000 } };

	(void)state;
	/* Watched for 800 ticks, growing for 100: eight times as long. */
	assert_true(subject_known(&s, &w, 0) == 1);
	w.from = 400; /* twice */
	assert_true(subject_known(&s, &w, 0) == 0);
	profile.observed = 800 * (M_SQRT2 - 1); /* 2 sqrt 2 times */
	assert_close(subject_known(&s, &w, 0), 0.5, 1e-9);
	/* Survivors from before: the growth is as old as the life. */
	assert_true(subject_known(&s, &w, 501) == 0);
	profile.observed = 2400;
	assert_true(subject_known(&s, &w, 501) == 1);
}

static void test_floors(void **state)
{
	struct floors f = { 0 };

	(void)state;
	assert_true(floors_least(&f, 0, 10).bytes == 0);
	for (uint32_t t = 0; t < 1000; t++)
		floors_add(&f, t,
			   (struct floor_point){ .bytes = (float)(t % 10 + t), .blocks = 2 });
	/* 1000 ticks take 64 points of 16. */
	assert_int_equal(f.spacing, 16);
	assert_int_equal(f.n, 63);
	for (uint32_t from = 0; from < 1000; from += 48) {
		double least = 1e9;

		for (uint32_t t = from; t < from + 32 && t < 1000; t++)
			least = fmin(least, t % 10 + t);
		assert_true(floors_least(&f, from, from + 31).bytes == least);
	}
	/* Ticks that are left out are as the next one that is known. */
	floors_add(&f, 5000, (struct floor_point){ .bytes = 7 });
	assert_int_equal(f.spacing, 128);
	assert_true(floors_least(&f, 3000, 3000).bytes == 7);
	assert_true(floors_least(&f, 0, 127).bytes == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),	   cmocka_unit_test(test_presence),
		cmocka_unit_test(test_steadiness), cmocka_unit_test(test_life_steadiness),
		cmocka_unit_test(test_patience),   cmocka_unit_test(test_known),
		cmocka_unit_test(test_floors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
