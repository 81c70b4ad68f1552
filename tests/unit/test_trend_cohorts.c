// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/cohorts.c against one counter per tick. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "trend/cohorts.h"

/* The slots cover [0, now) without a gap, aligned, and as narrow as their age demands. */
static void check_layout(uint32_t now)
{
	struct cohort_layout l;
	struct cohort_walk walk;
	uint32_t next = 0;
	uint8_t used[COHORT_SLOTS] = { 0 };
	unsigned n = 0;
	int slot;

	cohort_layout_set(&l, now);
	cohort_walk_init(&walk, &l);
	while ((slot = cohort_walk_next(&walk)) >= 0) {
		assert_int_equal(walk.start, next);
		assert_int_equal(used[slot], 0);
		used[slot] = 1;
		assert_int_equal(cohort_slot(&l, walk.start), slot);
		assert_int_equal(cohort_slot(&l, walk.start + walk.width - 1), slot);
		assert_int_equal(cohort_mark(&l, walk.start).index, n);
		assert_true(cohort_mark(&l, walk.start).share == 0);
		if (slot != COHORT_OLDEST) {
			assert_int_equal(walk.width & (walk.width - 1), 0);
			assert_int_equal(walk.start % walk.width, 0);
			/* A slot of 2^j ticks begins more than 25 * 2^(j - 1) ticks ago. */
			assert_true(walk.width == 1 ||
				    now - walk.start > COHORT_EXACT * (walk.width / 2));
			assert_true(now - walk.start <= (COHORT_EXACT + 4) * walk.width ||
				    walk.width == 1u << (COHORT_LEVELS - 1));
		}
		next += walk.width;
		n++;
	}
	assert_int_equal(next, now);
	assert_int_equal(n, l.n);
	assert_true(n <= COHORT_ORDERED);
}

static void test_layout(void **state)
{
	(void)state;
	for (uint32_t now = 0; now < 3000; now++)
		check_layout(now);
	for (uint32_t now = 3000; now < 400000; now += 997)
		check_layout(now);
}

/* Births and live blocks of each tick, beside the same in cohorts. */
struct both {
	struct cohorts cohorts;
	double births[6000];
	uint32_t live[6000];
};

static void add_tick(struct both *b, uint32_t tick)
{
	struct cohort_layout l;

	b->births[tick] = tick % 7 + (tick % 100 == 3 ? 23 : 0);
	cohorts_advance(&b->cohorts, tick + 1);
	cohort_layout_set(&l, tick + 1);
	cohorts_add_births(&b->cohorts, &l, tick, b->births[tick]);
}

static void scan(struct both *b, const struct cohort_layout *l)
{
	cohorts_scan_begin(&b->cohorts);
	for (uint32_t t = 0; t < l->now; t++) {
		b->live[t] = (t * 2654435761u >> 30) % 3;
		if (b->live[t] > b->births[t])
			b->live[t] = 0;
		cohorts_scan_add(&b->cohorts, l, t, b->live[t], 17.0 * b->live[t]);
	}
}

static void check_sums(const struct both *b, const struct cohort_layout *l)
{
	struct cohort_sums sums;
	double births = 0, live = 0;

	cohorts_sum(&b->cohorts, l, &sums);
	for (uint32_t t = 0; t <= l->now; t++) {
		struct cohort_mark m = cohort_mark(l, t);

		if (m.share == 0) {
			assert_true(fabs(sums.births[m.index] - births) < 0.5);
			assert_true(sums.live[m.index] == live);
			assert_true(sums.bytes[m.index] == 17 * live);
		}
		if (t < l->now) {
			births += b->births[t];
			live += b->live[t];
		}
	}
	/* Slices of every width up to the age of 25 widths begin and end between slots. */
	for (uint32_t width = 1; width <= 128; width *= 2)
		for (uint32_t at = l->now / width * width;
		     at >= width && l->now - at <= COHORT_EXACT * width; at -= width)
			assert_true(cohort_mark(l, at).share == 0);
}

static void test_sums(void **state)
{
	struct both *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(b);
	for (uint32_t tick = 0; tick < 6000; tick++) {
		struct cohort_layout l;

		add_tick(b, tick);
		if (tick % 131 != 0 && tick != 5999)
			continue;
		cohort_layout_set(&l, tick + 1);
		scan(b, &l);
		check_sums(b, &l);
	}
	free(b);
}

static void test_spread(void **state)
{
	struct cohorts c = { 0 };
	struct cohort_layout l;
	struct cohort_sums sums;
	struct cohort_mark m;

	(void)state;
	cohorts_advance(&c, 1000);
	cohort_layout_set(&l, 1000);
	cohorts_add_births(&c, &l, 500, 1000);
	cohorts_sum(&c, &l, &sums);
	m = cohort_mark(&l, 500);
	assert_true(fabs(cohort_sum_at(sums.births, m)) < 16);
	m = cohort_mark(&l, 750.5);
	assert_true(fabs(cohort_sum_at(sums.births, m) - 501) < 1e-3);
	assert_true(fabs(sums.births[l.n] - 1000) < 1e-3);
	/* A birth that the scan sees after the tick ended counts to the last tick. */
	cohorts_scan_begin(&c);
	cohorts_scan_add(&c, &l, 1003, 2, 64);
	cohorts_sum(&c, &l, &sums);
	assert_true(sums.live[l.n] - sums.live[l.n - 1] == 2);
	/* More live blocks than births were seen: then they were born. */
	assert_true(sums.births[l.n] - sums.births[l.n - 1] == 2);
}

/* Nothing is lost when the last level folds into the oldest slot; many small blocks stay exact. */
static void test_oldest(void **state)
{
	struct cohorts c = { 0 };
	struct cohort_layout l;
	struct cohort_sums sums;
	uint32_t now = 150000;

	(void)state;
	for (uint32_t tick = 0; tick < now; tick += 50) {
		cohorts_advance(&c, tick + 50);
		cohort_layout_set(&l, tick + 50);
		cohorts_add_births(&c, &l, tick, 50);
	}
	cohorts_sum(&c, &l, &sums);
	assert_true(l.edge[COHORT_LEVELS] > 0);
	assert_true(fabs(sums.births[l.n] - now) < 1);
	assert_true(fabs(sums.births[1] - l.edge[COHORT_LEVELS]) < 1);
	cohorts_scan_begin(&c);
	for (int i = 0; i < 300000; i++)
		cohorts_scan_add(&c, &l, 3, 1000, 32000);
	cohorts_sum(&c, &l, &sums);
	assert_true(sums.live[1] == 3e8);
	assert_true(sums.bytes[1] == 9.6e9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
